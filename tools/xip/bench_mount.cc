// What a mount costs beside a FUSE server that does nothing, which is what the protocol alone costs, and beside fuse2fs. Each figure goes the whole way: a
// system call, the host's kernel, a request, its answer. The host keeps no page of the file from one round to the next, and asks for no more than is read.
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xip/dev/devices.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

#include "bench.h"
#include "bench_mount.h"
#include "command.h"
#include "fuse/connection.h"
#include "null_server.h"

namespace xip::tool {
namespace {

constexpr std::size_t image_bytes = std::size_t{512} << 20;
constexpr std::size_t file_bytes = std::size_t{256} << 20;
constexpr std::size_t stream_bytes = std::size_t{1} << 20;
constexpr std::uint32_t file_pages = file_bytes / page_size;

// WORDS as a program of the host. Its exit code; -1: it could not be started.
[[nodiscard]] int run_program(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  if (::posix_spawnp(&child, argv[0], nullptr, nullptr, argv.data(), environ) != 0) return -1;
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// An ext4 with "/file" of written blocks.
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
}

}  // namespace

// A mounted directory with a file in it.
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
  [[nodiscard]] bool mount_nothing() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    server_ = ::fork();
    if (server_ == 0) {
      ::close(ends[0]);
      const bool served = serve_nothing(directory_, file_bytes, threads, [&] { static_cast<void>(::write(ends[1], "", 1)); });
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
  void drop_pages() const noexcept { ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED); }

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

namespace {

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
    pair.round(next, next + per_round, [&](std::size_t i) { operation(figure, i); }, [&](std::size_t i) { operation(baseline, i); });
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

}  // namespace

mount_bed::mount_bed(const std::string& directory) : directory_{directory} {
  std::mt19937 random{3};
  order_.resize(file_pages);
  std::iota(order_.begin(), order_.end(), 0u);
  std::ranges::shuffle(order_, random);
  xip_ = std::make_unique<mounted_directory>(directory_ + "/xip");
  null_ = std::make_unique<mounted_directory>(directory_ + "/null");
  if (!null_->mount_nothing()) return;
  make_filled_image(directory_ + "/image-xip");
  const std::string threads = fmt::format("threads={}", mounted_directory::threads);
  ready_ = xip_->mount_image({"/proc/self/exe", "mount", "-o", threads}, directory_ + "/image-xip");
  if (!ready_) return;
  make_filled_image(directory_ + "/image-fuse2fs");
  fuse2fs_ = std::make_unique<mounted_directory>(directory_ + "/fuse2fs");
  if (!fuse2fs_->mount_image({"fuse2fs"}, directory_ + "/image-fuse2fs")) fuse2fs_.reset();
}

mount_bed::~mount_bed() {
  xip_.reset();
  null_.reset();
  fuse2fs_.reset();
  for (const char* name : {"/image-xip", "/image-fuse2fs"}) ::unlink((directory_ + name).c_str());
}

void mount_bed::pages(benchmark::State& state, mounted_directory& baseline, bool writing) {
  std::array<std::byte, page_size> page{};
  run_mounts(
      state, *xip_, baseline, 256, [](const mounted_directory& m) { m.drop_pages(); },
      [&](const mounted_directory& m, std::size_t i) {
        const off_t at = off_t{order_[i % order_.size()]} * off_t{page_size};
        must_move(writing ? ::pwrite(m.fd(), page.data(), page.size(), at) : ::pread(m.fd(), page.data(), page.size(), at), page.size());
      });
}

void mount_bed::stream(benchmark::State& state, mounted_directory& baseline, bool writing) {
  std::vector<std::byte> buffer(stream_bytes);
  const auto prepare = [](const mounted_directory& m) {
    m.drop_pages();
    ::posix_fadvise(m.fd(), 0, 0, POSIX_FADV_SEQUENTIAL);
  };
  run_mounts(state, *xip_, baseline, 16, prepare, [&](const mounted_directory& m, std::size_t i) {
    const auto at = static_cast<off_t>(i * stream_bytes % file_bytes);
    must_move(writing ? ::pwrite(m.fd(), buffer.data(), buffer.size(), at) : ::pread(m.fd(), buffer.data(), buffer.size(), at),
              buffer.size());
  });
  for (const mounted_directory* m : {xip_.get(), &baseline}) ::posix_fadvise(m->fd(), 0, 0, POSIX_FADV_RANDOM);
}

// The half that is not measured is made up for before the next round.
void mount_bed::names(benchmark::State& state, mounted_directory& baseline, bool creating) {
  constexpr std::size_t per_round = 128;
  std::size_t first = 0, made = 0;
  const auto all = [&](auto&& operation, std::size_t from) {
    for (mounted_directory* m : {xip_.get(), &baseline})
      for (std::size_t i = from; i < from + per_round; ++i) operation(*m, i);
  };
  if (creating) {
    run_mounts(
        state, *xip_, baseline, per_round,
        [&](const mounted_directory& m) {
          if (&m != xip_.get() || made == 0) return void(made = 1);
          all(remove_file, std::exchange(first, first + per_round));
        },
        make_file);
    all(remove_file, first);
  } else {
    run_mounts(
        state, *xip_, baseline, per_round,
        [&](const mounted_directory& m) {
          if (&m == xip_.get()) all(make_file, std::exchange(first, first + per_round));
        },
        remove_file);
  }
}

void mount_bed::register_all() {
  if (!ready_) {
    complain("bench", "the host has no FUSE, or lets us have none: no figures of mounts");
    return;
  }
  const auto add = [&](const char* name, void (mount_bed::*body)(benchmark::State&, mounted_directory&, bool), bool flag) {
    for (const auto& [baseline, mount] : {std::pair{"null", null_.get()}, std::pair{"fuse2fs", fuse2fs_.get()}}) {
      if (mount == nullptr) continue;
      benchmark::RegisterBenchmark(fmt::format("mount_{}/{}", name, baseline).c_str(), [this, body, mount, flag](benchmark::State& state) {
        (this->*body)(state, *mount, flag);
      })->UseManualTime();
    }
  };
  add("read_4k_random", &mount_bed::pages, false);
  add("overwrite_4k_random", &mount_bed::pages, true);
  add("read_1m", &mount_bed::stream, false);
  add("overwrite_1m", &mount_bed::stream, true);
  add("create", &mount_bed::names, true);
  add("unlink", &mount_bed::names, false);
}

}  // namespace xip::tool
