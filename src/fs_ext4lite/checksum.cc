#include "fs_ext4lite/checksum.h"

#include <bit>
#include <cstring>
#include <optional>

#include <xip/base/crc.h>

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite {
namespace {

template <class T>
[[nodiscard]] std::span<const std::byte> bytes_of_value(const T& value) noexcept {
  return std::as_bytes(std::span{&value, 1});
}

template <class T>
[[nodiscard]] T read_at(std::span<const std::byte> data, std::size_t offset) noexcept {
  T value;
  std::memcpy(&value, data.data() + offset, sizeof value);
  return value;
}

// Where a block keeps its checksum, and over how many bytes from its start it is taken (what else goes in depends on the kind).
struct checksum_place {
  std::size_t covered;
  std::size_t field;
};

[[nodiscard]] std::optional<checksum_place> extent_place(std::span<const std::byte> data) noexcept {
  const auto header = read_at<ext4_extent_header>(data, 0);
  const std::size_t tail = sizeof header + sizeof(ext4_extent) * std::size_t{header.eh_max};
  if (tail + sizeof(ext4_extent_tail) > data.size()) return std::nullopt;
  return checksum_place{tail, tail};
}

[[nodiscard]] std::optional<checksum_place> leaf_place(std::span<const std::byte> data) noexcept {
  const std::size_t at = data.size() - sizeof(ext4_dir_entry_tail);
  const auto tail = read_at<ext4_dir_entry_tail>(data, at);
  if (tail.det_reserved_zero1 != 0 || tail.det_rec_len != sizeof tail || tail.det_reserved_zero2 != 0 ||
      tail.det_reserved_ft != ft_dir_csum)
    return std::nullopt;
  return checksum_place{at, at + offsetof(ext4_dir_entry_tail, det_checksum)};
}

// The entries of an index block begin after the fake entry of a node, or after ., .. and the information of the root.
[[nodiscard]] std::optional<std::size_t> index_entries_offset(std::span<const std::byte> data) noexcept {
  const auto first = read_at<ext4_dir_entry>(data, 0);
  if (first.rec_len == data.size()) return sizeof(dx_node);
  const auto root = read_at<dx_root>(data, 0);
  if (first.rec_len != 12 || root.dotdot.rec_len != data.size() - 12) return std::nullopt;
  if (root.info.reserved_zero != 0 || root.info.info_length != sizeof root.info) return std::nullopt;
  return sizeof(dx_root);
}

[[nodiscard]] std::optional<checksum_place> index_place(std::span<const std::byte> data) noexcept {
  const std::optional<std::size_t> entries = index_entries_offset(data);
  if (!entries) return std::nullopt;
  const auto room = read_at<dx_countlimit>(data, *entries);
  const std::size_t tail = *entries + sizeof(dx_entry) * std::size_t{room.limit};
  if (room.count > room.limit || tail + sizeof(dx_tail) > data.size()) return std::nullopt;
  return checksum_place{*entries + sizeof(dx_entry) * std::size_t{room.count}, tail + offsetof(dx_tail, dt_checksum)};
}

[[nodiscard]] std::optional<checksum_place> place_of(block_kind kind, std::span<const std::byte> data) noexcept {
  switch (kind) {
    case block_kind::extent_tree:
      return extent_place(data);
    case block_kind::directory_leaf:
      return leaf_place(data);
    case block_kind::directory_index:
      return index_place(data);
    case block_kind::xattr:
      return checksum_place{data.size(), offsetof(ext4_xattr_header, h_checksum)};
    case block_kind::orphan_file:
      return checksum_place{data.size() - sizeof(ext4_orphan_block_tail), data.size() - sizeof(le32)};
  }
  return std::nullopt;
}

[[nodiscard]] std::uint32_t compute(std::uint32_t seed, block_kind kind, pblk_t block, std::span<const std::byte> data,
                                    const checksum_place& place) noexcept {
  const le32 zero;
  switch (kind) {
    case block_kind::extent_tree:
    case block_kind::directory_leaf:
      return crc32c(seed, data.first(place.covered));
    case block_kind::directory_index: {
      const std::uint32_t entries = crc32c(seed, data.first(place.covered));
      const std::uint32_t reserved = crc32c(entries, data.subspan(place.field - sizeof(le32), sizeof(le32)));
      return crc32c(reserved, bytes_of_value(zero));
    }
    case block_kind::xattr: {
      const std::uint32_t number = crc32c(seed, bytes_of_value(le64{block.value()}));
      const std::uint32_t before = crc32c(number, data.first(place.field));
      return crc32c(crc32c(before, bytes_of_value(zero)), data.subspan(place.field + sizeof(le32)));
    }
    case block_kind::orphan_file:
      return crc32c(crc32c(seed, bytes_of_value(le64{block.value()})), data.first(place.covered));
  }
  return 0;
}

// A trigger's context is the seed itself: the buffer may be written long after its inode has left memory.
template <block_kind Kind>
void block_trigger(void* context, pblk_t block, std::span<std::byte> data) noexcept {
  const auto seed = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(context));
  const std::optional<checksum_place> place = place_of(Kind, data);
  if (!place) return;
  const le32 sum{compute(seed, Kind, block, data, *place)};
  std::memcpy(data.data() + place->field, &sum, sizeof sum);
}

[[nodiscard]] std::uint32_t seed_of(const ext4_inode_info& inode, block_kind kind) noexcept {
  return kind == block_kind::xattr ? sbi_of(inode).s_csum_seed : inode.i_csum_seed;
}

[[nodiscard]] dev::before_write trigger_of(block_kind kind) noexcept {
  switch (kind) {
    case block_kind::extent_tree:
      return block_trigger<block_kind::extent_tree>;
    case block_kind::directory_leaf:
      return block_trigger<block_kind::directory_leaf>;
    case block_kind::directory_index:
      return block_trigger<block_kind::directory_index>;
    case block_kind::xattr:
      return block_trigger<block_kind::xattr>;
    case block_kind::orphan_file:
      return block_trigger<block_kind::orphan_file>;
  }
  return nullptr;
}

// The slot has room for the upper half of the checksum.
[[nodiscard]] bool has_checksum_hi(std::span<const std::byte> slot) noexcept {
  if (slot.size() < sizeof(ext4_inode)) return false;
  const std::size_t extra = read_at<le16>(slot, offsetof(ext4_inode, i_extra_isize));
  return good_old_inode_size + extra >= offsetof(ext4_inode, i_checksum_hi) + sizeof(le16);
}

[[nodiscard]] std::uint32_t inode_checksum(std::uint32_t seed, std::span<const std::byte> slot) noexcept {
  constexpr std::size_t lo = offsetof(ext4_inode, i_checksum_lo);
  constexpr std::size_t hi = offsetof(ext4_inode, i_checksum_hi);
  const le16 zero;
  std::uint32_t sum = crc32c(seed, slot.first(lo));
  sum = crc32c(sum, bytes_of_value(zero));
  if (!has_checksum_hi(slot)) return crc32c(sum, slot.subspan(lo + sizeof zero));
  sum = crc32c(sum, slot.subspan(lo + sizeof zero, hi - lo - sizeof zero));
  sum = crc32c(sum, bytes_of_value(zero));
  return crc32c(sum, slot.subspan(hi + sizeof zero));
}

}  // namespace

