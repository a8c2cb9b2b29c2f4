// xip bench: what libxip adds to the plain work of each call, be that a memcpy or the host's own tmpfs, and what the explorer adds to calls. The
// image is a file on tmpfs; libpmem is told to treat it as persistent memory.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <libpmem.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xip/base/config.h>
#include <xip/base/points.h>
#include <xip/dev/devices.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

#include "bench.h"
#include "bench_map.h"
#include "bench_mount.h"
#include "command.h"
#include "verbs.h"

namespace xip::tool {

void give_up(const std::string& why) {
  complain("bench", why);
  std::exit(exit_environment);
}

// Persistent memory has no holes: neither has the image, or each first store would be timed with the host's search for a page and its zeroing.
void make_image(const std::string& path, std::size_t bytes, const std::vector<std::string>& more) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::vector<std::byte> zeros(std::size_t{1} << 20);
  bool whole = fd >= 0;
  for (std::size_t at = 0; whole && at < bytes; at += zeros.size())
    whole = ::pwrite(fd, zeros.data(), std::min(zeros.size(), bytes - at), static_cast<off_t>(at)) > 0;
  if (!whole) give_up(fmt::format("{}: {}", path, std::strerror(errno)));
  ::close(fd);
  std::vector<std::string> words{"mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-E", "nodiscard"};
  words.insert(words.end(), more.begin(), more.end());
  words.push_back(path);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) give_up("mke2fs: could not make an image; is the package e2fsprogs installed?");
}

void report(benchmark::State& state, paired_ratio& pair) {
  const paired_ratio::medians medians = pair.result();
  state.counters["ns"] = medians.ns;
  state.counters["baseline_ns"] = medians.baseline_ns;
  state.counters["ratio"] = medians.ratio;
}

