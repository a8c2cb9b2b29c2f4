// One input of a fuzz target as a file: an image, of which only what is not zero is kept, and a program to run on it.
//
// All integers are little-endian.
//
//   "XIPF"  u32 flags  u32 size of the image in KiB  u32 length of the program
//   the program
//   until the end: runs of the image, each  u32 offset  u16 count  u8 kind  u8 value
//     kind 0: COUNT bytes follow; kind 1: COUNT bytes of VALUE
//
// No run crosses a page of 4 KiB. docs/fuzzing.md says how such files are made and read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "fuzz/sparse_image.h"

namespace xip::fuzz {

inline constexpr std::uint64_t image_bytes_max = std::uint64_t{64} << 20;
inline constexpr std::size_t program_bytes_max = 1024;

struct test_case {
  bool sound = false;  // e2fsck is content with the image: to find a corruption in it is a mistake
  sparse_image image;
  std::vector<std::byte> program;
};

// Nothing if DATA does not begin as a container. A run that makes no sense ends the image there.
[[nodiscard]] std::optional<test_case> decode(std::span<const std::byte> data);
[[nodiscard]] std::vector<std::byte> encode(const test_case& c);

}  // namespace xip::fuzz
