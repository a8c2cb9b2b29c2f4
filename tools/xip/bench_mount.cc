// What a mount costs beside a FUSE server that does nothing, which is what the protocol alone costs, and beside fuse2fs. Each figure goes the whole way: a
// system call, the host's kernel, a request, its answer. Each benchmark mounts anew; the host keeps no page of the file from one round to the next, and asks for
// no more than is read. All of it runs on one processor, as that is what work costs: on two a figure says above all how long an idle one takes to wake up,
// and that depends on where the scheduler happens to have put a server's threads.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xip/dev/devices.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

#include "bench.h"
#include "bench_mount.h"
#include "command.h"
#include "common/run_program.h"
#include "fuse/connection.h"
#include "null_server.h"

namespace xip::tool {
namespace {

constexpr std::size_t image_bytes = std::size_t{512} << 20;
constexpr std::size_t file_bytes = std::size_t{256} << 20;
constexpr std::size_t stream_bytes = std::size_t{1} << 20;
constexpr std::uint32_t file_pages = file_bytes / page_size;

// As the null server has it.
void make_many(vfs::task& task) {
  must(task.mkdir("/many", 0755), "mkdir");
  for (unsigned i = 0; i < null_many; ++i)
    must(task.close(must(task.open(fmt::format("/many/{}", i), O_WRONLY | O_CREAT | O_EXCL, 0644), "create")), "close");
}

// An ext4 with "/file" of written blocks, and many more files.
void make_filled_image(const std::string& path) {
  make_image(path, image_bytes, {});
  auto device = dev::open_pmem(path, false);
  if (!device.has_value()) give_up(device.error().message);
  vfs::kernel kernel;
  must(kernel.register_filesystem(ext4lite_file_system()), "register");
  if (auto mounted = kernel.mount("ext4", **device, "/", "dax=always"); !mounted.has_value()) give_up(mounted.error().message);
  const vfs::task_ptr task{must(kernel.make_task({}, "bench"), "task")};
  const int fd = must(task->open("/file", O_WRONLY | O_CREAT, 0644), "/file");
  must(task->fallocate(fd, 0, 0, file_bytes), "fallocate");
  const std::vector<std::byte> bytes(stream_bytes, std::byte{0x5a});
  for (std::size_t at = 0; at < file_bytes; at += stream_bytes)
    must(task->pwrite(fd, bytes.data(), bytes.size(), static_cast<loff_t>(at)), "pwrite");
  must(task->close(fd), "close");
  make_many(*task);
}

// While it lives this thread, and the processes that it starts, stay on the processor it is on.
class on_one_processor {
 public:
  on_one_processor() noexcept {
    ::sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(std::max(::sched_getcpu(), 0)), &one);
    ::sched_setaffinity(0, sizeof one, &one);
  }
  ~on_one_processor() { ::sched_setaffinity(0, sizeof before_, &before_); }
  on_one_processor(const on_one_processor&) = delete;
  on_one_processor& operator=(const on_one_processor&) = delete;

 private:
  cpu_set_t before_{};
};

// A mounted directory with a file in it, and many in a directory of their own.
class mounted_directory {
 public:
  explicit mounted_directory(std::string directory) : directory_{std::move(directory)} { ::mkdir(directory_.c_str(), 0755); }
  ~mounted_directory() {
    if (fd_ >= 0) ::close(fd_);
    if (mounted_ && !fuse::unmount_directory(directory_, false)) static_cast<void>(fuse::unmount_directory(directory_, true));
    if (server_ > 0) ::waitpid(server_, nullptr, 0);
    ::rmdir(directory_.c_str());
  }
  mounted_directory(const mounted_directory&) = delete;
  mounted_directory& operator=(const mounted_directory&) = delete;

  [[nodiscard]] bool mount_image(std::vector<std::string> program, const std::string& image) {
    program.push_back(image);
    program.push_back(directory_);
    mounted_ = run_program(std::move(program)) == 0;
    return mounted_ && open_file();
  }
  [[nodiscard]] bool mount_nothing(bool direct_io) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    server_ = ::fork();
    if (server_ == 0) {
      ::close(ends[0]);
      const bool served = serve_nothing({directory_, file_bytes, threads, direct_io}, [&] { static_cast<void>(::write(ends[1], "", 1)); });
      ::_exit(served ? 0 : 1);
    }
    ::close(ends[1]);
    char word = 0;
    mounted_ = server_ > 0 && ::read(ends[0], &word, 1) == 1;
    ::close(ends[0]);
    return mounted_ && open_file();
  }