namespace {

constexpr std::size_t file_bytes = std::size_t{64} << 20;
constexpr std::size_t image_bytes = std::size_t{512} << 20;  // without large files
constexpr int names_in_directory = 10'000;
// 16 MiB: who goes second must not find in the core's own cache what the other has just touched.
constexpr std::size_t pages_per_round = 4096;

// A directory on tmpfs that goes with the run.
class scratch {
 public:
  scratch() {
    if (::mkdtemp(path_.data()) == nullptr) give_up("/dev/shm: cannot make a directory there; the figures need a tmpfs");
  }
  ~scratch() {
    for (const char* name : {"/image", "/plain", "/hole", "/small", "/large"}) ::unlink((path_ + name).c_str());
    for (int i = 0; i < names_in_directory; ++i) ::unlink(fmt::format("{}/many/{}", path_, i).c_str());
    ::rmdir((path_ + "/many").c_str());
    ::rmdir(path_.c_str());
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  [[nodiscard]] std::string operator/(const char* name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_ = "/dev/shm/xip-bench-XXXXXX";
};

// Of files that are mapped: 1 GiB, or what /dev/shm has room for. Where locks are checked no figure means anything, and less will do.
[[nodiscard]] std::size_t bytes_of_large_files() {
  struct statvfs there{};
  if (XIP_LOCKDEP || ::statvfs("/dev/shm", &there) != 0) return file_bytes;
  const std::size_t room = there.f_bavail * there.f_frsize / 6 / file_bytes * file_bytes;
  return std::clamp(room, file_bytes, std::size_t{1} << 30);
}

// One image on persistent memory with a file of written blocks in it, the same file on the host's tmpfs, and plain memory of the same bytes.
struct bench_bed {
  scratch dir;
  std::unique_ptr<dev::device> device;
  std::unique_ptr<vfs::kernel> kernel;
  vfs::task_ptr task;
  int fd = -1;                  // in the image
  int host_fd = -1;             // on tmpfs
  int hole_fd = -1;             // there, too, and empty
  std::byte* window = nullptr;  // where the image's file lies in the device's memory: one extent
  const std::size_t large_bytes = bytes_of_large_files();
  int large_fd = -1;  // on tmpfs, and in the image a file /large; -1: both are not there yet
  std::vector<std::byte> buffer = std::vector<std::byte>(std::size_t{1} << 20);
  std::vector<std::uint32_t> random_pages;

  bench_bed() {
    make_image(dir / "image", image_bytes + 2 * large_bytes, {"-O", "metadata_csum"});
    auto opened = dev::open_pmem(dir / "image", false);
    if (!opened.has_value()) give_up(opened.error().message);
    device = std::move(*opened);
    device->warm(std::atomic<bool>{false});
    kernel = std::make_unique<vfs::kernel>();
    must(kernel->register_filesystem(ext4lite_file_system()), "register");
    if (auto mounted = kernel->mount("ext4", *device, "/", "dax=always"); !mounted.has_value()) give_up(mounted.error().message);
    task.reset(must(kernel->make_task({}, "bench"), "task"));
    make_files();
    std::mt19937 random{1};
    for (int i = 0; i < 1 << 16; ++i) random_pages.push_back(static_cast<std::uint32_t>(random() % (file_bytes / page_size)));
  }
  ~bench_bed() {
    static_cast<void>(task->close(fd));
    ::close(host_fd);
    ::close(hole_fd);
    if (large_fd >= 0) ::close(large_fd);
  }
  bench_bed(const bench_bed&) = delete;
  bench_bed& operator=(const bench_bed&) = delete;

  void make_large_files() {
    if (large_fd >= 0) return;
    large_fd = ::open((dir / "large").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const int ours = must(task->open("/large", O_RDWR | O_CREAT, 0644), "/large");
    must(task->fallocate(ours, 0, 0, static_cast<loff_t>(large_bytes)), "fallocate");
    fill(ours, large_fd, large_bytes);
    must(task->close(ours), "close");
  }

  [[nodiscard]] loff_t random_offset(std::size_t i) const { return loff_t{random_pages[i % random_pages.size()]} * loff_t{page_size}; }

 private:
  void fill(int ours, int theirs, std::size_t bytes) {
    for (std::size_t at = 0; at < bytes; at += buffer.size()) {
      std::memset(buffer.data(), static_cast<int>(at >> 20) + 1, buffer.size());
      must(task->pwrite(ours, buffer.data(), buffer.size(), static_cast<loff_t>(at)), "pwrite");
      if (::pwrite(theirs, buffer.data(), buffer.size(), static_cast<off_t>(at)) < 0) give_up("/dev/shm: full");
    }
  }
  void make_files() {
    fd = must(task->open("/file", O_RDWR | O_CREAT, 0644), "/file");
    must(task->fallocate(fd, 0, 0, file_bytes), "fallocate");
    host_fd = ::open((dir / "plain").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    hole_fd = ::open((dir / "hole").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    fill(fd, host_fd, file_bytes);
    std::vector<vfs::fiemap_extent> extents;
    must(task->fiemap(fd, 0, UINT64_MAX, extents), "fiemap");
    if (extents.size() != 1) give_up(fmt::format("the file lies in {} extents, not in one", extents.size()));
    window = must(device->direct_access(extents[0].physical, file_bytes, dev::access_intent::write), "window").data;
    must(task->mkdir("/many", 0755), "/many");
    ::mkdir((dir / "many").c_str(), 0755);
    for (int i = 0; i < names_in_directory; ++i) {
      must(task->close(must(task->open(fmt::format("/many/{}", i), O_WRONLY | O_CREAT, 0644), "create")), "close");
      ::close(::open(fmt::format("{}/{}", dir / "many", i).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    }
  }
};

void read_against_memcpy(benchmark::State& state, bench_bed& bed, std::size_t bytes) {
  const auto offset = [&](std::size_t i) {
    return bytes == page_size ? bed.random_offset(i) : static_cast<loff_t>(i * bytes % file_bytes);
  };
  run_pair(
      state, bytes == page_size ? pages_per_round : 4,
      [&](std::size_t i) { benchmark::DoNotOptimize(bed.task->pread(bed.fd, bed.buffer.data(), bytes, offset(i))); },
      [&](std::size_t i) {
        std::memcpy(bed.buffer.data(), bed.window + offset(i), bytes);
        benchmark::ClobberMemory();
      });
}

void read_against_tmpfs(benchmark::State& state, bench_bed& bed) {
  run_pair(
      state, pages_per_round,
      [&](std::size_t i) { benchmark::DoNotOptimize(bed.task->pread(bed.fd, bed.buffer.data(), page_size, bed.random_offset(i))); },
      [&](std::size_t i) { benchmark::DoNotOptimize(::pread(bed.host_fd, bed.buffer.data(), page_size, bed.random_offset(i))); });
}

void overwrite_against_persist(benchmark::State& state, bench_bed& bed) {
  run_pair(
      state, pages_per_round,
      [&](std::size_t i) { benchmark::DoNotOptimize(bed.task->pwrite(bed.fd, bed.buffer.data(), page_size, bed.random_offset(i))); },
      [&](std::size_t i) { ::pmem_memcpy_persist(bed.window + bed.random_offset(i), bed.buffer.data(), page_size); });
}

void overwrite_against_tmpfs(benchmark::State& state, bench_bed& bed) {
  run_pair(
      state, pages_per_round,
      [&](std::size_t i) { benchmark::DoNotOptimize(bed.task->pwrite(bed.fd, bed.buffer.data(), page_size, bed.random_offset(i))); },
      [&](std::size_t i) { benchmark::DoNotOptimize(::pwrite(bed.host_fd, bed.buffer.data(), page_size, bed.random_offset(i))); });
}

void open_close(benchmark::State& state, bench_bed& bed) {
  std::vector<std::string> ours, theirs;
  std::mt19937 random{2};
  for (int i = 0; i < 4096; ++i) {
    const auto n = random() % names_in_directory;
    ours.push_back(fmt::format("/many/{}", n));
    theirs.push_back(fmt::format("{}/{}", bed.dir / "many", n));
  }
  run_pair(
      state, 256, [&](std::size_t i) { benchmark::DoNotOptimize(bed.task->close(*bed.task->open(ours[i % ours.size()], O_RDONLY))); },
      [&](std::size_t i) { ::close(::open(theirs[i % theirs.size()].c_str(), O_RDONLY | O_CLOEXEC)); });
}

// Appends 4 KiB to a file that is emptied every 16 MiB, and calls BEHIND(fd) each time, beside COPY(to, from, bytes).
template <class Copy, class Behind>
void append(benchmark::State& state, bench_bed& bed, Copy&& copy, Behind&& behind) {
  const int fd = *bed.task->open("/append", O_WRONLY | O_CREAT, 0644);
  constexpr std::size_t per_file = 4096;
  run_pair(
      state, 64,
      [&](std::size_t i) {
        const std::size_t at = i % per_file;
        if (at == 0) static_cast<void>(bed.task->ftruncate(fd, 0));
        benchmark::DoNotOptimize(bed.task->pwrite(fd, bed.buffer.data(), page_size, static_cast<loff_t>(at * page_size)));
        behind(fd);
      },
      [&](std::size_t i) { copy(bed.window + i % per_file * page_size, bed.buffer.data(), page_size); });
  static_cast<void>(bed.task->close(fd));
}

// Blocks that commits have put into the log: those that had changed, the descriptor, the commit block.
struct log_blocks final : point_sink {
  void on_point(point p, std::uint64_t, std::uint64_t blocks, std::uint64_t) noexcept override {
    if (p == point::jbd2_freeze) written += blocks;
  }
  int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }
  std::uint64_t written = 0;
};

void append_and_sync(benchmark::State& state, bench_bed& bed) {
  log_blocks log;
  std::uint64_t syncs = 0;
  bed.task->context.points = &log;
  append(state, bed, ::pmem_memcpy_persist, [&](int fd) {
    benchmark::DoNotOptimize(bed.task->fsync(fd));
    ++syncs;
  });
  bed.task->context.points = nullptr;
  state.counters["log_blocks"] = syncs != 0 ? static_cast<double>(log.written) / static_cast<double>(syncs) : 0;
}

// Makes files (CREATING) or removes them; the other half of each round is not timed.
void make_and_remove(benchmark::State& state, bench_bed& bed, bool creating) {
  constexpr std::size_t per_round = 256;
  paired_ratio pair;
  std::array<std::string, per_round> ours, theirs;
  for (std::size_t i = 0; i < per_round; ++i) {
    ours[i] = fmt::format("/many/new-{}", i);
    theirs[i] = fmt::format("{}/new-{}", bed.dir / "many", i);
  }
  const auto make = [&](std::size_t i) { static_cast<void>(bed.task->close(*bed.task->open(ours[i], O_WRONLY | O_CREAT | O_EXCL, 0644))); };
  const auto host_make = [&](std::size_t i) { ::close(::open(theirs[i].c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)); };
  const auto remove = [&](std::size_t i) { static_cast<void>(bed.task->unlink(ours[i])); };
  const auto host_remove = [&](std::size_t i) { ::unlink(theirs[i].c_str()); };
  for (auto round : state) {
    static_cast<void>(round);
    if (creating) pair.round(0, per_round, make, host_make);
    for (std::size_t i = 0; !creating && i < per_round; ++i) make(i), host_make(i);
    if (!creating) pair.round(0, per_round, remove, host_remove);
    for (std::size_t i = 0; creating && i < per_round; ++i) remove(i), host_remove(i);
    state.SetIterationTime(pair.last_seconds());
  }
  report(state, pair);
}

void register_all(bench_bed& bed) {
  const auto add = [](const char* name, auto body) { benchmark::RegisterBenchmark(name, body)->UseManualTime(); };
  const auto map_bed_of = [&bed](const char* path, int host_fd, std::size_t bytes) {
    return map_bed{*bed.kernel, path, host_fd, bytes, [&bed](std::size_t i) { return static_cast<std::size_t>(bed.random_offset(i)); }};
  };
  const auto large_bed = [=, &bed] {
    bed.make_large_files();
    return map_bed_of("/large", bed.large_fd, bed.large_bytes);
  };
  add("read_4k_random/memcpy", [&](benchmark::State& s) { read_against_memcpy(s, bed, page_size); });
  add("read_1m/memcpy", [&](benchmark::State& s) { read_against_memcpy(s, bed, std::size_t{1} << 20); });
  add("read_4k_random/tmpfs_pread", [&](benchmark::State& s) { read_against_tmpfs(s, bed); });
  add("overwrite_4k_random/pmem_memcpy_persist", [&](benchmark::State& s) { overwrite_against_persist(s, bed); });
  add("overwrite_4k_random/tmpfs_pwrite", [&](benchmark::State& s) { overwrite_against_tmpfs(s, bed); });
  add("open_close_of_10000/tmpfs", [&](benchmark::State& s) { open_close(s, bed); });
  const auto nothing = [](int) {};
  add("append_4k/memcpy", [&, nothing](benchmark::State& s) {
    const auto copy = [](std::byte* to, const std::byte* from, std::size_t bytes) {
      std::memcpy(to, from, bytes);
      benchmark::ClobberMemory();
    };
    append(s, bed, copy, nothing);
  });
  add("append_4k/pmem_memcpy_persist", [&, nothing](benchmark::State& s) { append(s, bed, ::pmem_memcpy_persist, nothing); });
  add("append_4k_fsync/pmem_memcpy_persist", [&](benchmark::State& s) { append_and_sync(s, bed); });
  add("create/tmpfs", [&](benchmark::State& s) { make_and_remove(s, bed, true); });
  add("unlink/tmpfs", [&](benchmark::State& s) { make_and_remove(s, bed, false); });
  using enum mm::trap_by;
  for (const auto& [suffix, by] : {std::pair{"", userfaultfd}, {"_by_sigsegv", sigsegv}}) {
    const auto add_map = [&](const char* name, auto body) { add(fmt::format("{}{}/tmpfs", name, suffix).c_str(), body); };
    add_map("map_first_load", [=](benchmark::State& s) { map_first_load(s, large_bed(), by); });
    add_map("map_first_store", [=](benchmark::State& s) { map_first_store(s, large_bed(), by); });
    add_map("map_store_in_hole",
            [=, &bed](benchmark::State& s) { map_store_in_hole(s, map_bed_of("/hole", bed.hole_fd, bed.large_bytes), by); });
  }
  add("map_store_fsync/msync_of_tmpfs", [=](benchmark::State& s) { map_store_and_sync(s, large_bed()); });
  add("map_access/memory", [=, &bed](benchmark::State& s) { map_access(s, map_bed_of("/file", bed.host_fd, file_bytes), bed.window); });
  add("model_first_load/pread", [=, &bed](benchmark::State& s) { model_first_load(s, map_bed_of("/file", bed.host_fd, file_bytes)); });
  add("explore_lock_litmus/locks", [](benchmark::State& s) { explore_lock_litmus(s); });
  add("explore_read_truncate/calls", [&](benchmark::State& s) { explore_read_truncate(s, bed.dir / "small"); });
}

// libpmem reads this variable as it is loaded: without it the program starts itself again with it.
void force_pmem(char** argv) {
  if (::getenv("PMEM_IS_PMEM_FORCE") != nullptr) return;
  ::setenv("PMEM_IS_PMEM_FORCE", "1", 1);
  std::vector<char*> arguments{argv[0], const_cast<char*>("bench")};
  for (char** a = argv + 1; *a != nullptr; ++a) arguments.push_back(*a);
  arguments.push_back(nullptr);
  ::execv("/proc/self/exe", arguments.data());
}

}  // namespace

int bench_verb(int argc, char** argv) {
  if (argc > 1 && (std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "-h") == 0)) {
    fmt::print(
        "xip bench [--benchmark_filter=REGEX] [--benchmark_format=json] ...\n"
        "Times libxip on a file on tmpfs taken for persistent memory, each figure beside a baseline that alternates with it: for the mount "
        "a FUSE\n"
        "server that does nothing, and fuse2fs.\n"
        "NAME/BASELINE: ns and baseline_ns are medians for one operation, ratio is the median of the paired ratios; log_blocks: how many\n"
        "blocks the journal's log got for each fsync.\n"
        "The options are those of Google Benchmark.\n");
    return exit_ok;
  }
  force_pmem(argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return exit_usage;
  bench_bed bed;
  mount_bed mounts{bed.dir.path()};
  register_all(bed);
  mounts.register_all();
  return benchmark::RunSpecifiedBenchmarks() != 0 ? exit_ok : exit_usage;  // none has such a name
}

}  // namespace xip::tool
