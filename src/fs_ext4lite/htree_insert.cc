// Indexed directories: names that are added. Linux: ext4_dx_add_entry, do_split, make_indexed_dir (fs/ext4/namei.c).
//
// Every step leaves a whole directory: an index block is split, the root grows, a leaf is split; between two steps the way is looked for
// anew. In a step all that can fail (space, memory, reading) comes first, then the blocks are changed.
#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "fs_ext4lite/dir.h"

namespace xip::ext4lite {
namespace {

struct hashed_name {
  std::uint32_t hash;
  std::uint32_t bytes;
  dir_entry_view entry;
};

// The names of LEAF, by hash. They point into LEAF.
[[nodiscard]] result<std::pmr::vector<hashed_name>> names_by_hash(ext4_inode_info& dir, lblk_t lblk, const dev::buffer& b,
                                                                  std::span<const std::byte> leaf, std::uint8_t version) {
  const ext4_sb_info& sb = sbi_of(dir);
  std::pmr::vector<hashed_name> names{&sb.memory()};
  dir_entry_walk walk{leaf, dir_rules_of(sb)};
  dir_entry_view e;
  while (walk.next(e))
    if (e.in_use()) names.push_back({hash_name(sb, version, e.name)->major, dir_entry_bytes(e.name.size()), e});
  if (walk.fault() != nullptr) return bad_dir_block(dir, lblk, b, {walk.fault(), walk.offset()});
  std::ranges::sort(names, {}, [](const hashed_name& n) { return std::pair{n.hash, n.entry.offset}; });
  return names;
}

// How many names stay: so that both halves have about the same bytes, and any name fits into either. At least one goes, one stays.
[[nodiscard]] std::size_t names_to_keep(const std::pmr::vector<hashed_name>& names, std::size_t block_size) {
  std::size_t moved_bytes = 0;
  for (std::size_t kept = names.size(); kept > 1; --kept) {
    const std::uint32_t bytes = names[kept - 1].bytes;
    if (moved_bytes + bytes / 2 > block_size / 2) return kept;
    moved_bytes += bytes;
  }
  // Little is in use: it was only scattered.
  return moved_bytes + names[0].bytes / 2 > block_size / 2 ? 1 : names.size() / 2;
}

void pack(std::span<std::byte> leaf, const dir_rules& rules, std::span<const hashed_name> names) noexcept {
  leaf_packer packer{leaf, rules};
  for (const hashed_name& n : names) packer.append(n.entry.name, n.entry.inode, n.entry.file_type);
  packer.finish();
}

class leaf_split {
 public:
  leaf_split(handle& h, ext4_inode_info& dir, dx_path& path, dev::buffer& leaf) : h_{h}, dir_{dir}, path_{path}, leaf_{leaf} {}

  // Splits the leaf, and adds E, of hash MAJOR, to the half where it belongs.
  [[nodiscard]] result<> run(const new_entry& e, std::uint32_t major) {
    const lblk_t old_lblk = path_.leaf();
    const dir_rules rules = dir_rules_of(h_.sb());
    // The names are packed anew from a copy.
    const std::pmr::vector<std::byte> copy{leaf_.data().begin(), leaf_.data().end(), &h_.sb().memory()};
    const auto names = XIP_TRY(names_by_hash(dir_, old_lblk, leaf_, copy, path_.hash_version));
    if (names.size() < 2) return corrupted(dir_, fmt::format("directory block {} is full of {} names", old_lblk.value(), names.size()));
    const std::size_t kept = names_to_keep(names, copy.size());
    dx_frame& parent = path_.leaf_parent();
    const auto old_bytes = XIP_TRY(dir_write_access(h_, dir_, block_kind::directory_leaf, leaf_));
    const auto parent_bytes = XIP_TRY(dir_write_access(h_, dir_, block_kind::directory_index, *parent.buffer));
    lblk_t lblk;
    const dev::buffer_ref fresh = XIP_TRY(dir_append_block(h_, dir_, lblk));
    const auto fresh_bytes = XIP_TRY(dir_write_access(h_, dir_, block_kind::directory_leaf, *fresh));

    pack(fresh_bytes, rules, std::span{names}.subspan(kept));
    pack(old_bytes, rules, std::span{names}.first(kept));
    const std::uint32_t first_hash = names[kept].hash;
    insert_dx_entry(parent_bytes, parent.shape, parent.at, first_hash | (names[kept - 1].hash == first_hash ? 1 : 0), lblk);
    XIP_TRY(dirty_metadata(h_, *fresh));
    XIP_TRY(dirty_metadata(h_, leaf_));
    XIP_TRY(dirty_metadata(h_, *parent.buffer));
    const bool above = major >= first_hash;
    if (!XIP_TRY(add_to_leaf(h_, dir_, above ? lblk : old_lblk, above ? *fresh : leaf_, e)))
      return corrupted(dir_, fmt::format("half of directory block {} has no room for a name", old_lblk.value()));
    return {};
  }

