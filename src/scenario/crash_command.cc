// `xip crash`: reads the command line, makes the file system, crashes one workload after the other.
#include <xip/scenario/command.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>
#include <xip/crash/campaign.h>
#include <xip/crash/page.h>
#include <xip/dev/devices.h>
#include <xip/locks/clock.h>

#include "scenario/console.h"
#include "scenario/crash_image.h"
#include "scenario/crash_options.h"
#include "scenario/crash_report.h"
#include "scenario/end_signals.h"
#include "scenario/result_file.h"
#include "scenario/subprocess.h"

namespace xip::scenario {
namespace {

constexpr int failed_exit = 1, usage_exit = 2, missing_exit = 3;
// Of these moments there may be hundreds of thousands.
// More workloads than this get a line only when they fail; of more failures than this no calls are left out.
constexpr std::uint64_t few = 20;

int say(const refusal& r) {
  std::fprintf(stderr, "%s\n", r.message.c_str());
  return r.exit_code;
}

struct crash_ground {
  tools use;
  std::vector<std::byte> image;
  image_map map;
  const planted_bug* bug = nullptr;
};

std::expected<const planted_bug*, refusal> bug_of(const crash_request& request, const crash_config& config) {
  if (request.exhibit.empty()) return nullptr;
  if (config.find_bug == nullptr)
    return std::unexpected{refusal{
        missing_exit, fmt::format("{}: there are no exhibits in this build; configure it with -D XIP_EXHIBITS=ON, as preset debug does",
                                  config.program)}};
  const planted_bug* bug = config.find_bug(request.exhibit);
  if (bug == nullptr)
    return std::unexpected{refusal{usage_exit, fmt::format("{}: there is no exhibit '{}'; 'xip exhibits' lists those that there are",
                                                           config.program, request.exhibit)}};
  return bug;
}

std::expected<crash_ground, refusal> prepare(const crash_request& request, const crash_config& config, const planted_bug* bug) {
  const auto missing = [&](std::string_view why) {
    return std::unexpected{refusal{missing_exit, fmt::format("{}: {}", config.program, why)}};
  };
  crash_ground made{.use = {find_tool("mke2fs"), find_tool("e2fsck")}, .image = {}, .map = {}};
  for (const auto& [name, path] : {std::pair{"mke2fs", made.use.mke2fs}, {"e2fsck", made.use.e2fsck}})
    if (path.empty()) return missing(fmt::format("{} is missing; install package e2fsprogs", name));
  made.bug = bug;
  auto image = make_crash_image(made.use, request.mkfs ? &*request.mkfs : nullptr);
  if (!image) return missing(image.error());
  made.image = *std::move(image);
  if (config.map_image == nullptr) return made;
  const auto memory = dev::open_memory(made.image.size());
  if (!memory) return missing(memory.error().message);
  if (!(*memory)->write(0, made.image)) return missing("the image cannot be copied");
  auto map = config.map_image(**memory);
  if (!map) return missing(map.error());
  made.map = *std::move(map);
  return made;
}

// Files for what is found, opened before anything runs.
struct outputs {
  std::optional<result_file> junit, html;

  [[nodiscard]] static std::expected<outputs, std::string> open(const crash_request& request) {
    outputs made;
    for (const auto& [path, to] : {std::pair{&request.junit, &made.junit}, {&request.html, &made.html}}) {
      if (path->empty()) continue;
      auto file = result_file::open(*path);
      if (!file) return std::unexpected{file.error()};
      to->emplace(*std::move(file));
    }
    std::error_code wrong;
    if (!request.keep.empty() && (std::filesystem::create_directories(request.keep, wrong), wrong))
      return std::unexpected{fmt::format("{}: {}", request.keep, wrong.message())};
    return made;
  }
};

class crashes {
 public:
  crashes(const crash_request& request, const crash_config& config, const crash_ground& ground, crash_judge& judge, console& out)
      : request_{request},
        config_{config},
        ground_{ground},
        judge_{judge},
        out_{out},
        campaign_{file_system(), ground.image, options(), schedules()},
        started_{monotonic_now()} {}

