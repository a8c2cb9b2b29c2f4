// What a program can do: each operation takes its operands from the program, and every answer is right as long as nothing breaks.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/session.h"

namespace xip::fuzz {
namespace {

[[nodiscard]] std::size_t some_bytes(session& s) { return s.in().word() % session::buffer_bytes; }

void fill(session& s, std::size_t bytes) { std::memset(s.buffer(), s.in().byte(), bytes); }

[[nodiscard]] int open_flags(session& s) {
  constexpr int access[] = {O_RDONLY, O_RDWR, O_WRONLY, O_RDWR};
  constexpr int more[] = {0, O_CREAT, O_CREAT | O_EXCL, O_TRUNC, O_APPEND, O_SYNC, O_NOFOLLOW, O_PATH, O_DIRECTORY, O_CREAT | O_DSYNC};
  const int flags = s.in().one_of(access);
  return flags | s.in().one_of(more);
}

// ---- the way to a file ---------------------------------------------------------------------------------------------------------------

constexpr operation walks[] = {
    [](session& s) { s.keep(s.task().open(s.path(), open_flags(s), 0644)); },
    [](session& s) { (void)s.task().stat(s.path()); },
    [](session& s) { (void)s.task().lstat(s.path()); },
    [](session& s) { (void)s.task().readlink(s.path()); },
    [](session& s) { (void)s.task().access(s.path(), s.in().byte() & 7); },
    [](session& s) { (void)s.task().chdir(s.path()); },
    [](session& s) { (void)s.task().getcwd(); },
    [](session& s) { (void)s.task().stat(s.path() + "/" + s.path()); },
    [](session& s) { (void)s.task().stat(s.path() + "/.."); },
    [](session& s) { (void)s.task().statx(s.fd(), "", AT_EMPTY_PATH, STATX_BASIC_STATS); },
    [](session& s) {
      constexpr std::uint64_t limits[] = {RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV};
      open_how how{};
      how.flags = O_RDONLY;
      how.resolve = s.in().one_of(limits);
      s.keep(s.task().openat2(AT_FDCWD, s.path(), how));
    },
    [](session& s) {
      const int fd = s.fd();
      const auto some = s.task().getdents(fd, 1 + s.in().below(40));
      if (some && !some->empty()) (void)s.task().statx(fd, some->back().name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS);
    },
    [](session& s) { s.on().kernel().drop_caches(); },
};

// ---- names ---------------------------------------------------------------------------------------------------------------------------

constexpr operation names[] = {
    [](session& s) { (void)s.task().mkdir(s.new_path(), 0755); },
    [](session& s) { (void)s.task().rmdir(s.path()); },
    [](session& s) { (void)s.task().unlink(s.path()); },
    [](session& s) { (void)s.task().unlink(s.new_path()); },
    [](session& s) {
      const std::string target(s.in().word() % 1100, 't');
      (void)s.task().symlink(target, s.new_path());
    },
    [](session& s) {
      constexpr unsigned kinds[] = {S_IFIFO | 0644, S_IFSOCK | 0644, S_IFCHR | 0600, S_IFBLK | 0600, S_IFREG | 0644};
      const unsigned mode = s.in().one_of(kinds);
      (void)s.task().mknod(s.new_path(), mode, s.in().word());
    },
    [](session& s) {
      const std::string from = s.path();
      (void)s.task().link(from, s.new_path());
    },
    [](session& s) {
      const std::string from = s.path();
      (void)s.task().rename(from, s.new_path());
    },
    [](session& s) {
      constexpr unsigned flags[] = {RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT};
      const std::string from = s.path();
      const std::string to = s.new_path();
      (void)s.task().renameat2(AT_FDCWD, from, AT_FDCWD, to, s.in().one_of(flags));
    },
    [](session& s) {
      const auto fd = s.task().open(s.path(), O_TMPFILE | O_RDWR, 0600);
      if (!fd) return;
      (void)s.task().write(*fd, s.buffer(), 100);
      if ((s.in().byte() & 1) != 0) (void)s.task().linkat(*fd, "", AT_FDCWD, s.new_path(), AT_EMPTY_PATH);
      s.keep(fd);
    },
    [](session& s) {
      constexpr std::uint32_t longest = 24;
      const std::string directory = s.path();
      const std::string stem = directory + "/" + std::string(s.in().below(200), 'm');
      const std::uint32_t count = s.in().below(longest);
      for (std::uint32_t i = 0; i < count; ++i) (void)s.task().mknod(stem + std::to_string(i), S_IFREG | 0644, 0);
    },
    [](session& s) { s.keep(s.task().open(s.new_path(), O_CREAT | O_RDWR, 0644)); },
};

// ---- contents ------------------------------------------------------------------------------------------------------------------------

constexpr operation contents[] = {
    [](session& s) { s.keep(s.task().open(s.path(), O_RDWR)); },
    [](session& s) {
      const int fd = s.fd();
      const std::size_t bytes = some_bytes(s);
      (void)s.task().pread(fd, s.buffer(), bytes, s.in().offset());
    },
    [](session& s) {
      const int fd = s.fd();
      const std::size_t bytes = some_bytes(s);
      fill(s, bytes);
      (void)s.task().pwrite(fd, s.buffer(), bytes, s.in().offset());
    },
    [](session& s) {
      const int fd = s.fd();
      (void)s.task().write(fd, s.buffer(), some_bytes(s));
    },
    [](session& s) {
      const int fd = s.fd();
      (void)s.task().read(fd, s.buffer(), some_bytes(s));
    },
    [](session& s) {
      constexpr int whences[] = {SEEK_SET, SEEK_DATA, SEEK_HOLE, SEEK_END};
      const int fd = s.fd();
      const loff_t at = s.in().offset();
      (void)s.task().lseek(fd, at, s.in().one_of(whences));
    },
    [](session& s) {
      const std::string path = s.path();
      (void)s.task().truncate(path, s.in().offset());
    },
    [](session& s) {
      const int fd = s.fd();
      (void)s.task().ftruncate(fd, s.in().offset());
    },
    [](session& s) {
      constexpr int modes[] = {0,
                               FALLOC_FL_KEEP_SIZE,
                               FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                               FALLOC_FL_ZERO_RANGE,
                               FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                               FALLOC_FL_COLLAPSE_RANGE,
                               FALLOC_FL_INSERT_RANGE};
      const int fd = s.fd();
      const int mode = s.in().one_of(modes);
      const loff_t at = s.in().offset();
      (void)s.task().fallocate(fd, mode, at, s.in().offset());
    },
    [](session& s) { (void)s.task().fsync(s.fd()); },
    [](session& s) { (void)s.task().fdatasync(s.fd()); },
    [](session& s) {
      std::vector<vfs::fiemap_extent> extents;
      const int fd = s.fd();
      (void)s.task().fiemap(fd, s.in().offset(), UINT64_MAX, extents);
    },
    [](session& s) {
      constexpr std::uint32_t most = 40;
      const int fd = s.fd();
      const loff_t step = 1024 + loff_t{s.in().below(64)} * 512;
      const std::uint32_t count = s.in().below(most);
      for (std::uint32_t i = 0; i < count; ++i) (void)s.task().pwrite(fd, s.buffer(), 1, i * step * 2);
    },
};

// ---- attributes ----------------------------------------------------------------------------------------------------------------------

constexpr operation attributes[] = {
    [](session& s) {
      const std::string path = s.path();
      (void)s.task().chmod(path, s.in().word() & 07777);
    },
    [](session& s) {
      const std::string path = s.path();
      (void)s.task().lchown(path, s.in().word(), s.in().word());
    },
    [](session& s) {
      const vfs::timespec64 times[2] = {{s.in().offset(), 0}, {s.in().offset(), 999'999'999}};
      (void)s.task().utimensat(AT_FDCWD, s.path(), times, AT_SYMLINK_NOFOLLOW);
    },
    [](session& s) {
      unsigned flags = 0;
      (void)s.task().ioctl(s.fd(), FS_IOC_GETFLAGS, &flags);
    },
    [](session& s) {
      constexpr unsigned choices[] = {FS_IMMUTABLE_FL, FS_APPEND_FL, FS_NODUMP_FL, FS_EXTENT_FL, FS_SYNC_FL, 0, FS_INDEX_FL, ~0u};
      const int fd = s.fd();
      unsigned flags = s.in().one_of(choices);
      (void)s.task().ioctl(fd, FS_IOC_SETFLAGS, &flags);
    },
    [](session& s) {
      fsxattr attributes{};
      const int fd = s.fd();
      (void)s.task().ioctl(fd, FS_IOC_FSGETXATTR, &attributes);
      attributes.fsx_xflags = s.in().word();
      (void)s.task().ioctl(fd, FS_IOC_FSSETXATTR, &attributes);
    },
};

// ---- the file system as a whole ------------------------------------------------------------------------------------------------------

constexpr operation whole[] = {
    [](session& s) { (void)s.task().statfs(s.path()); },
    [](session& s) { (void)s.task().syncfs(s.fd()); },
    [](session& s) { (void)s.on().kernel().sync(); },
    [](session& s) {
      constexpr const char* options[] = {"ro", "rw", "rw,errors=continue", "rw,errors=panic", "ro,noload", "rw,errors=remount-ro"};
      s.on().remount(s.in().one_of(options));
    },
    [](session& s) { s.discover(); },
    [](session& s) { (void)s.on().kernel().mounts(); },
};

}  // namespace

std::span<const operation> walk_operations() noexcept { return walks; }
std::span<const operation> name_operations() noexcept { return names; }
std::span<const operation> data_operations() noexcept { return contents; }
std::span<const operation> attribute_operations() noexcept { return attributes; }
std::span<const operation> system_operations() noexcept { return whole; }

}  // namespace xip::fuzz
