// Makes one input from another, in the terms of ext4: a field of some structure gets an interesting value, a structure the contents of another,
// and the checksums are put right in most cases, so that what was changed is looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "fuzz/layout.h"

namespace xip::fuzz {

// Changes the first USED of BYTES and returns how many they are then.
using byte_mutator = std::size_t (*)(std::span<std::byte> bytes, std::size_t used);

// BYTES holds an input of USED bytes, and has room for more. Half of the changes to its image meet structures of the kinds that MATTER, if there are any.
// RANDOM_BYTES changes bytes that nothing is known of.
[[nodiscard]] std::size_t mutate(std::span<std::byte> bytes, std::size_t used, std::uint32_t seed, std::span<const structure_kind> matter,
                                 byte_mutator random_bytes);
// The image of one and the program of the other, or an image of pages of both. 0: no room.
[[nodiscard]] std::size_t cross_over(std::span<const std::byte> one, std::span<const std::byte> other, std::span<std::byte> out,
                                     std::uint32_t seed);

}  // namespace xip::fuzz
