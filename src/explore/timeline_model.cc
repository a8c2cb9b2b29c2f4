#include "explore/timeline_model.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

namespace xip::explore {
namespace {

[[nodiscard]] bool of_lock(event_kind k) noexcept {
  return k == event_kind::acquire || k == event_kind::acquired || k == event_kind::release || k == event_kind::wait ||
         k == event_kind::wake || k == event_kind::yield;
}

[[nodiscard]] bool of_blocks(event_kind k) noexcept { return k == event_kind::alloc || k == event_kind::free || k == event_kind::access; }

// ---- tasks ------------------------------------------------------------------------------------------------------------------------------

// Whether the task could have gone on after E, the last thing it did before another ran. A join ends at once if the other has ended.
[[nodiscard]] bool could_go_on(const event& e, const std::set<std::uint64_t>& ended) noexcept {
  switch (e.kind) {
    case event_kind::block:
    case event_kind::yield:
    case event_kind::exit:
    case event_kind::fail:
      return false;
    case event_kind::join:
      return ended.contains(e.a);
    default:
      return true;
  }
}

void add_tasks(timeline_model& m, const std::vector<event>& trace) {
  std::set<std::uint64_t> ended;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    const event& e = trace[i];
    if (m.runs.empty() || m.runs.back().task != e.task) {
      if (!m.runs.empty()) m.switches.push_back({i, m.runs.back().task, e.task, could_go_on(trace[i - 1], ended)});
      m.runs.push_back({e.task, i, i});
    }
    m.runs.back().to = i + 1;
    if (e.kind == event_kind::exit) ended.insert(e.task);
  }
}

// ---- locks ------------------------------------------------------------------------------------------------------------------------------

class lock_lanes {
 public:
  lock_lanes(timeline_model& m, const std::vector<event>& trace) : model_{m}, trace_{trace} {}

  void add() {
    for (std::size_t i = 0; i < trace_.size(); ++i) see(i);
    for (const auto& [task, w] : wanted_)
      if (w.stopped) close_wait(task, w, trace_.size());
    for (timeline_model::lock_lane& lane : model_.locks) {
      std::set<std::uint32_t> users;
      for (const auto& h : lane.holds) users.insert(h.task);
      lane.contended = !lane.waits.empty() || users.size() > 1;
    }
    std::erase_if(model_.locks, [](const auto& lane) { return lane.holds.empty() && lane.waits.empty(); });
  }

 private:
  struct want {
    std::size_t lane;
    std::size_t from;
    bool exclusive;
    bool stopped = false;  // the task could not go on
  };

  void see(std::size_t i) {
    const event& e = trace_[i];
    const auto open = wanted_.find(e.task);
    switch (e.kind) {
      case event_kind::acquire:
      case event_kind::wait:
        if (open != wanted_.end() && open->second.stopped) close_wait(e.task, open->second, i);
        wanted_[e.task] = {lane_of(e), i, e.exclusive};
        return;
      case event_kind::block:
        if (open != wanted_.end()) open->second.stopped = true;
        return;
      case event_kind::yield:
        if (open == wanted_.end()) wanted_[e.task] = {lane_of(e), i, e.exclusive, true};
        wanted_[e.task].stopped = true;
        return;
      case event_kind::resume:
      case event_kind::timeout:
      case event_kind::fail:
        return;
      default:
        break;
    }
    if (open != wanted_.end()) {
      if (open->second.stopped) close_wait(e.task, open->second, i);
      wanted_.erase(open);
    }
    if (e.kind == event_kind::acquired) model_.locks[lane_of(e)].holds.push_back({e.task, i, trace_.size(), e.exclusive});
    if (e.kind == event_kind::release) close_hold(e, i);
  }

  void close_wait(std::uint32_t task, const want& w, std::size_t to) {
    model_.locks[w.lane].waits.push_back({task, w.from, to, w.exclusive});
  }

  // Mostly its own newest; one task may also give back what another took.
  void close_hold(const event& e, std::size_t i) {
    auto& holds = model_.locks[lane_of(e)].holds;
    const auto is_open = [&](const auto& h) { return h.to == trace_.size(); };
    auto mine = std::find_if(holds.rbegin(), holds.rend(), [&](const auto& h) { return is_open(h) && h.task == e.task; });
    if (mine == holds.rend()) mine = std::find_if(holds.rbegin(), holds.rend(), is_open);
    if (mine != holds.rend()) mine->to = i + 1;
  }

  [[nodiscard]] std::size_t lane_of(const event& e) {
    const std::string name = lock_of(e);
    const auto [at, is_new] = lanes_.try_emplace(name, model_.locks.size());
    if (is_new) model_.locks.push_back({name, {}, {}});
    return at->second;
  }

