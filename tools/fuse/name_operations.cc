// Names: looking up, making, removing, renaming.
#include <fcntl.h>

#include "fuse/request.h"

namespace xip::fuse {
namespace {

// A name that is not there is an answer too: the kernel need not ask again.
constexpr entry_answer no_such_name{{.ino = 0, .generation = 0, .attr = {}, .attr_timeout = forever, .entry_timeout = forever}};

void lookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
  answer(req, [&](request& r) -> result<entry_answer> {
    auto entry = r.entry_of(*XIP_TRY(r.place(parent)), name);
    if (!entry.has_value() && entry.error() == ENOENT) return no_such_name;
    if (entry.has_value() && !S_ISDIR(entry->attr.st_mode)) r.owner().listings.looked_up(parent);
    return entry_answer{XIP_TRY(std::move(entry))};
  });
}

void forget(fuse_req_t req, fuse_ino_t number, std::uint64_t lookups) {
  this_worker()->owner.inodes.forget(number, lookups);
  fuse_reply_none(req);
}

void forget_multi(fuse_req_t req, std::size_t count, fuse_forget_data* all) {
  for (std::size_t i = 0; i < count; ++i) this_worker()->owner.inodes.forget(all[i].ino, all[i].nlookup);
  fuse_reply_none(req);
}

void mknod(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, dev_t device) {
  answer(req, [&](request& r) -> result<entry_answer> {
    const vfs::node& directory = *XIP_TRY(r.place(parent));
    XIP_TRY(r.make_room());
    XIP_TRY(r.task().mknodat(directory, name, mode, device));
    return entry_answer{XIP_TRY(r.entry_of(directory, name))};
  });
}

void mkdir(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode) {
  answer(req, [&](request& r) -> result<entry_answer> {
    const vfs::node& directory = *XIP_TRY(r.place(parent));
    XIP_TRY(r.make_room());
    XIP_TRY(r.task().mkdirat(directory, name, mode));
    return entry_answer{XIP_TRY(r.entry_of(directory, name))};
  });
}

void symlink(fuse_req_t req, const char* target, fuse_ino_t parent, const char* name) {
  answer(req, [&](request& r) -> result<entry_answer> {
    const vfs::node& directory = *XIP_TRY(r.place(parent));
    XIP_TRY(r.make_room());
    XIP_TRY(r.task().symlinkat(target, directory, name));
    return entry_answer{XIP_TRY(r.entry_of(directory, name))};
  });
}

void link(fuse_req_t req, fuse_ino_t number, fuse_ino_t parent, const char* name) {
  answer(req, [&](request& r) -> result<entry_answer> {
    const vfs::node& directory = *XIP_TRY(r.place(parent));
    const vfs::node& file = *XIP_TRY(r.place(number));
    XIP_TRY(r.task().linkat(file, {}, directory, name, AT_EMPTY_PATH));
    return entry_answer{XIP_TRY(r.entry_of(directory, name))};
  });
}

[[nodiscard]] result<done_answer> remove(request& r, fuse_ino_t parent, const char* name, int flags) {
  const vfs::node& directory = *XIP_TRY(r.place(parent));
  XIP_TRY(r.task().unlinkat(directory, name, flags));
  return done_answer{};
}

void unlink(fuse_req_t req, fuse_ino_t parent, const char* name) {
  answer(req, [&](request& r) { return remove(r, parent, name, 0); });
}

void rmdir(fuse_req_t req, fuse_ino_t parent, const char* name) {
  answer(req, [&](request& r) { return remove(r, parent, name, AT_REMOVEDIR); });
}

// The number of what moves from NAME in PARENT to another directory; 0: it is no directory. ENOMEM, and whatever the rename will meet.
[[nodiscard]] result<fuse_ino_t> directory_that_moves(request& r, const vfs::node& parent, const char* name) {
  const vfs::node moves = XIP_TRY(r.task().lookup_node(parent, name, AT_SYMLINK_NOFOLLOW));
  const bool is_directory = S_ISDIR(moves.get_inode().i_mode.load(std::memory_order_relaxed));
  return is_directory ? fuse_ino_t{moves.get_inode().i_ino.value()} : 0;
}

// A directory that has moved has another "..", which the kernel may have among the entries that it keeps.
void tell_of_new_parent(request& r, fuse_ino_t moved) {
  if (moved != 0) fuse_lowlevel_notify_inval_inode(r.owner().session, moved, 0, 0);
}

void rename(fuse_req_t req, fuse_ino_t parent, const char* name, fuse_ino_t new_parent, const char* new_name, unsigned flags) {
  answer(req, [&](request& r) -> result<done_answer> {
    const vfs::node& from = *XIP_TRY(r.place(parent));
    const vfs::node& to = *XIP_TRY(r.place(new_parent));
    fuse_ino_t moved = 0, came_back = 0;
    if (parent != new_parent) moved = XIP_TRY(directory_that_moves(r, from, name));
    if (parent != new_parent && (flags & RENAME_EXCHANGE) != 0) came_back = XIP_TRY(directory_that_moves(r, to, new_name));
    XIP_TRY(r.task().renameat2(from, name, to, new_name, flags));
    tell_of_new_parent(r, moved);
    tell_of_new_parent(r, came_back);
    return done_answer{};
  });
}

void readlink(fuse_req_t req, fuse_ino_t number) {
  answer(req, [&](request& r) -> result<link_answer> {
    const vfs::node& link = *XIP_TRY(r.place(number));
    return link_answer{XIP_TRY(r.task().readlinkat(link, {}))};
  });
}

}  // namespace

void add_name_operations(fuse_lowlevel_ops& table) noexcept {
  table.lookup = lookup;
  table.forget = forget;
  table.forget_multi = forget_multi;
  table.mknod = mknod;
  table.mkdir = mkdir;
  table.symlink = symlink;
  table.link = link;
  table.unlink = unlink;
  table.rmdir = rmdir;
  table.rename = rename;
  table.readlink = readlink;
}

}  // namespace xip::fuse
