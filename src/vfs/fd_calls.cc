// Calls on descriptors as such: close, dup, fcntl. Linux: fs/open.c, fs/file.c, fs/fcntl.c.
#include "vfs/files_struct.h"
#include "vfs/locks.h"
#include "vfs/permission.h"
#include "vfs/syscall.h"

namespace xip::vfs {

namespace {

[[nodiscard]] result<int> duplicate(task& t, int fd, std::uint32_t from, bool cloexec) {
  const fd_ref f = t.files->get(fd);
  if (!f) return fail(EBADF);
  unused_fd place = XIP_TRY(unused_fd::get(*t.files, cloexec, from, t.limits.nofile));
  f->f_count.fetch_add(1, std::memory_order_relaxed);
  return place.install(*f);
}

[[nodiscard]] result<int> duplicate_at(task& t, int fd, int to, bool cloexec) {
  file* old;
  {
    const fd_ref f = t.files->get(fd);
    if (!f) return fail(EBADF);
    f->f_count.fetch_add(1, std::memory_order_relaxed);
    auto installed = [&]() -> result<file*> {
      try {
        return t.files->install_at(*f, to, cloexec, t.limits.nofile);
      } catch (const std::bad_alloc&) {
        return fail(ENOMEM);
      }
    }();
    if (!installed) {
      fput(*f);
      return fail(installed.error());
    }
    old = *installed;
  }
  if (old != nullptr) filp_close(*old, *t.files);
  return to;
}

constexpr int settable_flags = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;

// Linux: setfl.
[[nodiscard]] result<int> set_flags(file& f, int wanted) {
  const auto old = static_cast<int>(f.f_flags.load(std::memory_order_relaxed));
  if ((f.f_inode->i_flags.load(std::memory_order_relaxed) & s_append) != 0 && ((old ^ wanted) & O_APPEND) != 0) return fail(EPERM);
  if ((wanted & ~old & O_NOATIME) != 0 && !owner_or_capable(*f.f_inode)) return fail(EPERM);
  f.f_flags.store(static_cast<std::uint32_t>((old & ~settable_flags) | (wanted & settable_flags)), std::memory_order_relaxed);
  std::uint32_t iocb = f.f_iocb_flags.load(std::memory_order_relaxed) & ~(iocb_append | iocb_direct);
  if ((wanted & O_APPEND) != 0) iocb |= iocb_append;
  if ((wanted & O_DIRECT) != 0) iocb |= iocb_direct;
  f.f_iocb_flags.store(iocb, std::memory_order_relaxed);
  return 0;
}

}  // namespace

result<> task::close(int fd) {
  return system_call(*this, [&]() -> result<> {
    file* f = files->remove(fd);
    if (f == nullptr) return fail(EBADF);
    filp_close(*f, *files);
    return {};
  });
}

result<int> task::dup(int fd) {
  return system_call(*this, [&] { return duplicate(*this, fd, 0, false); });
}

result<int> task::dup2(int fd, int to) {
  return system_call(*this, [&]() -> result<int> {
    if (fd == to) return files->get(fd) ? result<int>{to} : fail(EBADF);
    return duplicate_at(*this, fd, to, false);
  });
}

result<int> task::dup3(int fd, int to, int flags) {
  return system_call(*this, [&]() -> result<int> {
    if ((flags & ~O_CLOEXEC) != 0 || fd == to) return fail(EINVAL);
    return duplicate_at(*this, fd, to, (flags & O_CLOEXEC) != 0);
  });
}

result<int> task::fcntl(int fd, int command, long argument) {
  return system_call(*this, [&]() -> result<int> {
    const fd_ref f = files->get(fd);
    if (!f) return fail(EBADF);
    switch (command) {
      case F_DUPFD:
      case F_DUPFD_CLOEXEC:
        if (argument < 0 || static_cast<unsigned long>(argument) >= limits.nofile) return fail(EINVAL);
        return duplicate(*this, fd, static_cast<std::uint32_t>(argument), command == F_DUPFD_CLOEXEC);
      case F_GETFD:
        return XIP_TRY(files->get_cloexec(fd)) ? FD_CLOEXEC : 0;
      case F_SETFD:
        XIP_TRY(files->set_cloexec(fd, (argument & FD_CLOEXEC) != 0));
        return 0;
      case F_GETFL:
        return static_cast<int>(f->f_flags.load(std::memory_order_relaxed));
      case F_SETFL:
        if ((f->f_mode & fmode_path) != 0) return fail(EBADF);
        return set_flags(*f, static_cast<int>(argument));
      default:
        return fail(EINVAL);
    }
  });
}

}  // namespace xip::vfs