  int run(const workload_list& list, outputs& to) {
    std::uint64_t i = 0;
    for (; i < list.size() && signal_ == 0 && !out_of_time(); ++i) crash_one(list, i);
    clear_progress();
    crash_run how{request_.unit,
                  name_of(request_.device),
                  request_.seed,
                  request_.part,
                  ground_.bug != nullptr ? std::string{ground_.bug->name} : "",
                  signal_name(),
                  i < list.size() && signal_ == 0 ? fmt::format("{}", list.size() - i) : ""};
    if (request_.mutants && signal_ == 0 && totals_.failed == 0) survived_ = run_mutants(list);
    out_.put(request_.json ? json_report(failed_, totals_, how) : closing_line(totals_, how));
    if (to.html) tell(to.html->commit(page_));
    if (to.junit) tell(to.junit->commit(junit_report(failed_, passed_, config_.program)));
    if (signal_ != 0) return 128 + signal_;
    return totals_.failed != 0 || survived_ != 0 || written_badly_ ? failed_exit : 0;
  }

  int replay(const crash::workload& w) {
    std::vector<std::byte> image;
    const auto found = campaign_.replay(w, request_.token, image);
    if (!found) return say({usage_exit, fmt::format("{}: {}", config_.program, found.error())});
    out_.put(request_.json ? json_report(w, *found) : text_report(w, *found));
    if (!request_.keep.empty()) {
      keep_files(w, image);
      write_file(kept(w, ".report"), text_report(w, *found));
    }
    return found->failure.empty() && !written_badly_ ? 0 : failed_exit;
  }

  // As reports and tokens name it, with the planted bug.
  [[nodiscard]] crash::workload named(crash::workload w) const {
    if (ground_.bug != nullptr) w.name += fmt::format("+{}", ground_.bug->number);
    return w;
  }

 private:
  [[nodiscard]] crash::crashed_file_system file_system() {
    crash::crashed_file_system fs{.type = config_.type};
    fs.mount_options = request_.mount_options.value_or(request_.device == device_kind::block ? "" : "dax=always");
    fs.check = [this](std::span<const std::byte> image) { return judge_.judge(image); };
    fs.check_every = request_.fsck;
    fs.recover_elsewhere = [this](std::span<std::byte> image) { return judge_.recover(image); };
    if (ground_.bug != nullptr) fs.exhibits = ground_.bug->places, fs.stand_in = ground_.bug->stand_in;
    return fs;
  }

  [[nodiscard]] crash::crash_options options() {
    crash::crash_options o{.unit = request_.unit, .windows = request_.device != device_kind::block, .classify = ground_.map.classify};
    o.max_states = request_.states != 0 ? request_.states : usual_crash_states;
    o.samples = usual_crash_samples;
    o.seed = request_.seed;
    o.name_of = ground_.map.name_of;
    o.stop = &stop_;
    if (!request_.html.empty()) o.on_state = [this](const crash::state_seen& s) { moments_.on_state(s); };
    o.on_progress = [this](const crash::crash_progress& p) {
      listen();
      if (out_of_time()) stop_ = true;
      show_progress(p);
    };
    return o;
  }

  [[nodiscard]] explore::explore_options schedules() const {
    explore::explore_options o;
    o.strategies = request_.strategies;
    o.seed = request_.seed;
    o.max_schedules = request_.schedules != 0 ? request_.schedules : usual_schedules;
    return o;
  }

  [[nodiscard]] bool out_of_time() const {
    return request_.seconds != 0 && monotonic_now() - started_ >= std::chrono::seconds{request_.seconds};
  }

