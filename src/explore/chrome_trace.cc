// A schedule in Chrome's trace event format.
#include <algorithm>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <xip/explore/timeline.h>

#include "explore/timeline_model.h"

namespace xip::explore {
namespace {

using nlohmann::json;

// Processes of the trace: the tasks, each a thread, and beside them the one processor.
constexpr int tasks_process = 1;
constexpr int processor_process = 2;

struct duration {
  std::uint32_t task;
  std::size_t from, to;
  std::string name;
  std::string_view category;
};

class chrome_trace {
 public:
  chrome_trace(const timeline_header& header, const schedule_report& r) : header_{header}, report_{r}, model_{model_of(r)} {}

  [[nodiscard]] json make() {
    add_names();
    for (const auto& run : model_.runs)
      add({{"ph", "X"},
           {"pid", processor_process},
           {"tid", 1},
           {"ts", run.from},
           {"dur", run.to - run.from},
           {"name", task_name(run.task)},
           {"cat", "task"}});
    add_locks();
    add_instants();
    add_sizes();
    add_blocks();
    return {{"traceEvents", std::move(events_)},
            {"displayTimeUnit", "ns"},
            {"otherData",
             {{"title", header_.title},
              {"replay", header_.replay},
              {"token", report_.token},
              {"failed", failure_name(report_.failed)},
              {"text", report_.text}}}};
  }

 private:
  void add(json event) { events_.push_back(std::move(event)); }
  [[nodiscard]] std::string task_name(std::uint32_t task) const { return task < report_.tasks.size() ? report_.tasks[task] : "?"; }

  void name_of(const char* what, int process, std::size_t thread, const std::string& name) {
    add({{"ph", "M"}, {"pid", process}, {"tid", thread}, {"name", what}, {"args", {{"name", name}}}});
  }
  void add_names() {
    name_of("process_name", tasks_process, 0, "tasks");
    name_of("process_name", processor_process, 0, "processor");
    name_of("thread_name", processor_process, 1, "who runs");
    for (std::size_t i = 0; i < report_.tasks.size(); ++i) name_of("thread_name", tasks_process, i + 1, report_.tasks[i]);
  }

  // Durations of one thread have to lie one within the other. Those that do not, since locks are given back in any order, become asynchronous.
  void add_locks() {
    std::vector<duration> all;
    for (const auto& lane : model_.locks) {
      for (const auto& h : lane.holds) all.push_back({h.task, h.from, h.to, lane.name + (h.exclusive ? " exclusive" : " shared"), "lock"});
      for (const auto& w : lane.waits) all.push_back({w.task, w.from, w.to, "waits for " + lane.name, "wait"});
    }
    std::ranges::sort(all, {}, [](const duration& d) { return std::tuple{d.task, d.from, ~d.to}; });
    std::vector<const duration*> open;
    for (const duration& d : all) {
      while (!open.empty() && (open.back()->task != d.task || open.back()->to <= d.from)) open.pop_back();
      if (!open.empty() && d.to > open.back()->to) {
        add_asynchronous(d);
        continue;
      }
      open.push_back(&d);
      add({{"ph", "X"},
           {"pid", tasks_process},
           {"tid", d.task + 1},
           {"ts", d.from},
           {"dur", d.to - d.from},
           {"name", d.name},
           {"cat", d.category}});
    }
  }
  void add_asynchronous(const duration& d) {
    const std::string id = std::to_string(++last_id_);
    for (const auto& [phase, at] : {std::pair{"b", d.from}, {"e", d.to}})
      add({{"ph", phase}, {"pid", tasks_process}, {"tid", d.task + 1}, {"ts", at}, {"id", id}, {"name", d.name}, {"cat", d.category}});
  }

  void add_instants() {
    for (std::size_t i = 0; i < report_.trace.size(); ++i) {
      const event& e = report_.trace[i];
      if (e.kind == event_kind::fail) continue;
      const bool is_point = e.kind == event_kind::point;
      add({{"ph", "i"},
           {"s", "t"},
           {"pid", tasks_process},
           {"tid", e.task + 1},
           {"ts", i},
           {"name", is_point ? e.name : event_name(e.kind)},
           {"cat", is_point ? "point" : "event"},
           {"args", {{"says", sentence(e, report_.tasks)}, {"step", e.step}}}});
    }
    if (report_.failed == failure_kind::none) return;
    const bool inside = !report_.trace.empty() && report_.trace.back().kind == event_kind::fail;
    const std::size_t at = report_.trace.size() - (inside ? 1 : 0);
    add({{"ph", "i"},
         {"s", "g"},
         {"pid", tasks_process},
         {"tid", inside ? report_.trace.back().task + 1 : 0},
         {"ts", at},
         {"name", "failed"},
         {"cat", "failure"},
         {"args", {{"kind", failure_name(report_.failed)}, {"text", report_.text}}}});
  }

  void add_sizes() {
    for (const auto& lane : model_.sizes)
      for (const auto& s : lane.steps)
        add({{"ph", "C"},
             {"pid", tasks_process},
             {"ts", s.from},
             {"name", fmt::format("i_size of inode {}", lane.inode)},
             {"args", {{"bytes", s.bytes}}}});
  }

  void add_blocks() {
    using use = timeline_model::block_use;
    for (const auto& lane : model_.blocks) {
      const std::string blocks =
          lane.first == lane.last ? fmt::format("block {}", lane.first) : fmt::format("blocks {}-{}", lane.first, lane.last);
      for (const auto& s : lane.spans) {
        if (s.use == use::free) continue;
        const std::string_view how = s.use == use::pending ? ", freed" : s.use == use::metadata ? ", metadata" : "";
        const std::string id = std::to_string(++last_id_);
        const std::string name = s.inode != 0 ? fmt::format("{}: inode {}{}", blocks, s.inode, how) : blocks + std::string{how};
        for (const auto& [phase, at] : {std::pair{"b", s.from}, {"e", s.to}})
          add({{"ph", phase}, {"pid", tasks_process}, {"tid", 0}, {"ts", at}, {"id", id}, {"name", name}, {"cat", "block"}});
      }
    }
  }

  const timeline_header& header_;
  const schedule_report& report_;
  const timeline_model model_;
  json events_ = json::array();
  std::uint64_t last_id_ = 0;
};

}  // namespace

std::string chrome_trace_json(const timeline_header& header, const schedule_report& r) {
  return chrome_trace{header, r}.make().dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace xip::explore
