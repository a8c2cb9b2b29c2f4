// The body's side: tasks, mounts and counters.
#include <xip/scenario/run.h>

#include <algorithm>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <xip/base/crc.h>
#include <xip/dev/devices.h>
#include <xip/locks/kthread.h>
#include <xip/locks/wait_queue.h>

#include "scenario/fixture.h"
#include "scenario/subprocess.h"

namespace xip::scenario {

vfs::task& run::task() const noexcept { return *parts_.main_task; }
vfs::kernel& run::kernel() const noexcept { return *parts_.kernel; }
dev::device& run::device() const noexcept { return parts_.about.device; }
bool run::has_dax() const noexcept { return parts_.dax_possible; }
bool run::has_pointers() const noexcept { return parts_.about.pointers.has_value(); }
std::uint32_t run::block_size() const noexcept { return parts_.block_size; }
std::uint32_t run::inode_size() const noexcept { return parts_.inode_size; }
const std::string& run::directory() const noexcept { return parts_.about.directory; }
std::string_view run::file_system() const noexcept { return parts_.about.type.name; }
std::uint64_t run::seed() const noexcept { return parts_.about.seed; }
bool run::stopping() const noexcept { return parts_.stop.load(std::memory_order_relaxed); }
void run::allow_errors() noexcept { parts_.errors_allowed = true; }
std::uint64_t run::hits(point p) const noexcept { return parts_.points.hits(p); }
void run::inject(point p, int number, std::uint32_t skip, std::uint32_t times) noexcept { parts_.points.set_rule(p, number, skip, times); }

random_source run::random(std::uint64_t which) const noexcept { return random_for(seed(), parts_.about.what.name).branch(which); }

bool run::logged(std::string_view text) const {
  return std::ranges::any_of(parts_.log.all(), [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

vfs::task_ptr run::new_task(const vfs::cred& who, const char* name) { return must(parts_.make_task(who, name)); }

namespace {

// One thread of parallel(): its task, its body, and how it ended.
struct thread_part {
  vfs::task_ptr task;
  std::function<void()> body;
  std::optional<failure> failed;
  std::string skipped;

  void run_guarded(std::atomic<bool>& stop) {
    try {
      body();
      return;
    } catch (const expectation_failed& why) {
      failed = why.why();
    } catch (const not_run& why) {
      skipped = why.what();
    } catch (const std::exception& other) {
      failed = failure{"", "a thread's body threw an exception", "", other.what()};
    }
    stop.store(true, std::memory_order_relaxed);
  }
};

// Starts all PARTS together and waits for all. An error: a thread could not be made.
result<> run_together(std::vector<thread_part>& parts, std::atomic<bool>& stop, std::pmr::memory_resource& memory) {
  completion gate;
  std::vector<kthread> threads;
  result<> answer;
  for (thread_part& part : parts) {
    auto made = kthread::run("scenario", memory, [&part, &stop, &gate] {
      gate.wait();
      part.run_guarded(stop);
    });
    if (made) {
      threads.push_back(std::move(*made));
    } else {
      stop.store(true, std::memory_order_relaxed);
      answer = xip::fail(made.error());
      break;
    }
  }
  gate.complete_all();
  for (kthread& thread : threads) thread.join();
  return answer;
}

void rethrow_first(std::vector<thread_part>& parts) {
  for (thread_part& part : parts) {
    part.task.reset();
    if (part.failed) throw expectation_failed{*part.failed};
  }
  for (const thread_part& part : parts)
    if (!part.skipped.empty()) throw not_run{part.skipped};
}

}  // namespace

void run::parallel(unsigned count, const std::function<void(vfs::task&, unsigned)>& body, const vfs::cred& who) {
  parts_.stop = false;
  std::vector<thread_part> parts(count);
  for (unsigned i = 0; i < count; ++i) {
    parts[i].task = new_task(who, "thread");
    parts[i].body = [&body, &own = *parts[i].task, i] { body(own, i); };
  }
  must(run_together(parts, parts_.stop, parts_.kernel->memory()));
  rethrow_first(parts);
}

void run::parallel(const std::vector<thread_body>& bodies) {
  parts_.stop = false;
  std::vector<thread_part> parts(bodies.size());
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    parts[i].task = new_task({}, "thread");
    parts[i].body = [&body = bodies[i], &own = *parts[i].task] { body(own); };
  }
  must(run_together(parts, parts_.stop, parts_.kernel->memory()));
  rethrow_first(parts);
}

void run::umount(location here) {
  if (auto gone = parts_.umount(); !gone) report("umount", "success", text_of(gone.error()), here);
}

void run::mount(std::string_view options, location here) {
  if (auto there = try_mount(options); !there)
    report("mount", "success", fmt::format("{}: {}", there.error().code.name(), there.error().message), here);
}

void run::mount(location here) { mount(parts_.mount_options, here); }

std::expected<void, vfs::mount_failure> run::try_mount(std::string_view options) { return parts_.mount(options); }

void run::cycle(location here) {
  umount(here);
  mount(parts_.mount_options, here);
}

void run::remount(std::string_view options, location here) {
  if (auto done = parts_.kernel->remount("/", options); !done)
    report("remount", "success", fmt::format("{}: {}", done.error().code.name(), done.error().message), here);
}

void run::fsck(location here) {
  if (auto clean = check_image(parts_.about.use, parts_.about.image); !clean) report("e2fsck", "exit code 0", clean.error(), here);
}

namespace {

// What would be found of FROM if it were cut off now: a copy in memory.
std::unique_ptr<dev::device> copy_of(run& t, dev::device& from, run::location here) {
  auto made = dev::open_memory(from.size());
  if (!made) t.fail(made.error().message, here);
  std::vector<std::byte> piece(1 << 20);
  for (std::uint64_t at = 0; at < from.size(); at += piece.size()) {
    const auto part = std::span{piece}.first(std::min<std::uint64_t>(piece.size(), from.size() - at));
    t.must(from.read(at, part), here);
    if (std::ranges::any_of(part, [](std::byte b) { return b != std::byte{0}; })) t.must((*made)->write(at, part), here);
  }
  return std::move(*made);
}

}  // namespace

std::string run::debugfs(const std::string& command, location here) {
  const std::string program = find_tool("debugfs");
  if (program.empty()) throw not_run{"debugfs is missing (package e2fsprogs)"};
  std::vector<std::string> arguments{"-w", "-R", command, parts_.about.image};
  std::unique_ptr<dev::device> copy;
  if (parts_.mounted) {
    // debugfs does not look into a journal: what that has goes home first.
    copy = copy_of(*this, device(), here);
    arguments.back() = tool_path(device_kind::memory, *copy, {});
    auto replayed = run_tool(parts_.about.use.e2fsck, {"-E", "journal_only", "-y", arguments.back()});
    if (!replayed || replayed->status > 1)
      report("e2fsck -E journal_only", "exit code 0 or 1", replayed ? replayed->output : text_of(replayed.error()), here);
  }
  auto ran = run_tool(program, arguments);
  if (!ran || ran->status != 0) report("debugfs -R '" + command + "'", "exit code 0", ran ? ran->output : text_of(ran.error()), here);
  return ran->output;
}

std::uint32_t run::device_checksum(location here) {
  std::vector<std::byte> piece(1 << 20);
  std::uint32_t sum = 0;
  for (std::uint64_t at = 0; at < device().size(); at += piece.size()) {
    const std::size_t bytes = std::min<std::uint64_t>(piece.size(), device().size() - at);
    must(device().read(at, std::span{piece}.first(bytes)), here);
    sum = crc32c(sum, std::span<const std::byte>{piece}.first(bytes));
  }
  return sum;
}

dev::device& run::second_device(std::uint64_t size, std::string_view mkfs, location here) {
  const auto words = split_words(mkfs);
  if (!words) fail("mkfs options with an open quote", here);
  const std::string path = fmt::format("{}.{}", parts_.about.scratch, parts_.more_devices.size() + 2);
  const device_kind kind = parts_.about.kind;
  if (kind != device_kind::memory) {
    parts_.more_files.push_back(path);
    if (auto blank = make_blank(path, size); !blank) fail(blank.error(), here);
  }
  auto opened = open_kind(kind, path, size);
  if (!opened && is_denied(kind, opened.error().code)) skip(opened.error().message);
  if (!opened) fail(opened.error().message, here);
  parts_.more_devices.push_back(std::move(*opened));
  dev::device& device = *parts_.more_devices.back();
  if (auto made = make_image(parts_.about.use, tool_path(kind, device, path), nullptr, *words); !made) fail(made.error(), here);
  return device;
}

}  // namespace xip::scenario