  static constexpr unsigned threads = 4;

  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] std::string name_of(std::size_t i) const { return fmt::format("{}/new-{}", directory_, i); }
  [[nodiscard]] std::string many() const { return directory_ + "/many"; }
  void drop_pages() const noexcept { ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED); }
  // The kernel asks for no answer where it gives up inodes, and closes files without waiting: requests that are answered push those on.
  void settle() const noexcept {
    constexpr int enough = 16;
    struct ::statvfs status{};
    for (int i = 0; i < enough; ++i) static_cast<void>(::fstatvfs(fd_, &status));
  }

 private:
  [[nodiscard]] bool open_file() {
    fd_ = ::open((directory_ + "/file").c_str(), O_RDWR | O_CLOEXEC);
    return fd_ >= 0 && ::posix_fadvise(fd_, 0, 0, POSIX_FADV_RANDOM) == 0;
  }

  const std::string directory_;
  bool mounted_ = false;
  pid_t server_ = 0;
  int fd_ = -1;
};

// Whether the host has a program NAME.
[[nodiscard]] bool has_program(std::string_view name) {
  const char* const path = ::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/bin:/bin:/usr/sbin:/sbin";
  while (!rest.empty()) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    if (::access(fmt::format("{}/{}", rest.substr(0, colon), name).c_str(), X_OK) == 0) return true;
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return false;
}

// Rounds of OPERATION(mount, i) on both, PREPARE(mount) before each.
template <class Prepare, class Operation>
void run_mounts(benchmark::State& state, mounted_directory& figure, mounted_directory& baseline, std::size_t per_round, Prepare&& prepare,
                Operation&& operation) {
  paired_ratio pair;
  std::size_t next = 0;
  for (auto round : state) {
    static_cast<void>(round);
    prepare(figure);
    prepare(baseline);
    pair.round(
        next, next + per_round, [&](std::size_t i) { operation(figure, i); }, [&](std::size_t i) { operation(baseline, i); },
        [&] {
          figure.settle();
          baseline.settle();
        });
    next += per_round;
    state.SetIterationTime(pair.last_seconds());
  }
  report(state, pair);
}

void must_move(ssize_t moved, std::size_t bytes) {
  if (moved != static_cast<ssize_t>(bytes))
    give_up(fmt::format("a mount: {}", moved < 0 ? std::strerror(errno) : "fewer bytes than asked for"));
}

