#include "fuzz/layout.h"

#include <algorithm>
#include <bit>
#include <span>

#include <sys/stat.h>

#include <xip/base/crc.h>

#include "jbd2/format.h"

namespace xip::fuzz {
namespace {

using namespace ext4lite;

constexpr std::uint32_t root_capacity_of_an_inode = 4;
constexpr std::uint32_t groups_looked_at = 64;
constexpr std::uint32_t inodes_looked_at = 4096;
constexpr std::uint32_t orphan_blocks_looked_at = 64;
constexpr std::size_t structures_looked_for = 2048;

template <class T>
[[nodiscard]] std::uint32_t crc_of_value(std::uint32_t seed, const T& value) noexcept {
  return crc32c(seed, std::as_bytes(std::span{&value, 1}));
}

// Follows what an inode names.
class inode_reader {
 public:
  inode_reader(const sparse_image& image, const geometry& g, std::vector<structure>& found) : image_{image}, g_{g}, found_{found} {}

  void read(std::uint64_t offset, std::uint32_t ino) {
    const auto raw = image_.load<ext4_inode>(offset);
    if (raw.i_mode == 0) return;
    const auto es = image_.load<ext4_super_block>(super_offset);
    ino_ = ino;
    orphan_file_ = (es.s_feature_compat & compat_orphan_file) != 0 && es.s_orphan_file_inum == ino;
    mode_ = raw.i_mode;
    indexed_ = (raw.i_flags & index_fl) != 0;
    seed_ = crc_of_value(crc_of_value(g_.seed, le32{ino}), raw.i_generation);
    add(structure_kind::inode, offset, g_.inode_size);
    const std::uint64_t acl = raw.i_file_acl_lo | (g_.is_64bit ? std::uint64_t{raw.i_file_acl_high} << 32 : 0);
    if (acl != 0) add_block(structure_kind::xattr_block, acl);
    if (!S_ISREG(mode_) && !S_ISDIR(mode_) && !S_ISLNK(mode_)) return;
    if (S_ISLNK(mode_) && raw.i_size_lo < fast_symlink_bytes) return;
    if ((raw.i_flags & extents_fl) != 0)
      read_node(offset + offsetof(ext4_inode, i_block), sizeof raw.i_block, extent_max_depth);
    else
      read_map(raw);
  }

 private:
  void add(structure_kind kind, std::uint64_t offset, std::uint32_t bytes) {
    if (found_.size() < structures_looked_for && offset + bytes <= image_.size()) found_.push_back({kind, offset, bytes, ino_, seed_});
  }
  void add_block(structure_kind kind, std::uint64_t block) {
    if (block != 0 && block < g_.blocks) add(kind, block * g_.block_size, g_.block_size);
  }
  [[nodiscard]] bool room() const noexcept { return found_.size() < structures_looked_for; }

  void read_node(std::uint64_t offset, std::uint32_t bytes, std::uint32_t depth_left) {
    const auto header = image_.load<ext4_extent_header>(offset);
    if (header.eh_magic != extent_magic) return;
    const std::uint32_t entries = std::min<std::uint32_t>(header.eh_entries, (bytes - sizeof header) / sizeof(ext4_extent));
    for (std::uint32_t i = 0; i < entries && room(); ++i) {
      const std::uint64_t at = offset + sizeof header + i * sizeof(ext4_extent);
      if (header.eh_depth == 0) {
        const auto e = image_.load<ext4_extent>(at);
        read_run(e.ee_start_lo | std::uint64_t{e.ee_start_hi} << 32, e.ee_len, e.ee_block);
      } else if (depth_left != 0) {
        const auto e = image_.load<ext4_extent_idx>(at);
        const std::uint64_t child = e.ei_leaf_lo | std::uint64_t{e.ei_leaf_hi} << 32;
        if (child == 0 || child >= g_.blocks) continue;
        add_block(structure_kind::extent_block, child);
        read_node(child * g_.block_size, g_.block_size, depth_left - 1);
      }
    }
  }

  void read_map(const ext4_inode& raw) {
    for (std::uint32_t i = 0; i < n_blocks && room(); ++i) {
      if (raw.i_block[i] == 0) continue;
      if (i < ndir_blocks)
        read_run(raw.i_block[i], 1, i);
      else
        read_pointers(raw.i_block[i], i - ndir_blocks);
    }
  }