  void crash_one(const workload_list& list, std::uint64_t i) {
    at_ = i, of_ = list.size();
    crash::workload w = named(list.at(i));
    name_ = w.name;
    moments_.clear();
    const std::uint64_t images_before = judge_.images();
    const double seconds_before = judge_.seconds();
    crash::crash_campaign::result r = campaign_.run(w);
    crashed_workload done{std::move(w), std::move(r.report), std::move(r.answers), r.race};
    listen();
    if (done.found.stopped && done.found.passed()) return;  // a part of it says nothing
    totals_.add(done);
    totals_.fsck_images += judge_.images() - images_before;
    totals_.fsck_seconds += judge_.seconds() - seconds_before;
    for (const crash::ordering_site& site : r.waits) passing_[site].push_back(i);
    draw(done);
    if (!done.found.passed() && failed_.size() < few) done.least = campaign_.with_fewer_calls(done.what, least_name(done.what), done.found);
    if (!request_.json && (list.size() <= few || !done.found.passed())) {
      clear_progress();
      out_.put(text_report(done, config_.program));
    }
    if (done.found.passed()) {
      if (!request_.junit.empty()) passed_.emplace_back(done.what.name, done.found.seconds);
      return;
    }
    keep(done);
    failed_.push_back(std::move(done));
  }

  // A file of this name has what the token of the least one belongs to: "mine-least", "mine-least+3".
  [[nodiscard]] static std::string least_name(const crash::workload& w) {
    const std::size_t plus = std::min(w.name.find('+'), w.name.size());
    return w.name.substr(0, plus) + "-least" + w.name.substr(plus);
  }

  // Each wait is left out, and the workloads that pass it are crashed until one fails. How many waits nobody missed.
  std::uint64_t run_mutants(const workload_list& list) {
    std::uint64_t survived = 0;
    for (const auto& [site, workloads] : passing_) {
      crash::crashed_file_system fs = file_system();
      fs.without = site;
      crash::crash_campaign mutant{std::move(fs), ground_.image, options()};
      std::uint64_t states = 0;
      std::string killer;
      for (const std::uint64_t i : workloads) {
        const crash::workload w = list.at(i);
        name_ = fmt::format("no {}: {}", crash::name_of(site), w.name);
        const crash::crash_report r = mutant.run(w).report;
        listen();
        if (stop_) return survived;
        states += r.states;
        if (r.passed()) continue;
        killer = fmt::format("{}: {}", w.name, r.failures.empty() ? r.broken : r.failures.front().minimised.failure);
        break;
      }
      clear_progress();
      survived += killer.empty() ? 1 : 0;
      out_.put(killer.empty() ? fmt::format("no {}: survived {} workloads, {} states\n", crash::name_of(site), workloads.size(), states)
                              : fmt::format("no {}: killed after {} states by {}\n", crash::name_of(site), states, killer));
    }
    return survived;
  }

  // The first failure stays.
  void draw(const crashed_workload& w) {
    if (request_.html.empty() || !failed_.empty() || campaign_.recorded() == nullptr) return;
    const std::string command =
        w.found.failures.empty() ? "" : fmt::format("{} --replay {}", config_.program, w.found.failures.front().minimised.token);
    page_ = crash::crash_page(w.what, *campaign_.recorded(), w.found, moments_, {ground_.map.classify, ground_.map.name_of}, command);
  }

  void keep(const crashed_workload& w) {
    if (request_.keep.empty() || w.found.failures.empty()) return;
    keep_state(w.what, w.found.failures.front().minimised);
    if (w.least) keep_state(w.least->what, w.least->found.report.failures.front().minimised);
    write_file(kept(w.what, ".report"), text_report(w, config_.program));
  }
  void keep_state(const crash::workload& w, const crash::state_report& s) {
    std::vector<std::byte> image;
    if (campaign_.replay(w, s.token, image)) keep_files(w, image);
  }
  void keep_files(const crash::workload& w, std::span<const std::byte> image) {
    write_file(kept(w, ".workload"), crash::text_of(w));
    if (!image.empty()) write_file(kept(w, ".img"), image);
  }
  [[nodiscard]] std::string kept(const crash::workload& w, std::string_view ending) const {
    return (std::filesystem::path{request_.keep} / w.name).string() + std::string{ending};
  }
  void write_file(const std::string& path, std::string_view text) { write_file(path, std::as_bytes(std::span{text})); }
  void write_file(const std::string& path, std::span<const std::byte> bytes) {
    std::ofstream file{path, std::ios::binary};
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) tell(std::unexpected{fmt::format("{}: {}", path, std::strerror(errno))});
  }

