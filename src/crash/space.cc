#include "crash/space.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace xip::crash {
namespace {

// Of a group that was stored to more often, the first and the last moments are choices.
constexpr std::size_t max_cuts = 8;

}  // namespace

void state_space::find_lines(const medium_walk& w) {
  place_of_.resize(image_.lines().size(), none);
  for (const std::uint32_t line : lines_) place_of_[line] = none;
  lines_.clear();
  surely_.clear();
  made_.clear();
  for (const std::uint32_t line : w.in_flight()) {
    if (image_.same(line, w.surely(line), w.made(line), ~std::uint64_t{0})) continue;
    place_of_[line] = static_cast<std::uint32_t>(lines_.size());
    lines_.push_back(line);
    surely_.push_back(w.surely(line));
    made_.push_back(w.made(line));
  }
}

void state_space::build(const medium_walk& w, const classifier& classify) {
  find_lines(w);
  kinds_.clear();
  variables_.clear();
  members_.clear();
  table_.clear();
  coarse_ = false;
  variable_of_.assign(lines_.size(), 0);
  std::vector<std::pair<std::uint64_t, std::uint32_t>> grouped;  // group, place
  for (std::uint32_t place = 0; place < lines_.size(); ++place) {
    const line_class c = classify ? classify(image_.lines()[lines_[place]].offset) : line_class{};
    kinds_.push_back(c.kind);
    if (c.group == 0)
      add_single(place);
    else
      grouped.emplace_back(c.group, place);
  }
  std::ranges::sort(grouped);
  std::vector<std::uint32_t> places;
  for (std::size_t i = 0; i < grouped.size(); ++i) {
    places.push_back(grouped[i].second);
    if (i + 1 < grouped.size() && grouped[i + 1].first == grouped[i].first) continue;
    add_group(places);
    places.clear();
  }
  find_events();
}

std::span<const std::uint32_t> state_space::members(std::uint32_t v) const noexcept {
  return std::span{members_}.subspan(variables_[v].first_member, variables_[v].members);
}

// The choice is added unless there is one like it.
template <class Arrived>
void state_space::add_choice(std::span<const std::uint32_t> places, Arrived&& arrived) {
  variable& v = variables_.back();
  for (const std::uint32_t place : places) table_.push_back(arrived(place));
  for (std::uint32_t other = 0; other < v.choices; ++other) {
    std::uint32_t equal = 0;
    while (equal < v.members && entry(v, other, equal) == entry(v, v.choices, equal)) ++equal;
    if (equal == v.members) return table_.resize(table_.size() - v.members);
  }
  ++v.choices;
}

void state_space::add_single(std::uint32_t place) { add_group({&place, 1}); }

void state_space::add_group(std::span<const std::uint32_t> places) {
  const auto number = static_cast<std::uint32_t>(variables_.size());
  variables_.push_back({static_cast<std::uint32_t>(members_.size()), static_cast<std::uint32_t>(places.size()),
                        static_cast<std::uint32_t>(table_.size()), 0});
  for (std::uint32_t i = 0; i < places.size(); ++i) {
    members_.push_back(places[i]);
    variable_of_[places[i]] = number;
    if (places.size() > 1 && kinds_[places[i]] != line_kind::checked) coarse_ = true;
  }
  add_choice(places, [this](std::uint32_t p) { return surely_[p]; });
  add_choice(places, [this](std::uint32_t p) { return made_[p]; });
  if (places.size() == 1) {
    for (std::uint32_t stores = surely_[places[0]] + 1; stores < made_[places[0]]; ++stores)
      add_choice(places, [stores](std::uint32_t) { return stores; });
    return;
  }
  const std::uint32_t head = places.front();
  add_choice(places, [&](std::uint32_t p) { return p == head ? made_[p] : surely_[p]; });
  add_choice(places, [&](std::uint32_t p) { return p == head ? surely_[p] : made_[p]; });
  add_cuts(places);
}

std::uint32_t state_space::stores_until(std::uint32_t place, std::uint32_t event) const noexcept {
  std::uint32_t stores = surely_[place];
  while (stores < made_[place] && store(place, stores).event <= event) ++stores;
  return stores;
}

// A group that was stored to several times may have been whole in between.
void state_space::add_cuts(std::span<const std::uint32_t> places) {
  std::vector<std::uint32_t> events;
  for (const std::uint32_t place : places)
    for (std::uint32_t n = surely_[place]; n < made_[place]; ++n) events.push_back(store(place, n).event);
  std::ranges::sort(events);
  const auto repeated = std::ranges::unique(events);
  events.erase(repeated.begin(), repeated.end());
  if (events.size() > max_cuts) {
    coarse_ = true;
    events.erase(events.begin() + max_cuts / 2, events.end() - max_cuts / 2);
  }
  for (const std::uint32_t event : events) add_choice(places, [&](std::uint32_t p) { return stores_until(p, event); });
}

void state_space::find_events() {
  events_.clear();
  for (std::uint32_t place = 0; place < lines_.size(); ++place)
    for (std::uint32_t n = surely_[place]; n < made_[place]; ++n) events_.push_back(store(place, n).event);
  std::ranges::sort(events_);
  const auto repeated = std::ranges::unique(events_);
  events_.erase(repeated.begin(), repeated.end());
}

void state_space::choose(std::uint32_t number, std::uint32_t choice, std::vector<std::uint32_t>& arrived) const noexcept {
  const variable& v = variables_[number];
  for (std::uint32_t i = 0; i < v.members; ++i) arrived[members_[v.first_member + i]] = entry(v, choice, i);
}

bool state_space::same(std::uint32_t number, std::uint32_t a, std::uint32_t b, std::span<const std::uint64_t> granules) const noexcept {
  const variable& v = variables_[number];
  for (std::uint32_t i = 0; i < v.members; ++i) {
    const std::uint32_t place = members_[v.first_member + i];
    if (!image_.same(lines_[place], entry(v, a, i), entry(v, b, i), granules[place])) return false;
  }
  return true;
}

double state_space::log2_states() const noexcept {
  double sum = 0;
  for (std::size_t i = 0; i < lines_.size(); ++i) sum += std::log2(made_[i] - surely_[i] + 1);
  return sum;
}

}  // namespace xip::crash
