// lines: a history cut at the atomic unit. A line is an aligned stretch of the device that the power can not tear; what a crash leaves of it is
// what was there after some first few of the stores to it, in the order they were made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <xip/crash/history.h>

#include "crash/image.h"

namespace xip::crash {

struct line {
  std::uint64_t offset;
  std::uint32_t bytes;  // the unit; the last one of a device may be shorter
  std::uint32_t first;  // its stores, in the order they were made: so many from here in the list of all
  std::uint32_t stores;
};

// The part of a store (or request) that lies in one line.
struct line_store {
  std::uint32_t line;
  std::uint32_t number;  // which of the line's stores: from 0
  std::uint32_t event;   // of the history
  std::uint32_t bytes;
  std::uint64_t offset;   // on the device
  std::size_t content;    // in the history's contents
  std::size_t before;     // in what the list keeps: the bytes that it replaces
  std::uint64_t hash;     // of the line after it, less that of the line when it was first there
  std::uint64_t changes;  // granules of the line whose bytes are others than before it
};

// A line has at most 64 granules, so that a word tells a set of them.
[[nodiscard]] constexpr std::uint32_t granule_of(std::uint32_t unit) noexcept { return unit <= 64 ? 1 : unit / 64; }
// The granules FROM to END, without END.
[[nodiscard]] constexpr std::uint64_t granules_between(std::uint64_t from, std::uint64_t end) noexcept {
  return from >= end ? 0 : (~std::uint64_t{0} >> (64 - (end - from))) << from;
}
// The granules that lie wholly in the bytes FROM to END of a line, or that touch them.
[[nodiscard]] constexpr std::uint64_t granules_within(std::uint64_t from, std::uint64_t end, std::uint32_t granule) noexcept {
  return granules_between((from + granule - 1) / granule, end / granule);
}
[[nodiscard]] constexpr std::uint64_t granules_touching(std::uint64_t from, std::uint64_t end, std::uint32_t granule) noexcept {
  return granules_between(from / granule, (end + granule - 1) / granule);
}

// An image that is in some state that a crash of a history could leave: so many stores of each line have arrived. Goes from one state to
// another by the lines that differ.
class lined_image {
 public:
  explicit lined_image(image& on) noexcept : image_{on} {}

  // The image is as it was when H began, and as large as H's device. It stays that, and H what it is, until unload().
  void load(const history& h, std::uint32_t unit);
  // Back to where H began.
  void unload() noexcept;

  [[nodiscard]] std::uint32_t unit() const noexcept { return unit_; }
  [[nodiscard]] std::span<const line> lines() const noexcept { return lines_; }  // in the order of their offsets
  [[nodiscard]] const line_store& store(std::uint32_t line, std::uint32_t number) const noexcept {
    return stores_[order_[lines_[line].first + number]];
  }
  // The stores that event number EVENT made, in the order of their lines.
  [[nodiscard]] std::span<const line_store> stores_of(std::size_t event) const noexcept;
  // The lines that touch the page of 4 KiB at PAGE * 4096: [first, end).
  [[nodiscard]] std::uint32_t first_in_page(std::uint64_t page) const noexcept { return page_first_[page]; }
  // The first line that ends behind OFFSET.
  [[nodiscard]] std::uint32_t first_behind(std::uint64_t offset) const noexcept;

  // The first ARRIVED stores of LINE are there.
  void set(std::uint32_t line, std::uint32_t arrived) noexcept;
  [[nodiscard]] std::uint32_t arrived(std::uint32_t line) const noexcept { return arrived_[line]; }
  // Equal for equal bytes, whatever way they came about.
  [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
  // What LINE adds to it after its first STORES stores.
  [[nodiscard]] std::uint64_t hash_after(std::uint32_t line, std::uint32_t stores) const noexcept {
    return stores == 0 ? 0 : store(line, stores - 1).hash;
  }
  // Whether LINE has the same bytes in GRANULES after its first A and its first B stores. May say no where they came back.
  [[nodiscard]] bool same(std::uint32_t line, std::uint32_t a, std::uint32_t b, std::uint64_t granules) const noexcept;

 private:
  void find_lines();
  void cut_stores();
  void cut_store(std::size_t event, std::vector<std::uint64_t>& first_hash);
  void replay_store(line_store& s, std::vector<std::uint64_t>& first_hash);
  void order_stores();
  void index_pages();
  [[nodiscard]] std::uint64_t hash_of(const line& l) const noexcept;

  image& image_;
  const history* history_ = nullptr;
  std::uint32_t unit_ = 64;
  std::uint32_t granule_ = 1;
  std::vector<line> lines_;
  std::vector<line_store> stores_;          // in the order they were made
  std::vector<std::uint32_t> first_store_;  // of each event, and the end
  std::vector<std::uint32_t> order_;        // stores_ line by line
  std::vector<std::byte> before_;
  std::vector<std::uint32_t> page_first_;
  std::vector<std::uint32_t> arrived_;
  std::uint64_t hash_ = 0;
};

}  // namespace xip::crash
