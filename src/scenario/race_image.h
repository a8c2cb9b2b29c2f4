// The file system that every exploration begins with: as small as DAX allows, the same bytes each time it is made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "scenario/image.h"

namespace xip::scenario {

inline constexpr std::uint64_t race_image_bytes = 1 * mib;
// Of races that need more: a border of 2 MiB, and as much behind it.
inline constexpr std::uint64_t large_race_image_bytes = 16 * mib;

// SIZE bytes: blocks of 4 KiB, 32 inodes, no journal; identity, hash seed and times are fixed. The error: what is missing or failed.
[[nodiscard]] std::expected<std::vector<std::byte>, std::string> make_race_image(const tools& use, std::uint64_t size = race_image_bytes);
[[nodiscard]] std::uint32_t checksum_of(std::span<const std::byte> image) noexcept;

// What the explorations of a process begin with.
struct race_ground {
  tools use;
  std::vector<std::byte> image, large_image;

  // As large as WHAT needs, or the largest.
  [[nodiscard]] const std::vector<std::byte>& image_for(const scenario& what) const noexcept {
    return what.needs.size > image.size() ? large_image : image;
  }
};
// The error: which tool is missing, or what failed.
[[nodiscard]] std::expected<race_ground, std::string> prepare_race_ground();

// e2fsck's verdicts, by image: the same one is judged once.
class image_judge {
 public:
  explicit image_judge(const tools& use) noexcept : use_{use} {}
  // "": it is content. IDENTITY: a hash of DEVICE's bytes.
  [[nodiscard]] const std::string& judge(std::uint64_t identity, dev::device& device);
  [[nodiscard]] std::size_t images() const noexcept { return verdicts_.size(); }

 private:
  const tools& use_;
  std::unordered_map<std::uint64_t, std::string> verdicts_;
};

}  // namespace xip::scenario
