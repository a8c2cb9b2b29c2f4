// Sizes as coreutils and util-linux write them: 4096, 64K, 1M, 1MiB, 1MB.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace xip::tool {

// Bytes, up to 2^63 - 1. Suffixes K M G T P E (and KiB ...) are powers of 1024, KB MB ... of 1000. Nothing: not a size, or too large.
[[nodiscard]] std::optional<std::int64_t> parse_size(std::string_view text) noexcept;
// What truncate -s takes: a size, or one relative to CURRENT with + - < > / % before it. Nothing: not such a thing, or out of range.
[[nodiscard]] std::optional<std::int64_t> parse_new_size(std::string_view text, std::int64_t current) noexcept;
// 1536 -> "1.5K", as ls -h.
[[nodiscard]] std::string human_size(std::uint64_t bytes);

}  // namespace xip::tool
