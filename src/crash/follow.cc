#include "crash/follow.h"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "crash/calls.h"
#include "crash/file_flags.h"

namespace xip::crash {
namespace {

// The file that S opens, through a symlink as the call does it.
std::uint64_t inode_of(vfs::task& t, const player& p, const step& s) {
  const int fd = s.fd == step::by_path ? -1 : p.descriptor(s.fd);
  const auto st = fd >= 0 ? t.fstat(fd) : t.stat("/" + s.path);
  return st ? st->ino : 0;
}

// Of a step that was not refused. Of its descriptor both flags count; O_SYNC includes O_DSYNC's bit.
durability made_durable(vfs::task& t, const player& p, const step& s) {
  switch (s.what) {
    case verb::fsync:
      return durability::file;
    case verb::fdatasync:
    case verb::msync:
      return durability::data;
    case verb::store:
      return (s.flags & flag_sync) != 0 ? durability::own_bytes : durability::nothing;
    case verb::sync:
    case verb::umount:
      return durability::everything;
    case verb::write:
    case verb::falloc: {
      const auto opened = s.fd == step::by_path ? result<int>{0} : t.fcntl(p.descriptor(s.fd), F_GETFL);
      const int flags = opened.value_or(0);
      if ((s.flags & flag_sync) != 0 || (flags & O_SYNC) == O_SYNC) return durability::file;
      return (s.flags & flag_dsync) != 0 || (flags & O_DSYNC) != 0 ? durability::data : durability::nothing;
    }
    default:
      return durability::nothing;
  }
}

// OPTIONS of a mount have WORD among them.
bool has_option(std::string_view options, std::string_view word) {
  for (std::size_t at = 0; at <= options.size();) {
    const std::size_t end = std::min(options.find(',', at), options.size());
    if (options.substr(at, end - at) == word) return true;
    at = end + 1;
  }
  return false;
}

bool opens_for_append(vfs::task& t, const player& p, const step& s) {
  if (s.what != verb::write) return false;
  if (s.fd == step::by_path) return (s.flags & flag_append) != 0;
  return p.descriptor(s.fd) >= 0 && (t.fcntl(p.descriptor(s.fd), F_GETFL).value_or(0) & O_APPEND) != 0;
}

}  // namespace

void must(std::string wrong) {
  if (!wrong.empty()) throw std::runtime_error{wrong};
}

void mount_or_throw(lone_kernel& machine, const crashed_file_system& fs, dev::device& device) {
  if (std::string wrong = machine.mount(fs.type, device, fs.mount_options); !wrong.empty())
    throw std::runtime_error{"the mount failed: " + wrong};
}

tree tree_or_throw(vfs::task& t) {
  tree now;
  must(read_tree_of(t, now));
  return now;
}

int play_step(player& p, lone_kernel& machine, const crashed_file_system& fs, dev::device& device, const step& s, std::size_t number) {
  if (s.what != verb::umount) return p.play(machine.task(), s, number);
  p.close_all(machine.task());
  must(machine.umount());
  mount_or_throw(machine, fs, device);
  return 0;
}

void follower::start(numbering files) {
  tree before = tree_or_throw(machine_.task());
  contents_.start(before);
  const bool everywhere = has_option(fs_.mount_options, "sync") || has_option(fs_.mount_options, "dirsync");
  measure_.start(std::move(before), files, everywhere ? names_last::everywhere : names_last::as_flagged);
}

void follower::mounted(const step& s) { measure_.add(s, durability::nothing, 0, measure_.now()); }

int follower::make(const step& s, std::size_t number, const std::function<void(bool)>& ended) {
  player& p = players_[s.task];
  const bool appends = opens_for_append(machine_.task(), p, s);
  const int answer = play_step(p, machine_, fs_, device_, s, number);
  durability made = answer == 0 ? made_durable(machine_.task(), p, s) : durability::nothing;
  ended(made == durability::everything);
  const std::uint64_t file = inode_of(machine_.task(), p, s);
  const synced_bytes synced = bytes_synced(s, made, file, appends);
  // One that was signalled on its way has stored something.
  if (s.what == verb::store && (answer == 0 || answer == EFAULT)) stored_.insert(file);
  tree now = all_files();
  if (answer != 0) contents_.take(file, now);
  if (answer == 0) must(contents_.follow(s, number, appends, file, now));
  std::erase_if(stored_, [&](std::uint64_t ino) { return now.node(ino) == nullptr; });  // the number may become another's
  if (made == durability::nothing && answer == 0 && writes_last(s, now.node(file))) made = durability::data;
  measure_.add(s, made, file, std::move(now), synced);
  return answer;
}

// It writes to a file whose flags, or whose mount, ask for each write to be durable when it returns.
bool follower::writes_last(const step& s, const tree_node* file) const {
  if (s.what != verb::write || s.length == 0 || file == nullptr) return false;
  return (file->flags & syncs_flag) != 0 || has_option(fs_.mount_options, "sync");
}

synced_bytes follower::bytes_synced(const step& s, durability made, std::uint64_t file, bool appends) {
  if (made == durability::everything)
    stored_.clear();
  else if (made != durability::nothing && makes_durable(s))
    stored_.erase(file);
  else if (stored_.contains(file))
    return s.what == verb::write && !appends ? synced_bytes::own : synced_bytes::none;
  return synced_bytes::all;
}

void follower::close_all() {
  for (player& p : players_) p.close_all(machine_.task());
}

// With the files that are open and have no name: a crash may bring the name back, with bytes that were written later.
tree follower::all_files() {
  vfs::task& t = machine_.task();
  tree now = tree_or_throw(t);
  for (const player& p : players_)
    for (const int fd : p.descriptors()) {
      if (fd < 0) continue;
      const auto st = t.fstat(fd);
      if (!st) throw std::runtime_error{fmt::format("fstat of an open file says {}", st.error().name())};
      const auto [at, fresh] = now.nodes.try_emplace(st->ino);
      tree_node& n = at->second;
      if (!fresh) continue;
      n.mode = st->mode, n.nlink = st->nlink, n.uid = st->uid, n.gid = st->gid;
      n.mtime = nanoseconds_of(st->mtime), n.ctime = nanoseconds_of(st->ctime);
      n.flags = durable_flags(t, fd).value_or(0);
      if (!is_regular(n)) continue;
      n.size = st->size;
      n.data.resize(static_cast<std::size_t>(n.size));
      if (!n.data.empty() && t.pread(fd, n.data.data(), n.data.size(), 0).value_or(0) != n.data.size())
        throw std::runtime_error{"an open file cannot be read"};
    }
  return now;
}

}  // namespace xip::crash
