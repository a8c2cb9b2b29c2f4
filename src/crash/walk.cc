#include "crash/walk.h"

#include <algorithm>
#include <utility>

namespace xip::crash {
namespace {

constexpr std::uint64_t cache_line = dev::cache_line_bytes;

// The cache lines that S touches, counted from the one its first byte lies in.
std::uint64_t cache_lines_of(const line_store& s) noexcept {
  const std::uint64_t count = (s.offset % cache_line + s.bytes + cache_line - 1) / cache_line;
  return ~std::uint64_t{0} >> (64 - count);
}

}  // namespace

medium_walk::medium_walk(const history& h, const lined_image& lines)
    : history_{h}, lines_{lines}, surely_(lines.lines().size()), made_(lines.lines().size()) {
  at_.operations = h.operations();
}

bool medium_walk::is_moment(const event& e) const noexcept { return e.kind == event_kind::fence || e.kind == event_kind::flush_cache; }

bool medium_walk::next() {
  settled_.clear();
  if (effect_due_) {
    effect_due_ = false;
    take_effect(history_.events()[event_], event_);
    ++event_;
  }
  for (; event_ < history_.events().size(); ++event_) {
    const event& e = history_.events()[event_];
    if (is_moment(e) && reach(event_, e.kind)) {
      effect_due_ = true;
      return true;
    }
    take_effect(e, event_);
    if (e.kind == event_kind::end && reach(event_ + 1, event_kind::end)) {
      ++event_;
      return true;
    }
  }
  return !std::exchange(ended_, true) && reach(event_, event_kind::end);
}

bool medium_walk::reach(std::size_t number, event_kind kind) {
  if (!std::exchange(news_, false)) return false;
  if (reached_) ++at_.point;
  reached_ = true;
  at_.event = number;
  at_.before = kind;
  find_in_flight();
  return true;
}

void medium_walk::take_effect(const event& e, std::size_t number) {
  switch (e.kind) {
    case event_kind::store:
      return add(number, waits_for::fence, e.task);
    case event_kind::cached_store:
      return add(number, waits_for::flush, e.task);
    case event_kind::request:
      return add(number, waits_for::flush_cache, e.task);
    case event_kind::flush:
      return flush(e);
    case event_kind::fence:
      return settle([&](const pending& p) { return p.what == waits_for::fence && p.task == e.task; });
    case event_kind::flush_cache:
      return settle([](const pending& p) { return p.what == waits_for::flush_cache; });
    case event_kind::begin:
      return begin(e);
    case event_kind::end:
      return end(e);
  }
}

void medium_walk::add(std::size_t number, waits_for what, std::uint32_t task) {
  for (const line_store& s : lines_.stores_of(number)) {
    pending_.push_back({&s, cache_lines_of(s), task, what});
    made_[s.line] = s.number + 1;
  }
  news_ = true;
}

// A flush takes whole cache lines. The lines of a store that one task has flushed are not on the medium by another task's fence, so what two tasks
// have flushed in part counts as flushed by neither.
void medium_walk::flush(const event& e) {
  if (e.bytes == 0) return;
  const std::uint64_t first = e.offset / cache_line, last = (e.offset + e.bytes - 1) / cache_line;
  for (pending& p : pending_) {
    if (p.what != waits_for::flush) continue;
    const std::uint64_t all = cache_lines_of(*p.store), start = p.store->offset / cache_line;
    const std::uint64_t count = static_cast<std::uint64_t>(__builtin_popcountll(all));
    if (first >= start + count || last < start) continue;
    if (p.unflushed != all && p.task != e.task) p.unflushed = all;
    p.task = e.task;
    for (std::uint64_t n = std::max(first, start); n <= std::min(last, start + count - 1); ++n)
      p.unflushed &= ~(std::uint64_t{1} << (n - start));
    if (p.unflushed == 0) p.what = waits_for::fence;
  }
}

// What has arrived brings with it all that was stored in its line before.
template <class Settles>
void medium_walk::settle(Settles&& settles) {
  for (const pending& p : pending_) {
    if (!settles(p) || surely_[p.store->line] > p.store->number) continue;
    surely_[p.store->line] = p.store->number + 1;
    settled_.push_back(p.store->line);
  }
  std::erase_if(pending_, [this](const pending& p) { return p.store->number < surely_[p.store->line]; });
}

void medium_walk::begin(const event& e) {
  at_.in_progress.push_back(e.operation);
  ++position_number_;
}

void medium_walk::end(const event& e) {
  std::erase(at_.in_progress, e.operation);
  ++at_.finished;
  if (history_.operations()[e.operation].persists) at_.last_persistent = e.operation;
  ++position_number_;
  news_ = true;
}

void medium_walk::find_in_flight() {
  in_flight_.clear();
  for (const pending& p : pending_) in_flight_.push_back(p.store->line);
  std::ranges::sort(in_flight_);
  const auto repeated = std::ranges::unique(in_flight_);
  in_flight_.erase(repeated.begin(), repeated.end());
}

}  // namespace xip::crash
