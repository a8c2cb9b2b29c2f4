#include "posix/libxip_world.h"

#include <cstdlib>
#include <stdexcept>

#include <sys/stat.h>

#include <xip/dev/devices.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/locks/sched_hook.h>
#include <xip/vfs/task.h>

#include "posix/pieces.h"
#include "posix/world.h"

namespace xip::posix {

namespace {

// One task at a time, which never has to wait, and a clock that goes on only when it is told to.
class clock_hook final : public sched_hook {
 public:
  void tick() noexcept { now_ += std::chrono::seconds{1}; }

  void on_lock(sched_event, const lock_class&, const void*, bool) noexcept override {}
  bool block(waiter&, nanoseconds) noexcept override { std::abort(); }
  void wake(waiter&) noexcept override {}
  std::uint64_t spawn(thread_context&, void (*)(void*), void*) noexcept override { std::abort(); }
  void join(std::uint64_t) noexcept override {}
  nanoseconds monotonic_now() noexcept override { return now_; }
  nanoseconds realtime_now() noexcept override { return now_; }

 private:
  nanoseconds now_ = std::chrono::seconds{1'800'000'000};
};

template <class T>
[[nodiscard]] long answer(const result<T>& r) {
  if (!r) return -r.error().number();
  if constexpr (std::is_arithmetic_v<T>)
    return static_cast<long>(*r);
  else
    return 0;
}

[[nodiscard]] space space_of(const vfs::kstatfs& s) {
  return {.type = s.type,
          .bsize = s.bsize,
          .frsize = s.frsize,
          .namelen = s.namelen,
          .flags = s.flags,
          .fsid = s.fsid,
          .bfree = s.bfree,
          .bavail = s.bavail,
          .files = s.files,
          .ffree = s.ffree};
}

class libxip_world final : public world {
 public:
  libxip_world(vfs::kernel& k, clock_hook& clock) : task_{*k.make_task()}, clock_{clock} {}

  void tick() override { clock_.tick(); }
  void become(const identity& who) override {
    task_->who = {who.uid, who.gid, {who.groups.begin(), who.groups.end()}, who.real_uid, who.real_gid, who.capabilities};
  }

  long openat(int dir, const std::string& path, int flags, unsigned mode) override { return answer(task_->openat(dir, path, flags, mode)); }
  long openat2(int dir, const std::string& path, std::uint64_t flags, std::uint64_t mode, std::uint64_t resolve) override {
    return answer(task_->openat2(dir, path, {flags, mode, resolve}));
  }
  long close(int fd) override { return answer(task_->close(fd)); }
  long dup(int fd) override { return answer(task_->dup(fd)); }
  long read(int fd, std::size_t bytes, std::string& text) override {
    text.resize(bytes);
    const auto done = task_->read(fd, text.data(), bytes);
    text.resize(done.value_or(0));
    return answer(done);
  }
  long write(int fd, const std::string& text) override { return answer(task_->write(fd, text.data(), text.size())); }
  long preadv2(int fd, std::size_t bytes, std::int64_t pos, int flags, std::string& text) override {
    const pieces to{bytes};
    const long done = answer(task_->preadv2(fd, to.vectors(), to.count(), pos, flags));
    text = to.text(done);
    return done;
  }
  long pwritev2(int fd, const std::string& text, std::int64_t pos, int flags) override {
    const pieces from{text};
    return answer(task_->pwritev2(fd, from.vectors(), from.count(), pos, flags));
  }
  long copy_file_range(int, std::optional<std::int64_t>, int, std::optional<std::int64_t>, std::size_t, unsigned) override {
    throw std::runtime_error{"libxip has no copy_file_range: the case has to say so"};
  }
  long lseek(int fd, std::int64_t offset, int whence) override { return answer(task_->lseek(fd, offset, whence)); }
  long fsync(int fd) override { return answer(task_->fsync(fd)); }
  long fallocate(int fd, int mode, std::int64_t offset, std::int64_t length) override {
    return answer(task_->fallocate(fd, mode, offset, length));
  }
  long fiemap(int fd, std::int64_t start, std::uint64_t length, std::vector<stretch>& all) override {
    std::vector<vfs::fiemap_extent> found;
    const auto done = task_->fiemap(fd, start, length, found);
    for (const vfs::fiemap_extent& e : found) all.push_back({static_cast<std::uint64_t>(e.logical), e.length, e.flags});
    return answer(done);
  }
  long getdents(int fd, std::vector<listed>& all) override {
    const auto some = task_->getdents(fd, 64);
    if (some)
      for (const vfs::dirent& d : *some) all.push_back({d.name, d.type, d.off});
    return answer(some);
  }