bool block_checksum_ok(const ext4_inode_info& inode, block_kind kind, pblk_t block, std::span<const std::byte> data) noexcept {
  if (!sbi_of(inode).has_metadata_csum()) return true;
  const std::optional<checksum_place> place = place_of(kind, data);
  return place && compute(seed_of(inode, kind), kind, block, data, *place) == read_at<le32>(data, place->field);
}

void set_block_trigger(const ext4_inode_info& inode, block_kind kind, dev::buffer& b) noexcept {
  if (!sbi_of(inode).has_metadata_csum()) return;
  b.set_trigger(trigger_of(kind), reinterpret_cast<void*>(std::uintptr_t{seed_of(inode, kind)}));
}

std::uint32_t inode_csum_seed(const ext4_sb_info& sb, ino_t number, std::uint32_t generation) noexcept {
  return crc32c(crc32c(sb.s_csum_seed, bytes_of_value(le32{number.value()})), bytes_of_value(le32{generation}));
}

bool inode_checksum_ok(const ext4_sb_info& sb, std::uint32_t seed, std::span<const std::byte> slot) noexcept {
  if (!sb.has_metadata_csum()) return true;
  const std::uint32_t sum = inode_checksum(seed, slot);
  if (read_at<le16>(slot, offsetof(ext4_inode, i_checksum_lo)) != (sum & 0xFFFF)) return false;
  return !has_checksum_hi(slot) || read_at<le16>(slot, offsetof(ext4_inode, i_checksum_hi)) == sum >> 16;
}

