#include "posix/host_world.h"

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <type_traits>

#include <grp.h>
#include <linux/capability.h>
#include <linux/fiemap.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "posix/pieces.h"
#include "posix/world.h"

namespace xip::posix {

namespace {

[[nodiscard]] long answer(long returned) { return returned < 0 ? -errno : returned; }

void must(long returned, const char* what) {
  if (returned < 0) throw std::runtime_error{std::string{what} + ": " + std::strerror(errno)};
}

// Effective capabilities; permitted ones stay.
void set_capabilities(std::uint64_t wanted) {
  constexpr std::uint32_t version_3 = 0x20080522;  // two words of capabilities
  std::remove_pointer_t<cap_user_header_t> header{version_3, 0};
  std::remove_pointer_t<cap_user_data_t> data[2] = {};
  must(::syscall(SYS_capget, &header, data), "capget");
  for (int i : {0, 1}) data[i].effective = data[i].permitted & static_cast<std::uint32_t>(wanted >> (32 * i));
  must(::syscall(SYS_capset, &header, data), "capset");
}

[[nodiscard]] space space_of(const struct ::statfs& s) {
  std::uint64_t fsid = 0;
  static_assert(sizeof fsid == sizeof s.f_fsid);
  std::memcpy(&fsid, &s.f_fsid, sizeof fsid);
  const auto number = [](auto n) { return static_cast<std::uint64_t>(n); };
  return {.type = number(s.f_type),
          .bsize = number(s.f_bsize),
          .frsize = number(s.f_frsize),
          .namelen = number(s.f_namelen),
          .flags = number(s.f_flags),
          .fsid = fsid,
          .bfree = s.f_bfree,
          .bavail = s.f_bavail,
          .files = s.f_files,
          .ffree = s.f_ffree};
}

struct linux_dirent64 {
  std::uint64_t d_ino;
  std::int64_t d_off;
  unsigned short d_reclen;
  unsigned char d_type;
  char d_name[];
};

class host_world final : public world {
 public:
  explicit host_world(const std::string& root) {
    must(::chroot(root.c_str()), "chroot");
    must(::chdir("/"), "chdir");
    ::umask(022);
    probe_ = ::open("/", O_RDONLY);
    must(probe_, "open /");
  }