  long mkdirat(int dir, const std::string& path, unsigned mode) override { return answer(task_->mkdirat(dir, path, mode)); }
  long unlinkat(int dir, const std::string& path, int flags) override { return answer(task_->unlinkat(dir, path, flags)); }
  long symlinkat(const std::string& target, int dir, const std::string& path) override {
    return answer(task_->symlinkat(target, dir, path));
  }
  long linkat(int from_dir, const std::string& from, int to_dir, const std::string& to, int flags) override {
    return answer(task_->linkat(from_dir, from, to_dir, to, flags));
  }
  long renameat2(int from_dir, const std::string& from, int to_dir, const std::string& to, unsigned flags) override {
    return answer(task_->renameat2(from_dir, from, to_dir, to, flags));
  }
  long mknodat(int dir, const std::string& path, unsigned mode, std::uint64_t rdev) override {
    return answer(task_->mknodat(dir, path, mode, rdev));
  }
  long readlinkat(int dir, const std::string& path, std::string& text) override {
    const auto target = task_->readlinkat(dir, path);
    text = target.value_or("");
    return answer(target);
  }

  long fstatat(int dir, const std::string& path, int flags, attributes& out) override {
    const auto s = task_->statx(dir, path, flags, 0);
    if (!s) return answer(s);
    const auto at = [](const vfs::timespec64& t) { return moment{t.seconds, t.nanoseconds}; };
    out = {s->mode, s->nlink, s->uid, s->gid, s->size, s->rdev, at(s->atime), at(s->mtime), at(s->ctime)};
    return 0;
  }
  // What is not asked for is said all the same.
  long statx(int dir, const std::string& path, int flags, unsigned mask, description& out) override {
    const auto s = task_->statx(dir, path, flags, mask);
    if (s) out = {STATX_BASIC_STATS | (s->has_btime ? std::uint64_t{STATX_BTIME} : 0), s->attributes, s->attributes_mask};
    return answer(s);
  }
  long statfs(const std::string& path, space& out) override {
    const auto s = task_->statfs(path);
    if (s) out = space_of(*s);
    return answer(s);
  }
  long fstatfs(int fd, space& out) override {
    const auto s = task_->fstatfs(fd);
    if (s) out = space_of(*s);
    return answer(s);
  }
  long faccessat(int dir, const std::string& path, int mode, int flags) override {
    return answer(task_->faccessat(dir, path, mode, flags));
  }
  long fchmodat(int dir, const std::string& path, unsigned mode, int flags) override {
    return answer(task_->fchmodat(dir, path, mode, flags));
  }
  long fchmod(int fd, unsigned mode) override { return answer(task_->fchmod(fd, mode)); }
  long fchownat(int dir, const std::string& path, std::uint32_t uid, std::uint32_t gid, int flags) override {
    return answer(task_->fchownat(dir, path, uid, gid, flags));
  }
  long fchown(int fd, std::uint32_t uid, std::uint32_t gid) override { return answer(task_->fchown(fd, uid, gid)); }
  long utimensat(int dir, const std::string& path, const time_pair* times, int flags) override {
    vfs::timespec64 t[2];
    return answer(task_->utimensat(dir, path, pair_of(times, t), flags));
  }
  long futimens(int fd, const time_pair* times) override {
    vfs::timespec64 t[2];
    return answer(task_->futimens(fd, pair_of(times, t)));
  }
  long truncate(const std::string& path, std::int64_t size) override { return answer(task_->truncate(path, size)); }
  long ftruncate(int fd, std::int64_t size) override { return answer(task_->ftruncate(fd, size)); }