void make_file(const mounted_directory& m, std::size_t i) {
  const int fd = ::open(m.name_of(i).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  must_move(fd < 0 ? -1 : 0, 0);
  ::close(fd);
}

void remove_file(const mounted_directory& m, std::size_t i) { must_move(::unlink(m.name_of(i).c_str()), 0); }

// The kernel keeps where a symlink points to: only the first look at one is asked for.
void make_and_read_symlink(const mounted_directory& m, std::size_t i) {
  const std::string name = m.name_of(i);
  must_move(::symlink(null_symlink.data(), name.c_str()), 0);
  char target[null_symlink.size() + 1];
  must_move(::readlink(name.c_str(), target, sizeof target), null_symlink.size());
}

void make_and_remove_directory(const mounted_directory& m, std::size_t i) {
  const std::string name = m.name_of(i);
  must_move(::mkdir(name.c_str(), 0755), 0);
  must_move(::rmdir(name.c_str()), 0);
}

// As if the kernel knew nothing of its attributes.
void look_at_file(const mounted_directory& m, std::size_t i) {
  constexpr std::size_t stride = 7;
  struct ::statx status{};
  const std::string name = fmt::format("{}/{}", m.many(), i * stride % null_many);
  must_move(::statx(AT_FDCWD, name.c_str(), AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &status), 0);
}

void list_many(const mounted_directory& m, std::size_t) {
  DIR* const directory = ::opendir(m.many().c_str());
  must_move(directory == nullptr ? -1 : 0, 0);
  unsigned found = 0;
  while (::readdir(directory) != nullptr) ++found;
  ::closedir(directory);
  if (found != null_many + 2) give_up(fmt::format("a mount: {} names in place of {}", found, null_many + 2));
}

// What the kernel keeps of a directory's contents lies in pages of it.
void forget_many(const mounted_directory& m) {
  const int fd = ::open(m.many().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  must_move(fd < 0 ? -1 : ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
  ::close(fd);
}

// A file that grows at its end, on each of two mounts.
class growing_files {
 public:
  growing_files(const mounted_directory& one, const mounted_directory& other) : one_{one}, other_{other} {
    for (const mounted_directory* m : {&one_, &other_}) {
      int& fd = fd_of(*m);
      fd = ::open(m->name_of(0).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
      must_move(fd < 0 ? -1 : 0, 0);
    }
  }
  ~growing_files() {
    for (const mounted_directory* m : {&one_, &other_}) {
      ::close(fd_of(*m));
      ::unlink(m->name_of(0).c_str());
    }
  }
  growing_files(const growing_files&) = delete;
  growing_files& operator=(const growing_files&) = delete;

  void empty(const mounted_directory& m) { must_move(::ftruncate(fd_of(m), 0), 0); }
  void append(const mounted_directory& m, bool syncing) {
    must_move(::write(fd_of(m), page_.data(), page_.size()), page_.size());
    if (syncing) must_move(::fsync(fd_of(m)), 0);
  }

 private:
  [[nodiscard]] int& fd_of(const mounted_directory& m) noexcept { return fds_[&m == &one_ ? 0 : 1]; }

  const mounted_directory& one_;
  const mounted_directory& other_;
  int fds_[2] = {-1, -1};
  std::array<std::byte, page_size> page_{};
};

}  // namespace

mount_bed::mount_bed(const std::string& directory) : directory_{directory} {
  std::mt19937 random{3};
  order_.resize(file_pages);
  std::iota(order_.begin(), order_.end(), 0u);
  std::ranges::shuffle(order_, random);
}

mount_bed::~mount_bed() {
  for (const std::string& image : images_) ::unlink(image.c_str());
}

const std::string& mount_bed::image(std::string_view name) {
  const std::string path = fmt::format("{}/image-{}", directory_, name);
  if (const auto made = std::ranges::find(images_, path); made != images_.end()) return *made;
  make_filled_image(path);
  return images_.emplace_back(path);
}

// Mounts both and runs BODY on them.
template <class Body>
void mount_bed::on_mounts(benchmark::State& state, mount_baseline baseline, bool direct_io, Body&& body) {
  const std::string& ours = image("xip");
  const std::string theirs = baseline == mount_baseline::fuse2fs ? image("fuse2fs") : std::string{};
  const on_one_processor pinned;
  mounted_directory figure{directory_ + "/xip"}, other{directory_ + "/baseline"};
  const std::string words = fmt::format("threads={}{}", mounted_directory::threads, direct_io ? ",direct_io" : "");
  const bool mounted = figure.mount_image({"/proc/self/exe", "mount", "-o", words}, ours) &&
                       (baseline == mount_baseline::fuse2fs ? other.mount_image({"fuse2fs"}, theirs) : other.mount_nothing(direct_io));
  if (!mounted) return state.SkipWithError("the host lets us mount nothing");
  body(figure, other);
}

void mount_bed::pages(benchmark::State& state, mount_baseline baseline, bool writing) {
  std::array<std::byte, page_size> page{};
  on_mounts(state, baseline, false, [&](mounted_directory& figure, mounted_directory& other) {
    run_mounts(
        state, figure, other, 256, [](const mounted_directory& m) { m.drop_pages(); },
        [&](const mounted_directory& m, std::size_t i) {
          const off_t at = off_t{order_[i % order_.size()]} * off_t{page_size};
          must_move(writing ? ::pwrite(m.fd(), page.data(), page.size(), at) : ::pread(m.fd(), page.data(), page.size(), at), page.size());
        });
  });
}

void mount_bed::stream(benchmark::State& state, mount_baseline baseline, bool writing, bool direct_io) {
  std::vector<std::byte> buffer(stream_bytes);
  const auto prepare = [](const mounted_directory& m) {
    m.drop_pages();
    ::posix_fadvise(m.fd(), 0, 0, POSIX_FADV_SEQUENTIAL);
  };
  on_mounts(state, baseline, direct_io, [&](mounted_directory& figure, mounted_directory& other) {
    run_mounts(state, figure, other, 16, prepare, [&](const mounted_directory& m, std::size_t i) {
      const auto at = static_cast<off_t>(i * stream_bytes % file_bytes);
      must_move(writing ? ::pwrite(m.fd(), buffer.data(), buffer.size(), at) : ::pread(m.fd(), buffer.data(), buffer.size(), at),
                buffer.size());
    });
  });
}

// Each round begins with an empty file.
void mount_bed::appends(benchmark::State& state, mount_baseline baseline, bool syncing) {
  const std::size_t per_round = syncing ? 32 : 256;
  on_mounts(state, baseline, false, [&](mounted_directory& figure, mounted_directory& other) {
    growing_files files{figure, other};
    run_mounts(
        state, figure, other, per_round, [&](const mounted_directory& m) { files.empty(m); },
        [&](const mounted_directory& m, std::size_t) { files.append(m, syncing); });
  });
}

// MAKE(mount, i), or removing what it makes. The half that is not measured is made up for before the next round.
template <class Make>
void mount_bed::names(benchmark::State& state, mount_baseline baseline, bool making, Make&& make) {
  constexpr std::size_t per_round = 128;
  on_mounts(state, baseline, false, [&](mounted_directory& figure, mounted_directory& other) {
    std::size_t next = 0;
    // For the round from NEXT on, and for the one before it, on one mount.
    const auto prepare = [&](const mounted_directory& m) {
      const std::size_t first = making ? next - per_round : next;
      for (std::size_t i = first; i < first + per_round && (!making || next != 0); ++i) making ? remove_file(m, i) : make(m, i);
      if (&m == &other) next += per_round;
      m.settle();
    };
    run_mounts(state, figure, other, per_round, prepare,
               [&](const mounted_directory& m, std::size_t i) { making ? make(m, i) : remove_file(m, i); });
    for (std::size_t i = next - per_round; making && i < next; ++i)
      for (const mounted_directory* m : {&figure, &other}) remove_file(*m, i);
  });
}

// OPERATION(mount, i), which leaves everything as it was.
template <class Operation>
void mount_bed::calls(benchmark::State& state, mount_baseline baseline, Operation&& operation) {
  on_mounts(state, baseline, false, [&](mounted_directory& figure, mounted_directory& other) {
    run_mounts(state, figure, other, 128, [](const mounted_directory&) {}, operation);
  });
}

// A file goes to another name and, with the next call, back again.
void mount_bed::renames(benchmark::State& state, mount_baseline baseline) {
  constexpr std::size_t per_round = 128;
  static_assert(per_round % 2 == 0, "a round ends where it began");
  on_mounts(state, baseline, false, [&](mounted_directory& figure, mounted_directory& other) {
    for (const mounted_directory* m : {&figure, &other}) make_file(*m, 0);
    run_mounts(
        state, figure, other, per_round, [](const mounted_directory&) {},
        [](const mounted_directory& m, std::size_t i) {
          must_move(::rename(m.name_of(i % 2).c_str(), m.name_of((i + 1) % 2).c_str()), 0);
        });
    for (const mounted_directory* m : {&figure, &other}) remove_file(*m, 0);
  });
}

// One a round: COLD, it is to find nothing in the kernel's cache.
void mount_bed::listings(benchmark::State& state, mount_baseline baseline, bool cold) {
  const auto prepare = [cold](const mounted_directory& m) {
    if (cold) forget_many(m);
  };
  on_mounts(state, baseline, false,
            [&](mounted_directory& figure, mounted_directory& other) { run_mounts(state, figure, other, 1, prepare, list_many); });
}

void mount_bed::register_all() {
  if (::access("/dev/fuse", R_OK | W_OK) != 0) {
    complain("bench", "the host has no FUSE, or lets us have none: no figures of mounts");
    return;
  }
  const auto add = [&](const char* name, auto body) {
    const auto add_against = [&](const char* other, mount_baseline baseline) {
      benchmark::RegisterBenchmark(fmt::format("mount_{}/{}", name, other).c_str(), [body, baseline](benchmark::State& state) {
        body(state, baseline);
      })->UseManualTime();
    };
    add_against("null", mount_baseline::null);
    if (has_program("fuse2fs")) add_against("fuse2fs", mount_baseline::fuse2fs);
  };
  register_contents(add);
  register_names(add);
}

template <class Add>
void mount_bed::register_contents(Add&& add) {
  using state = benchmark::State;
  add("read_4k_random", [this](state& s, mount_baseline b) { pages(s, b, false); });
  add("overwrite_4k_random", [this](state& s, mount_baseline b) { pages(s, b, true); });
  add("read_1m", [this](state& s, mount_baseline b) { stream(s, b, false, false); });
  add("overwrite_1m", [this](state& s, mount_baseline b) { stream(s, b, true, false); });
  add("read_1m_direct_io", [this](state& s, mount_baseline b) { stream(s, b, false, true); });
  add("overwrite_1m_direct_io", [this](state& s, mount_baseline b) { stream(s, b, true, true); });
  add("append_4k", [this](state& s, mount_baseline b) { appends(s, b, false); });
  add("append_4k_fsync", [this](state& s, mount_baseline b) { appends(s, b, true); });
}

template <class Add>
void mount_bed::register_names(Add&& add) {
  using state = benchmark::State;
  add("create", [this](state& s, mount_baseline b) { names(s, b, true, make_file); });
  add("unlink", [this](state& s, mount_baseline b) { names(s, b, false, make_file); });
  add("symlink_readlink", [this](state& s, mount_baseline b) { names(s, b, true, make_and_read_symlink); });
  add("mkdir_rmdir", [this](state& s, mount_baseline b) { calls(s, b, make_and_remove_directory); });
  add("rename", [this](state& s, mount_baseline b) { renames(s, b); });
  add("stat", [this](state& s, mount_baseline b) { calls(s, b, look_at_file); });
  add("readdir_1000", [this](state& s, mount_baseline b) { listings(s, b, true); });
  add("readdir_1000_again", [this](state& s, mount_baseline b) { listings(s, b, false); });
}

}  // namespace xip::tool