  // Until a file that is touched again has another time than before.
  void tick() override {
    struct stat before, now;
    const auto touch = [&](struct stat& s) {
      must(::futimens(probe_, nullptr), "futimens");
      must(::fstat(probe_, &s), "fstat");
    };
    const auto keep = become_root();
    touch(before);
    do touch(now);
    while (now.st_ctim.tv_sec == before.st_ctim.tv_sec && now.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
    become(keep);
  }

  void become(const identity& who) override {
    set_capabilities(~std::uint64_t{0});
    must(::seteuid(0), "seteuid");
    must(::setgroups(who.groups.size(), who.groups.data()), "setgroups");
    must(::setresgid(who.real_gid.value_or(who.gid), who.gid, 0), "setresgid");
    must(::setresuid(who.real_uid.value_or(who.uid), who.uid, 0), "setresuid");
    if (who.capabilities) set_capabilities(*who.capabilities);
    who_ = who;
  }

  long openat(int dir, const std::string& path, int flags, unsigned mode) override {
    return answer(::openat(dir, path.c_str(), flags, mode));
  }
  long openat2(int dir, const std::string& path, std::uint64_t flags, std::uint64_t mode, std::uint64_t resolve) override {
    open_how how{flags, mode, resolve};
    const auto call = [&] { return ::syscall(SYS_openat2, dir, path.c_str(), &how, sizeof how); };
    long fd = call();
    // A walk that went up within limits, or within what is cached, while anybody on the host mounted or renamed something asks to be made again.
    for (int n = 0; n < 1000 && fd < 0 && errno == EAGAIN; ++n) fd = call();
    return answer(fd);
  }
  long close(int fd) override { return answer(::close(fd)); }
  long dup(int fd) override { return answer(::dup(fd)); }
  long read(int fd, std::size_t bytes, std::string& text) override {
    text.resize(bytes);
    const long done = answer(::read(fd, text.data(), bytes));
    text.resize(done < 0 ? 0 : static_cast<std::size_t>(done));
    return done;
  }
  long write(int fd, const std::string& text) override { return answer(::write(fd, text.data(), text.size())); }
  long preadv2(int fd, std::size_t bytes, std::int64_t pos, int flags, std::string& text) override {
    const pieces to{bytes};
    const long done = answer(::preadv2(fd, to.vectors(), to.count(), pos, flags));
    text = to.text(done);
    return done;
  }
  long pwritev2(int fd, const std::string& text, std::int64_t pos, int flags) override {
    const pieces from{text};
    return answer(::pwritev2(fd, from.vectors(), from.count(), pos, flags));
  }
  long copy_file_range(int from, std::optional<std::int64_t> from_pos, int to, std::optional<std::int64_t> to_pos, std::size_t bytes,
                       unsigned flags) override {
    std::int64_t* const from_where = from_pos ? &*from_pos : nullptr;
    std::int64_t* const to_where = to_pos ? &*to_pos : nullptr;
    return answer(::syscall(SYS_copy_file_range, from, from_where, to, to_where, bytes, flags));
  }
  long lseek(int fd, std::int64_t offset, int whence) override { return answer(::lseek(fd, offset, whence)); }
  long fsync(int fd) override { return answer(::fsync(fd)); }
  long fallocate(int fd, int mode, std::int64_t offset, std::int64_t length) override {
    return answer(::fallocate(fd, mode, offset, length));
  }
  long fiemap(int fd, std::int64_t start, std::uint64_t length, std::vector<stretch>& all) override {
    constexpr std::size_t most = 64;
    alignas(struct ::fiemap) std::byte room[sizeof(struct ::fiemap) + most * sizeof(::fiemap_extent)] = {};
    auto& head = *reinterpret_cast<struct ::fiemap*>(room);
    head.fm_start = static_cast<std::uint64_t>(start);
    head.fm_length = length;
    head.fm_extent_count = most;
    const long done = answer(::ioctl(fd, FS_IOC_FIEMAP, &head));
    const auto* const extents = reinterpret_cast<const ::fiemap_extent*>(room + sizeof head);
    for (std::uint32_t i = 0; done == 0 && i < head.fm_mapped_extents; ++i)
      all.push_back({extents[i].fe_logical, extents[i].fe_length, extents[i].fe_flags});
    return done;
  }
  long getdents(int fd, std::vector<listed>& all) override {
    alignas(linux_dirent64) char buffer[4096];
    const long bytes = answer(::syscall(SYS_getdents64, fd, buffer, sizeof buffer));
    for (long at = 0; at < bytes;) {
      const auto& d = *reinterpret_cast<const linux_dirent64*>(buffer + at);
      all.push_back({d.d_name, d.d_type, d.d_off});
      at += d.d_reclen;
    }
    return bytes < 0 ? bytes : 0;
  }

  long mkdirat(int dir, const std::string& path, unsigned mode) override { return answer(::mkdirat(dir, path.c_str(), mode)); }
  long unlinkat(int dir, const std::string& path, int flags) override { return answer(::unlinkat(dir, path.c_str(), flags)); }
  long symlinkat(const std::string& target, int dir, const std::string& path) override {
    return answer(::symlinkat(target.c_str(), dir, path.c_str()));
  }
  long linkat(int from_dir, const std::string& from, int to_dir, const std::string& to, int flags) override {
    return answer(::linkat(from_dir, from.c_str(), to_dir, to.c_str(), flags));
  }
  long renameat2(int from_dir, const std::string& from, int to_dir, const std::string& to, unsigned flags) override {
    return answer(::syscall(SYS_renameat2, from_dir, from.c_str(), to_dir, to.c_str(), flags));
  }
  long mknodat(int dir, const std::string& path, unsigned mode, std::uint64_t rdev) override {
    return answer(::syscall(SYS_mknodat, dir, path.c_str(), mode, rdev));
  }
  long readlinkat(int dir, const std::string& path, std::string& text) override {
    text.resize(8192);
    const long done = answer(::readlinkat(dir, path.c_str(), text.data(), text.size()));
    text.resize(done < 0 ? 0 : static_cast<std::size_t>(done));
    return done;
  }

  long fstatat(int dir, const std::string& path, int flags, attributes& out) override {
    struct stat s;
    const long done = answer(::fstatat(dir, path.c_str(), &s, flags));
    if (done < 0) return done;
    const auto at = [](const timespec& t) { return moment{t.tv_sec, t.tv_nsec}; };
    out = {s.st_mode,    static_cast<std::uint32_t>(s.st_nlink), s.st_uid, s.st_gid, s.st_size, s.st_rdev, at(s.st_atim), at(s.st_mtim),
           at(s.st_ctim)};
    return 0;
  }
  long statx(int dir, const std::string& path, int flags, unsigned mask, description& out) override {
    struct ::statx s{};
    const long done = answer(::statx(dir, path.c_str(), flags, mask, &s));
    out = {s.stx_mask & (STATX_BASIC_STATS | STATX_BTIME), s.stx_attributes, s.stx_attributes_mask};
    return done;
  }
  long statfs(const std::string& path, space& out) override {
    struct ::statfs s{};
    const long done = answer(::statfs(path.c_str(), &s));
    out = space_of(s);
    return done;
  }
  long fstatfs(int fd, space& out) override {
    struct ::statfs s{};
    const long done = answer(::fstatfs(fd, &s));
    out = space_of(s);
    return done;
  }
  long faccessat(int dir, const std::string& path, int mode, int flags) override {
    return answer(::syscall(SYS_faccessat2, dir, path.c_str(), mode, flags));
  }
  long fchmodat(int dir, const std::string& path, unsigned mode, int flags) override {
    constexpr long fchmodat2 = 452;
    return answer(::syscall(fchmodat2, dir, path.c_str(), mode, flags));
  }
  long fchmod(int fd, unsigned mode) override { return answer(::fchmod(fd, mode)); }
  long fchownat(int dir, const std::string& path, std::uint32_t uid, std::uint32_t gid, int flags) override {
    return answer(::fchownat(dir, path.c_str(), uid, gid, flags));
  }
  long fchown(int fd, std::uint32_t uid, std::uint32_t gid) override { return answer(::fchown(fd, uid, gid)); }
  long utimensat(int dir, const std::string& path, const time_pair* times, int flags) override {
    timespec t[2];
    return answer(::syscall(SYS_utimensat, dir, path.c_str(), pair_of(times, t), flags));
  }
  long futimens(int fd, const time_pair* times) override {
    timespec t[2];
    return answer(::syscall(SYS_utimensat, fd, nullptr, pair_of(times, t), 0));
  }
  long truncate(const std::string& path, std::int64_t size) override { return answer(::truncate(path.c_str(), size)); }
  long ftruncate(int fd, std::int64_t size) override { return answer(::ftruncate(fd, size)); }

  long setxattr(const xattr_subject& of, const std::string& name, const std::string& value, int flags) override {
    if (of.fd != -1) return answer(::fsetxattr(of.fd, name.c_str(), value.data(), value.size(), flags));
    return answer((of.follow ? ::setxattr : ::lsetxattr)(of.path.c_str(), name.c_str(), value.data(), value.size(), flags));
  }
  long getxattr(const xattr_subject& of, const std::string& name, std::size_t room, std::string& value) override {
    value.resize(room);
    if (of.fd != -1) return answer(::fgetxattr(of.fd, name.c_str(), value.data(), room));
    return answer((of.follow ? ::getxattr : ::lgetxattr)(of.path.c_str(), name.c_str(), value.data(), room));
  }
  long listxattr(const xattr_subject& of, std::size_t room, std::string& text) override {
    text.resize(room);
    if (of.fd != -1) return answer(::flistxattr(of.fd, text.data(), room));
    return answer((of.follow ? ::listxattr : ::llistxattr)(of.path.c_str(), text.data(), room));
  }
  long removexattr(const xattr_subject& of, const std::string& name) override {
    if (of.fd != -1) return answer(::fremovexattr(of.fd, name.c_str()));
    return answer((of.follow ? ::removexattr : ::lremovexattr)(of.path.c_str(), name.c_str()));
  }

  long chdir(const std::string& path) override { return answer(::chdir(path.c_str())); }
  long fchdir(int fd) override { return answer(::fchdir(fd)); }
  long getcwd(std::string& text) override {
    char buffer[8192];
    const long done = answer(::syscall(SYS_getcwd, buffer, sizeof buffer));
    if (done > 0) text = buffer;
    return done < 0 ? done : 0;
  }
  long umask(unsigned mask) override { return ::umask(mask); }
  long fcntl(int fd, int command, long argument) override { return answer(::fcntl(fd, command, argument)); }
  long lock(int fd, int command, struct flock& l) override { return answer(::fcntl(fd, command, &l)); }
  long flock(int fd, int operation) override { return answer(::flock(fd, operation)); }
  long ioctl(int fd, unsigned long request, void* argument) override { return answer(::ioctl(fd, request, argument)); }

 private:
  [[nodiscard]] identity become_root() {
    identity before = who_;
    become({});
    return before;
  }
  static const timespec* pair_of(const time_pair* from, timespec (&to)[2]) {
    if (from == nullptr) return nullptr;
    for (int i : {0, 1}) to[i] = {from->seconds[i], static_cast<long>(from->nanoseconds[i])};
    return to;
  }

  int probe_ = -1;
  identity who_;
};

[[nodiscard]] bool host_has(const table_case& c) {
  for (const auto& [name, value] : c.sysctls) {
    std::ifstream in{"/proc/sys/fs/" + name};
    int found = -1;
    if (!(in >> found) || found != value) return false;
  }
  return true;
}

// In a child: it gives up its root, its user and whatever else the case changes.
[[nodiscard]] std::vector<std::string> run_in_child(const table_case& c, const std::string& root, const std::string& directory) {
  int ends[2];
  must(::pipe(ends), "pipe");
  const pid_t child = ::fork();
  must(child, "fork");
  if (child == 0) {
    ::close(ends[0]);
    std::string text;
    try {
      host_world w{root};
      for (const std::string& a : run_case(w, c, directory)) text += a + '\n';
    } catch (const std::exception& e) {
      text += std::string{"stopped: "} + e.what() + '\n';
    }
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t written = ::write(ends[1], text.data() + at, text.size() - at);
      if (written <= 0) break;
      at += static_cast<std::size_t>(written);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string all;
  char buffer[4096];
  for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) all.append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  std::vector<std::string> answers;
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = all.find('\n', at);
    answers.push_back(all.substr(at, end - at));
    at = end + 1;
  }
  return answers;
}

}  // namespace

std::vector<std::vector<std::string>> run_on_host(const table& t, const std::string& directory) {
  std::vector<std::vector<std::string>> all;
  for (std::size_t i = 0; i < t.cases.size(); ++i)
    all.push_back(host_has(t.cases[i]) ? run_in_child(t.cases[i], directory, "/case" + std::to_string(i)) : std::vector<std::string>{});
  return all;
}

}  // namespace xip::posix
