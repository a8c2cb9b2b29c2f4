// The campaign: a queue of work, slots for processes, results in the order of the list.
#include "scenario/runner.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <deque>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <xip/locks/clock.h>

#include "scenario/descriptor.h"
#include "scenario/supervisor.h"
#include "scenario/workspace.h"

namespace xip::scenario {
namespace {

constexpr int interrupted_exit = 130;

// One process at work.
struct slot {
  std::size_t number = 0;           // which of the slots
  std::optional<std::size_t> item;  // which of the work
  pid_t child = -1;
  descriptor answer;
  std::string said;
  nanoseconds since{};
};

// Signals that end a run, as a descriptor.
class end_signals {
 public:
  end_signals() {
    sigemptyset(&set_);
    for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) sigaddset(&set_, s);
    sigprocmask(SIG_BLOCK, &set_, &before_);
    fd_ = descriptor{::signalfd(-1, &set_, SFD_CLOEXEC | SFD_NONBLOCK)};
  }
  ~end_signals() { restore(); }
  void restore() const { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  sigset_t set_{};
  sigset_t before_{};
  descriptor fd_;
};

class runner {
 public:
  runner(const campaign& c, workspace& files, unsigned jobs) : campaign_{c}, files_{files}, slots_(jobs) {
    for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i].number = i;
    for (const device_choice& device : c.devices)
      for (const scenario* s : c.scenarios) work_.push_back({s, &device});
    keep_shard();
    results_.resize(work_.size());
  }

  // False: interrupted.
  bool run();
  [[nodiscard]] std::vector<finished> results();

 private:
  struct item {
    const scenario* what;
    const device_choice* where;
  };

  void keep_shard();
  void start(slot& s, std::size_t item);
  [[noreturn]] void child(const assignment& a, descriptor answer);
  [[nodiscard]] assignment assignment_for(const slot& s, const item& i) const;
  void listen(slot& s);
  void finish(slot& s);
  void print_ready();
  void show_progress();
  void clear_progress();

  const campaign& campaign_;
  workspace& files_;
  std::vector<item> work_;
  std::vector<std::optional<finished>> results_;
  std::size_t printed_ = 0;
  std::vector<slot> slots_;
  end_signals signals_;
  bool terminal_ = ::isatty(STDOUT_FILENO) == 1;
};

void runner::keep_shard() {
  const check_options& o = campaign_.options;
  std::vector<item> mine;
  for (std::size_t i = 0; i < work_.size(); ++i)
    if (i % o.shards == o.shard - 1) mine.push_back(work_[i]);
  work_ = std::move(mine);
}

assignment runner::assignment_for(const slot& s, const item& i) const {
  std::string flat{i.what->name};
  std::ranges::replace(flat, '/', '-');
  const std::string tag = fmt::format("{}-{}", flat, name_of(i.where->kind));
  assignment a{.what = i.what, .where = i.where, .options = &campaign_.options, .config = &campaign_.config, .use = &campaign_.use};
  a.own_file = i.where->file.empty();
  a.file = a.own_file ? fmt::format("{}/{}", files_.images(), tag) : s.number == 0 ? i.where->file : fmt::format("{}.{}", i.where->file, s.number);
  a.scratch = fmt::format("{}/{}.extra", files_.images(), tag);
  a.log = fmt::format("{}/{}.log", files_.logs(), tag);
  a.keep = fmt::format("{}/{}", files_.keep(), tag);
  return a;
}

void runner::child(const assignment& a, descriptor answer) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  signals_.restore();
  const descriptor log{::open(a.log.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600)};
  if (log.get() >= 0) {
    ::dup2(log.get(), STDOUT_FILENO);
    ::dup2(log.get(), STDERR_FILENO);
  }
  outcome o;
  try {
    o = supervise(a);
  } catch (const std::exception& e) {
    o.add({"", "the runner threw an exception", "", e.what()});
  }
  if (a.own_file && a.where->kind != device_kind::memory) ::unlink(a.file.c_str());
  o.seed = a.options->seed;
  write_all(answer.get(), encode(o));
  ::_exit(0);
}

void runner::start(slot& s, std::size_t index) {
  std::array<int, 2> ends{};
  const bool piped = ::pipe2(ends.data(), O_CLOEXEC) == 0;
  descriptor reading{piped ? ends[0] : -1};
  descriptor writing{piped ? ends[1] : -1};
  std::fflush(nullptr);
  s.item = index;
  s.since = monotonic_now();
  s.said.clear();
  s.child = piped ? ::fork() : -1;
  if (s.child == 0) child(assignment_for(s, work_[index]), std::move(writing));
  s.answer = std::move(reading);
  writing.reset();
  if (s.child < 0) finish(s);
}

void runner::finish(slot& s) {
  int status = 0;
  if (s.child > 0)
    while (::waitpid(s.child, &status, 0) < 0 && errno == EINTR) {
    }
  const item& i = work_[*s.item];
  finished f{i.what, i.where->kind, {}};
  if (!decode(s.said, f.result)) f.result.add({"", "the process that watches the scenario died", "", fmt::format("wait status {:#x}", status)});
  f.result.seconds = std::chrono::duration<double>(monotonic_now() - s.since).count();
  ::unlink(assignment_for(s, i).log.c_str());
  results_[*s.item] = std::move(f);
  s.item.reset();
  s.child = -1;
  s.answer.reset();
}

