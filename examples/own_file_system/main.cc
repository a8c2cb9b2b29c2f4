// Explores a file system of one's own: two tasks write to one file, a third reads it, in every order that two preemptions can bring about.
//
//   own_file_system                            all schedules pass
//   own_file_system --mistake hand_over_hand   some read sees half of a write: prints the schedule, and the command that repeats it
//   own_file_system --mistake any_order        a read and a write wait for each other; where libxip checks locks (preset debug), the first
//                                              write is reported already
//   own_file_system ... --replay TOKEN         that schedule again, step by step
//   own_file_system ... --page FILE.html       and as a picture
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>

#include <xip/explore/explore.h>
#include <xip/explore/linearize.h>
#include <xip/explore/snapshot_device.h>
#include <xip/explore/timeline.h>
#include <xip/scenario/explored_kernel.h>

#include "tinyfs.h"

namespace {

using namespace xip;

// The value of a call that has to succeed. What a task throws fails its schedule.
template <class T>
T must(result<T> answer) {
  if (!answer) throw explore::failure{"a call failed: " + std::string{answer.error().message()}};
  if constexpr (!std::is_void_v<T>) return std::move(*answer);
}

// Everything that a schedule changes is a resettable: the kernel instance, in whose memory tinyfs lies, and the record of what was answered.
class harness {
 public:
  explicit harness(std::string mistake) : mistake_{std::move(mistake)} {}

  // The tasks are lambdas. They share nothing but what the setup left, and see time, threads and chance through libxip only.
  [[nodiscard]] explore::program program() {
    return {.name = mistake_.empty() ? "tinyfs" : "tinyfs-" + mistake_,
            .state = {&machine_, &calls_},
            .setup = [this](explore::scheduler& s) { set_up(s); },
            .tasks = {{"red", [this] { write(red, 500, 2000, 'r'); }},
                      {"blue", [this] { write(blue, 1500, 1800, 'b'); }},
                      {"reader", [this] { read(reader); }}},
            .check = [this] { check(); }};
  }

 private:
  enum who : std::uint32_t { red, blue, reader, everybody };

  void set_up(explore::scheduler& s) {
    vfs::kernel& kernel = machine_.boot(s);
    must(kernel.register_filesystem(tinyfs::type()));
    const std::string options = mistake_.empty() ? "" : "mistake=" + mistake_;
    if (const auto mounted = kernel.mount("tinyfs", no_disk_, "/", options); !mounted) throw explore::failure{mounted.error().message};
    for (const char* name : {"red", "blue", "reader"}) {
      tasks_.push_back(&machine_.task(name));
      fd_ = must(tasks_.back()->open("/file", O_RDWR | O_CREAT, 0644));  // the same number for each
    }
    calls_.answer(calls_.invoke(reader, explore::file_call::allocate, 0, tinyfs::file_bytes), 0, 0);  // so long is it from the beginning
  }

  void write(who me, loff_t at, std::size_t bytes, char what) {
    explore::file_operation& call = calls_.invoke(me, explore::file_call::write, static_cast<std::uint64_t>(at), bytes);
    call.bytes.assign(bytes, static_cast<std::byte>(what));
    calls_.answer(call, 0, must(tasks_[me]->pwrite(fd_, call.bytes.data(), bytes, at)));
  }
  void read(who me) {
    explore::file_operation& call = calls_.invoke(me, explore::file_call::read, 0, tinyfs::file_bytes);
    call.bytes.resize(tinyfs::file_bytes);
    calls_.answer(call, 0, must(tasks_[me]->pread(fd_, call.bytes.data(), call.bytes.size(), 0)));
  }

  // Each call is one instant: so there is an order of the calls in which each of them gives the answer that it gave. The check reads too.
  void check() {
    read(reader);
    if (const auto order = explore::linearize(calls_, 1024, {"red", "blue", "reader"}); !order) throw explore::failure{order.error()};
  }

  const std::string mistake_;
  explore::snapshot_device no_disk_{4096};  // a mount wants a device; tinyfs stores nothing there
  scenario::explored_kernel machine_;
  explore::file_history calls_{everybody};
  std::vector<vfs::task*> tasks_;
  int fd_ = -1;
};

struct arguments {
  std::string mistake, token, page;
};

bool parse(int argc, char** argv, arguments& to) {
  for (int i = 1; i < argc; i += 2) {
    const std::string_view option = argv[i];
    std::string* const value = option == "--mistake"  ? &to.mistake
                               : option == "--replay" ? &to.token
                               : option == "--page"   ? &to.page
                                                      : nullptr;
    if (value == nullptr || i + 1 == argc) return false;
    *value = argv[i + 1];
  }
  return true;
}

std::string command_of(const char* program, const arguments& a, const std::string& token) {
  return program + (a.mistake.empty() ? "" : " --mistake " + a.mistake) + " --replay " + token;
}

int tell(const char* program, const arguments& a, const explore::schedule_report& schedule) {
  for (const explore::event& e : schedule.trace) std::puts(explore::format_event(e, schedule.tasks).c_str());
  const bool passed = schedule.failed == explore::failure_kind::none;
  std::printf("%s%s%s\n", passed ? "passed" : std::string{explore::failure_name(schedule.failed)}.c_str(), passed ? "" : ": ",
              schedule.text.c_str());
  if (!a.page.empty())
    std::ofstream{a.page} << explore::timeline_html(
        {"tinyfs", "Two tasks write to one file, a third reads it.", command_of(program, a, schedule.token)}, schedule);
  return passed ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  arguments a;
  if (!parse(argc, argv, a)) return std::fputs("usage: own_file_system [--mistake NAME] [--replay TOKEN] [--page FILE]\n", stderr), 2;
  harness all{a.mistake};
  const explore::program program = all.program();
  explore::explorer explorer{program, {.strategies = {{.bound = 2}}}};

  if (!a.token.empty()) {
    const auto schedule = explorer.replay(a.token);
    if (!schedule) return std::fprintf(stderr, "own_file_system: %s\n", schedule.error().c_str()), 2;
    return tell(argv[0], a, *schedule);
  }
  const explore::report found = explorer.run();
  if (found.passed()) {
    std::printf("all %llu schedules with at most two preemptions pass\n", static_cast<unsigned long long>(found.schedules));
    return 0;
  }
  std::printf("schedule %llu fails; this is the smallest that fails in the same way:\n",
              static_cast<unsigned long long>(found.failures.front().schedule));
  const explore::schedule_report& smallest = found.failures.front().minimised;
  tell(argv[0], a, smallest);
  std::puts(command_of(argv[0], a, smallest.token).c_str());
  return 1;
}
