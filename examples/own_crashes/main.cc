// Crashes a program of one's own: it keeps a record in a file and brings it up to date three times. Wherever the power fails, the record must be whole, and no older than the
// last update that was reported done.
//
//   own_crashes IMAGE                       IMAGE: a file system that mke2fs -t ext4 has made; it is not changed. All states pass
//   own_crashes IMAGE --mistake in_place    writes over the old record: a crash leaves half of each
//   own_crashes IMAGE --mistake no_sync     never syncs: an update that was reported done is gone
//   own_crashes IMAGE ... --replay TOKEN    the state that TOKEN names, again
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>

#include <xip/crash/engine.h>
#include <xip/crash/lone_scheduler.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

namespace {

using namespace xip;

// The value of a call that has to succeed. What a program or a recovery throws fails it.
template <class T>
T must(result<T> answer, const char* what) {
  if (!answer) throw std::runtime_error{std::string{what} + ": " + std::string{answer.error().message()}};
  if constexpr (!std::is_void_v<T>) return std::move(*answer);
}

// A kernel instance with IMAGE's file system on "/". It has no thread but the caller's, so that nobody else commits, and its own clock: each run is the same.
struct machine {
  explicit machine(dev::device& device) {
    must(kernel.register_filesystem(ext4lite_file_system()), "register");
    if (const auto mounted = kernel.mount("ext4", device, "/", "dax=always"); !mounted)
      throw std::runtime_error{"the mount failed: " + mounted.error().message};
    task.reset(must(kernel.make_task({}, "owner"), "task"));
  }
  crash::lone_scheduler scheduler;
  vfs::kernel kernel{{.log = [](vfs::log_level, std::string_view) {},  // that the power went is no news
                      .sched = &scheduler}};
  vfs::task_ptr task;
};

constexpr std::size_t record_bytes = 600;
constexpr unsigned updates = 3;

// The record as version N has it. Version 0: there is none.
std::string record(unsigned n) { return std::string(record_bytes, static_cast<char>('0' + n)); }

class record_keeper {
 public:
  record_keeper(vfs::task& t, std::string_view mistake) : t_{t}, in_place_{mistake == "in_place"}, syncs_{mistake != "no_sync"} {}

  void update(unsigned version) {
    write(in_place_ ? "/record" : "/record.new", record(version));
    if (in_place_) return;
    must(t_.rename("/record.new", "/record"), "rename");
    sync("/");
  }

 private:
  void write(std::string_view path, const std::string& text) {
    const int fd = must(t_.open(path, O_WRONLY | O_CREAT, 0644), "open");
    must(t_.pwrite(fd, text.data(), text.size(), 0), "write");
    if (syncs_) must(t_.fsync(fd), "fsync");
    must(t_.close(fd), "close");
  }
  void sync(std::string_view directory) {
    if (!syncs_) return;
    const int fd = must(t_.open(directory, O_RDONLY | O_DIRECTORY), "open");
    must(t_.fsync(fd), "fsync");
    must(t_.close(fd), "close");
  }

  vfs::task& t_;
  const bool in_place_, syncs_;
};

// The engine records what this does to DEVICE. When it ends the power is off: what a kernel would write in its unmount does not count.
void run(std::string_view mistake, dev::device& device, crash::history& h) {
  machine m{device};
  record_keeper keeper{*m.task, mistake};
  for (unsigned version = 1; version <= updates; ++version) {
    h.begin_operation(version, "update to " + std::to_string(version));
    keeper.update(version);
    h.end_operation(version, true);
  }
  device.kill();
}

// What is left is mounted again, and the record looked at.
class records final : public crash::subject {
 public:
  crash::recovery recover(dev::device& device) override {
    machine m{device};
    std::string found(2 * record_bytes, '\0');
    const auto fd = m.task->open("/record", O_RDONLY);
    if (!fd)
      return fd.error() == ENOENT ? crash::recovery{.meaning = record(0)} : crash::recovery{.failure = "the record cannot be opened"};
    found.resize(must(m.task->pread(*fd, found.data(), found.size(), 0), "read"));
    must(m.task->close(*fd), "close");
    return {.meaning = std::move(found)};
  }

  std::string judge(const crash::recovery& found, const crash::position& at) override {
    const auto begun = at.finished + static_cast<unsigned>(at.in_progress.size());
    for (unsigned version = 0; version <= updates; ++version) {
      if (found.meaning != record(version)) continue;
      if (version < at.finished) return "update " + std::to_string(at.finished) + " was done, and " + std::to_string(version) + " is there";
      return version <= begun ? "" : "an update is there that nobody has begun";
    }
    return "the record is in pieces";
  }
};

std::vector<std::byte> contents_of(const char* path) {
  std::ifstream in{path, std::ios::binary};
  if (!in) throw std::runtime_error{std::string{path} + ": cannot be read"};
  std::vector<char> bytes{std::istreambuf_iterator<char>{in}, {}};
  std::vector<std::byte> all(bytes.size());
  std::ranges::transform(bytes, all.begin(), [](char c) { return static_cast<std::byte>(c); });
  return all;
}

int tell(const crash::state_report& s) {
  if (s.failure.empty()) return std::puts("passed"), 0;
  std::printf("%s\n  after %u updates%s%s, of %zu lines on their way %llu had arrived\n", s.failure.c_str(), s.finished,
              s.in_progress.empty() ? "" : ", in ", s.in_progress.empty() ? "" : s.in_progress.front().c_str(), s.lines.size(),
              static_cast<unsigned long long>(s.arrived));
  return 1;
}

int crash_all(const char* self, const char* image, const std::string& mistake, const std::string& token) {
  const crash::program program{.name = mistake.empty() ? "record" : "record-" + mistake,
                               .run = [&](dev::device& device, crash::history& h) { run(mistake, device, h); }};
  records subject;
  crash::crash_engine engine{contents_of(image), {.unit = 64}};
  if (!token.empty()) {
    const auto state = engine.replay(program, subject, token);
    if (!state) return std::fprintf(stderr, "own_crashes: %s\n", state.error().c_str()), 2;
    return tell(*state);
  }
  const crash::crash_report found = engine.run(program, subject);
  if (!found.broken.empty()) return std::fprintf(stderr, "own_crashes: %s\n", found.broken.c_str()), 2;
  std::printf("%llu states at %llu moments\n", static_cast<unsigned long long>(found.states),
              static_cast<unsigned long long>(found.points));
  if (found.passed()) return std::puts("passed"), 0;
  const crash::state_report& smallest = found.failures.front().minimised;
  tell(smallest);
  std::printf("%s %s%s%s --replay %s\n", self, image, mistake.empty() ? "" : " --mistake ", mistake.c_str(), smallest.token.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::string mistake, token;
  bool understood = argc >= 2 && argc % 2 == 0;
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--mistake")
      mistake = argv[i + 1];
    else if (option == "--replay")
      token = argv[i + 1];
    else
      understood = false;
  }
  if (!understood || !(mistake.empty() || mistake == "in_place" || mistake == "no_sync"))
    return std::fputs("usage: own_crashes IMAGE [--mistake in_place|no_sync] [--replay TOKEN]\n", stderr), 2;
  try {
    return crash_all(argv[0], argv[1], mistake, token);
  } catch (const std::exception& e) {
    return std::fprintf(stderr, "own_crashes: %s\n", e.what()), 2;
  }
}