 private:
  handle& h_;
  ext4_inode_info& dir_;
  dx_path& path_;
  dev::buffer& leaf_;
};

// Node LEVEL is full, its parent is not.
[[nodiscard]] result<> split_node(handle& h, ext4_inode_info& dir, dx_path& path, std::uint32_t level) {
  dx_frame& node = path.frame[level];
  dx_frame& parent = path.frame[level - 1];
  const auto node_bytes = XIP_TRY(dir_write_access(h, dir, block_kind::directory_index, *node.buffer));
  const auto parent_bytes = XIP_TRY(dir_write_access(h, dir, block_kind::directory_index, *parent.buffer));
  lblk_t lblk;
  const dev::buffer_ref fresh = XIP_TRY(dir_append_block(h, dir, lblk));
  const auto fresh_bytes = XIP_TRY(dir_write_access(h, dir, block_kind::directory_index, *fresh));
  const std::uint32_t first_hash = split_dx_node(node_bytes, fresh_bytes, dir_rules_of(h.sb()));
  insert_dx_entry(parent_bytes, parent.shape, parent.at, first_hash, lblk);
  XIP_TRY(dirty_metadata(h, *fresh));
  XIP_TRY(dirty_metadata(h, *node.buffer));
  return dirty_metadata(h, *parent.buffer);
}

// Every level is full.
[[nodiscard]] result<> deepen(handle& h, ext4_inode_info& dir, dx_path& path) {
  if (path.bottom + 1 >= htree_max_levels(h.sb())) return fail(ENOSPC);
  dx_frame& root = path.frame[0];
  const auto root_bytes = XIP_TRY(dir_write_access(h, dir, block_kind::directory_index, *root.buffer));
  lblk_t lblk;
  const dev::buffer_ref fresh = XIP_TRY(dir_append_block(h, dir, lblk));
  const auto fresh_bytes = XIP_TRY(dir_write_access(h, dir, block_kind::directory_index, *fresh));
  deepen_dx_root(root_bytes, fresh_bytes, dir_rules_of(h.sb()), lblk);
  XIP_TRY(dirty_metadata(h, *fresh));
  return dirty_metadata(h, *root.buffer);
}

// One step towards room in the lowest index block.
[[nodiscard]] result<> make_index_room(handle& h, ext4_inode_info& dir, dx_path& path) {
  std::uint32_t level = path.bottom;
  while (level > 0 && path.frame[level - 1].view().full()) --level;
  return level == 0 ? deepen(h, dir, path) : split_node(h, dir, path, level);
}

// The names behind . and .., packed into FRESH.
[[nodiscard]] result<> move_names(ext4_inode_info& dir, const dev::buffer& first, std::span<std::byte> fresh) {
  const dir_rules rules = dir_rules_of(sbi_of(dir));
  leaf_packer packer{fresh, rules};
  dir_entry_walk walk{first.data(), rules};
  dir_entry_view e;
  for (std::uint32_t i = 0; walk.next(e); ++i)
    if (i >= 2 && e.in_use()) packer.append(e.name, e.inode, e.file_type);
  packer.finish();
  if (walk.fault() != nullptr) return bad_dir_block(dir, lblk_t{0}, first, {walk.fault(), walk.offset()});
  return {};
}

}  // namespace

result<> htree_add(handle& h, ext4_inode_info& dir, const new_entry& e) {
  // Each turn makes room in one index block; more turns than levels mean that the index does not say what it should.
  for (std::uint32_t turn = 0; turn <= 2 * htree_max_levels_large; ++turn) {
    dir_hash hash;
    dx_path path = XIP_TRY(dx_probe(dir, e.name, hash));
    const dev::buffer_ref leaf = XIP_TRY(dx_leaf(dir, path.leaf()));
    if (XIP_TRY(add_to_leaf(h, dir, path.leaf(), *leaf, e))) return {};
    if (!path.leaf_parent().view().full()) return leaf_split(h, dir, path, *leaf).run(e, hash.major);
    XIP_TRY(make_index_room(h, dir, path));
  }
  return corrupted(dir, "the index has no room for a name, however it is split");
}

result<> htree_convert(handle& h, ext4_inode_info& dir) {
  const ext4_sb_info& sb = h.sb();
  const dir_rules rules = dir_rules_of(sb);
  const dev::buffer_ref first = XIP_TRY(dir_block(dir, lblk_t{0}));
  if (const dir_block_fault fault = check_dir_block(first->data(), rules, dir_block_shape::leaf))
    return bad_dir_block(dir, lblk_t{0}, *first, fault);
  XIP_TRY(dir_parent(dir));
  // An empty second block is nothing wrong; the first becomes an index only when nothing can fail any more.
  lblk_t lblk;
  const dev::buffer_ref fresh = XIP_TRY(dir_append_block(h, dir, lblk));
  const auto names = XIP_TRY(dir_write_access(h, dir, block_kind::directory_leaf, *fresh));
  XIP_TRY(move_names(dir, *first, names));
  const auto root = XIP_TRY(dir_write_access(h, dir, block_kind::directory_index, *first));
  init_dx_root(root, rules, sb.s_def_hash_version, lblk);
  dir.i_flags_disk.fetch_or(index_fl, std::memory_order_relaxed);
  XIP_TRY(dirty_metadata(h, *fresh));
  XIP_TRY(dirty_metadata(h, *first));
  return mark_inode_dirty(h, dir);
}

}  // namespace xip::ext4lite
