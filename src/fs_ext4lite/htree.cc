// Indexed directories: the way from a hash to a leaf. Linux: dx_probe, ext4_htree_next_block, ext4_dx_find_entry (fs/ext4/namei.c).
//
// Read under the directory's i_rwsem. An index block is looked at only after its shape was checked, on each way through it: its buffer may
// be some other structure's too, in a broken file system.
#include <fmt/format.h>

#include "fs_ext4lite/dir.h"

namespace xip::ext4lite {
namespace {

[[nodiscard]] std::unexpected<error> bad_index(const ext4_inode_info& dir, const dx_frame& f, std::string_view what) {
  return corrupted(dir, fmt::format("directory block {} (block {}): {}; run e2fsck -D", f.lblk.value(), f.buffer->block().value(), what));
}

// The node that PARENT's way leads to becomes FRAME.
[[nodiscard]] result<> enter_node(ext4_inode_info& dir, const dx_frame& parent, dx_frame& frame) {
  frame.lblk = parent.child();
  frame.shape = dir_block_shape::dx_node;
  frame.buffer = XIP_TRY(dir_block(dir, frame.lblk));
  if (const char* fault = check_dx_node(frame.buffer->data(), dir_rules_of(sbi_of(dir)))) return bad_index(dir, frame, fault);
  return {};
}

// From the root of PATH down to where MAJOR belongs.
[[nodiscard]] result<> descend(ext4_inode_info& dir, dx_path& path, std::uint32_t major) {
  path.frame[0].at = path.frame[0].view().find(major);
  for (std::uint32_t level = 1; level <= path.bottom; ++level) {
    XIP_TRY(enter_node(dir, path.frame[level - 1], path.frame[level]));
    path.frame[level].at = path.frame[level].view().find(major);
  }
  return {};
}

}  // namespace

std::uint32_t htree_max_levels(const ext4_sb_info& sb) noexcept {
  return sb.has_incompat(incompat_largedir) ? htree_max_levels_large : htree_max_levels_small;
}

result<dx_path> dx_open(ext4_inode_info& dir) {
  const ext4_sb_info& sb = sbi_of(dir);
  dx_path path;
  dx_frame& root = path.frame[0];
  root.buffer = XIP_TRY(dir_block(dir, lblk_t{0}));
  if (const char* fault = check_dx_root(root.buffer->data(), dir_rules_of(sb), htree_max_levels(sb))) return bad_index(dir, root, fault);
  const dx_root_info info = dx_info_of(root.buffer->data());
  path.bottom = info.indirect_levels;
  path.hash_version = info.hash_version;
  return path;
}

result<dx_path> dx_probe(ext4_inode_info& dir, std::uint32_t major) {
  dx_path path = XIP_TRY(dx_open(dir));
  XIP_TRY(descend(dir, path, major));
  return path;
}

result<dx_path> dx_probe(ext4_inode_info& dir, std::string_view name, dir_hash& hash) {
  dx_path path = XIP_TRY(dx_open(dir));
  hash = *hash_name(sbi_of(dir), path.hash_version, name);
  XIP_TRY(descend(dir, path, hash.major));
  return path;
}

result<bool> dx_next_leaf(ext4_inode_info& dir, dx_path& path, std::uint32_t& first_hash) {
  std::uint32_t level = path.bottom;
  while (path.frame[level].at + 1 >= path.frame[level].view().count()) {
    if (level == 0) return false;
    --level;
  }
  dx_frame& turning = path.frame[level];
  ++turning.at;
  first_hash = turning.view().hash(turning.at);
  for (; level < path.bottom; ++level) {
    XIP_TRY(enter_node(dir, path.frame[level], path.frame[level + 1]));
    path.frame[level + 1].at = 0;
  }
  return true;
}

result<dev::buffer_ref> dx_leaf(ext4_inode_info& dir, lblk_t lblk) {
  dev::buffer_ref b = XIP_TRY(dir_names(dir, lblk));
  if (!b) return corrupted(dir, fmt::format("the index names directory block {} as a leaf, but that is part of the index", lblk.value()));
  return b;
}

result<std::optional<dir_entry_location>> htree_locate(ext4_inode_info& dir, dx_path& path, const dir_hash& hash, std::string_view name) {
  const dir_rules rules = dir_rules_of(sbi_of(dir));
  const std::uint32_t blocks = XIP_TRY(dir_block_count(dir));
  for (std::uint32_t visited = 0; visited < blocks; ++visited) {
    const lblk_t lblk = path.leaf();
    dev::buffer_ref b = XIP_TRY(dx_leaf(dir, lblk));
    dir_block_fault fault;
    const auto found = find_in_block(b->data(), rules, name, fault);
    if (fault) return bad_dir_block(dir, lblk, *b, fault);
    if (found) return dir_entry_location{std::move(b), lblk, *found};
    // Names of one hash may go on in the next leaf.
    std::uint32_t first_hash = 0;
    if (!XIP_TRY(dx_next_leaf(dir, path, first_hash)) || first_hash != (hash.major | 1)) return std::nullopt;
  }
  return corrupted(dir, fmt::format("the index goes on with hash {:#x} over more leaves than there are blocks", hash.major));
}

}  // namespace xip::ext4lite