  void tell(const std::expected<void, std::string>& written) {
    if (written) return;
    written_badly_ = true;
    std::fprintf(stderr, "%s: %s\n", config_.program, written.error().c_str());
  }

  void listen() {
    if (signal_ == 0) signal_ = signals_.take();
    if (signal_ != 0) stop_ = true;
  }
  [[nodiscard]] std::string signal_name() const {
    if (signal_ == 0) return {};
    const char* name = ::sigabbrev_np(signal_);
    return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal_);
  }

  void show_progress(const crash::crash_progress& p) {
    if (!terminal_ || request_.json) return;
    const double seconds = std::chrono::duration<double>(monotonic_now() - started_).count();
    const std::uint64_t states = totals_.states + p.states;
    out_.put(fmt::format("\r\033[K[{}/{}] {}: {} states, {:.0f}/s, {} unique images, {} failed", at_ + 1, of_, name_, states,
                         seconds > 0 ? static_cast<double>(states) / seconds : 0.0, totals_.unique_images + p.unique_images,
                         totals_.failed));
  }
  void clear_progress() {
    if (terminal_ && !request_.json) out_.put("\r\033[K");
  }

  const crash_request& request_;
  const crash_config& config_;
  const crash_ground& ground_;
  crash_judge& judge_;
  console& out_;
  std::atomic<bool> stop_{false};
  const end_signals signals_;
  int signal_ = 0;
  const bool terminal_ = ::isatty(STDOUT_FILENO) == 1;
  crash::crash_campaign campaign_;
  const nanoseconds started_;
  std::uint64_t at_ = 0, of_ = 0;
  std::string name_;
  crash_totals totals_;
  std::vector<crashed_workload> failed_;
  std::vector<std::pair<std::string, double>> passed_;
  bool written_badly_ = false;
  std::map<crash::ordering_site, std::vector<std::uint64_t>> passing_;  // workloads that wait there
  std::uint64_t survived_ = 0;
  crash::moment_recorder moments_;
  std::string page_;
};

int run_request(const crash_request& request, const crash_config& config, console& out) {
  const auto bug = bug_of(request, config);
  if (!bug) return say(bug.error());
  const auto list = workload_list::of(request, *bug);
  if (!list) return say({usage_exit, fmt::format("{}: {}", config.program, list.error())});
  if (request.list) {
    for (std::uint64_t i = 0; i < list->size(); ++i) out.put(list->name_at(i) + "\n");
    return 0;
  }
  const auto ground = prepare(request, config, *bug);
  if (!ground) return say(ground.error());
  auto judge = crash_judge::make(ground->use);
  if (!judge) return say({missing_exit, fmt::format("{}: {}", config.program, judge.error())});
  auto to = outputs::open(request);
  if (!to) return say({missing_exit, fmt::format("{}: {}", config.program, to.error())});
  crashes all{request, config, *ground, *judge, out};
  return request.token.empty() ? all.run(*list, *to) : all.replay(all.named(list->at(0)));
}

}  // namespace

int crash_command(int argc, char** argv, const crash_config& config) {
  if (!standard_descriptors_are_open()) return say({1, fmt::format("{}: standard output: {}", config.program, error{EBADF}.message())});
  const auto request = parse_crash_options(argc, argv, config.program);
  if (!request) return say(request.error());
  console out;
  if (request->help) {
    out.put(crash_usage(config.program));
    return out.finish(config.program, 0);
  }
  return out.finish(config.program, run_request(*request, config, out));
}

}  // namespace xip::scenario