void inode_checksum_set(const ext4_sb_info& sb, std::uint32_t seed, std::span<std::byte> slot) noexcept {
  if (!sb.has_metadata_csum()) return;
  const bool has_hi = has_checksum_hi(slot);
  const auto put = [&](std::size_t offset, std::uint32_t half) {
    const le16 value{static_cast<std::uint16_t>(half)};
    std::memcpy(slot.data() + offset, &value, sizeof value);
  };
  // As if the field held zero: so it does, and one pass does it.
  put(offsetof(ext4_inode, i_checksum_lo), 0);
  if (has_hi) put(offsetof(ext4_inode, i_checksum_hi), 0);
  const std::uint32_t sum = crc32c(seed, slot);
  put(offsetof(ext4_inode, i_checksum_lo), sum & 0xFFFF);
  if (has_hi) put(offsetof(ext4_inode, i_checksum_hi), sum >> 16);
}

std::uint32_t super_block_checksum(const ext4_super_block& es) noexcept {
  return crc32c(~0u, bytes_of_value(es).first(offsetof(ext4_super_block, s_checksum)));
}

void super_block_trigger(void* context, pblk_t, std::span<std::byte> data) noexcept {
  const auto& sb = *static_cast<const ext4_sb_info*>(context);
  if (!sb.has_metadata_csum()) return;
  std::byte* at = data.data() + sb.s_sb_offset;
  ext4_super_block es;
  std::memcpy(&es, at, sizeof es);
  es.s_checksum = super_block_checksum(es);
  std::memcpy(at, &es, sizeof es);
}

std::uint16_t group_desc_checksum(const ext4_sb_info& sb, group_t group, std::span<const std::byte> desc) noexcept {
  constexpr std::size_t at = offsetof(ext4_group_desc, bg_checksum);
  constexpr std::size_t after = at + sizeof(le16);
  const le32 number{group.value()};
  if (sb.has_metadata_csum()) {
    const le16 zero;
    std::uint32_t sum = crc32c(sb.s_csum_seed, bytes_of_value(number));
    sum = crc32c(crc32c(sum, desc.first(at)), bytes_of_value(zero));
    return static_cast<std::uint16_t>(crc32c(sum, desc.subspan(after)) & 0xFFFF);
  }
  if (!sb.has_ro_compat(ro_compat_gdt_csum)) return 0;
  std::uint16_t sum = crc16(0xFFFF, std::as_bytes(std::span{sb.s_uuid}));
  sum = crc16(crc16(sum, bytes_of_value(number)), desc.first(at));
  return desc.size() > after ? crc16(sum, desc.subspan(after)) : sum;
}

std::uint32_t bitmap_checksum(const ext4_sb_info& sb, std::span<const std::byte> bits) noexcept { return crc32c(sb.s_csum_seed, bits); }

}  // namespace xip::ext4lite