  void read_pointers(std::uint64_t block, std::uint32_t levels_below) {
    if (block >= g_.blocks) return;
    add_block(structure_kind::pointer_block, block);
    for (std::uint32_t i = 0; i < g_.block_size / sizeof(le32) && room(); ++i) {
      const std::uint32_t next = image_.load<le32>(block * g_.block_size + i * sizeof(le32));
      if (next == 0) continue;
      if (levels_below == 0)
        read_run(next, 1, ndir_blocks + i);
      else
        read_pointers(next, levels_below - 1);
    }
  }

  // Of a file's data the first block is enough.
  void read_run(std::uint64_t block, std::uint32_t length, std::uint32_t lblk) {
    if (orphan_file_) {
      for (std::uint32_t i = 0; i < std::min(length, orphan_blocks_looked_at) && room(); ++i)
        add_block(structure_kind::orphan_block, block + i);
      return;
    }
    if (!S_ISDIR(mode_)) {
      if (lblk == 0) add_block(structure_kind::data, block);
      return;
    }
    for (std::uint32_t i = 0; i < length && room(); ++i) add_block(kind_of_directory_block(block + i, lblk + i), block + i);
  }

  [[nodiscard]] structure_kind kind_of_directory_block(std::uint64_t block, std::uint32_t lblk) const {
    if (!indexed_) return structure_kind::directory_leaf;
    const auto first = image_.load<ext4_dir_entry>(block * g_.block_size);
    const bool node = first.inode == 0 && first.rec_len == g_.block_size && first.name_len == 0;
    return lblk == 0 || node ? structure_kind::directory_index : structure_kind::directory_leaf;
  }

