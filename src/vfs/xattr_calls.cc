// The calls on extended attributes. Linux: fs/xattr.c.
#include <linux/limits.h>
#include <sys/xattr.h>

#include <algorithm>
#include <utility>
#include <vector>

#include <xip/vfs/iov_iter.h>

#include "vfs/files_struct.h"
#include "vfs/kernel_impl.h"
#include "vfs/namei.h"
#include "vfs/syscall.h"
#include "vfs/xattr.h"

namespace xip::vfs {

namespace {

// Linux: import_xattr_name.
[[nodiscard]] result<> check_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > XATTR_NAME_MAX) return fail(ERANGE);
  return name.find('\0') == std::string_view::npos ? result<>{} : fail(EINVAL);
}

// What a call speaks of: a path, or an open file. A descriptor without a path is a file, in the ...at() calls too: O_PATH is refused.
struct subject {
  at dir;
  std::string_view path;
  int at_flags;
};

// ACT(place) on it.
template <class Act>
[[nodiscard]] auto with_place(task& t, const subject& s, Act&& act) -> decltype(act(std::declval<const path_ref&>())) {
  if ((s.at_flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) return fail(EINVAL);
  if (s.path.empty() && (s.at_flags & AT_EMPTY_PATH) != 0 && s.dir.place == nullptr && s.dir.fd >= 0) {
    const fd_ref f = t.files->get(s.dir.fd);
    if (!f || (f->f_mode & fmode_path) != 0) return fail(EBADF);
    return act(path_ref{f->f_path});
  }
  return act(XIP_TRY(user_path_at(t, s.dir, s.path, lookup_flags_of(s.at_flags))));
}

[[nodiscard]] subject open_file(int fd) noexcept { return {fd, {}, AT_EMPTY_PATH}; }

[[nodiscard]] result<std::pmr::vector<std::byte>> copy_in(task& t, const void* from, std::size_t bytes) {
  std::pmr::vector<std::byte> value(bytes, &t.owner.memory());
  const iovec segment{const_cast<void*>(from), bytes};
  iov_iter iter{iter_direction::source, {&segment, 1}, bytes, user_access_of(t)};
  if (iter.copy_from_iter(value.data(), bytes) != bytes) return fail(EFAULT);
  return value;
}

[[nodiscard]] result<> copy_out(task& t, std::span<const std::byte> value, void* to) {
  const iovec segment{to, value.size()};
  iov_iter iter{iter_direction::dest, {&segment, 1}, value.size(), user_access_of(t)};
  return iter.copy_to_iter(value.data(), value.size()) == value.size() ? result<>{} : fail(EFAULT);
}

[[nodiscard]] result<> set(task& t, const subject& s, std::string_view name, const void* from, std::size_t size, int flags) {
  return system_call(t, [&]() -> result<> {
    if ((flags & ~(XATTR_CREATE | XATTR_REPLACE)) != 0) return fail(EINVAL);
    XIP_TRY(check_name(name));
    if (size > XATTR_SIZE_MAX) return fail(E2BIG);
    const std::pmr::vector<std::byte> value = XIP_TRY(copy_in(t, from, size));
    return with_place(t, s, [&](const path_ref& p) -> result<> {
      const write_access access = XIP_TRY(write_access::want(p.mnt()));
      return vfs_setxattr(p.get_inode(), name, value, flags);
    });
  });
}

[[nodiscard]] result<std::size_t> get(task& t, const subject& s, std::string_view name, void* to, std::size_t size) {
  return system_call(t, [&]() -> result<std::size_t> {
    XIP_TRY(check_name(name));
    std::pmr::vector<std::byte> value(std::min<std::size_t>(size, XATTR_SIZE_MAX), &t.owner.memory());
    const auto bytes = with_place(t, s, [&](const path_ref& p) { return vfs_getxattr(p.get_inode(), name, value); });
    if (!bytes) return bytes.error() == ERANGE && size >= XATTR_SIZE_MAX ? fail(E2BIG) : bytes;
    if (size != 0) XIP_TRY(copy_out(t, std::span{value}.first(*bytes), to));
    return *bytes;
  });
}

[[nodiscard]] result<std::size_t> list(task& t, const subject& s, char* to, std::size_t size) {
  return system_call(t, [&]() -> result<std::size_t> {
    const std::pmr::string names = XIP_TRY(with_place(t, s, [](const path_ref& p) { return vfs_listxattr(p.get_inode()); }));
    if (size == 0) return names.size();
    if (names.size() > XATTR_LIST_MAX && size >= XATTR_LIST_MAX) return fail(E2BIG);
    if (names.size() > size) return fail(ERANGE);
    XIP_TRY(copy_out(t, std::as_bytes(std::span{names}), to));
    return names.size();
  });
}

[[nodiscard]] result<> remove(task& t, const subject& s, std::string_view name) {
  return system_call(t, [&]() -> result<> {
    XIP_TRY(check_name(name));
    return with_place(t, s, [&](const path_ref& p) -> result<> {
      const write_access access = XIP_TRY(write_access::want(p.mnt()));
      return vfs_removexattr(p.get_inode(), name);
    });
  });
}

}  // namespace

