// What a schedule costs: its state put back, its tasks run step by step on fibers, its events hashed. An operation is one schedule; the baseline is
// what its tasks do, done once by one thread, and undone where it can be done once only.
#include <array>
#include <vector>

#include <fcntl.h>

#include <xip/base/points.h>
#include <xip/dev/devices.h>
#include <xip/explore/explore.h>
#include <xip/explore/snapshot_device.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/locks/mutex.h>
#include <xip/scenario/explored_kernel.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

#include "bench.h"

namespace xip::tool {
namespace {

constexpr std::size_t small_image_bytes = std::size_t{1} << 20;
constexpr std::size_t file_bytes = 3 * page_size;
constexpr std::size_t cut_to = 5000;
constexpr lock_class litmus_class{"bench_litmus"};

// So many schedules are one exploration, whose own costs are small beside them.
constexpr std::size_t batch = 512;

void run_batches(benchmark::State& state, const explore::program& p, auto&& baseline) {
  explore::explorer explorer{p, {.strategies = {{.kind = explore::strategy_spec::type::random_walk}}, .max_schedules = batch}};
  run_pair(
      state, batch,
      [&](std::size_t i) {
        if (i % batch != 0) return;
        const explore::report r = explorer.run();
        if (!r.passed()) give_up(fmt::format("a schedule failed: {}", r.failures.front().first.text));
      },
      baseline);
}

void lock_once(mutex<litmus_class>& lock) {
  const mutex_guard guard{lock};
  XIP_POINT(user_point);
}

void expect_read(const result<std::size_t>& got) {
  if (!got || (*got != file_bytes && *got != cut_to)) throw explore::failure{"a read tells neither size"};
}

// One read against one truncate of a file of three blocks.
class read_truncate {
 public:
  explicit read_truncate(std::vector<std::byte> image) : image_{std::move(image)} {}

  [[nodiscard]] explore::program program() {
    return {.name = "read-truncate",
            .state = {&machine_, &device_},
            .setup = [this](explore::scheduler& s) { set_up(machine_.boot(s)); },
            .tasks = {{"reader", [this] { expect_read(reader_->pread(fd_, buffer_.data(), buffer_.size(), 0)); }},
                      {"cutter", [this] { cut(); }}}};
  }

 private:
  void set_up(vfs::kernel& k) {
    must(device_.write(0, image_), "image");
    must(k.register_filesystem(ext4lite_file_system()), "register");
    if (const auto mounted = k.mount("ext4", device_, "/", "dax=always"); !mounted) give_up(mounted.error().message);
    for (vfs::task** made : {&reader_, &cutter_}) {
      *made = &machine_.task("task");
      fd_ = must((*made)->open("/file", O_RDWR | O_CREAT, 0644), "/file");
    }
    must(reader_->pwrite(fd_, buffer_.data(), buffer_.size(), 0), "pwrite");
  }
  void cut() {
    if (!cutter_->ftruncate(fd_, cut_to)) throw explore::failure{"a truncate failed"};
  }

  std::vector<std::byte> image_;
  explore::snapshot_device device_{small_image_bytes};
  scenario::explored_kernel machine_;
  vfs::task* reader_ = nullptr;
  vfs::task* cutter_ = nullptr;
  int fd_ = -1;
  std::array<std::byte, file_bytes> buffer_{};
};

}  // namespace

void explore_lock_litmus(benchmark::State& state) {
  explore::fresh<mutex<litmus_class>> lock;
  explore::program p{.name = "litmus", .state = {&lock}};
  for (const char* name : {"a", "b"}) p.tasks.push_back({name, [&lock] { lock_once(*lock); }});
  mutex<litmus_class> plain;
  run_batches(state, p, [&](std::size_t) {
    lock_once(plain);
    lock_once(plain);
  });
}

void explore_read_truncate(benchmark::State& state, const std::string& image) {
  make_image(image, small_image_bytes, {"-N", "32", "-m", "0", "-O", "^has_journal"});
  auto device = dev::open_pmem(image, false);
  if (!device) give_up(device.error().message);
  std::vector<std::byte> bytes(small_image_bytes);
  must((*device)->read(0, bytes), "image");
  read_truncate explored{std::move(bytes)};

  vfs::kernel kernel;
  must(kernel.register_filesystem(ext4lite_file_system()), "register");
  if (const auto mounted = kernel.mount("ext4", **device, "/", "dax=always"); !mounted) give_up(mounted.error().message);
  const vfs::task_ptr task{must(kernel.make_task({}, "bench"), "task")};
  const int fd = must(task->open("/file", O_RDWR | O_CREAT, 0644), "/file");
  std::array<std::byte, file_bytes> buffer{};
  must(task->pwrite(fd, buffer.data(), buffer.size(), 0), "pwrite");
  run_batches(state, explored.program(), [&](std::size_t) {
    benchmark::DoNotOptimize(task->pread(fd, buffer.data(), buffer.size(), 0));
    must(task->ftruncate(fd, cut_to), "ftruncate");
    must(task->pwrite(fd, buffer.data(), buffer.size(), 0), "pwrite");
  });
}

}  // namespace xip::tool
