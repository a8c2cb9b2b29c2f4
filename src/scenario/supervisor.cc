// Watching one scenario.
#include "scenario/supervisor.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <xip/locks/clock.h>

#include "scenario/descriptor.h"
#include "scenario/fixture.h"
#include "scenario/subprocess.h"

namespace xip::scenario {
namespace {

// How much of a log goes into a report.
constexpr std::size_t log_tail_bytes = 4096;
constexpr std::chrono::seconds grace_after_abort{5};

outcome not_run_because(std::string why) {
  outcome o;
  o.how = verdict::not_run;
  o.why = std::move(why);
  return o;
}

outcome failed_because(std::string what, std::string found) {
  outcome o;
  o.add({"", std::move(what), "", std::move(found)});
  return o;
}

bool is_block_device(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISBLK(status.st_mode);
}

// Bytes the device gets; or why the scenario cannot run there.
std::expected<std::uint64_t, std::string> choose_size(const assignment& a) {
  std::uint64_t size = default_image_size;
  bool fixed = false;
  if (!a.options->image.empty()) {
    size = size_of_image(a.options->image).value_or(0);
    fixed = true;
  } else if (!a.own_file) {
    const std::uint64_t there = size_of_image(a.file).value_or(0);
    fixed = is_block_device(a.file);
    if (fixed || there != 0) size = there;
  }
  if (a.what->needs.size <= size) return size;
  if (!fixed) return a.what->needs.size;
  return std::unexpected{fmt::format("needs {} MiB, there are {}", a.what->needs.size / mib, size / mib)};
}

std::string why_not_here(const assignment& a) {
  const requirements& needs = a.what->needs;
  if (needs.dax && a.where->kind == device_kind::block) return "needs direct access, which block has not";
  if (!a.options->image.empty() && (needs.fresh || !needs.mkfs.empty())) return "needs a fresh image";
  if (!needs.tool.empty() && find_tool(std::string{needs.tool}).empty()) return fmt::format("needs {}, which is not installed", needs.tool);
  return {};
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// The device's bytes are as the scenario wants them; or how it ended, as they could not be had.
std::expected<void, outcome> prepare_bytes(const assignment& a, const std::string& path, std::uint64_t size) {
  const auto failed = [](std::string why) { return std::unexpected{failed_because("the image cannot be made", std::move(why))}; };
  if (!a.options->image.empty()) {
    if (auto copied = copy_image(a.options->image, path); !copied) return failed(copied.error());
    return {};
  }
  if (auto blank = make_blank(path, size); !blank) return failed(blank.error());
  const auto extra = split_words(a.what->needs.mkfs);
  if (!extra) return failed("the scenario's mkfs options have an open quote");
  auto made = make_image(*a.use, path, a.options->mkfs ? &*a.options->mkfs : nullptr, *extra);
  // The run's own options have made an image before: they and the scenario's do not go together.
  if (!made && a.options->mkfs && !extra->empty())
    return std::unexpected{
        not_run_because(fmt::format("its '{}' and --mkfs exclude each other: {}", a.what->needs.mkfs, first_line(made.error())))};
  if (!made) return failed(made.error());
  return {};
}

// The body's process.
outcome run_here(const assignment& a, dev::device* device) {
  std::unique_ptr<dev::device> opened_here;
  if (device == nullptr) {
    auto opened = open_kind(a.where->kind, a.file, 0);
    if (!opened && is_denied(a.where->kind, opened.error().code)) return not_run_because(opened.error().message);
    if (!opened) return failed_because("the device cannot be opened", opened.error().message);
    opened_here = std::move(*opened);
    device = opened_here.get();
  }
  surroundings around{a.config->type, *a.what, *device, a.where->kind,   tool_path(a.where->kind, *device, a.file),
                      a.scratch,      {},      *a.use,  a.options->seed, a.options->pointers};
  if (!a.options->image.empty()) around.directory = "/xip-check";
  fixture parts{around};
  return parts.run_body();
}

[[noreturn]] void body_process(const assignment& a, dev::device* memory, descriptor answer) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const outcome o = run_here(a, memory);
  write_all(answer.get(), encode(o));
  answer.reset();
  std::fflush(nullptr);
  std::exit(0);  // leak checkers speak here
}

// Reads what the body says until it closes the pipe. False: the deadline passed.
bool listen(int pipe, std::chrono::seconds patience, std::string& said) {
  const nanoseconds deadline = monotonic_now() + patience;
  std::array<char, 65536> buffer;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - monotonic_now()).count();
    if (left <= 0) return false;
    pollfd waiting{pipe, POLLIN, 0};
    if (const int ready = ::poll(&waiting, 1, static_cast<int>(left)); ready == 0 || (ready < 0 && errno == EINTR)) continue;
    const ssize_t got = ::read(pipe, buffer.data(), buffer.size());
    if (got == 0) return true;
    if (got > 0) said.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

std::string ending(int status) {
  if (WIFEXITED(status)) return fmt::format("exit code {}", WEXITSTATUS(status));
  const char* name = ::sigabbrev_np(WTERMSIG(status));
  return fmt::format("signal SIG{}", name != nullptr ? name : std::to_string(WTERMSIG(status)).c_str());
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// A scenario that hangs is asked to abort, so that a sanitizer can print its stacks, and then made to end.
void end_hung(pid_t child, int pipe) {
  std::string rest;
  ::kill(child, SIGABRT);
  if (!listen(pipe, grace_after_abort, rest)) ::kill(child, SIGKILL);
}

outcome judge(const assignment& a, pid_t child, int pipe) {
  std::string said;
  const bool in_time = listen(pipe, std::chrono::seconds{a.options->timeout}, said);
  if (!in_time) end_hung(child, pipe);
  const int status = wait_for(child);
  outcome o;
  if (!in_time) return failed_because("the scenario hung", fmt::format("no end after {} seconds", a.options->timeout));
  if (!decode(said, o)) return failed_because("the scenario's process died", ending(status));
  if (status != 0) o.add({"", "the scenario's process ended badly after the body", "exit code 0", ending(status)});
  return o;
}

outcome run_and_check(const assignment& a, dev::device* memory, const std::string& path) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return failed_because("no pipe", std::string{error{errno}.name()});
  const descriptor reading{ends[0]};
  descriptor writing{ends[1]};
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return failed_because("no process", std::string{error{errno}.name()});
  if (child == 0) body_process(a, memory, std::move(writing));
  writing.reset();
  outcome o = judge(a, child, reading.get());
  if (o.how == verdict::passed)
    if (auto clean = check_image(*a.use, path); !clean)
      o.add({"", "the image is damaged", "e2fsck -fn ends with exit code 0", clean.error()});
  return o;
}

void keep_what_is_left(const assignment& a, const std::string& path, outcome& o) {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path{a.keep}.parent_path(), ignored);
  if (copy_image(path, a.keep + ".img")) o.kept_image = a.keep + ".img";
  std::fflush(nullptr);
  const descriptor log{::open(a.log.c_str(), O_RDONLY | O_CLOEXEC)};
  if (log.get() < 0) return;
  const std::string all = read_all(log.get());
  o.log = all.size() > log_tail_bytes ? "..." + all.substr(all.size() - log_tail_bytes) : all;
  const descriptor kept{::open((a.keep + ".log").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
  if (kept.get() >= 0 && write_all(kept.get(), all)) o.kept_log = a.keep + ".log";
}

}  // namespace

outcome supervise(const assignment& a) {
  if (std::string why = why_not_here(a); !why.empty()) return not_run_because(std::move(why));
  const auto size = choose_size(a);
  if (!size) return not_run_because(size.error());
  // Opened here, used by the body's process: its bytes are still there when that has died.
  std::unique_ptr<dev::device> device;
  if (a.where->kind == device_kind::memory) {
    auto opened = open_kind(device_kind::memory, {}, *size);
    if (!opened && is_denied(a.where->kind, opened.error().code)) return not_run_because(opened.error().message);
    if (!opened) return failed_because("no memory for the device", opened.error().message);
    device = std::move(*opened);
  }
  const int memory = device ? dev::memory_fd(*device) : -1;
  const std::string path = memory >= 0 ? fmt::format("/proc/{}/fd/{}", ::getpid(), memory) : a.file;
  if (auto ready = prepare_bytes(a, path, *size); !ready) return ready.error();
  outcome o = run_and_check(a, device.get(), path);
  if (o.how == verdict::failed) keep_what_is_left(a, path, o);
  return o;
}

}  // namespace xip::scenario
