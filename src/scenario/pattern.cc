// Making and judging self-describing data.
#include <xip/scenario/pattern.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>

namespace xip::scenario {
namespace {

// Words are little endian in memory: byte I of a word is word >> 8 * I.
static_assert(std::endian::native == std::endian::little);

std::string hexadecimal(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte b : bytes.first(std::min<std::size_t>(bytes.size(), 16))) text += fmt::format("{:02x}", static_cast<unsigned>(b));
  return text;
}

std::string describe_word(std::uint64_t word) {
  const auto file = word >> 52;
  const auto generation = word >> 41 & 0x7ff;
  const auto offset = (word & 0x1ffffffffff) << 3;
  return fmt::format("file {} generation {} offset {}", file, generation, offset);
}

// The aligned word that holds file offset AT, if FOUND (read at OFFSET) has all of it.
std::optional<std::uint64_t> word_around(std::span<const std::byte> found, loff_t offset, loff_t at) {
  const loff_t start = (at & ~loff_t{7}) - offset;
  if (start < 0 || start + 8 > static_cast<loff_t>(found.size())) return std::nullopt;
  std::uint64_t word = 0;
  std::memcpy(&word, found.data() + start, sizeof word);
  return word;
}

// Counts and describes; EXPECTED gives the right byte at a file offset.
template <class Expected>
std::optional<difference> judge(std::span<const std::byte> found, loff_t offset, Expected&& expected, auto&& expected_text) {
  std::optional<difference> answer;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const loff_t at = offset + static_cast<loff_t>(i);
    if (found[i] == expected(at)) continue;
    if (!answer) {
      const auto word = word_around(found, offset, at);
      const auto rest = found.subspan(i);
      answer =
          difference{at, 0, expected_text(at), word ? describe(std::as_bytes(std::span{&*word, 1}), at & ~loff_t{7}) : describe(rest, at)};
    }
    ++answer->bytes;
  }
  return answer;
}

}  // namespace

void fill(std::span<std::byte> to, loff_t offset, stamp who) noexcept {
  std::size_t i = 0;
  while (i < to.size() && (offset + static_cast<loff_t>(i)) % 8 != 0) {
    to[i] = pattern_byte(offset + static_cast<loff_t>(i), who);
    ++i;
  }
  for (; i + 8 <= to.size(); i += 8) {
    const std::uint64_t word = pattern_word(offset + static_cast<loff_t>(i), who);
    std::memcpy(to.data() + i, &word, sizeof word);
  }
  for (; i < to.size(); ++i) to[i] = pattern_byte(offset + static_cast<loff_t>(i), who);
}

std::string describe(std::span<const std::byte> bytes, loff_t offset) {
  if (bytes.empty()) return "nothing";
  const auto some = bytes.first(std::min<std::size_t>(bytes.size(), 8));
  if (std::ranges::all_of(some, [](std::byte b) { return b == std::byte{0}; })) return "zeros";
  if (some.size() == 8 && offset % 8 == 0) {
    std::uint64_t word = 0;
    std::memcpy(&word, some.data(), sizeof word);
    if (word >> 52 != 0) return describe_word(word) + " (" + hexadecimal(some) + ")";
  }
  return "bytes " + hexadecimal(some);
}

std::optional<difference> compare(std::span<const std::byte> found, loff_t offset, stamp expected) {
  // The common case at the speed of memcmp: whole words, all right.
  if (offset % 8 == 0 && found.size() % 8 == 0) {
    bool same = true;
    for (std::size_t i = 0; i < found.size() && same; i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, found.data() + i, sizeof word);
      same = word == pattern_word(offset + static_cast<loff_t>(i), expected);
    }
    if (same) return std::nullopt;
  }
  return judge(
      found, offset, [&](loff_t at) { return pattern_byte(at, expected); },
      [&](loff_t at) { return describe_word(pattern_word(at & ~loff_t{7}, expected)); });
}

std::optional<difference> compare_zeros(std::span<const std::byte> found, loff_t offset) {
  return judge(found, offset, [](loff_t) { return std::byte{0}; }, [](loff_t) { return std::string{"zeros"}; });
}

std::optional<difference> compare_bytes(std::span<const std::byte> found, loff_t offset, std::span<const std::byte> expected) {
  if (found.size() != expected.size())
    return difference{offset, 0, fmt::format("{} bytes", expected.size()), fmt::format("{} bytes", found.size())};
  if (found.empty() || std::memcmp(found.data(), expected.data(), found.size()) == 0) return std::nullopt;
  return judge(
      found, offset, [&](loff_t at) { return expected[static_cast<std::size_t>(at - offset)]; },
      [&](loff_t at) { return describe(expected.subspan(static_cast<std::size_t>(at - offset)), at); });
}

}  // namespace xip::scenario
