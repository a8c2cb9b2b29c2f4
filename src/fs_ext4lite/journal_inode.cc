#include "fs_ext4lite/journal_inode.h"

#include <cstring>
#include <unordered_set>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>

#include <xip/base/crc.h>

#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/extent_tree_node.h"
#include "fs_ext4lite/format.h"

namespace xip::ext4lite {
namespace {

using block_bytes = std::pmr::vector<std::byte>;

class journal_finder {
 public:
  journal_finder(const ext4_sb_info& sb, std::uint32_t number, std::string& message)
      : sb_{sb}, number_{number}, message_{message}, tables_{&sb.memory()}, log_{sb.memory()} {}

  [[nodiscard]] result<jbd2::log_map> find() {
    XIP_TRY(load_inode());
    const std::uint64_t bytes = inode_.i_size_lo | std::uint64_t{inode_.i_size_high} << 32;
    wanted_ = bytes >> sb_.s_blocksize_bits;
    if (wanted_ > sb_.s_blocks_count) return damaged(fmt::format("it has {} bytes, more than the file system", bytes));
    const auto* root = reinterpret_cast<const std::byte*>(inode_.i_block);
    if ((inode_.i_flags & extents_fl) != 0)
      XIP_TRY(walk_node(root, root_capacity, tree_node{root}.depth()));
    else
      XIP_TRY(walk_block_map());
    if (const auto twice = log_.overlap()) return damaged(fmt::format("it has block {} twice", twice->value()));
    return std::move(log_);
  }

 private:
  [[nodiscard]] std::unexpected<error> damaged(const std::string& what) {
    message_ = fmt::format("the journal's inode, {}: {}; run e2fsck", number_, what);
    return fail(EUCLEAN);
  }

  [[nodiscard]] result<> read(std::uint64_t block, block_bytes& to) {
    if (block == 0 || block >= sb_.s_blocks_count) return damaged(fmt::format("block {} lies outside the file system", block));
    const auto done = sb_.s_bdev.read(block << sb_.s_blocksize_bits, to);
    if (!done) message_ = fmt::format("block {} cannot be read: {}", block, done.error().message());
    return done;
  }

  // A table that leads to itself, or is there twice, could make as much of a journal as the device has blocks, from a few of them.
  [[nodiscard]] result<> read_table(std::uint64_t block, block_bytes& to) {
    if (!tables_.insert(block).second) return damaged(fmt::format("its map has block {} twice", block));
    return read(block, to);
  }

  [[nodiscard]] result<> load_inode();
  [[nodiscard]] result<> add(lblk_t first, std::uint64_t start, std::uint32_t count);
  [[nodiscard]] result<> walk_node(const std::byte* base, std::uint32_t capacity, std::uint32_t depth);
  [[nodiscard]] result<> walk_child(pblk_t child, std::uint32_t depth);
  [[nodiscard]] result<> walk_block_map();
  [[nodiscard]] result<> walk_table(std::uint32_t block, unsigned level);

