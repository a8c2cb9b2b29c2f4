// Written from the format's documentation, and not with the functions of src/fs_ext4lite: a mistake there would hide behind itself.
#include "fuzz/repair.h"

#include <algorithm>
#include <optional>

#include <xip/base/crc.h>

#include "fuzz/layout.h"
#include "jbd2/format.h"

namespace xip::fuzz {
namespace {

using namespace ext4lite;

template <class T>
[[nodiscard]] std::uint32_t crc_of_value(std::uint32_t seed, const T& value) noexcept {
  return crc32c(seed, std::as_bytes(std::span{&value, 1}));
}

[[nodiscard]] std::uint32_t crc_of_zeros(std::uint32_t seed, std::size_t count) noexcept {
  constexpr std::byte zeros[4]{};
  return crc32c(seed, std::span{zeros}.first(count));
}

class repairer {
 public:
  repairer(sparse_image& image, const geometry& g) : image_{image}, g_{g} {}

  // What others cover comes before them.
  void all() {
    const std::vector<structure> found = structures_of(image_, g_);
    for (const structure& s : found)
      if (s.kind == structure_kind::xattr_block) hashes(s);
    if (g_.metadata_csum)
      for (const structure& s : found) contents(s);
    for (const structure& s : found)
      if (s.kind == structure_kind::group_desc) descriptor(s);
    if (g_.metadata_csum) super_block();
    journal(found);
  }

 private:
  void contents(const structure& s) {
    const std::span<std::byte> bytes = image_.bytes(s.offset, s.bytes);
    if (bytes.empty()) return;
    switch (s.kind) {
      case structure_kind::inode:
        return inode(s, bytes);
      case structure_kind::extent_block:
        return extent_block(s, bytes);
      case structure_kind::directory_leaf:
        return leaf(s, bytes);
      case structure_kind::directory_index:
        return index(s, bytes);
      case structure_kind::xattr_block:
        return xattr(s, bytes);
      case structure_kind::orphan_block:
        return orphans(s, bytes);
      case structure_kind::block_bitmap:
        return bitmap(s, bytes.first(std::min<std::size_t>(bytes.size(), g_.blocks_per_group / 8)), true);
      case structure_kind::inode_bitmap:
        return bitmap(s, bytes.first(std::min<std::size_t>(bytes.size(), g_.inodes_per_group / 8)), false);
      case structure_kind::super_block:
      case structure_kind::group_desc:
      case structure_kind::pointer_block:
      case structure_kind::journal_super:
      case structure_kind::journal_descriptor:
      case structure_kind::journal_revoke:
      case structure_kind::journal_commit:
      case structure_kind::data:
        return;
    }
  }

  void inode(const structure& s, std::span<const std::byte> slot) {
    constexpr std::size_t lo = offsetof(ext4_inode, i_checksum_lo), hi = offsetof(ext4_inode, i_checksum_hi);
    const std::uint32_t extra = image_.load<ext4_inode>(s.offset).i_extra_isize;
    const bool has_hi = slot.size() > good_old_inode_size && good_old_inode_size + extra >= hi + 2;
    std::uint32_t sum = crc_of_zeros(crc32c(s.seed, slot.first(lo)), 2);
    if (has_hi) {
      sum = crc_of_zeros(crc32c(sum, slot.subspan(lo + 2, hi - lo - 2)), 2);
      sum = crc32c(sum, slot.subspan(hi + 2));
      image_.store(s.offset + hi, le16{static_cast<std::uint16_t>(sum >> 16)});
    } else {
      sum = crc32c(sum, slot.subspan(lo + 2));
    }
    image_.store(s.offset + lo, le16{static_cast<std::uint16_t>(sum & 0xFFFF)});
  }

  void extent_block(const structure& s, std::span<const std::byte> block) {
    const std::size_t tail = sizeof(ext4_extent_header) + sizeof(ext4_extent) * image_.load<ext4_extent_header>(s.offset).eh_max;
    if (tail + sizeof(le32) <= block.size()) image_.store(s.offset + tail, le32{crc32c(s.seed, block.first(tail))});
  }

  void leaf(const structure& s, std::span<const std::byte> block) {
    const std::size_t tail = block.size() - sizeof(ext4_dir_entry_tail);
    if (image_.load<ext4_dir_entry_tail>(s.offset + tail).det_reserved_ft != ft_dir_csum) return;
    image_.store(s.offset + tail + offsetof(ext4_dir_entry_tail, det_checksum), le32{crc32c(s.seed, block.first(tail))});
  }

