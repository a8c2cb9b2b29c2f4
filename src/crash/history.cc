#include <xip/crash/history.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <xip/explore/failure.h>

#include "explore/random.h"

namespace xip::crash {

std::string_view event_name(event_kind kind) noexcept {
  static constexpr std::array<std::string_view, 8> names{"store",   "cached store", "flush", "fence",
                                                         "request", "flush_cache",  "begin", "end"};
  return names[static_cast<std::size_t>(kind)];
}

std::uint32_t history::operation_of(std::uint32_t task) const noexcept {
  for (const std::uint32_t slot : open_)
    if (operations_[slot].task == task) return slot;
  return event::no_operation;
}

void history::begin_operation(std::uint32_t index, std::string_view text) {
  const std::uint32_t task = running_task();
  if (const std::uint32_t in = operation_of(task); in != event::no_operation)
    throw explore::failure{fmt::format("operation {} begins within operation {} of the same task", index, operations_[in].index)};
  const auto slot = static_cast<std::uint32_t>(operations_.size());
  operations_.push_back({.index = index, .text = std::string{text}, .task = task, .begun = events_.size()});
  open_.push_back(slot);
  events_.push_back({.kind = event_kind::begin, .task = task, .operation = slot});
}

void history::end_operation(std::uint32_t index, bool persists) {
  const auto open = std::ranges::find_if(open_, [&](std::uint32_t slot) { return operations_[slot].index == index; });
  if (open == open_.end()) throw explore::failure{fmt::format("operation {} ends, and is not in progress", index)};
  operation& ended = operations_[*open];
  ended.ended = events_.size();
  ended.persists = persists;
  events_.push_back({.kind = event_kind::end, .task = ended.task, .operation = *open});
  open_.erase(open);
}

void history::clear() noexcept {
  events_.clear();
  operations_.clear();
  open_.clear();
  contents_.clear();
}

std::uint64_t history::shape() const noexcept {
  std::uint64_t sum = 0;
  for (const event& e : events_)
    for (const std::uint64_t number :
         {std::uint64_t{static_cast<std::uint8_t>(e.kind)}, std::uint64_t{e.task}, std::uint64_t{e.operation}, e.offset, e.bytes})
      sum = explore::mix(sum + number + 1);
  return sum;
}

void history::add(event_kind kind, std::uint64_t offset, std::uint64_t bytes) {
  const std::uint32_t task = running_task();
  events_.push_back({kind, task, operation_of(task), offset, bytes, contents_.size()});
}

void history::add_content(event_kind kind, std::uint64_t offset, std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  add(kind, offset, bytes.size());
  contents_.insert(contents_.end(), bytes.begin(), bytes.end());
}

void history::on_store(std::uint64_t offset, std::span<const std::byte> bytes, bool cached) noexcept {
  add_content(cached ? event_kind::cached_store : event_kind::store, offset, bytes);
}
void history::on_flush(std::uint64_t offset, std::size_t bytes) noexcept { add(event_kind::flush, offset, bytes); }
void history::on_fence() noexcept { add(event_kind::fence); }
void history::on_write(std::uint64_t offset, std::span<const std::byte> bytes) noexcept { add_content(event_kind::request, offset, bytes); }
void history::on_flush_cache() noexcept { add(event_kind::flush_cache); }

result<> history::save() {
  saved_ = {events_.size(), contents_.size(), operations_, open_};
  return {};
}

void history::restore() noexcept {
  events_.resize(saved_.events, event{event_kind::end, 0, event::no_operation});
  contents_.resize(saved_.contents);
  operations_ = saved_.operations;
  open_ = saved_.open;
}

}  // namespace xip::crash
