// search: which states of one moment are run. Three stages, each for what the one before could not finish.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include <xip/crash/engine.h>

#include "crash/reads.h"
#include "crash/space.h"
#include "explore/random.h"

namespace xip::crash {

using arrivals = std::vector<std::uint32_t>;  // how many stores have arrived, of each line in flight

class state_search {
 public:
  virtual ~state_search() = default;
  // The next state to run. False: there is none.
  [[nodiscard]] virtual bool next(arrivals& state) = 0;
  // What its recovery has read.
  virtual void ran(std::span<const line_read> reads) = 0;
  // It had nothing to leave out.
  [[nodiscard]] virtual bool complete() const noexcept = 0;
  // A recovery did not read again what it had read from the same bytes.
  [[nodiscard]] virtual bool diverged() const noexcept { return false; }
};

// All states, in no way reduced.
class every_state final : public state_search {
 public:
  every_state(const state_space& space, std::uint64_t limit) : space_{space}, left_{limit} {}
  [[nodiscard]] bool next(arrivals& state) override;
  void ran(std::span<const line_read>) override {}
  [[nodiscard]] bool complete() const noexcept override { return complete_; }

 private:
  const state_space& space_;
  std::uint64_t left_;
  arrivals at_;
  bool begun_ = false;
  bool complete_ = false;
};

// Depth first through what recoveries read. A run has seen of each variable some granules; every state that has the same there would have made
// the same run. So only variables that were read branch, in the order in which they were, and a choice is left out when it is the same as the
// last one in all granules that any run below that one has read.
class read_tree final : public state_search {
 public:
  read_tree(const state_space& space, std::uint64_t limit);
  [[nodiscard]] bool next(arrivals& state) override;
  void ran(std::span<const line_read> reads) override;
  [[nodiscard]] bool complete() const noexcept override { return complete_; }
  [[nodiscard]] bool diverged() const noexcept override { return diverged_; }

 private:
  struct node {
    std::uint32_t variable;
    std::uint32_t choice;
    std::vector<bool> left;  // choices that are still to be run
  };

  [[nodiscard]] bool advance();
  [[nodiscard]] bool next_choice(node& n);
  void forget(const node& n);
  void read(const line_read& r);

  const state_space& space_;
  std::uint64_t left_;
  std::vector<node> path_;
  std::vector<bool> on_path_;                // of each variable
  std::vector<std::uint64_t> granules_;      // of each line: read by runs with the choice that its variable has on the path
  std::uint32_t fresh_ = state_space::none;  // the variable with a choice that has not been run yet
  bool begun_ = false;
  bool complete_ = false;
  bool diverged_ = false;
};

// The states that are most often wrong, over the variables that were read, and then some by chance.
class likely_states final : public state_search {
 public:
  likely_states(const state_space& space, std::uint64_t limit, std::uint64_t samples, explore::random_numbers chance);
  [[nodiscard]] bool next(arrivals& state) override;
  void ran(std::span<const line_read> reads) override;
  [[nodiscard]] bool complete() const noexcept override { return false; }
  [[nodiscard]] std::uint64_t patterns_left() const noexcept { return patterns_.size(); }

 private:
  enum class shape : std::uint8_t {
    nothing,
    everything,
    metadata,       // and no data
    data,           // and no metadata
    until,          // what was stored until some event
    without_event,  // everything but what one event stored, where other stores do not depend on it
    event_only,
    without,  // everything but one variable
    only,
  };
  struct pattern {
    shape what;
    std::uint32_t which = 0;
  };

  void draw(const pattern& p, arrivals& state) const;
  void draw_event(const pattern& p, arrivals& state) const;
  void draw_by_chance(arrivals& state);

  const state_space& space_;
  std::uint64_t left_;
  std::uint64_t samples_;
  explore::random_numbers chance_;
  std::deque<pattern> patterns_;
  std::vector<bool> read_;  // variables that were
};

}  // namespace xip::crash