  void index(const structure& s, std::span<const std::byte> block) {
    const bool root = image_.load<ext4_dir_entry>(s.offset).rec_len == sizeof(ext4_dir_entry) + 4;
    const std::size_t first = root ? sizeof(dx_root) : sizeof(dx_node);
    const auto room = image_.load<dx_countlimit>(s.offset + first);
    const std::size_t tail = first + sizeof(dx_entry) * room.limit, covered = first + sizeof(dx_entry) * room.count;
    if (tail + sizeof(dx_tail) > block.size() || covered > block.size()) return;
    const std::uint32_t sum = crc_of_zeros(crc32c(crc32c(s.seed, block.first(covered)), block.subspan(tail, sizeof(le32))), 4);
    image_.store(s.offset + tail + offsetof(dx_tail, dt_checksum), le32{sum});
  }

  void xattr(const structure& s, std::span<const std::byte> block) {
    constexpr std::size_t at = offsetof(ext4_xattr_header, h_checksum);
    std::uint32_t sum = crc_of_value(g_.seed, le64{s.offset / g_.block_size});
    sum = crc_of_zeros(crc32c(sum, block.first(at)), 4);
    image_.store(s.offset + at, le32{crc32c(sum, block.subspan(at + 4))});
  }

  void orphans(const structure& s, std::span<const std::byte> block) {
    const std::size_t tail = block.size() - sizeof(ext4_orphan_block_tail);
    if (image_.load<ext4_orphan_block_tail>(s.offset + tail).ob_magic != orphan_block_magic) return;
    const std::uint32_t sum = crc32c(crc_of_value(s.seed, le64{s.offset / g_.block_size}), block.first(tail));
    image_.store(s.offset + tail + offsetof(ext4_orphan_block_tail, ob_checksum), le32{sum});
  }

  // Of the attributes in a block, and of all of them together; up to the first that does not lie within it.
  void hashes(const structure& s) {
    const std::span<const std::byte> block = image_.bytes(s.offset, s.bytes);
    std::uint32_t all = 0;
    for (std::size_t at = sizeof(ext4_xattr_header); at + sizeof(ext4_xattr_entry) <= block.size();) {
      const auto e = image_.load<ext4_xattr_entry>(s.offset + at);
      const std::size_t name = at + sizeof e;
      if (image_.load<le32>(s.offset + at) == 0 || name + e.e_name_len > block.size()) break;
      std::uint32_t hash = 0;
      for (const std::byte b : block.subspan(name, e.e_name_len)) hash = (hash << 5 | hash >> 27) ^ std::to_integer<std::uint32_t>(b);
      if (e.e_value_offs > block.size() || e.e_value_size > block.size() - e.e_value_offs) break;
      for (std::uint32_t i = 0; i < e.e_value_size; i += 4) {
        std::uint32_t word = image_.load<le32>(s.offset + e.e_value_offs + i);
        if (e.e_value_size - i < 4) word &= (1u << (e.e_value_size - i) * 8) - 1;
        hash = (hash << 16 | hash >> 16) ^ word;
      }
      image_.store(s.offset + at + offsetof(ext4_xattr_entry, e_hash), le32{hash});
      all = (all << 16 | all >> 16) ^ hash;
      at = name + (e.e_name_len + 3u) / 4 * 4;
    }
    if (!block.empty()) image_.store(s.offset + offsetof(ext4_xattr_header, h_hash), le32{all});
  }

  // A bitmap's checksum lies in its group's descriptor.
  void bitmap(const structure& s, std::span<const std::byte> bits, bool of_blocks) {
    const std::uint64_t desc = offset_of_desc(g_, s.number);
    const std::uint32_t sum = crc32c(g_.seed, bits);
    const std::size_t lo =
        of_blocks ? offsetof(ext4_group_desc, bg_block_bitmap_csum_lo) : offsetof(ext4_group_desc, bg_inode_bitmap_csum_lo);
    const std::size_t hi =
        of_blocks ? offsetof(ext4_group_desc, bg_block_bitmap_csum_hi) : offsetof(ext4_group_desc, bg_inode_bitmap_csum_hi);
    image_.store(desc + lo, le16{static_cast<std::uint16_t>(sum & 0xFFFF)});
    if (g_.desc_size >= desc_size_64) image_.store(desc + hi, le16{static_cast<std::uint16_t>(sum >> 16)});
  }

