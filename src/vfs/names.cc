// Calls that make and remove names: mkdir, mknod, symlink, link, rmdir, unlink. Linux: fs/namei.c.
//
// Lock chains:
//   i_rwsem/1 -> d_lock
//   i_rwsem/1 -> i_rwsem/2
#include <xip/vfs/ops.h>

#include "vfs/files_struct.h"
#include "vfs/hook.h"
#include "vfs/namei.h"
#include "vfs/permission.h"
#include "vfs/syscall.h"

namespace xip::vfs {

namespace {

// Makes the name that ND has walked to. MAKE(dir inode, name) calls the hook under the directory's i_rwsem. EEXIST comes before EROFS, that before what
// ALLOWED() says, and that before EACCES. Linux: filename_create and its callers.
template <class Make, class Allowed>
[[nodiscard]] result<> make_name(nameidata& nd, bool makes_directory, Make&& make, Allowed&& allowed) {
  if (nd.type() != last_type::normal) return fail(EEXIST);
  path_ref& parent = nd.parent();
  auto access = write_access::want(parent.mnt());
  inode& dir = parent.get_inode();
  inode_ref spare;
  dentry_ref child;
  exclusive_guard guard{dir.i_rwsem, subclass_parent};
  child = XIP_TRY(lookup_locked(parent.dent(), nd.last(), spare));
  if (child->get_inode() != nullptr) return fail(EEXIST);
  if (nd.trailing_slash() && !makes_directory) return fail(ENOENT);
  if (!access) return fail(access.error());
  XIP_TRY(allowed());
  XIP_TRY(may_create(dir));
  d_instantiate(*child, inode_ref{XIP_TRY(make(dir, nd.last()))});
  return {};
}
template <class Make>
[[nodiscard]] result<> make_name(nameidata& nd, bool makes_directory, Make&& make) {
  return make_name(nd, makes_directory, std::forward<Make>(make), []() -> result<> { return {}; });
}

// Linux: vfs_unlink, under the directory's i_rwsem.
[[nodiscard]] result<> unlink_locked(inode& dir, std::string_view name, dentry& victim) {
  inode& i = *victim.get_inode();
  XIP_TRY(may_delete(dir, i, false));
  if (dir.i_op->unlink == nullptr) return fail(EPERM);
  exclusive_guard guard{i.i_rwsem, subclass_child};
  if (victim.d_mounted.load(std::memory_order_acquire) != 0) return fail(EBUSY);
  return call_hook(hook::unlink, dir.i_op->unlink, dir, name, i);
}

// Linux: vfs_rmdir. A name that is known to exist in it was found there: whatever a damaged directory says of itself, it is not empty.
[[nodiscard]] result<> rmdir_locked(inode& dir, std::string_view name, dentry& victim) {
  inode& i = *victim.get_inode();
  XIP_TRY(may_delete(dir, i, true));
  if (dir.i_op->rmdir == nullptr) return fail(EPERM);
  exclusive_guard guard{i.i_rwsem, subclass_child};
  if (victim.d_mounted.load(std::memory_order_acquire) != 0) return fail(EBUSY);
  if (has_known_names(victim)) return fail(ENOTEMPTY);
  XIP_TRY(call_hook(hook::rmdir, dir.i_op->rmdir, dir, name, i));
  i.i_flags.fetch_or(s_dead, std::memory_order_relaxed);
  d_drop_children(victim);
  return {};
}

using remove_locked = result<>(inode&, std::string_view, dentry&);

// Linux: do_unlinkat, do_rmdir. A dentry without inode is a name that is not there.
[[nodiscard]] result<> remove_name(nameidata& nd, remove_locked& remove, bool want_directory) {
  path_ref& parent = nd.parent();
  const write_access access = XIP_TRY(write_access::want(parent.mnt()));
  inode& dir = parent.get_inode();
  inode_ref gone, spare;  // dropped after the locks: the last reference frees the file's blocks
  dentry_ref child;
  exclusive_guard guard{dir.i_rwsem, subclass_parent};
  child = XIP_TRY(lookup_locked(parent.dent(), nd.last(), spare));
  const inode* i = child->get_inode();
  if (i == nullptr) return fail(ENOENT);
  if (!want_directory && nd.trailing_slash()) return fail(i->is_dir() ? EISDIR : ENOTDIR);
  XIP_TRY(remove(dir, nd.last(), *child));
  gone = d_delete(*child);
  return {};
}

[[nodiscard]] result<> remove_directory(task& t, const at& where, std::string_view name) {
  nameidata nd{t};
  XIP_TRY(nd.parent_lookup(where, name));
  switch (nd.type()) {
    case last_type::normal:
      return remove_name(nd, rmdir_locked, true);
    case last_type::dot:
      return fail(EINVAL);
    case last_type::dotdot:
      return fail(ENOTEMPTY);
    case last_type::root:
      break;
  }
  return fail(EBUSY);
}

[[nodiscard]] result<> remove_file(task& t, const at& where, std::string_view name) {
  nameidata nd{t};
  XIP_TRY(nd.parent_lookup(where, name));
  if (nd.type() != last_type::normal) return fail(EISDIR);
  return remove_name(nd, unlink_locked, false);
}

// A character device 0:0 is no device but a whiteout: nobody needs a capability for it.
[[nodiscard]] bool is_device(std::uint32_t mode, std::uint64_t rdev) noexcept { return S_ISBLK(mode) || (S_ISCHR(mode) && rdev != 0); }

[[nodiscard]] result<> make_node(nameidata& nd, std::uint32_t mode, std::uint64_t rdev) {
  return make_name(nd, false, [&](inode& dir, std::string_view last) -> result<inode*> {
    if (is_device(mode, rdev) && !capable(CAP_MKNOD)) return fail(EPERM);
    if (S_ISREG(mode)) return dir.i_op->create != nullptr ? call_hook(hook::create, dir.i_op->create, dir, last, mode) : fail(EACCES);
    return dir.i_op->mknod != nullptr ? call_hook(hook::mknod, dir.i_op->mknod, dir, last, mode, rdev) : fail(EPERM);
  });
}

// Linux: vfs_link, before the source is locked. A directory may be the one that is locked already.
[[nodiscard]] result<> may_link(const inode& source) noexcept {
  if ((source.i_flags.load(std::memory_order_relaxed) & (s_append | s_immutable)) != 0) return fail(EPERM);
  return source.is_dir() ? fail(EPERM) : result<>{};
}

[[nodiscard]] bool has_no_name(const inode& source) noexcept {
  const bool linkable = (source.i_flags.load(std::memory_order_relaxed) & s_linkable) != 0;
  return source.i_nlink.load(std::memory_order_relaxed) == 0 && !linkable;
}

[[nodiscard]] result<> link_name(nameidata& nd, const path_ref& from) {
  inode& source = from.get_inode();
  const auto allowed = [&]() -> result<> { return &from.mnt() != &nd.parent().mnt() ? fail(EXDEV) : may_linkat(source); };
  const auto make = [&](inode& dir, std::string_view last) -> result<inode*> {
    if (dir.i_op->link == nullptr) return fail(EPERM);
    XIP_TRY(may_link(source));
    exclusive_guard guard{source.i_rwsem, subclass_child};
    if (has_no_name(source)) return fail(ENOENT);
    XIP_TRY(call_hook(hook::link, dir.i_op->link, source, dir, last));
    source.i_flags.fetch_and(~s_linkable, std::memory_order_relaxed);
    ihold(source);
    return &source;
  };
  return make_name(nd, false, make, allowed);
}

}  // namespace

result<> task::mkdir(std::string_view name, unsigned mode) { return mkdirat(AT_FDCWD, name, mode); }

result<> task::mkdirat(at dir, std::string_view name, unsigned mode) {
  return system_call(*this, [&]() -> result<> {
    nameidata nd{*this};
    XIP_TRY(nd.parent_lookup(dir, name));
    const std::uint32_t full = vfs_prepare_mode(nd.parent().get_inode(), S_IFDIR | (mode & (0777 | S_ISVTX)), mask);
    return make_name(nd, true, [&](inode& parent, std::string_view last) -> result<inode*> {
      return parent.i_op->mkdir != nullptr ? call_hook(hook::mkdir, parent.i_op->mkdir, parent, last, full) : fail(EPERM);
    });
  });
}

result<> task::rmdir(std::string_view name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }
result<> task::unlink(std::string_view name) { return unlinkat(AT_FDCWD, name, 0); }

result<> task::unlinkat(at dir, std::string_view name, int flags) {
  return system_call(*this, [&]() -> result<> {
    if ((flags & ~AT_REMOVEDIR) != 0) return fail(EINVAL);
    return (flags & AT_REMOVEDIR) != 0 ? remove_directory(*this, dir, name) : remove_file(*this, dir, name);
  });
}

result<> task::symlink(std::string_view target, std::string_view name) { return symlinkat(target, AT_FDCWD, name); }

result<> task::symlinkat(std::string_view target, at dir, std::string_view name) {
  return system_call(*this, [&]() -> result<> {
    if (target.empty()) return fail(ENOENT);
    if (target.size() >= path_max) return fail(ENAMETOOLONG);
    nameidata nd{*this};
    XIP_TRY(nd.parent_lookup(dir, name));
    return make_name(nd, false, [&](inode& parent, std::string_view last) -> result<inode*> {
      return parent.i_op->symlink != nullptr ? call_hook(hook::symlink, parent.i_op->symlink, parent, last, target) : fail(EPERM);
    });
  });
}

result<> task::mknod(std::string_view name, unsigned mode, std::uint64_t rdev) { return mknodat(AT_FDCWD, name, mode, rdev); }

result<> task::mknodat(at dir, std::string_view name, unsigned mode, std::uint64_t rdev) {
  return system_call(*this, [&]() -> result<> {
    const unsigned type = (mode & S_IFMT) == 0 ? S_IFREG : mode & S_IFMT;
    if (type == S_IFDIR) return fail(EPERM);
    if (type != S_IFREG && type != S_IFIFO && type != S_IFSOCK && type != S_IFCHR && type != S_IFBLK) return fail(EINVAL);
    nameidata nd{*this};
    XIP_TRY(nd.parent_lookup(dir, name));
    return make_node(nd, vfs_prepare_mode(nd.parent().get_inode(), type | (mode & 07777), mask), rdev);
  });
}

result<> task::link(std::string_view from, std::string_view to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

result<> task::linkat(at from_dir, std::string_view from, at to_dir, std::string_view to, int flags) {
  return system_call(*this, [&]() -> result<> {
    if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0) return fail(EINVAL);
    const unsigned lookup =
        ((flags & AT_SYMLINK_FOLLOW) != 0 ? lookup_follow : 0) | ((flags & AT_EMPTY_PATH) != 0 ? lookup_empty | lookup_linkat_empty : 0);
    const path_ref source = XIP_TRY(user_path_at(*this, from_dir, from, lookup));
    nameidata nd{*this};
    XIP_TRY(nd.parent_lookup(to_dir, to));
    return link_name(nd, source);
  });
}

}  // namespace xip::vfs
