// getdents, the working directory, umask. Linux: fs/readdir.c, fs/open.c, fs/d_path.c.
//
// Lock chains:
//   f_pos_lock -> i_rwsem
#include <utility>

#include <xip/vfs/ops.h>

#include "vfs/attr.h"
#include "vfs/files_struct.h"
#include "vfs/hook.h"
#include "vfs/namei.h"
#include "vfs/permission.h"
#include "vfs/syscall.h"

namespace xip::vfs {

namespace {

// The cookie of an entry's successor is where the file system stands when it brings the next one, or at the end.
struct dirent_collector : dir_context {
  dirent_collector(std::vector<dirent>& o, std::size_t limit) noexcept : out{o}, room{limit} { actor = &take; }

  static bool take(dir_context& ctx, std::string_view name, loff_t, ino_t ino, unsigned type) {
    auto& self = static_cast<dirent_collector&>(ctx);
    if (!self.out.empty()) self.out.back().off = ctx.pos;
    if (self.out.size() == self.room) return false;
    try {
      self.out.push_back({ino.value(), 0, type, std::string{name}});
    } catch (const std::bad_alloc&) {
      self.out_of_memory = true;
    }
    return !self.out_of_memory;
  }

  std::vector<dirent>& out;
  std::size_t room;
  bool out_of_memory = false;
};

[[nodiscard]] result<std::vector<dirent>> iterate_dir(file& f, std::size_t count) XIP_EXCLUDES(f.f_pos_lock) {
  std::vector<dirent> entries;
  dirent_collector collector{entries, count};
  inode& dir = *f.f_inode;
  mutex_guard position{f.f_pos_lock};
  collector.pos = f.f_pos;
  {
    shared_guard guard{dir.i_rwsem};
    if ((dir.i_flags.load(std::memory_order_relaxed) & s_dead) != 0) return fail(ENOENT);
    auto done = call_hook(hook::iterate_shared, f.f_op->iterate_shared, f, collector);
    if (!done && entries.empty()) return fail(done.error());
  }
  if (collector.out_of_memory) return fail(ENOMEM);
  if (!entries.empty()) entries.back().off = collector.pos;
  f.f_pos = collector.pos;
  return entries;
}

[[nodiscard]] result<> set_cwd(task& t, path_ref p) {
  XIP_TRY(may_lookup(p.get_inode()));
  const path_ref old = path_ref::adopt(std::exchange(t.cwd, p.release()));
  return {};
}

}  // namespace

result<std::vector<dirent>> task::getdents(int fd, std::size_t count) {
  return system_call(*this, [&]() -> result<std::vector<dirent>> {
    const fd_ref f = files->get(fd);
    if (!f || (f->f_mode & fmode_path) != 0) return fail(EBADF);
    if (f->f_op == nullptr || f->f_op->iterate_shared == nullptr) return fail(ENOTDIR);
    if (count == 0) return fail(EINVAL);
    auto entries = iterate_dir(*f, count);
    if (entries) file_accessed(*f);
    return entries;
  });
}

result<> task::chdir(std::string_view name) {
  return system_call(
      *this, [&]() -> result<> { return set_cwd(*this, XIP_TRY(user_path_at(*this, AT_FDCWD, name, lookup_follow | lookup_directory))); });
}

result<> task::fchdir(int fd) {
  return system_call(*this, [&]() -> result<> {
    const fd_ref f = files->get(fd);
    if (!f) return fail(EBADF);
    if (!f->f_inode->is_dir()) return fail(ENOTDIR);
    return set_cwd(*this, path_ref{f->f_path});
  });
}

result<std::string> task::getcwd() {
  return system_call(*this, [&]() -> result<std::string> {
    XIP_TRY(ensure_root(*this));
    return path_string(cwd, root);
  });
}

unsigned task::umask(unsigned bits) noexcept { return std::exchange(mask, bits & 0777); }

}  // namespace xip::vfs
