// Images as files of the host: made by mke2fs, copied, judged by e2fsck. A file is named by a path that tools can open; the memory of a
// memory device is one too (/proc/PID/fd/N).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include <xip/base/result.h>
#include <xip/scenario/scenario.h>

namespace xip::scenario {

// The label of what is made here: a file with it may be overwritten without asking.
inline constexpr std::string_view image_label = "xip-check";

struct tools {
  std::string mke2fs;
  std::string e2fsck;
};

// A message for a person is the error of all that goes through a tool or the host.
using outcome_or_message = std::expected<void, std::string>;

// Makes a file system on PATH as mke2fs does with the default options, or with OPTIONS in their place, and EXTRA behind them.
[[nodiscard]] outcome_or_message make_image(const tools& use, const std::string& path, const std::vector<std::string>* options,
                                            const std::vector<std::string>& extra);
// e2fsck -fn must exit 0; its output otherwise.
[[nodiscard]] outcome_or_message check_image(const tools& use, const std::string& path);
// The file grows or shrinks to BYTES and reads zero everywhere.
[[nodiscard]] outcome_or_message make_blank(const std::string& path, std::uint64_t bytes);
// Copies FROM to TO (made or emptied first), keeping holes.
[[nodiscard]] outcome_or_message copy_image(const std::string& from, const std::string& to);
// Size of a file or block device, bytes.
[[nodiscard]] result<std::uint64_t> size_of_image(const std::string& path);
// What an existing file holds, as far as overwriting it goes.
enum class content : std::uint8_t { blank, ours, foreign };
[[nodiscard]] result<content> content_of(const std::string& path);

}  // namespace xip::scenario