result<> task::setxattr(std::string_view path, std::string_view name, const void* value, std::size_t size, int flags) {
  return set(*this, {AT_FDCWD, path, 0}, name, value, size, flags);
}
result<> task::lsetxattr(std::string_view path, std::string_view name, const void* value, std::size_t size, int flags) {
  return set(*this, {AT_FDCWD, path, AT_SYMLINK_NOFOLLOW}, name, value, size, flags);
}
result<> task::fsetxattr(int fd, std::string_view name, const void* value, std::size_t size, int flags) {
  return set(*this, open_file(fd), name, value, size, flags);
}
result<> task::setxattrat(at dir, std::string_view path, int at_flags, std::string_view name, const void* value, std::size_t size,
                          int flags) {
  return set(*this, {dir, path, at_flags}, name, value, size, flags);
}

result<std::size_t> task::getxattr(std::string_view path, std::string_view name, void* value, std::size_t size) {
  return get(*this, {AT_FDCWD, path, 0}, name, value, size);
}
result<std::size_t> task::lgetxattr(std::string_view path, std::string_view name, void* value, std::size_t size) {
  return get(*this, {AT_FDCWD, path, AT_SYMLINK_NOFOLLOW}, name, value, size);
}
result<std::size_t> task::fgetxattr(int fd, std::string_view name, void* value, std::size_t size) {
  return get(*this, open_file(fd), name, value, size);
}
result<std::size_t> task::getxattrat(at dir, std::string_view path, int at_flags, std::string_view name, void* value, std::size_t size) {
  return get(*this, {dir, path, at_flags}, name, value, size);
}

result<std::size_t> task::listxattr(std::string_view path, char* names, std::size_t size) {
  return list(*this, {AT_FDCWD, path, 0}, names, size);
}
result<std::size_t> task::llistxattr(std::string_view path, char* names, std::size_t size) {
  return list(*this, {AT_FDCWD, path, AT_SYMLINK_NOFOLLOW}, names, size);
}
result<std::size_t> task::flistxattr(int fd, char* names, std::size_t size) { return list(*this, open_file(fd), names, size); }
result<std::size_t> task::listxattrat(at dir, std::string_view path, int at_flags, char* names, std::size_t size) {
  return list(*this, {dir, path, at_flags}, names, size);
}

result<> task::removexattr(std::string_view path, std::string_view name) { return remove(*this, {AT_FDCWD, path, 0}, name); }
result<> task::lremovexattr(std::string_view path, std::string_view name) {
  return remove(*this, {AT_FDCWD, path, AT_SYMLINK_NOFOLLOW}, name);
}
result<> task::fremovexattr(int fd, std::string_view name) { return remove(*this, open_file(fd), name); }
result<> task::removexattrat(at dir, std::string_view path, int at_flags, std::string_view name) {
  return remove(*this, {dir, path, at_flags}, name);
}

}  // namespace xip::vfs
