#include "fuzz/mutator.h"

#include <algorithm>
#include <random>

#include "fuzz/container.h"
#include "fuzz/layout.h"
#include "fuzz/repair.h"

namespace xip::fuzz {
namespace {

class image_mutator {
 public:
  image_mutator(sparse_image& image, const geometry& g, std::span<const structure_kind> matter, std::minstd_rand& random)
      : image_{image}, g_{g}, matter_{matter}, random_{random}, all_{structures_of(image, g)} {}

  void change_once() {
    const std::uint32_t way = below(16);
    const structure s = some();
    if (way < 11) {
      change_field(s);
    } else if (way < 13) {
      flip_bit(s);
    } else if (way < 15) {
      copy_over(s);
    } else {
      image_.resize(std::max<std::uint64_t>(image_.size() * (1 + below(8)) / 8, 4096));
    }
  }

 private:
  [[nodiscard]] std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() >> 3) % n; }

  // Among those that matter, and among all, each kind has the same chance, or inodes would leave little for the rest.
  [[nodiscard]] structure some() {
    constexpr std::uint32_t kinds = static_cast<std::uint32_t>(structure_kind::data) + 1;
    for (std::uint32_t i = 0; i < 2 * kinds; ++i) {
      const bool matters = !matter_.empty() && below(2) == 0;
      const auto kind = matters ? matter_[below(static_cast<std::uint32_t>(matter_.size()))] : static_cast<structure_kind>(below(kinds));
      const auto count = static_cast<std::uint32_t>(std::ranges::count(all_, kind, &structure::kind));
      if (count != 0) return of_kind(kind, below(count));
    }
    return all_[below(static_cast<std::uint32_t>(all_.size()))];
  }
  [[nodiscard]] structure of_kind(structure_kind kind, std::uint32_t n) const {
    for (const structure& s : all_)
      if (s.kind == kind && n-- == 0) return s;
    return all_.front();
  }

  void change_field(const structure& s) {
    const std::vector<field> fields = fields_of(image_, g_, s);
    if (fields.empty()) return;
    const field f = fields[below(static_cast<std::uint32_t>(fields.size()))];
    const std::span<std::byte> bytes = image_.bytes(f.offset, f.width);
    if (bytes.empty()) return;
    const auto byte_of = [&](std::size_t i) -> std::byte& { return bytes[f.big_endian ? bytes.size() - 1 - i : i]; };
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- != 0;) value = value << 8 | std::to_integer<std::uint64_t>(byte_of(i));
    value = other_value(value, f);
    for (std::size_t i = 0; i < bytes.size(); ++i, value >>= 8) byte_of(i) = static_cast<std::byte>(value & 0xFF);
  }

  [[nodiscard]] std::uint64_t other_value(std::uint64_t old, const field& f) {
    const std::uint64_t top = f.width == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << f.width * 8) - 1;
    switch (below(10)) {
      case 0:
        return old + 1;
      case 1:
        return old - 1;
      case 2:
        return old ^ std::uint64_t{1} << below(f.width * 8);
      case 3:
        return top >> below(3);
      case 4:
        return std::uint64_t{1} << below(f.width * 8);
      case 5:
        return below(20);
      case 6:
        return old * 2 + below(2);
      default:
        return value_meaning(f.what, top);
    }
  }

  [[nodiscard]] std::uint64_t value_meaning(meaning what, std::uint64_t top) {
    switch (what) {
      case meaning::block:  // where something else lies, in most cases
        return below(4) == 0 ? g_.blocks - below(3) : all_[below(static_cast<std::uint32_t>(all_.size()))].offset / g_.block_size;
      case meaning::inode:
        return below(4) == 0 ? std::uint64_t{g_.groups} * g_.inodes_per_group - 1 + below(3) : some_inode();
      case meaning::length: {
        const std::uint64_t near[] = {g_.block_size, g_.block_size / 12, 0x8000, 12, 4, g_.blocks, g_.inode_size};
        return near[below(std::size(near))] - 1 + below(3);
      }
      case meaning::flags:
      case meaning::number:
        break;
    }
    return (std::uint64_t{random_()} << 20 ^ random_()) & top;
  }

  [[nodiscard]] std::uint64_t some_inode() {
    const structure& s = all_[below(static_cast<std::uint32_t>(all_.size()))];
    return s.kind == structure_kind::inode ? s.number : below(16);
  }

  void flip_bit(const structure& s) {
    if (const std::span<std::byte> at = image_.bytes(s.offset + below(s.bytes), 1); !at.empty()) at[0] ^= std::byte{1} << below(8);
  }

  // S gets what another of its kind holds, a whole one or a piece.
  void copy_over(const structure& s) {
    const auto count = static_cast<std::uint32_t>(std::ranges::count(all_, s.kind, &structure::kind));
    const structure from = below(4) == 0 ? some() : of_kind(s.kind, below(count));
    const std::uint32_t bytes = std::min(s.bytes, from.bytes);
    const std::uint32_t begin = below(2) == 0 ? 0 : below(bytes) & ~3u;
    for (std::uint32_t i = begin; i < bytes; ++i) image_.store(s.offset + i, image_.load<std::byte>(from.offset + i));
  }

  sparse_image& image_;
  const geometry g_;
  const std::span<const structure_kind> matter_;
  std::minstd_rand& random_;
  std::vector<structure> all_;
};

