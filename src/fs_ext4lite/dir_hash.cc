#include "fs_ext4lite/dir_hash.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite {
namespace {

using words = std::array<std::uint32_t, 4>;

// What MD4 and TEA start from without a seed: MD4's four words (RFC 1320, 3.3).
constexpr words md4_start{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476};
// Half of the largest hash: as a position it means the end of a directory, so that no name may have it.
constexpr std::uint32_t last_hash = 0x7FFFFFFF;

enum class char_kind : std::uint8_t { negative_above_7f, plain };

[[nodiscard]] constexpr std::uint32_t value_of(char c, char_kind kind) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  if (kind == char_kind::plain) return byte;
  return static_cast<std::uint32_t>(static_cast<std::int32_t>(static_cast<signed char>(byte)));
}

// ---- the first function, of 2002 ---------------------------------------------------------------------------------------------------

[[nodiscard]] std::uint32_t legacy(std::string_view name, char_kind kind) noexcept {
  std::uint32_t before = 0x37ABE8F9;
  std::uint32_t last = 0x12A3FE2D;
  for (char c : name) {
    std::uint32_t next = before + (last ^ (value_of(c, kind) * 7152373u));
    if ((next >> 31) != 0) next -= 0x7FFFFFFF;
    before = last;
    last = next;
  }
  return last << 1;
}

// ---- what the other two eat --------------------------------------------------------------------------------------------------------

// The first N * 4 bytes of NAME as N words, the first byte highest. What is missing is filled with the length of all that is left of the
// name.
template <std::size_t N>
[[nodiscard]] std::array<std::uint32_t, N> pack(std::string_view name, char_kind kind) noexcept {
  const std::uint32_t filler = static_cast<std::uint32_t>(name.size() & 0xFF) * 0x01010101u;
  std::array<std::uint32_t, N> out;
  out.fill(filler);
  name = name.substr(0, N * 4);
  std::uint32_t word = filler;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (i % 4 == 0) word = filler;
    word = value_of(name[i], kind) + (word << 8);
    out[i / 4] = word;
  }
  return out;
}

// ---- MD4, cut down: 8 words a step instead of 16, three rounds of 8 ----------------------------------------------------------------

struct md4_round {
  std::uint32_t (*mix)(std::uint32_t, std::uint32_t, std::uint32_t);
  std::uint32_t constant;                 // added to each input word
  std::array<std::uint8_t, 8> order;      // of the input words
  std::array<std::uint8_t, 4> rotations;  // by turns
};

constexpr std::array<md4_round, 3> md4_rounds{{
    {[](std::uint32_t x, std::uint32_t y, std::uint32_t z) { return (x & y) | (~x & z); }, 0, {0, 1, 2, 3, 4, 5, 6, 7}, {3, 7, 11, 19}},
    {[](std::uint32_t x, std::uint32_t y, std::uint32_t z) { return (x & y) | (x & z) | (y & z); },
     0x5A827999,
     {1, 3, 5, 7, 0, 2, 4, 6},
     {3, 5, 9, 13}},
    {[](std::uint32_t x, std::uint32_t y, std::uint32_t z) { return x ^ y ^ z; }, 0x6ED9EBA1, {3, 7, 2, 6, 1, 5, 0, 4}, {3, 9, 11, 15}},
}};

// Rounds and their steps are spelled out at compile time: as loops they call MIX by its address and look all else up, which costs as much again.
template <std::size_t Round, std::size_t Step>
void md4_step(words& s, const std::array<std::uint32_t, 8>& in) noexcept {
  constexpr md4_round round = md4_rounds[Round];
  // The word that changes goes backwards through the four; the other three follow it in their order.
  constexpr std::size_t at = (4 - Step % 4) % 4;
  const std::uint32_t mixed = round.mix(s[(at + 1) % 4], s[(at + 2) % 4], s[(at + 3) % 4]);
  s[at] = std::rotl(s[at] + mixed + in[round.order[Step]] + round.constant, round.rotations[Step % 4]);
}

void half_md4_step(words& state, const std::array<std::uint32_t, 8>& in) noexcept {
  words s = state;
  [&]<std::size_t... Step>(std::index_sequence<Step...>) {
    (md4_step<0, Step>(s, in), ...);
    (md4_step<1, Step>(s, in), ...);
    (md4_step<2, Step>(s, in), ...);
  }(std::make_index_sequence<8>{});
  for (unsigned i = 0; i < 4; ++i) state[i] += s[i];
}

// ---- the Tiny Encryption Algorithm (Wheeler, Needham 1994), 16 cycles; the name is the key -----------------------------------------

void tea_step(words& state, const std::array<std::uint32_t, 4>& key) noexcept {
  constexpr std::uint32_t golden = 0x9E3779B9;
  std::uint32_t y = state[0];
  std::uint32_t z = state[1];
  for (std::uint32_t cycle = 1; cycle <= 16; ++cycle) {
    const std::uint32_t sum = cycle * golden;
    y += ((z << 4) + key[0]) ^ (z + sum) ^ ((z >> 5) + key[1]);
    z += ((y << 4) + key[2]) ^ (y + sum) ^ ((y >> 5) + key[3]);
  }
  state[0] += y;
  state[1] += z;
}

template <std::size_t N, class Step>
[[nodiscard]] words run(words state, std::string_view name, char_kind kind, Step step) noexcept {
  for (; !name.empty(); name.remove_prefix(std::min(name.size(), N * 4))) step(state, pack<N>(name, kind));
  return state;
}

[[nodiscard]] dir_hash finished(std::uint32_t major, std::uint32_t minor) noexcept {
  major &= ~1u;
  if (major == last_hash << 1) major = (last_hash - 1) << 1;
  return {major, minor};
}

}  // namespace

std::optional<dir_hash> hash_name(std::uint8_t version, std::span<const std::uint32_t, 4> seed, std::string_view name) noexcept {
  words start = md4_start;
  if (std::ranges::any_of(seed, [](std::uint32_t word) { return word != 0; })) std::ranges::copy(seed, start.begin());
  const char_kind kind = version >= hash_legacy_unsigned ? char_kind::plain : char_kind::negative_above_7f;
  switch (version) {
    case hash_legacy:
    case hash_legacy_unsigned:
      return finished(legacy(name, kind), 0);
    case hash_half_md4:
    case hash_half_md4_unsigned: {
      const words s = run<8>(start, name, kind, half_md4_step);
      return finished(s[1], s[2]);
    }
    case hash_tea:
    case hash_tea_unsigned: {
      const words s = run<4>(start, name, kind, tea_step);
      return finished(s[0], s[1]);
    }
    default:
      return std::nullopt;
  }
}

std::optional<dir_hash> hash_name(const ext4_sb_info& sb, std::uint8_t version, std::string_view name) noexcept {
  if (!hash_version_supported(version)) return std::nullopt;
  return hash_name(static_cast<std::uint8_t>(version + (sb.s_hash_unsigned ? hash_legacy_unsigned : 0)), sb.s_hash_seed, name);
}

}  // namespace xip::ext4lite