  const sparse_image& image_;
  const geometry& g_;
  std::vector<structure>& found_;
  std::uint32_t ino_ = 0;
  std::uint32_t mode_ = 0;
  std::uint32_t seed_ = 0;
  bool indexed_ = false;
  bool orphan_file_ = false;
};

// The journal's own blocks; what their checksums start from is the same for all but the super block.
void find_journal_structures(const sparse_image& image, const geometry& g, std::vector<structure>& found) {
  const std::vector<std::uint64_t> blocks = journal_blocks_of(image, g);
  if (blocks.empty()) return;
  const auto jsb = image.load<jbd2::journal_superblock>(blocks.front());
  const std::uint32_t seed = crc32c(~0u, std::as_bytes(std::span{jsb.s_uuid}));
  for (std::size_t i = 0; i < blocks.size() && found.size() < structures_looked_for; ++i) {
    const auto header = image.load<jbd2::journal_header>(blocks[i]);
    if (header.h_magic != jbd2::journal_magic && i != 0) continue;
    const std::uint32_t type = header.h_blocktype;
    const structure_kind kind = i == 0                           ? structure_kind::journal_super
                                : type == jbd2::descriptor_block ? structure_kind::journal_descriptor
                                : type == jbd2::revoke_block     ? structure_kind::journal_revoke
                                                                 : structure_kind::journal_commit;
    found.push_back({kind, blocks[i], g.block_size, static_cast<std::uint32_t>(i), seed});
  }
}

[[nodiscard]] std::uint64_t block_named_by(const geometry& g, le32 lo, le32 hi) noexcept {
  return lo | (g.desc_size >= desc_size_64 ? std::uint64_t{hi} << 32 : 0);
}

}  // namespace

std::optional<geometry> geometry_of(const sparse_image& image) {
  const auto es = image.load<ext4_super_block>(super_offset);
  if (es.s_magic != super_magic || es.s_log_block_size > 2 || es.s_blocks_per_group < 8 || es.s_inodes_per_group == 0) return std::nullopt;
  geometry g{};
  g.block_size = 1024u << es.s_log_block_size;
  g.inode_size = es.s_rev_level == good_old_rev ? good_old_inode_size : es.s_inode_size.load();
  g.is_64bit = (es.s_feature_incompat & incompat_64bit) != 0;
  g.desc_size = g.is_64bit ? es.s_desc_size.load() : desc_size_32;
  const bool sizes = std::has_single_bit(g.inode_size) && g.inode_size >= good_old_inode_size && g.inode_size <= g.block_size &&
                     std::has_single_bit(g.desc_size) && g.desc_size >= desc_size_32 && g.desc_size <= g.block_size;
  g.blocks = std::min<std::uint64_t>(es.s_blocks_count_lo | std::uint64_t{es.s_blocks_count_hi} << 32, image.size() / g.block_size);
  g.first_data_block = es.s_first_data_block;
  if (!sizes || g.blocks <= g.first_data_block) return std::nullopt;
  g.inodes_per_group = es.s_inodes_per_group;
  g.blocks_per_group = es.s_blocks_per_group;
  g.groups =
      static_cast<std::uint32_t>(std::min<std::uint64_t>((g.blocks - g.first_data_block - 1) / g.blocks_per_group + 1, groups_looked_at));
  g.first_desc_block = static_cast<std::uint32_t>(super_offset / g.block_size + 1);
  g.metadata_csum = (es.s_feature_ro_compat & ro_compat_metadata_csum) != 0;
  g.gdt_csum = (es.s_feature_ro_compat & ro_compat_gdt_csum) != 0;
  g.seed = (es.s_feature_incompat & incompat_csum_seed) != 0 ? es.s_checksum_seed.load() : crc32c(~0u, std::as_bytes(std::span{es.s_uuid}));
  return g;
}

std::uint64_t offset_of_desc(const geometry& g, std::uint32_t group) noexcept {
  return std::uint64_t{g.first_desc_block} * g.block_size + std::uint64_t{group} * g.desc_size;
}

std::optional<std::uint64_t> offset_of_inode(const sparse_image& image, const geometry& g, std::uint32_t ino) {
  const std::uint32_t group = (ino - 1) / g.inodes_per_group;
  if (ino == 0 || group >= g.groups) return std::nullopt;
  const auto desc = image.load<ext4_group_desc>(offset_of_desc(g, group));
  const std::uint64_t table = block_named_by(g, desc.bg_inode_table_lo, desc.bg_inode_table_hi);
  const std::uint64_t offset = table * g.block_size + std::uint64_t{(ino - 1) % g.inodes_per_group} * g.inode_size;
  if (table >= g.blocks || offset + g.inode_size > image.size()) return std::nullopt;
  return offset;
}

std::vector<structure> structures_of(const sparse_image& image, const geometry& g) {
  std::vector<structure> found{{structure_kind::super_block, super_offset, super_size, 0, 0}};
  const auto add = [&](structure_kind kind, std::uint64_t offset, std::uint32_t bytes, std::uint32_t group) {
    if (offset + bytes <= image.size() && found.size() < structures_looked_for) found.push_back({kind, offset, bytes, group, 0});
  };
  for (std::uint32_t n = 0; n < g.groups; ++n) {
    const auto desc = image.load<ext4_group_desc>(offset_of_desc(g, n));
    add(structure_kind::group_desc, offset_of_desc(g, n), g.desc_size, n);
    const std::uint64_t blocks = block_named_by(g, desc.bg_block_bitmap_lo, desc.bg_block_bitmap_hi);
    const std::uint64_t inodes = block_named_by(g, desc.bg_inode_bitmap_lo, desc.bg_inode_bitmap_hi);
    if (blocks < g.blocks) add(structure_kind::block_bitmap, blocks * g.block_size, g.block_size, n);
    if (inodes < g.blocks) add(structure_kind::inode_bitmap, inodes * g.block_size, g.block_size, n);
  }
  inode_reader reader{image, g, found};
  const auto inodes = static_cast<std::uint32_t>(std::min<std::uint64_t>(std::uint64_t{g.groups} * g.inodes_per_group, inodes_looked_at));
  for (std::uint32_t ino = 1; ino <= inodes; ++ino)
    if (const auto offset = offset_of_inode(image, g, ino)) reader.read(*offset, ino);
  find_journal_structures(image, g, found);
  return found;
}

std::vector<std::uint64_t> journal_blocks_of(const sparse_image& image, const geometry& g) {
  std::vector<std::uint64_t> blocks;
  const auto inode = offset_of_inode(image, g, image.load<ext4_super_block>(super_offset).s_journal_inum);
  if (!inode) return blocks;
  constexpr std::size_t most = 4096;
  const auto add = [&](std::uint64_t first, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count && blocks.size() < most && first + i < g.blocks; ++i) blocks.push_back((first + i) * g.block_size);
  };
  const auto raw = image.load<ext4_inode>(*inode);
  if ((raw.i_flags & extents_fl) == 0) {
    for (std::uint32_t i = 0; i < ndir_blocks; ++i) add(raw.i_block[i], 1);
    return blocks;
  }
  const std::uint64_t root = *inode + offsetof(ext4_inode, i_block);
  const auto header = image.load<ext4_extent_header>(root);
  for (std::uint32_t i = 0; i < std::min<std::uint32_t>(header.eh_entries, root_capacity_of_an_inode) && header.eh_depth == 0; ++i) {
    const auto e = image.load<ext4_extent>(root + sizeof header + i * sizeof(ext4_extent));
    add(e.ee_start_lo | std::uint64_t{e.ee_start_hi} << 32, e.ee_len);
  }
  return blocks;
}

}  // namespace xip::fuzz
