// A task and its system calls. Linux: struct task_struct, man section 2.
//
// A task is one thread of execution: its calls do not overlap. Any number of tasks run at once, each from any thread. Every call returns
// what Linux returns, with Linux's errno as the error. Paths are UTF-8 or any bytes without NUL; flags are those of <fcntl.h>.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <sys/uio.h>

#include <xip/base/result.h>
#include <xip/base/units.h>
#include <xip/locks/thread_context.h>
#include <xip/vfs/file.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/node.h>
#include <xip/vfs/ops.h>
#include <xip/vfs/user_access.h>

namespace xip::vfs {

struct files_struct;

struct rlimits {
  loff_t fsize = INT64_MAX;      // RLIMIT_FSIZE, bytes
  std::uint32_t nofile = 65536;  // RLIMIT_NOFILE
};

// One entry of getdents.
struct dirent {
  std::uint64_t ino;
  loff_t off;     // cookie of the entry after this one (lseek on the directory)
  unsigned type;  // DT_
  std::string name;
};

struct task {
  // Files
  result<int> open(std::string_view path, int flags, unsigned mode = 0);
  result<int> openat(at dir, std::string_view path, int flags, unsigned mode = 0);  // of a node, an empty path opens it anew
  result<int> openat2(at dir, std::string_view path, const open_how& how);          // RESOLVE_ limits; unknown flags are refused
  result<int> creat(std::string_view path, unsigned mode);
  result<> close(int fd);
  result<int> dup(int fd);
  result<int> dup2(int fd, int to);
  result<int> dup3(int fd, int to, int flags);
  result<int> fcntl(int fd, int command, long argument = 0);  // F_GETFL, F_SETFL, F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD
  // Locks on stretches of a file: F_GETLK, F_SETLK, F_SETLKW, and the same of the open file, F_OFD_*. EAGAIN, EDEADLK, EBADF, EINVAL, EOVERFLOW.
  result<> fcntl(int fd, int command, struct ::flock& lock);
  result<> flock(int fd, int operation);  // LOCK_SH, LOCK_EX, LOCK_UN, LOCK_NB. EWOULDBLOCK
  // FS_IOC_GETFLAGS, FS_IOC_SETFLAGS (unsigned), FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR (fsxattr), FS_IOC_GETVERSION (unsigned). ENOTTY: any other.
  result<> ioctl(int fd, unsigned long request, void* argument);

  result<std::size_t> read(int fd, void* to, std::size_t bytes);
  result<std::size_t> write(int fd, const void* from, std::size_t bytes);
  result<std::size_t> pread(int fd, void* to, std::size_t bytes, loff_t pos);
  result<std::size_t> pwrite(int fd, const void* from, std::size_t bytes, loff_t pos);
  result<std::size_t> readv(int fd, const iovec* iov, int count);
  result<std::size_t> writev(int fd, const iovec* iov, int count);
  result<std::size_t> preadv2(int fd, const iovec* iov, int count, loff_t pos, int flags);  // pos -1: the file position
  result<std::size_t> pwritev2(int fd, const iovec* iov, int count, loff_t pos, int flags);
  // Bytes from POS on for SINK to take where they lie (xip/vfs/ops.h). EOPNOTSUPP: pread can bring them.
  result<std::size_t> splice_read(int fd, loff_t pos, std::size_t bytes, splice_sink& sink);
  result<loff_t> lseek(int fd, loff_t offset, int whence);

  result<> truncate(std::string_view path, loff_t size);
  result<> truncateat(at dir, std::string_view path, loff_t size, int flags);  // AT_EMPTY_PATH; the file need not be open
  result<> ftruncate(int fd, loff_t size);
  result<> fallocate(int fd, int mode, loff_t offset, loff_t length);
  result<> fsync(int fd);
  result<> fdatasync(int fd);
  result<> syncfs(int fd);
  result<> fiemap(int fd, loff_t start, std::uint64_t length, std::vector<fiemap_extent>& out);

