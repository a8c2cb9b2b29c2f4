#include "crash/search.h"

#include <algorithm>

namespace xip::crash {
namespace {

void set_all(const state_space& space, arrivals& state, bool arrived) {
  state.resize(space.lines().size());
  for (std::uint32_t place = 0; place < state.size(); ++place) state[place] = arrived ? space.made(place) : space.surely(place);
}

}  // namespace

bool every_state::next(arrivals& state) {
  if (complete_ || left_ == 0) return false;
  if (!begun_) {
    begun_ = true;
    set_all(space_, at_, false);
  } else {
    std::uint32_t place = 0;
    while (place < at_.size() && at_[place] == space_.made(place)) {
      at_[place] = space_.surely(place);
      ++place;
    }
    complete_ = place == at_.size();
    if (complete_) return false;
    ++at_[place];
  }
  --left_;
  state = at_;
  return true;
}

read_tree::read_tree(const state_space& space, std::uint64_t limit)
    : space_{space}, left_{limit}, on_path_(space.variables()), granules_(space.lines().size()) {}

bool read_tree::next(arrivals& state) {
  if (complete_ || diverged_) return false;
  if (begun_) complete_ = !advance();
  begun_ = true;
  if (complete_ || left_ == 0) return false;
  --left_;
  set_all(space_, state, false);
  for (const node& n : path_) space_.choose(n.variable, n.choice, state);
  return true;
}

// To the last variable of the path that has a choice left.
bool read_tree::advance() {
  while (!path_.empty() && !next_choice(path_.back())) {
    on_path_[path_.back().variable] = false;
    path_.pop_back();
  }
  if (!path_.empty()) fresh_ = path_.back().variable;
  return !path_.empty();
}

bool read_tree::next_choice(node& n) {
  std::uint32_t next = state_space::none;
  for (std::uint32_t c = 0; c < n.left.size(); ++c) {
    if (n.left[c] && space_.same(n.variable, c, n.choice, granules_)) n.left[c] = false;
    if (n.left[c] && next == state_space::none) next = c;
  }
  forget(n);
  if (next == state_space::none) return false;
  n.choice = next;
  n.left[next] = false;
  return true;
}

void read_tree::forget(const node& n) {
  for (const std::uint32_t place : space_.members(n.variable)) granules_[place] = 0;
}

// Up to the choice that is new, the run finds what the one before has found: it must have got there.
void read_tree::ran(std::span<const line_read> reads) {
  for (const line_read& r : reads) read(r);
  if (fresh_ != state_space::none &&
      std::ranges::all_of(space_.members(fresh_), [this](std::uint32_t place) { return granules_[place] == 0; }))
    diverged_ = true;
}

void read_tree::read(const line_read& r) {
  const std::uint32_t place = space_.place_of(r.line);
  if (place == state_space::none) return;
  granules_[place] |= r.granules;
  const std::uint32_t variable = space_.variable_of(place);
  if (on_path_[variable]) return;
  on_path_[variable] = true;
  std::vector<bool> left(space_.choices(variable), true);
  left[0] = false;
  path_.push_back({variable, 0, std::move(left)});
}

likely_states::likely_states(const state_space& space, std::uint64_t limit, std::uint64_t samples, explore::random_numbers chance)
    : space_{space}, left_{limit}, samples_{samples}, chance_{chance}, read_(space.variables()) {
  for (const shape s : {shape::nothing, shape::everything, shape::metadata, shape::data}) patterns_.push_back({s});
  for (const shape s : {shape::until, shape::without_event, shape::event_only})
    for (const std::uint32_t event : space.events()) patterns_.push_back({s, event});
}

bool likely_states::next(arrivals& state) {
  if (!patterns_.empty() && left_ != 0) {
    --left_;
    draw(patterns_.front(), state);
    patterns_.pop_front();
    return true;
  }
  if (samples_ == 0) return false;
  --samples_;
  draw_by_chance(state);
  return true;
}

void likely_states::ran(std::span<const line_read> reads) {
  for (const line_read& r : reads) {
    const std::uint32_t place = space_.place_of(r.line);
    if (place == state_space::none) continue;
    const std::uint32_t variable = space_.variable_of(place);
    if (read_[variable]) continue;
    read_[variable] = true;
    patterns_.push_back({shape::without, variable});
    patterns_.push_back({shape::only, variable});
  }
}

void likely_states::draw(const pattern& p, arrivals& state) const {
  set_all(space_, state, p.what == shape::everything || p.what == shape::without || p.what == shape::without_event);
  switch (p.what) {
    case shape::nothing:
    case shape::everything:
      return;
    case shape::metadata:
    case shape::data:
      for (std::uint32_t place = 0; place < state.size(); ++place)
        if ((space_.kind(place) == line_kind::data) == (p.what == shape::data)) state[place] = space_.made(place);
      return;
    case shape::until:
    case shape::without_event:
    case shape::event_only:
      return draw_event(p, state);
    case shape::without:
      return space_.choose(p.which, 0, state);
    case shape::only:
      return space_.choose(p.which, space_.choices(p.which) > 1 ? 1 : 0, state);
  }
}

void likely_states::draw_event(const pattern& p, arrivals& state) const {
  for (std::uint32_t place = 0; place < state.size(); ++place) {
    for (std::uint32_t n = space_.surely(place); n < space_.made(place); ++n) {
      const std::uint32_t event = space_.store(place, n).event;
      if (p.what == shape::until && event <= p.which) state[place] = n + 1;
      if (p.what == shape::event_only && event == p.which) state[place] = n + 1;
      if (p.what == shape::without_event && event == p.which) state[place] = n;
    }
  }
}

// Rarely an even half: what a protocol forgets shows when little is missing, or little has come.
void likely_states::draw_by_chance(arrivals& state) {
  set_all(space_, state, false);
  const std::uint64_t arrives = 1 + chance_.below(7);  // of eight
  for (std::uint32_t v = 0; v < space_.variables(); ++v)
    if (chance_.below(8) < arrives) space_.choose(v, static_cast<std::uint32_t>(chance_.below(space_.choices(v))), state);
}

}  // namespace xip::crash
