#include "fuse/inode_table.h"

#include <new>
#include <utility>

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>

#include <xip/vfs/inode.h>

namespace xip::fuse {

namespace {

constexpr float never_grows = 1e9f;  // names in a bucket, before a map takes more buckets by itself

}  // namespace

// The maps take no memory for more buckets when something is inserted: shard::insert does, if there is some.
inode_table::inode_table(vfs::node root) noexcept : root_{std::move(root)} {
  for (shard& s : shards_) {
    const mutex_guard guard{s.lock};
    s.entries.max_load_factor(never_grows);
  }
}

result<> inode_table::fill(spare& s) noexcept {
  if (!s.empty()) return {};
  try {
    std::unordered_map<std::uint64_t, entry> one;
    one.max_load_factor(never_grows);
    one.try_emplace(0);
    s = one.extract(one.begin());
    return {};
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

// Without memory for more buckets they get fuller.
void inode_table::shard::insert(spare&& s) noexcept {
  if (const std::size_t buckets = entries.bucket_count(); entries.size() >= buckets) {
    try {
      entries.rehash(buckets * 2);
    } catch (const std::bad_alloc&) {
    }
  }
  entries.insert(std::move(s));
}

result<std::uint64_t> inode_table::remember(vfs::node place, spare& s) noexcept {
  const std::uint64_t number = place.get_inode().i_ino.value();
  if (&place.get_inode() == &root_.get_inode()) return std::uint64_t{FUSE_ROOT_ID};
  if (number == FUSE_ROOT_ID) return fail(EUCLEAN);
  shard& home = shard_of(number);
  const mutex_guard guard{home.lock};
  if (const auto found = home.entries.find(number); found != home.entries.end()) {
    ++found->second.lookups;
    return number;
  }
  XIP_TRY(fill(s));
  s.key() = number;
  s.mapped().place = std::move(place);
  s.mapped().lookups = 1;
  home.insert(std::move(s));
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