  timeline_model& model_;
  const std::vector<event>& trace_;
  std::map<std::string, std::size_t> lanes_;
  std::map<std::uint32_t, want> wanted_;  // by task
};

// ---- sizes ------------------------------------------------------------------------------------------------------------------------------

// What a reader saw before the first change was the size from the beginning.
void add_sizes(timeline_model& m, const std::vector<event>& trace) {
  for (std::size_t i = 0; i < trace.size(); ++i) {
    const event& e = trace[i];
    const bool stored = e.kind == event_kind::point && e.name == point_name(point::vfs_i_size_stored);
    const bool seen = e.kind == event_kind::point && e.name == point_name(point::xip_read_block);
    if (!stored && !seen) continue;
    const std::uint64_t inode = stored ? e.a : e.c;
    auto lane = std::ranges::find(m.sizes, inode, &timeline_model::size_lane::inode);
    if (lane == m.sizes.end()) {
      m.sizes.push_back({inode, {}});
      lane = m.sizes.end() - 1;
      if (seen) lane->steps.push_back({0, trace.size(), e.b});
    }
    if (!stored) continue;
    if (!lane->steps.empty()) lane->steps.back().to = i;
    lane->steps.push_back({i, trace.size(), e.b});
  }
}

// ---- blocks -----------------------------------------------------------------------------------------------------------------------------

class block_lanes {
 public:
  block_lanes(timeline_model& m, const std::vector<event>& trace) : model_{m}, trace_{trace} {}

  // Blocks that changed hands, and those that file data was read from or written to.
  void add() {
    std::set<std::uint64_t> edges;
    for (const event& e : trace_)
      if (of_blocks(e.kind) && (e.kind != event_kind::access || e.c != 0)) edges.insert({e.a, e.a + e.b});
    std::optional<std::uint64_t> first;
    for (const std::uint64_t edge : edges) {
      if (first) add_lane(*first, edge - 1);
      first = edge;
    }
  }

 private:
  using use = timeline_model::block_use;

  void add_lane(std::uint64_t first, std::uint64_t last) {
    timeline_model::block_lane lane{first, last, {}, {}};
    bool told = false;  // whose it was at the beginning
    for (std::size_t i = 0; i < trace_.size(); ++i) {
      const event& e = trace_[i];
      if (e.kind == event_kind::commit) {
        if (told && lane.spans.back().use == use::pending) change(lane, i, use::free, 0);
        continue;
      }
      if (!of_blocks(e.kind) || first < e.a || first >= e.a + e.b) continue;
      if (!told) lane.spans.push_back({0, trace_.size(), before(e), e.kind == event_kind::access ? e.c : 0});
      told = true;
      if (e.kind == event_kind::access)
        lane.accesses.push_back({i, e.exclusive});
      else if (e.kind == event_kind::alloc)
        change(lane, i, e.exclusive ? use::file : use::metadata, e.c);
      else
        change(lane, i, use::pending, lane.spans.back().inode);
    }
    if (told) model_.blocks.push_back(std::move(lane));
  }

  [[nodiscard]] static use before(const event& e) noexcept {
    if (e.kind == event_kind::alloc) return use::free;
    if (e.kind == event_kind::free) return use::in_use;
    return e.c != 0 ? use::file : use::metadata;
  }

  static void change(timeline_model::block_lane& lane, std::size_t at, use now, std::uint64_t inode) {
    const std::size_t end = lane.spans.back().to;
    lane.spans.back().to = at;
    lane.spans.push_back({at, end, now, inode});
  }

