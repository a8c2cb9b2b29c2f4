#include "fuse/inode_table.h"

#include <utility>

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>

#include <xip/vfs/inode.h>

namespace xip::fuse {

result<std::uint64_t> inode_table::remember(vfs::node place) {
  const std::uint64_t number = place.get_inode().i_ino.value();
  if (&place.get_inode() == &root_.get_inode()) return std::uint64_t{FUSE_ROOT_ID};
  if (number == FUSE_ROOT_ID) return fail(EUCLEAN);
  shard& s = shard_of(number);
  const mutex_guard guard{s.lock};
  entry& e = s.entries[number];
  if (e.lookups++ == 0) e.place = std::move(place);
  return number;
}

result<const vfs::node*> inode_table::find(std::uint64_t number) noexcept {
  if (number == FUSE_ROOT_ID) return &root_;
  shard& s = shard_of(number);
  const mutex_guard guard{s.lock};
  const auto found = s.entries.find(number);
  if (found == s.entries.end()) return fail(ESTALE);
  return &found->second.place;
}

void inode_table::forget(std::uint64_t number, std::uint64_t count) noexcept {
  if (number == FUSE_ROOT_ID) return;
  vfs::node dropped;  // after the lock: it may have to be evicted
  shard& s = shard_of(number);
  const mutex_guard guard{s.lock};
  const auto found = s.entries.find(number);
  if (found == s.entries.end()) return;
  entry& e = found->second;
  e.lookups -= std::min(count, e.lookups);
  if (e.lookups != 0) return;
  dropped = std::move(e.place);
  s.entries.erase(found);
}

void inode_table::add_writer(std::uint64_t number) noexcept {
  shard& s = shard_of(number);
  const mutex_guard guard{s.lock};
  if (const auto found = s.entries.find(number); found != s.entries.end()) ++found->second.writers;
}

void inode_table::drop_writer(std::uint64_t number) noexcept {
  shard& s = shard_of(number);
  const mutex_guard guard{s.lock};
  if (const auto found = s.entries.find(number); found != s.entries.end() && found->second.writers != 0) --found->second.writers;
}

bool inode_table::has_writers(std::uint64_t number) noexcept {
  shard& s = shard_of(number);
  const mutex_guard guard{s.lock};
  const auto found = s.entries.find(number);
  return found != s.entries.end() && found->second.writers != 0;
}

}  // namespace xip::fuse
