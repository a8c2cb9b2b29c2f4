// reads: which bytes of the lines a recovery depends on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "crash/image.h"
#include "crash/lines.h"

namespace xip::crash {

struct line_read {
  std::uint32_t line;
  std::uint64_t granules;
};

// Hears a recovery. What it wrote itself before it read it does not count.
class reads_heard final : public access_listener {
 public:
  // Of lines that are loaded.
  void load(const lined_image& lines);
  // Forgets, and hears from now on.
  void start() noexcept;
  void stop() noexcept { hearing_ = false; }
  // In the order in which the lines were first read.
  [[nodiscard]] std::span<const line_read> reads() const noexcept { return reads_; }

  void on_read(std::uint64_t offset, std::uint64_t bytes) noexcept override;
  void on_change(std::uint64_t offset, std::uint64_t bytes) noexcept override;

 private:
  struct seen {
    std::uint64_t written = 0;  // granules that are the recovery's own
    std::uint32_t read = none;  // its place in reads_
  };
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  template <class Do>
  void each_line(std::uint64_t offset, std::uint64_t bytes, Do&& what) noexcept;
  [[nodiscard]] seen& touch(std::uint32_t line) noexcept;

  const lined_image* lines_ = nullptr;
  std::uint32_t granule_ = 1;
  std::vector<seen> seen_;              // of each line
  std::vector<std::uint32_t> touched_;  // lines whose seen is not empty, perhaps more than once
  std::vector<line_read> reads_;
  bool hearing_ = false;
};

}  // namespace xip::crash