  timeline_model& model_;
  const std::vector<event>& trace_;
};

// ---- sentences --------------------------------------------------------------------------------------------------------------------------

struct point_words {
  point p;
  std::array<std::string_view, 3> arguments;
};
// Those of the rooms that this one may know.
constexpr point_words known_points[] = {
    {point::xip_read_block, {"pos", "i_size", "inode"}},
    {point::xip_before_mapping, {"lblk", "blocks", ""}},
    {point::xip_mapping_returned, {"lblk", "length", "type"}},
    {point::xip_copy_piece, {"device byte", "bytes", ""}},
    {point::xip_read_done, {"pos", "", ""}},
    {point::xip_zero_piece, {"device byte", "bytes", ""}},
    {point::xip_slice_started, {"pos", "bytes", ""}},
    {point::xip_entries_locked, {"pos", "bytes", ""}},
    {point::xip_before_drain, {"", "", ""}},
    {point::xip_before_convert, {"lblk", "bytes", ""}},
    {point::xip_before_set_size, {"size", "", ""}},
    {point::xip_slice_done, {"pos", "", ""}},
    {point::xip_zero_tail, {"from", "to", ""}},
    {point::xip_zeros_unmapped, {"page", "", ""}},
    {point::xip_fault_locked, {"page", "pages", ""}},
    {point::xip_before_entry, {"page", "type", ""}},
    {point::xip_fault_unlocked, {"page", "", ""}},
    {point::xip_write_protected, {"page", "", ""}},
    {point::xip_before_clean, {"page", "", ""}},
    {point::xip_entries_dropped, {"first page", "last page", ""}},
    {point::xip_layout_busy, {"first page", "last page", ""}},
    {point::vfs_before_i_size, {"inode", "size", ""}},
    {point::vfs_i_size_stored, {"inode", "size", ""}},
    {point::dev_fence, {"", "", ""}},
    {point::dev_flush, {"", "", ""}},
    {point::buffer_read, {"block", "", ""}},
    {point::buffer_write, {"block", "", ""}},
};

// What happens to an address space, of which a reader knows more than names of points; empty: nothing does.
[[nodiscard]] std::string mapping_sentence(const event& e) {
  if (e.name == point_name(point::mm_fault)) return fmt::format("faults at {:#x}, in a {}", e.a, e.b != 0 ? "store" : "load");
  if (e.name == point_name(point::mm_before_pte)) {
    const std::string around = e.b == 1 ? "" : fmt::format("the {} pages around ", e.b);
    return fmt::format("is about to put {}page {} of the file into a page table", around, e.a);
  }
  if (e.name == point_name(point::mm_before_zap)) {
    const std::string last = e.b == ~std::uint64_t{0} ? "the last" : std::to_string(e.b);
    return fmt::format("is about to take pages {} to {} of the file out of page tables", e.a, last);
  }
  if (e.name == point_name(point::mm_before_copy)) return fmt::format("is about to copy the page at {:#x} for itself", e.a);
  if (e.name == point_name(point::mm_pinned)) return fmt::format("has pinned the page at {:#x}", e.a);
  return {};
}

[[nodiscard]] std::string point_sentence(const event& e) {
  if (std::string text = mapping_sentence(e); !text.empty()) return text;
  const auto known = std::ranges::find(known_points, e.name, [](const point_words& w) { return point_name(w.p); });
  const std::array<std::uint64_t, 3> values{e.a, e.b, e.c};
  std::string text = fmt::format("passes the point {}", e.name);
  if (known == std::end(known_points)) return text + fmt::format(" ({}, {}, {})", e.a, e.b, e.c);
  std::string_view before = ": ";
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (known->arguments[i].empty()) continue;
    text += fmt::format("{}{} {}", before, known->arguments[i], values[i]);
    before = ", ";
  }
  return text;
}

[[nodiscard]] std::string blocks_text(const event& e) {
  return e.b == 1 ? fmt::format("block {}", e.a) : fmt::format("blocks {} to {}", e.a, e.a + e.b - 1);
}

[[nodiscard]] std::string block_sentence(const event& e) {
  const std::string blocks = blocks_text(e);
  if (e.kind == event_kind::free)
    return fmt::format("frees {}; {} may be used again after the next commit", blocks, e.b == 1 ? "it" : "they");
  if (e.kind == event_kind::alloc) return fmt::format("allocates {} {} inode {}", blocks, e.exclusive ? "to" : "as metadata of", e.c);
  const std::string_view verb = e.exclusive ? "writes" : "reads";
  return e.c == 0 ? fmt::format("{} {} as metadata", verb, blocks) : fmt::format("{} {} as data of inode {}", verb, blocks, e.c);
}

}  // namespace

std::string lock_of(const event& e) {
  return of_lock(e.kind) && e.instance != 0 ? fmt::format("{}#{}", e.name, e.instance) : std::string{};
}

std::string sentence(const event& e, const std::vector<std::string>& tasks) {
  const std::string lock = lock_of(e);
  const std::string_view mode = e.exclusive ? ", exclusive" : ", shared";
  const std::string other = e.a < tasks.size() ? fmt::format("'{}'", tasks[e.a]) : "another task";
  switch (e.kind) {
    case event_kind::acquire:
      return fmt::format("wants {}{}", lock, mode);
    case event_kind::acquired:
      return fmt::format("takes {}{}", lock, mode);
    case event_kind::release:
      return fmt::format("gives back {}", lock);
    case event_kind::wait:
      return fmt::format("is about to sleep in {}", lock);
    case event_kind::wake:
      return fmt::format("wakes who sleeps in {}", lock);
    case event_kind::yield:
      return fmt::format("cannot go on until another task has run ({})", lock);
    case event_kind::point:
      return point_sentence(e);
    case event_kind::block:
      return "sleeps";
    case event_kind::timeout:
      return "goes on, because its time is up";
    case event_kind::resume:
      return "runs from here on";
    case event_kind::spawn:
      return fmt::format("starts {}", other);
    case event_kind::join:
      return fmt::format("waits for the end of {}", other);
    case event_kind::exit:
      return "ends";
    case event_kind::fail:
      return "fails here";
    case event_kind::access:
    case event_kind::alloc:
    case event_kind::free:
      return block_sentence(e);
    case event_kind::commit:
      return "has made all changes so far durable (commit)";
  }
  return {};
}

timeline_model model_of(const schedule_report& r) {
  timeline_model m;
  add_tasks(m, r.trace);
  lock_lanes{m, r.trace}.add();
  add_sizes(m, r.trace);
  block_lanes{m, r.trace}.add();
  return m;
}

}  // namespace xip::explore