  // Names
  result<kstat> stat(std::string_view path);
  result<kstat> lstat(std::string_view path);
  result<kstat> fstat(int fd);
  result<kstat> statx(at dir, std::string_view path, int flags, unsigned mask);  // AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW
  result<kstatfs> statfs(std::string_view path);
  result<kstatfs> fstatfs(at where);
  result<> mkdir(std::string_view path, unsigned mode);
  result<> mkdirat(at dir, std::string_view path, unsigned mode);
  result<> rmdir(std::string_view path);
  result<> unlink(std::string_view path);
  result<> unlinkat(at dir, std::string_view path, int flags);
  result<> symlink(std::string_view target, std::string_view path);
  result<> symlinkat(std::string_view target, at dir, std::string_view path);
  result<> mknodat(at dir, std::string_view path, unsigned mode, std::uint64_t rdev);
  result<> mknod(std::string_view path, unsigned mode, std::uint64_t rdev);
  result<> link(std::string_view from, std::string_view to);
  result<> linkat(at from_dir, std::string_view from, at to_dir, std::string_view to, int flags);  // AT_SYMLINK_FOLLOW, AT_EMPTY_PATH
  result<> rename(std::string_view from, std::string_view to);
  result<> renameat2(at from_dir, std::string_view from, at to_dir, std::string_view to,
                     unsigned flags);  // RENAME_NOREPLACE, _EXCHANGE, _WHITEOUT
  result<std::string> readlink(std::string_view path);
  result<std::string> readlinkat(at dir, std::string_view path);  // path "": the symlink that dirfd is (O_PATH)
  result<> access(std::string_view path, int mode);
  result<> faccessat(at dir, std::string_view path, int mode, int flags);  // AT_EACCESS, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW
  // At most COUNT entries from the position on; an empty vector at the end. EINVAL, ENOTDIR as in Linux.
  result<std::vector<dirent>> getdents(int fd, std::size_t count = 512);
  // A place without a descriptor: what PATH means (AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH), or what FD was opened by.
  result<node> lookup_node(at dir, std::string_view path, int flags);
  result<node> node_of(int fd);
  result<> chdir(std::string_view path);
  result<> fchdir(int fd);
  result<std::string> getcwd();
  unsigned umask(unsigned mask) noexcept;

  // Attributes
  result<> chmod(std::string_view path, unsigned mode);
  result<> fchmodat(at dir, std::string_view path, unsigned mode, int flags = 0);  // AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH
  result<> fchmod(int fd, unsigned mode);
  result<> chown(std::string_view path, std::uint32_t uid, std::uint32_t gid);  // ~0u: leave it
  result<> lchown(std::string_view path, std::uint32_t uid, std::uint32_t gid);
  result<> fchownat(at dir, std::string_view path, std::uint32_t uid, std::uint32_t gid,
                    int flags);  // AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH
  result<> fchown(int fd, std::uint32_t uid, std::uint32_t gid);
  // TIMES: atime, mtime; UTIME_NOW and UTIME_OMIT as in utimensat(2). AT_SYMLINK_NOFOLLOW.
  result<> utimensat(at dir, std::string_view path, const timespec64 times[2], int flags);
  result<> futimens(int fd, const timespec64 times[2]);

  // Extended attributes. NAME has its prefix: user., trusted., security., system.posix_acl_. FLAGS: XATTR_CREATE, XATTR_REPLACE.
  // What is read goes to VALUE (LIST: names, each with a zero byte), SIZE bytes; SIZE 0 asks only how many there are. ERANGE, E2BIG, ENODATA, EEXIST,
  // EOPNOTSUPP. The ...at() forms take AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH: they speak of a node, too.
  result<> setxattr(std::string_view path, std::string_view name, const void* value, std::size_t size, int flags);
  result<> lsetxattr(std::string_view path, std::string_view name, const void* value, std::size_t size, int flags);
  result<> fsetxattr(int fd, std::string_view name, const void* value, std::size_t size, int flags);
  result<> setxattrat(at dir, std::string_view path, int at_flags, std::string_view name, const void* value, std::size_t size, int flags);
  result<std::size_t> getxattr(std::string_view path, std::string_view name, void* value, std::size_t size);
  result<std::size_t> lgetxattr(std::string_view path, std::string_view name, void* value, std::size_t size);
  result<std::size_t> fgetxattr(int fd, std::string_view name, void* value, std::size_t size);
  result<std::size_t> getxattrat(at dir, std::string_view path, int at_flags, std::string_view name, void* value, std::size_t size);
  result<std::size_t> listxattr(std::string_view path, char* list, std::size_t size);
  result<std::size_t> llistxattr(std::string_view path, char* list, std::size_t size);
  result<std::size_t> flistxattr(int fd, char* list, std::size_t size);
  result<std::size_t> listxattrat(at dir, std::string_view path, int at_flags, char* list, std::size_t size);
  result<> removexattr(std::string_view path, std::string_view name);
  result<> lremovexattr(std::string_view path, std::string_view name);
  result<> fremovexattr(int fd, std::string_view name);
  result<> removexattrat(at dir, std::string_view path, int at_flags, std::string_view name);

  // The task itself
  kernel& owner;
  cred who;
  rlimits limits;
  thread_context context;
  // How this task's user memory is reached; null: plain memory of the process.
  const user_access* uaccess = nullptr;

  path root;  // both counted; empty until the first walk when nothing was mounted yet
  path cwd;
  unsigned mask = 022;
  files_struct* files = nullptr;

  task(kernel& k, const cred& c, const char* name);
  ~task();
  task(const task&) = delete;
  task& operator=(const task&) = delete;
};

// Frees a task through its kernel: std::unique_ptr<task, task_deleter>.
struct task_deleter {
  void operator()(task* t) const noexcept { t->owner.exit_task(t); }
};
using task_ptr = std::unique_ptr<task, task_deleter>;

}  // namespace xip::vfs