  const ext4_sb_info& sb_;
  const std::uint32_t number_;
  std::string& message_;
  ext4_inode inode_;
  std::uint32_t seed_ = 0;
  std::uint64_t wanted_ = 0;                       // blocks
  std::pmr::unordered_set<std::uint64_t> tables_;  // of the block map, or nodes of the tree, that were read
  jbd2::log_map log_;
};

// From the table of the first group: its place never changes, so that a torn descriptor has it all the same.
result<> journal_finder::load_inode() {
  if (number_ == 0 || number_ > sb_.s_inodes_per_group) return damaged("it is none of the first group's");
  block_bytes block{sb_.s_blocksize, &sb_.memory()};
  XIP_TRY(read(sb_.s_first_data_block.value() + 1, block));
  ext4_group_desc desc{};
  std::memcpy(&desc, block.data(), std::min<std::size_t>(sb_.s_desc_size, sizeof desc));
  const std::uint64_t table = desc.bg_inode_table_lo | (sb_.s_desc_size > desc_size_32 ? std::uint64_t{desc.bg_inode_table_hi} << 32 : 0);
  const std::uint64_t offset = std::uint64_t{number_ - 1} * sb_.s_inode_size;
  XIP_TRY(read(table + (offset >> sb_.s_blocksize_bits), block));
  const std::span slot = std::span{block}.subspan(offset & (sb_.s_blocksize - 1), sb_.s_inode_size);
  std::memcpy(static_cast<void*>(&inode_), slot.data(), std::min(slot.size(), sizeof inode_));
  seed_ = inode_csum_seed(sb_, ino_t{number_}, inode_.i_generation);
  if (!inode_checksum_ok(sb_, seed_, slot)) return damaged("its checksum is wrong");
  if (!S_ISREG(inode_.i_mode) || inode_.i_links_count == 0) return damaged("it is no file in use");
  return {};
}

result<> journal_finder::add(lblk_t first, std::uint64_t start, std::uint32_t count) {
  if (start == 0 || start >= sb_.s_blocks_count || count > sb_.s_blocks_count - start)
    return damaged(fmt::format("blocks {}+{} lie outside the file system", start, count));
  if (log_.size() + std::uint64_t{count} > sb_.s_blocks_count) return damaged("it has more blocks than the file system");
  if (!log_.add({.first = first.value(), .count = count, .start = pblk_t{start}}))
    return damaged(fmt::format("{} blocks at {} do not follow {}", count, first.value(), log_.size()));
  return {};
}

result<> journal_finder::walk_node(const std::byte* base, std::uint32_t capacity, std::uint32_t depth) {
  const tree_node node{base};
  if (node.header().eh_magic != extent_magic || node.depth() != depth || depth > extent_max_depth || node.max() > capacity ||
      node.entries() == 0 || node.entries() > node.max())
    return damaged("its extent tree makes no sense");
  for (std::uint32_t i = 0; i < node.entries(); ++i) {
    if (depth != 0) {
      XIP_TRY(walk_child(node.child_at(i), depth - 1));
      continue;
    }
    const tree_extent e = node.extent_at(i);
    if (e.unwritten) return damaged(fmt::format("its blocks from {} on were never written", e.lblk.value()));
    XIP_TRY(add(e.lblk, e.pblk.value(), e.len));
  }
  return {};
}

result<> journal_finder::walk_child(pblk_t child, std::uint32_t depth) {
  block_bytes block{sb_.s_blocksize, &sb_.memory()};
  XIP_TRY(read_table(child.value(), block));
  const std::uint32_t capacity = block_capacity(sb_.s_blocksize);
  if (sb_.has_metadata_csum()) {
    const std::size_t field = sizeof(ext4_extent_header) + std::min(tree_node{block.data()}.max(), capacity) * tree_entry_size;
    le32 stored;
    if (field + sizeof stored > block.size()) return damaged(fmt::format("its extent tree, in block {}, makes no sense", child.value()));
    std::memcpy(&stored, block.data() + field, sizeof stored);
    if (crc32c(seed_, std::span{block}.first(field)) != stored)
      return damaged(fmt::format("the checksum of its extent tree, in block {}, is wrong", child.value()));
  }
  return walk_node(block.data(), capacity, depth);
}

// As ext3 made it: direct blocks, then tables of one, two and three levels.
result<> journal_finder::walk_block_map() {
  for (std::uint32_t i = 0; i < n_blocks && log_.size() < wanted_; ++i)
    XIP_TRY(walk_table(inode_.i_block[i], i < ndir_blocks ? 0 : i - ndir_blocks + 1));
  return {};
}

result<> journal_finder::walk_table(std::uint32_t block, unsigned level) {
  if (level == 0) return add(lblk_t{log_.size()}, block, 1);
  block_bytes table{sb_.s_blocksize, &sb_.memory()};
  XIP_TRY(read_table(block, table));
  for (std::size_t at = 0; at < table.size() && log_.size() < wanted_; at += sizeof(le32)) {
    le32 entry;
    std::memcpy(&entry, table.data() + at, sizeof entry);
    XIP_TRY(walk_table(entry, level - 1));
  }
  return {};
}

}  // namespace

result<jbd2::log_map> find_journal(const ext4_sb_info& sb, const ext4_super_block& es, std::string& message) {
  if (es.s_journal_inum == 0 || (es.s_feature_compat & compat_has_journal) == 0) {
    message = es.s_journal_dev != 0 ? "the journal lies on a device of its own, which is not supported" : "there is no journal to recover";
    return fail(es.s_journal_dev != 0 ? EOPNOTSUPP : EUCLEAN);
  }
  return journal_finder{sb, es.s_journal_inum, message}.find();
}

}  // namespace xip::ext4lite