// Of an image that describes no file system only the super block is known.
void change_super_block(sparse_image& image, std::minstd_rand& random) {
  const geometry none{.block_size = 1024,
                      .inode_size = 128,
                      .desc_size = 32,
                      .inodes_per_group = 8,
                      .blocks_per_group = 256,
                      .first_data_block = 1,
                      .groups = 1,
                      .first_desc_block = 2,
                      .blocks = image.size() / 1024 + 1,
                      .seed = 0,
                      .metadata_csum = false,
                      .gdt_csum = false,
                      .is_64bit = false};
  const std::vector<field> fields =
      fields_of(image, none, {structure_kind::super_block, ext4lite::super_offset, ext4lite::super_size, 0, 0});
  const field f = fields[random() % fields.size()];
  for (std::byte& b : image.bytes(f.offset, f.width)) b = static_cast<std::byte>(random() % 3 == 0 ? random() : 0);
}

void change_image(sparse_image& image, std::span<const structure_kind> matter, std::minstd_rand& random) {
  const std::uint32_t times = 1 + (random() % 4 == 0 ? random() % 4 : 0);
  for (std::uint32_t i = 0; i < times; ++i) {
    if (const auto g = geometry_of(image))
      image_mutator{image, *g, matter, random}.change_once();
    else
      change_super_block(image, random);
  }
  constexpr std::uint32_t left_wrong_in = 16;
  if (random() % left_wrong_in != 0) repair_checksums(image);
}

void change_program(std::vector<std::byte>& program, byte_mutator random_bytes) {
  const std::size_t used = program.size();
  program.resize(program_bytes_max);
  program.resize(random_bytes(program, used));
}

[[nodiscard]] std::size_t put(const test_case& c, std::span<std::byte> out) {
  const std::vector<std::byte> encoded = encode(c);
  if (encoded.size() > out.size()) return 0;
  std::ranges::copy(encoded, out.begin());
  return encoded.size();
}

}  // namespace

std::size_t mutate(std::span<std::byte> bytes, std::size_t used, std::uint32_t seed, std::span<const structure_kind> matter,
                   byte_mutator random_bytes) {
  auto c = decode(bytes.first(used));
  if (!c) return random_bytes(bytes, used);
  std::minstd_rand random{seed + 1};
  const std::uint32_t what = random() % 8;
  // A sound image is worth keeping for its programs.
  if (what < 4 || (c->sound && what < 6)) change_program(c->program, random_bytes);
  if (what >= (c->sound ? 6 : 3)) {
    c->sound = false;
    change_image(c->image, matter, random);
  }
  const std::size_t made = put(*c, bytes);
  return made != 0 ? made : used;
}

std::size_t cross_over(std::span<const std::byte> one, std::span<const std::byte> other, std::span<std::byte> out, std::uint32_t seed) {
  auto a = decode(one);
  const auto b = decode(other);
  if (!a || !b) return 0;
  std::minstd_rand random{seed + 1};
  if (random() % 4 != 0) {
    a->program = b->program;
    return put(*a, out);
  }
  a->sound = false;
  for (const auto& [number, page] : b->image.pages())
    if (random() % 4 == 0) a->image.store(number * sparse_image::page_bytes, page);
  repair_checksums(a->image);
  return put(*a, out);
}

}  // namespace xip::fuzz