void runner::listen(slot& s) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(s.answer.get(), buffer.data(), buffer.size());
  if (got > 0) s.said.append(buffer.data(), static_cast<std::size_t>(got));
  else if (got == 0 || errno != EINTR) finish(s);
}

void runner::clear_progress() {
  if (terminal_ && !campaign_.options.json) std::fputs("\r\033[K", stdout);
}

void runner::show_progress() {
  if (!terminal_ || campaign_.options.json) return;
  std::string running;
  for (const slot& s : slots_)
    if (s.item) running += fmt::format(" {} [{}]", work_[*s.item].what->name, name_of(work_[*s.item].where->kind));
  std::size_t done = 0, failed = 0;
  for (const auto& r : results_) {
    done += r.has_value() ? 1 : 0;
    failed += r && r->result.how == verdict::failed ? 1 : 0;
  }
  std::fputs(fmt::format("\r\033[K[{}/{}{}]{}", done, work_.size(), failed != 0 ? fmt::format(", {} failed", failed) : "", running).substr(0, 160).c_str(), stdout);
  std::fflush(stdout);
}

void runner::print_ready() {
  if (campaign_.options.json) return;
  clear_progress();
  for (; printed_ < results_.size() && results_[printed_]; ++printed_) std::fputs(text_report(*results_[printed_]).c_str(), stdout);
  std::fflush(stdout);
  show_progress();
}

bool runner::run() {
  std::size_t next = 0;
  for (;;) {
    for (slot& s : slots_)
      if (!s.item && next < work_.size()) start(s, next++);
    print_ready();
    std::vector<pollfd> waiting{{signals_.fd(), POLLIN, 0}};
    for (const slot& s : slots_)
      if (s.item) waiting.push_back({s.answer.get(), POLLIN, 0});
    if (waiting.size() == 1 && next >= work_.size()) break;
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) break;
    if (waiting[0].revents != 0) {
      for (slot& s : slots_)
        if (s.child > 0) ::kill(s.child, SIGKILL);
      for (slot& s : slots_)
        if (s.item) finish(s);
      clear_progress();
      return false;
    }
    std::size_t at = 1;
    for (slot& s : slots_)
      if (s.item && at < waiting.size() && waiting[at++].revents != 0) listen(s);
  }
  clear_progress();
  return true;
}

std::vector<finished> runner::results() {
  std::vector<finished> all;
  for (auto& r : results_)
    if (r) all.push_back(std::move(*r));
  return all;
}

unsigned jobs_for(const campaign& c) {
  unsigned jobs = c.options.jobs != 0 ? c.options.jobs : static_cast<unsigned>(std::max(1, ::get_nprocs()));
  jobs = std::min<unsigned>(jobs, 64);
  return std::max<unsigned>(1, std::min<std::size_t>(jobs, c.scenarios.size() * c.devices.size()));
}

// The user's own files, guarded for the time of the run: FILE and, for more slots, FILE.1 and so on.
std::expected<std::vector<scratch_file>, refusal> take_files(const campaign& c, unsigned& jobs) {
  std::vector<scratch_file> taken;
  for (const device_choice& device : c.devices) {
    if (device.file.empty()) continue;
    auto first = scratch_file::take(device.file);
    if (!first) return std::unexpected{first.error()};
    if (first->is_device()) jobs = 1;
    taken.push_back(std::move(*first));
  }
  for (const device_choice& device : c.devices)
    for (unsigned i = 1; i < jobs && !device.file.empty(); ++i) {
      auto more = scratch_file::take(fmt::format("{}.{}", device.file, i));
      if (!more) return std::unexpected{more.error()};
      taken.push_back(std::move(*more));
    }
  return taken;
}

bool write_file(const std::string& path, const std::string& text) {
  const descriptor file{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
  return file.get() >= 0 && write_all(file.get(), text);
}

}  // namespace

int run_campaign(const campaign& c) {
  const auto refuse = [](int code, const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    return code;
  };
  unsigned jobs = jobs_for(c);
  auto taken = take_files(c, jobs);
  if (!taken) return refuse(taken.error().exit_code, taken.error().message);
  auto files = workspace::make(c.options, jobs);
  if (!files) return refuse(3, fmt::format("{}: {}", c.config.program, files.error()));
  runner all{c, *files, jobs};
  const bool to_the_end = all.run();
  const std::vector<finished> results = all.results();
  const totals t = count(results);
  std::fputs(c.options.json ? json_report(results, c.options.seed).c_str() : closing_line(t).c_str(), stdout);
  std::fflush(stdout);
  if (!c.options.junit.empty() && !write_file(c.options.junit, junit_report(results)))
    return refuse(3, fmt::format("{}: {}: cannot be written", c.config.program, c.options.junit));
  if (!to_the_end) return interrupted_exit;
  return t.failed != 0 ? 1 : 0;
}

}  // namespace xip::scenario
