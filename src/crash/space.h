// space: the states of one moment. Each line in flight, or group of them, is a variable; its choices are how many stores of each line have arrived.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <xip/crash/classify.h>

#include "crash/lines.h"
#include "crash/reads.h"
#include "crash/walk.h"

namespace xip::crash {

class state_space {
 public:
  explicit state_space(const lined_image& image) noexcept : image_{image} {}

  // Of the moment where W stands. Lines are not grouped where CLASSIFY is empty.
  void build(const medium_walk& w, const classifier& classify);

  // Lines in flight by their place in this list; so are they everywhere here. One whose stores change nothing is not among them.
  [[nodiscard]] std::span<const std::uint32_t> lines() const noexcept { return lines_; }
  [[nodiscard]] std::uint32_t surely(std::uint32_t place) const noexcept { return surely_[place]; }
  [[nodiscard]] std::uint32_t made(std::uint32_t place) const noexcept { return made_[place]; }
  [[nodiscard]] line_kind kind(std::uint32_t place) const noexcept { return kinds_[place]; }
  // The place of line LINE of the image, or none.
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  [[nodiscard]] std::uint32_t place_of(std::uint32_t line) const noexcept { return place_of_[line]; }

  [[nodiscard]] std::uint32_t variables() const noexcept { return static_cast<std::uint32_t>(variables_.size()); }
  [[nodiscard]] std::uint32_t variable_of(std::uint32_t place) const noexcept { return variable_of_[place]; }
  [[nodiscard]] std::span<const std::uint32_t> members(std::uint32_t variable) const noexcept;
  // The first choice is that nothing has arrived, the second that everything has.
  [[nodiscard]] std::uint32_t choices(std::uint32_t variable) const noexcept { return variables_[variable].choices; }
  void choose(std::uint32_t variable, std::uint32_t choice, std::vector<std::uint32_t>& arrived) const noexcept;
  // Whether two choices are the same to who has read these granules, which are told by place.
  [[nodiscard]] bool same(std::uint32_t variable, std::uint32_t a, std::uint32_t b, std::span<const std::uint64_t> granules) const noexcept;

  // States that differ in what was grouped without a checksum are left out.
  [[nodiscard]] bool coarse() const noexcept { return coarse_; }
  // Logarithm to the base of two of how many states there are, all lines for themselves.
  [[nodiscard]] double log2_states() const noexcept;
  // Events whose stores are in flight, in their order.
  [[nodiscard]] std::span<const std::uint32_t> events() const noexcept { return events_; }
  [[nodiscard]] const line_store& store(std::uint32_t place, std::uint32_t number) const noexcept {
    return image_.store(lines_[place], number);
  }

 private:
  struct variable {
    std::uint32_t first_member, members;
    std::uint32_t first_entry, choices;  // of the table: members numbers a choice
  };

  void find_lines(const medium_walk& w);
  void add_single(std::uint32_t place);
  void add_group(std::span<const std::uint32_t> places);
  template <class Arrived>
  void add_choice(std::span<const std::uint32_t> places, Arrived&& arrived);
  void add_cuts(std::span<const std::uint32_t> places);
  void find_events();
  [[nodiscard]] std::uint32_t stores_until(std::uint32_t place, std::uint32_t event) const noexcept;
  [[nodiscard]] std::uint32_t entry(const variable& v, std::uint32_t choice, std::uint32_t member) const noexcept {
    return table_[v.first_entry + choice * v.members + member];
  }

  const lined_image& image_;
  std::vector<std::uint32_t> lines_, surely_, made_;
  std::vector<std::uint32_t> place_of_;  // of each line of the image
  std::vector<line_kind> kinds_;
  std::vector<std::uint32_t> variable_of_;
  std::vector<variable> variables_;
  std::vector<std::uint32_t> members_;
  std::vector<std::uint32_t> table_;
  std::vector<std::uint32_t> events_;
  bool coarse_ = false;
};

}  // namespace xip::crash