  void descriptor(const structure& s) {
    constexpr std::size_t at = offsetof(ext4_group_desc, bg_checksum);
    const std::span<const std::byte> bytes = image_.bytes(s.offset, s.bytes);
    if (bytes.empty() || (!g_.metadata_csum && !g_.gdt_csum)) return;
    const le32 number{s.number};
    if (g_.metadata_csum) {
      std::uint32_t sum = crc_of_zeros(crc32c(crc_of_value(g_.seed, number), bytes.first(at)), 2);
      sum = crc32c(sum, bytes.subspan(at + 2));
      return image_.store(s.offset + at, le16{static_cast<std::uint16_t>(sum & 0xFFFF)});
    }
    const auto es = image_.load<ext4_super_block>(super_offset);
    std::uint16_t sum = crc16(crc16(0xFFFF, std::as_bytes(std::span{es.s_uuid})), std::as_bytes(std::span{&number, 1}));
    sum = crc16(sum, bytes.first(at));
    image_.store(s.offset + at, le16{bytes.size() > at + 2 ? crc16(sum, bytes.subspan(at + 2)) : sum});
  }

  // The journal has checksums where its own features say so. What a descriptor's tags cover comes before it.
  void journal(const std::vector<structure>& found) {
    const std::vector<std::uint64_t> blocks = journal_blocks_of(image_, g_);
    if (blocks.empty()) return;
    const std::uint32_t features = image_.load<jbd2::journal_superblock>(blocks.front()).s_feature_incompat;
    if ((features & (jbd2::incompat_csum_v2 | jbd2::incompat_csum_v3)) == 0) return;
    for (const structure& s : found) {
      const std::span<const std::byte> block = image_.bytes(s.offset, s.bytes);
      if (block.empty()) continue;
      if (s.kind == structure_kind::journal_descriptor) tags(s, blocks, features);
      if (s.kind == structure_kind::journal_descriptor || s.kind == structure_kind::journal_revoke) sum_at(s, block, block.size() - 4);
      if (s.kind == structure_kind::journal_commit) sum_at(s, block, offsetof(jbd2::commit_header, h_chksum));
      if (s.kind == structure_kind::journal_super) {
        const structure with_its_own{s.kind, s.offset, jbd2::superblock_size, s.number, ~0u};
        sum_at(with_its_own, block.first(jbd2::superblock_size), offsetof(jbd2::journal_superblock, s_checksum));
      }
    }
  }

  void sum_at(const structure& s, std::span<const std::byte> block, std::size_t at) {
    const std::uint32_t before = crc_of_zeros(crc32c(s.seed, block.first(at)), 4);
    image_.store(s.offset + at, be32{crc32c(before, block.subspan(at + 4))});
  }

  void tags(const structure& s, const std::vector<std::uint64_t>& blocks, std::uint32_t features) {
    const bool v3 = (features & jbd2::incompat_csum_v3) != 0;
    const std::size_t bytes = v3 ? 16 : (features & jbd2::incompat_64bit) != 0 ? 14 : 10;
    const auto sequence = image_.load<jbd2::journal_header>(s.offset).h_sequence;
    std::size_t block = s.number;
    for (std::size_t at = sizeof(jbd2::journal_header); at + bytes <= s.bytes - 4;) {
      if (++block == blocks.size()) block = 1;
      const std::span<const std::byte> data = image_.bytes(blocks[block % blocks.size()], g_.block_size);
      const std::uint32_t sum = crc32c(crc_of_value(s.seed, sequence), data);
      if (v3)
        image_.store(s.offset + at + 12, be32{sum});
      else
        image_.store(s.offset + at + 4, be16{static_cast<std::uint16_t>(sum & 0xFFFF)});
      const std::uint32_t flags = v3 ? image_.load<be32>(s.offset + at + 4).load() : image_.load<be16>(s.offset + at + 6).load();
      if ((flags & jbd2::flag_last_tag) != 0) return;
      at += bytes + ((flags & jbd2::flag_same_uuid) != 0 ? 0 : jbd2::tag_uuid_size);
    }
  }

  void super_block() {
    const auto es = image_.load<ext4_super_block>(super_offset);
    const auto covered = std::as_bytes(std::span{&es, 1}).first(offsetof(ext4_super_block, s_checksum));
    image_.store(super_offset + offsetof(ext4_super_block, s_checksum), le32{crc32c(~0u, covered)});
  }

  sparse_image& image_;
  const geometry g_;
};

}  // namespace

void repair_checksums(sparse_image& image) {
  if (const auto g = geometry_of(image)) {
    repairer{image, *g}.all();
    return;
  }
  // The geometry makes no sense: that should not be found out by the checksum.
  const auto es = image.load<ext4_super_block>(super_offset);
  const auto covered = std::as_bytes(std::span{&es, 1}).first(offsetof(ext4_super_block, s_checksum));
  image.store(super_offset + offsetof(ext4_super_block, s_checksum), le32{crc32c(~0u, covered)});
}

}  // namespace xip::fuzz
