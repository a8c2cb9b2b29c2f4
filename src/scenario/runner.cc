// The campaign: a queue of work, slots for processes, results in the order of the list.
#include "scenario/runner.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <xip/locks/clock.h>

#include "scenario/descriptor.h"
#include "scenario/end_signals.h"
#include "scenario/result_file.h"
#include "scenario/supervisor.h"
#include "scenario/workspace.h"

namespace xip::scenario {
namespace {

// One process at work.
struct slot {
  std::size_t number = 0;           // which of the slots
  std::optional<std::size_t> item;  // which of the work
  pid_t child = -1;
  descriptor answer;
  std::string said;
  nanoseconds since{};
};

class runner {
 public:
  runner(const campaign& c, workspace& files, const end_signals& signals, unsigned jobs)
      : campaign_{c}, files_{files}, slots_(jobs), signals_{signals} {
    for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i].number = i;
    for (const device_choice& device : c.devices)
      for (const scenario* s : c.scenarios) work_.push_back({s, &device});
    keep_shard();
    results_.resize(work_.size());
  }

  // To the end, or until a signal comes: its number, or 0.
  int run();
  [[nodiscard]] std::size_t not_started() const;
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
  void interrupt();
  void print_ready();
  void show_progress();
  void clear_progress();

  const campaign& campaign_;
  workspace& files_;
  std::vector<item> work_;
  std::vector<std::optional<finished>> results_;
  std::size_t printed_ = 0;
  std::vector<slot> slots_;
  const end_signals& signals_;
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
  a.file = a.own_file      ? fmt::format("{}/{}", files_.images(), tag)
           : s.number == 0 ? i.where->file
                           : fmt::format("{}.{}", i.where->file, s.number);
  a.scratch = fmt::format("{}/{}.extra", files_.images(), tag);
  a.log = fmt::format("{}/{}.log", files_.logs(), tag);
  a.keep = fmt::format("{}/{}", files_.keep(), tag);
  return a;
}

void runner::child(const assignment& a, descriptor answer) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setpgid(0, 0);  // a signal from the terminal is for the runner alone
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
  if (s.child > 0) ::setpgid(s.child, s.child);
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
  if (!decode(s.said, f.result))
    f.result.add({"", "the process that watches the scenario died", "", fmt::format("wait status {:#x}", status)});
  f.result.seconds = std::chrono::duration<double>(monotonic_now() - s.since).count();
  ::unlink(assignment_for(s, i).log.c_str());
  results_[*s.item] = std::move(f);
  s.item.reset();
  s.child = -1;
  s.answer.reset();
}

// Ends what is running, with all its processes: nobody uses a file of the run any more.
void runner::interrupt() {
  for (slot& s : slots_)
    if (s.child > 0) ::kill(-s.child, SIGKILL);
  for (slot& s : slots_) {
    if (!s.item) continue;
    static_cast<void>(read_all(s.answer.get()));  // the watching process and the body's hold the other end until they are gone
    while (s.child > 0 && ::waitpid(s.child, nullptr, 0) < 0 && errno == EINTR) {
    }
    const item& i = work_[*s.item];
    const assignment a = assignment_for(s, i);
    ::unlink(a.log.c_str());
    // Half of what a failure was about to leave; in a directory of the user's it may be that of an earlier run.
    if (campaign_.options.keep.empty())
      for (const char* part : {".img", ".log"}) ::unlink((a.keep + part).c_str());
    finished f{i.what, i.where->kind, {}};
    f.result.how = verdict::interrupted;
    f.result.seconds = std::chrono::duration<double>(monotonic_now() - s.since).count();
    results_[*s.item] = std::move(f);
    s.item.reset();
  }
}

void runner::listen(slot& s) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(s.answer.get(), buffer.data(), buffer.size());
  if (got > 0)
    s.said.append(buffer.data(), static_cast<std::size_t>(got));
  else if (got == 0 || errno != EINTR)
    finish(s);
}

void runner::clear_progress() {
  if (terminal_ && !campaign_.options.json) campaign_.out.put("\r\033[K");
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
  campaign_.out.put(fmt::format("\r\033[K[{}/{}{}]{}", done, work_.size(), failed != 0 ? fmt::format(", {} failed", failed) : "", running)
                        .substr(0, 160));
}

void runner::print_ready() {
  if (campaign_.options.json) return;
  clear_progress();
  for (; printed_ < results_.size() && results_[printed_]; ++printed_) campaign_.out.put(text_report(*results_[printed_]));
  show_progress();
}

int runner::run() {
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
    if (const int signal = signals_.take(); signal != 0) {
      interrupt();
      print_ready();
      clear_progress();
      return signal;
    }
    std::size_t at = 1;
    for (slot& s : slots_)
      if (s.item && at < waiting.size() && waiting[at++].revents != 0) listen(s);
  }
  clear_progress();
  return 0;
}

std::size_t runner::not_started() const {
  return static_cast<std::size_t>(std::ranges::count_if(results_, [](const auto& r) { return !r.has_value(); }));
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
    auto first = scratch_file::take(device.file, c.config.program);
    if (!first) return std::unexpected{first.error()};
    if (first->is_device()) jobs = 1;
    taken.push_back(std::move(*first));
  }
  for (const device_choice& device : c.devices)
    for (unsigned i = 1; i < jobs && !device.file.empty(); ++i) {
      auto more = scratch_file::take(fmt::format("{}.{}", device.file, i), c.config.program);
      if (!more) return std::unexpected{more.error()};
      taken.push_back(std::move(*more));
    }
  return taken;
}

std::string name_of_signal(int number) {
  const char* name = ::sigabbrev_np(number);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", number);
}

int exit_code(int signal, const totals& t) {
  if (signal != 0) return 128 + signal;
  return t.failed != 0 ? 1 : 0;
}

}  // namespace

int run_campaign(const campaign& c) {
  const auto refuse = [&](const std::string& why) {
    std::fprintf(stderr, "%s: %s\n", c.config.program, why.c_str());
    return 3;
  };
  unsigned jobs = jobs_for(c);
  const end_signals signals;  // before all files, so that a signal finds them removed
  auto taken = take_files(c, jobs);
  if (!taken) {
    std::fprintf(stderr, "%s\n", taken.error().message.c_str());
    return taken.error().exit_code;
  }
  std::optional<result_file> junit;
  if (!c.options.junit.empty()) {
    auto opened = result_file::open(c.options.junit);
    if (!opened) return refuse(opened.error());
    junit.emplace(std::move(*opened));
  }
  auto files = workspace::make(c.options, jobs);
  if (!files) return refuse(files.error());
  runner all{c, *files, signals, jobs};
  const int signal = all.run();
  const interruption ended{signal != 0 ? name_of_signal(signal) : "", all.not_started()};
  const std::vector<finished> results = all.results();
  const totals t = count(results);
  c.out.put(c.options.json ? json_report(results, c.options.seed, ended) : closing_line(t, ended));
  if (junit)
    if (auto written = junit->commit(junit_report(results, ended)); !written) return refuse(written.error());
  return exit_code(signal, t);
}

}  // namespace xip::scenario