  long setxattr(const xattr_subject& of, const std::string& name, const std::string& value, int flags) override {
    if (of.fd != -1) return answer(task_->fsetxattr(of.fd, name, value.data(), value.size(), flags));
    return answer(of.follow ? task_->setxattr(of.path, name, value.data(), value.size(), flags)
                            : task_->lsetxattr(of.path, name, value.data(), value.size(), flags));
  }
  long getxattr(const xattr_subject& of, const std::string& name, std::size_t room, std::string& value) override {
    value.resize(room);
    if (of.fd != -1) return answer(task_->fgetxattr(of.fd, name, value.data(), room));
    return answer(of.follow ? task_->getxattr(of.path, name, value.data(), room) : task_->lgetxattr(of.path, name, value.data(), room));
  }
  long listxattr(const xattr_subject& of, std::size_t room, std::string& text) override {
    text.resize(room);
    if (of.fd != -1) return answer(task_->flistxattr(of.fd, text.data(), room));
    return answer(of.follow ? task_->listxattr(of.path, text.data(), room) : task_->llistxattr(of.path, text.data(), room));
  }
  long removexattr(const xattr_subject& of, const std::string& name) override {
    if (of.fd != -1) return answer(task_->fremovexattr(of.fd, name));
    return answer(of.follow ? task_->removexattr(of.path, name) : task_->lremovexattr(of.path, name));
  }

  long chdir(const std::string& path) override { return answer(task_->chdir(path)); }
  long fchdir(int fd) override { return answer(task_->fchdir(fd)); }
  long getcwd(std::string& text) override {
    const auto cwd = task_->getcwd();
    text = cwd.value_or("");
    return answer(cwd);
  }
  long umask(unsigned mask) override { return task_->umask(mask); }
  long fcntl(int fd, int command, long argument) override { return answer(task_->fcntl(fd, command, argument)); }
  long lock(int fd, int command, struct flock& l) override { return answer(task_->fcntl(fd, command, l)); }
  long flock(int fd, int operation) override { return answer(task_->flock(fd, operation)); }
  long ioctl(int fd, unsigned long request, void* argument) override { return answer(task_->ioctl(fd, request, argument)); }

 private:
  static const vfs::timespec64* pair_of(const time_pair* from, vfs::timespec64 (&to)[2]) {
    if (from == nullptr) return nullptr;
    for (int i : {0, 1}) to[i] = {from->seconds[i], from->nanoseconds[i]};
    return to;
  }

  vfs::task_ptr task_;
  clock_hook& clock_;
};

[[nodiscard]] int sysctl_of(const table_case& c, const char* name) {
  const auto found = c.sysctls.find(name);
  return found == c.sysctls.end() ? 0 : found->second;
}

[[nodiscard]] vfs::protection_sysctls protection_of(const table_case& c) {
  return {sysctl_of(c, "protected_hardlinks") != 0, sysctl_of(c, "protected_symlinks") != 0,
          static_cast<std::uint8_t>(sysctl_of(c, "protected_fifos")), static_cast<std::uint8_t>(sysctl_of(c, "protected_regular"))};
}

[[nodiscard]] std::vector<std::string> run_one(const table_case& c, dev::device& device, const std::string& directory,
                                               std::string& trouble) {
  clock_hook clock;
  vfs::kernel k{{.log = [&trouble](vfs::log_level, std::string_view text) { (trouble += text) += '\n'; },
                 .lockdep_report = [&trouble](const lockdep_report& report) { (trouble += report.text) += '\n'; },
                 .sched = &clock,
                 .protection = protection_of(c)}};
  if (!k.register_filesystem(ext4lite_file_system())) throw std::runtime_error{"register_filesystem"};
  if (auto mounted = k.mount("ext4", device, "/"); !mounted) throw std::runtime_error{mounted.error().message};
  std::vector<std::string> answers;
  {
    libxip_world w{k, clock};
    answers = run_case(w, c, directory);
  }
  if (!k.umount("/")) trouble += "cannot be unmounted after case " + c.name + '\n';
  return answers;
}

}  // namespace

libxip_answers run_on_libxip(const table& t, const std::string& image) {
  libxip_answers all;
  auto device = dev::open_pmem(image, false);
  if (!device) throw std::runtime_error{device.error().message};
  for (std::size_t i = 0; i < t.cases.size(); ++i)
    all.cases.push_back(t.cases[i].not_libxip.empty() ? run_one(t.cases[i], **device, "/case" + std::to_string(i), all.trouble)
                                                      : std::vector<std::string>{});
  return all;
}

}  // namespace xip::posix
