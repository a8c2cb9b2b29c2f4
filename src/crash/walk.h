// walk: goes through a history from one moment at which the power may fail to the next, and knows what is on its way at each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <xip/crash/history.h>
#include <xip/crash/subject.h>

#include "crash/lines.h"

namespace xip::crash {

// Moments are before each fence and each flush_cache takes effect, at the end of each operation, and at the end of all. What is on its way
// only grows from one of these to the next fence, so the states in between are among those of the next moment, and that one asks no less of them.
// A moment that has the states of the one before, and asks no more of them, is left out.
class medium_walk {
 public:
  medium_walk(const history& h, const lined_image& lines);

  // To the next moment. False: there are no more.
  [[nodiscard]] bool next();

  [[nodiscard]] const position& at() const noexcept { return at_; }
  // Positions that a judge cannot tell apart have the same number.
  [[nodiscard]] std::uint32_t position_number() const noexcept { return position_number_; }
  // Lines of which not all stores have surely arrived, in their order.
  [[nodiscard]] std::span<const std::uint32_t> in_flight() const noexcept { return in_flight_; }
  // Lines of which more has surely arrived than at the moment before.
  [[nodiscard]] std::span<const std::uint32_t> settled() const noexcept { return settled_; }
  [[nodiscard]] std::uint32_t surely(std::uint32_t line) const noexcept { return surely_[line]; }
  [[nodiscard]] std::uint32_t made(std::uint32_t line) const noexcept { return made_[line]; }

 private:
  enum class waits_for : std::uint8_t { flush, fence, flush_cache };
  struct pending {
    const line_store* store;
    std::uint64_t unflushed;  // cache lines of it that no flush has reached; of waits_for::flush
    std::uint32_t task;       // that made it, then that has flushed it
    waits_for what;
  };

  [[nodiscard]] bool is_moment(const event& e) const noexcept;
  [[nodiscard]] bool reach(std::size_t number, event_kind kind);
  void take_effect(const event& e, std::size_t number);
  void add(std::size_t number, waits_for what, std::uint32_t task);
  void flush(const event& e);
  template <class Settles>
  void settle(Settles&& settles);
  void begin(const event& e);
  void end(const event& e);
  void find_in_flight();

  const history& history_;
  const lined_image& lines_;
  std::size_t event_ = 0;    // the next one
  bool effect_due_ = false;  // of event_, at which the walk stands
  bool news_ = true;         // since the last moment: a store, or something to ask
  bool ended_ = false;
  bool reached_ = false;          // any moment yet
  std::vector<pending> pending_;  // in the order they were made
  std::vector<std::uint32_t> surely_, made_;
  std::vector<std::uint32_t> in_flight_, settled_;
  position at_;
  std::uint32_t position_number_ = 0;
};

}  // namespace xip::crash
