// Directories: their blocks, and finding, adding and removing names. Linux: fs/ext4/namei.c, dir.c.
//
// Names are read under the directory's i_rwsem, shared, and changed under it, exclusive; the VFS takes it. So the contents of a directory's
// buffers have no lock of their own. What a change leaves behind when it fails is a whole directory, without the name or (removal) with it:
// a block joins the directory before anything is put into it, and a name is put into its place by one step, in one block.
//
// Lock chains:
//   i_rwsem -> i_data_sem
//   i_rwsem -> s_error_lock
//   i_rwsem -> jbd2_handle -> i_data_sem
#include <algorithm>

#include <fmt/format.h>

#include "fs_ext4lite/dir.h"
#include "fs_ext4lite/extent_tree.h"
#include "fs_ext4lite/indirect.h"
#include "fs_ext4lite/without_exceptions.h"

namespace xip::ext4lite {
namespace {

[[nodiscard]] bool has_index_flag(const ext4_inode_info& dir) noexcept {
  return (dir.i_flags_disk.load(std::memory_order_relaxed) & index_fl) != 0;
}

[[nodiscard]] block_kind kind_of(dir_block_shape shape) noexcept {
  return shape == dir_block_shape::leaf ? block_kind::directory_leaf : block_kind::directory_index;
}

[[nodiscard]] bool looks_like_root(std::span<const std::byte> block) noexcept {
  const auto root = load_at<dx_root>(block, 0);
  return root.dot.rec_len == 12 && root.dotdot.rec_len == block.size() - 12;
}

// A leaf without names and without tail begins like a node.
[[nodiscard]] bool looks_like_node(std::span<const std::byte> block, const dir_rules& rules) noexcept {
  const auto first = load_at<ext4_dir_entry>(block, 0);
  if (first.inode != 0 || first.rec_len != block.size() || first.name_len != 0) return false;
  const dx_view view{block, dir_block_shape::dx_node};
  return rules.has_tail || (view.count() != 0 && view.limit() == dx_limit(block.size(), dir_block_shape::dx_node, rules));
}

// Its checksum, and the order of an index, are looked at once, as long as the block stays cached.
[[nodiscard]] result<> verify(ext4_inode_info& dir, lblk_t lblk, dev::buffer& b) {
  if (b.verified()) return {};
  const dir_block_shape shape = shape_of(dir, lblk, b.data());
  if (!block_checksum_ok(dir, kind_of(shape), b.block(), b.data()))
    return corrupted(dir, fmt::format("wrong checksum of directory block {} (block {}), read as {}", lblk.value(), b.block().value(),
                                      shape == dir_block_shape::leaf ? "names" : "index"));
  if (shape != dir_block_shape::leaf && !dx_hashes_ascend(b.data(), shape))
    return corrupted(dir,
                     fmt::format("directory block {} (block {}): the hashes of the index do not ascend", lblk.value(), b.block().value()));
  b.set_verified();
  return {};
}

// The block as it lies there; null for a hole.
[[nodiscard]] result<dev::buffer_ref> read_unverified(ext4_inode_info& dir, lblk_t lblk) {
  const std::uint32_t count = XIP_TRY(dir_block_count(dir));
  if (lblk.value() >= count) return corrupted(dir, fmt::format("directory block {} is named, but there are {}", lblk.value(), count));
  const extent_map em = XIP_TRY(map_blocks(nullptr, dir, lblk, 1, 0));
  if (em.type == extent_type::hole) return dev::buffer_ref{};
  if (em.type == extent_type::unwritten)
    return corrupted(dir, fmt::format("directory block {} (block {}) is unwritten", lblk.value(), em.pblk.value()));
  return sbi_of(dir).s_buffers->read(em.pblk);
}

[[nodiscard]] std::unexpected<error> is_a_hole(const ext4_inode_info& dir, lblk_t lblk) {
  return corrupted(dir, fmt::format("directory block {} is a hole", lblk.value()));
}

[[nodiscard]] result<std::optional<dir_entry_location>> locate_in(ext4_inode_info& dir, lblk_t lblk, std::string_view name) {
  dev::buffer_ref b = XIP_TRY(dir_names(dir, lblk));
  if (!b) return std::nullopt;
  dir_block_fault fault;
  const auto found = find_in_block(b->data(), dir_rules_of(sbi_of(dir)), name, fault);
  if (fault) return bad_dir_block(dir, lblk, *b, fault);
  if (!found) return std::nullopt;
  return dir_entry_location{std::move(b), lblk, *found};
}

// Every block once, beginning where the last name was found.
[[nodiscard]] result<std::optional<dir_entry_location>> linear_locate(ext4_inode_info& dir, std::string_view name) {
  const std::uint32_t count = XIP_TRY(dir_block_count(dir));
  const std::uint32_t hint = dir.i_dir_start_lookup.load(std::memory_order_relaxed);
  const std::uint32_t start = hint < count ? hint : 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const lblk_t lblk{(start + i) % count};
    auto where = XIP_TRY(locate_in(dir, lblk, name));
    if (!where) continue;
    dir.i_dir_start_lookup.store(lblk.value(), std::memory_order_relaxed);
    return where;
  }
  return std::nullopt;
}

// ---- blocks that join --------------------------------------------------------------------------------------------------------------

[[nodiscard]] result<lblk_t> next_block(const ext4_inode_info& dir) {
  const ext4_sb_info& sb = sbi_of(dir);
  const std::uint64_t size = static_cast<std::uint64_t>(vfs::i_size_read(dir)) + sb.s_blocksize;
  if (!sb.has_incompat(incompat_largedir) && size > INT32_MAX) return fail(ENOSPC);
  return lblk_t{XIP_TRY(dir_block_count(dir))};
}

// The block that was to join could not be had in memory: the tree gives it back.
[[nodiscard]] result<> drop_mapping(handle& h, ext4_inode_info& dir, lblk_t lblk) {
  if (h.credits_left() < credits_for_removal && !h.extend(credits_for_removal)) return fail(EIO);
  exclusive_guard guard{dir.i_data_sem};
  if (has_extents(dir)) {
    (void)XIP_TRY(remove_last_stretch(h, dir, lblk, lblk_t{extent_max_block - 1}));
  } else {
    // The block, and the indirect blocks that were made for it.
    std::uint64_t end = extent_max_block;
    while (XIP_TRY(indirect_remove_last_run(h, dir, lblk, end))) {
    }
  }
  return mark_inode_dirty_data(h, dir);
}

[[nodiscard]] result<dev::buffer_ref> fresh_leaf(handle& h, ext4_inode_info& dir, pblk_t block) {
  dev::buffer_ref b = XIP_TRY(h.sb().s_buffers->get(block));
  set_block_trigger(dir, block_kind::directory_leaf, *b);
  init_leaf(XIP_TRY(get_create_access(h, *b)), dir_rules_of(h.sb()));
  XIP_TRY(dirty_metadata(h, *b));
  return b;
}

// ---- linear -----------------------------------------------------------------------------------------------------------------------------

// The index would not know the name: it goes, where that leaves a directory that can be read.
[[nodiscard]] result<> forget_index(handle& h, ext4_inode_info& dir) {
  if (sbi_of(dir).has_metadata_csum()) return corrupted(dir, "it has an index, but the file system has no dir_index");
  dir.i_flags_disk.fetch_and(~index_fl, std::memory_order_relaxed);
  return mark_inode_dirty(h, dir);
}

// Directories that outgrow their first block.
[[nodiscard]] bool gets_index(const ext4_sb_info& sb) noexcept {
  return sb.has_compat(compat_dir_index) && hash_version_supported(sb.s_def_hash_version);
}

[[nodiscard]] result<> linear_add(handle& h, ext4_inode_info& dir, const new_entry& e) {
  if (has_index_flag(dir)) XIP_TRY(forget_index(h, dir));
  const std::uint32_t count = XIP_TRY(dir_block_count(dir));
  if (count == 0) return corrupted(dir, "a directory has no block");
  for (lblk_t lblk; lblk.value() < count; ++lblk) {
    const dev::buffer_ref b = XIP_TRY(dir_block(dir, lblk));
    if (XIP_TRY(add_to_leaf(h, dir, lblk, *b, e))) return {};
  }
  const ext4_sb_info& sb = sbi_of(dir);
  if (count == 1 && gets_index(sb)) {
    XIP_TRY(htree_convert(h, dir));
    return htree_add(h, dir, e);
  }
  lblk_t lblk;
  const dev::buffer_ref b = XIP_TRY(dir_append_block(h, dir, lblk));
  if (!XIP_TRY(add_to_leaf(h, dir, lblk, *b, e))) return corrupted(dir, "an empty block has no room for a name");
  return {};
}

// The first block, and in it . and ..
struct first_entries {
  dev::buffer_ref block;
  dir_entry_view dot, dotdot;
};
[[nodiscard]] result<first_entries> read_first_entries(ext4_inode_info& dir) {
  first_entries first;
  first.block = XIP_TRY(dir_block(dir, lblk_t{0}));
  dir_entry_walk walk{first.block->data(), dir_rules_of(sbi_of(dir)), shape_of(dir, lblk_t{0}, first.block->data())};
  const bool there = walk.next(first.dot) && walk.next(first.dotdot);
  if (walk.fault() != nullptr) return bad_dir_block(dir, lblk_t{0}, *first.block, {walk.fault(), walk.offset()});
  if (!there || first.dot.name != "." || first.dot.inode != dir.i_ino || first.dotdot.name != ".." || !first.dotdot.in_use())
    return corrupted(dir, fmt::format("directory block 0 (block {}) does not begin with . and ..", first.block->block().value()));
  return first;
}

[[nodiscard]] result<std::optional<dir_entry_location>> locate_dots(ext4_inode_info& dir, bool dot) {
  first_entries first = XIP_TRY(read_first_entries(dir));
  if (dot) return dir_entry_location{std::move(first.block), lblk_t{0}, {first.dot, std::nullopt}};
  return dir_entry_location{std::move(first.block), lblk_t{0}, {first.dotdot, first.dot.offset}};
}

// Block LBLK holds no name but . and ..
[[nodiscard]] result<bool> holds_nothing(ext4_inode_info& dir, lblk_t lblk) {
  const dev::buffer_ref b = XIP_TRY(dir_names(dir, lblk));
  if (!b) return true;
  dir_entry_walk walk{b->data(), dir_rules_of(sbi_of(dir))};
  dir_entry_view e;
  for (std::uint32_t i = 0; walk.next(e); ++i)
    if (e.in_use() && !(lblk.value() == 0 && i < 2)) return false;
  if (walk.fault() != nullptr) return bad_dir_block(dir, lblk, *b, {walk.fault(), walk.offset()});
  return true;
}

}  // namespace

bool is_dx(const ext4_inode_info& dir) noexcept { return has_index_flag(dir) && sbi_of(dir).has_compat(compat_dir_index); }

result<std::uint32_t> dir_block_count(const ext4_inode_info& dir) {
  const ext4_sb_info& sb = sbi_of(dir);
  const auto size = static_cast<std::uint64_t>(vfs::i_size_read(dir));
  const std::uint64_t count = size >> sb.s_blocksize_bits;
  if (size % sb.s_blocksize == 0 && count <= std::min<std::uint64_t>(sb.s_blocks_count, dx_block_mask))
    return static_cast<std::uint32_t>(count);
  return corrupted(dir, fmt::format("a directory cannot have {} bytes", size));
}

dir_block_shape shape_of(const ext4_inode_info& dir, lblk_t lblk, std::span<const std::byte> block) noexcept {
  if (!is_dx(dir)) return dir_block_shape::leaf;
  if (lblk.value() == 0) return looks_like_root(block) ? dir_block_shape::dx_root : dir_block_shape::leaf;
  return looks_like_node(block, dir_rules_of(sbi_of(dir))) ? dir_block_shape::dx_node : dir_block_shape::leaf;
}

std::unexpected<error> bad_dir_block(const ext4_inode_info& dir, lblk_t lblk, const dev::buffer& b, const dir_block_fault& fault) {
  return corrupted(dir, fmt::format("directory block {} (block {}): the entry at byte {} is bad: {}", lblk.value(), b.block().value(),
                                    fault.offset, fault.what));
}

result<dev::buffer_ref> dir_read_block(ext4_inode_info& dir, lblk_t lblk) {
  dev::buffer_ref b = XIP_TRY(read_unverified(dir, lblk));
  if (b) XIP_TRY(verify(dir, lblk, *b));
  return b;
}

result<dev::buffer_ref> dir_block(ext4_inode_info& dir, lblk_t lblk) {
  dev::buffer_ref b = XIP_TRY(dir_read_block(dir, lblk));
  if (!b) return is_a_hole(dir, lblk);
  return b;
}

result<dev::buffer_ref> dir_names(ext4_inode_info& dir, lblk_t lblk) {
  dev::buffer_ref b = XIP_TRY(read_unverified(dir, lblk));
  if (!b) return is_a_hole(dir, lblk);
  if (shape_of(dir, lblk, b->data()) != dir_block_shape::leaf) return dev::buffer_ref{};
  XIP_TRY(verify(dir, lblk, *b));
  return b;
}

result<dev::buffer_ref> dir_append_block(handle& h, ext4_inode_info& dir, lblk_t& lblk) {
  lblk = XIP_TRY(next_block(dir));
  const extent_map em = XIP_TRY(map_blocks(&h, dir, lblk, 1, map_create_written));
  if (em.type != extent_type::mapped) return corrupted(dir, fmt::format("directory block {} past the end is unwritten", lblk.value()));
  auto b = fresh_leaf(h, dir, em.pblk);
  if (!b) {
    XIP_TRY(drop_mapping(h, dir, lblk));
    return b;
  }
  vfs::i_size_write(dir, pos_of(lblk + 1, h.sb().s_blocksize_bits));
  XIP_TRY(mark_inode_dirty(h, dir));
  return b;
}

result<std::span<std::byte>> dir_write_access(handle& h, ext4_inode_info& dir, block_kind kind, dev::buffer& b) {
  const std::span<std::byte> bytes = XIP_TRY(get_write_access(h, b));
  set_block_trigger(dir, kind, b);
  dir.i_dir_version.fetch_add(1, std::memory_order_relaxed);
  return bytes;
}

result<std::optional<dir_entry_location>> dir_locate(ext4_inode_info& dir, std::string_view name) {
  if (name == "." || name == "..") return locate_dots(dir, name == ".");
  if (!is_dx(dir)) return linear_locate(dir, name);
  dir_hash hash;
  auto path = dx_probe(dir, name, hash);
  if (!path) return path.error() == EUCLEAN ? linear_locate(dir, name) : fail(path.error());
  return htree_locate(dir, *path, hash, name);
}

result<> dir_erase(handle& h, ext4_inode_info& dir, const dir_entry_location& where) {
  erase_entry(XIP_TRY(dir_write_access(h, dir, block_kind::directory_leaf, *where.buffer)), where.found);
  return dirty_metadata(h, *where.buffer);
}

result<> dir_retarget(handle& h, ext4_inode_info& dir, const dir_entry_location& where, ino_t ino, std::uint32_t mode) {
  const auto kind = kind_of(shape_of(dir, where.lblk, where.buffer->data()));
  const std::span<std::byte> block = XIP_TRY(dir_write_access(h, dir, kind, *where.buffer));
  retarget_entry(block, dir_rules_of(h.sb()), where.found.entry.offset, ino, file_type_of(mode));
  return dirty_metadata(h, *where.buffer);
}

result<ino_t> dir_parent(ext4_inode_info& dir) { return XIP_TRY(read_first_entries(dir)).dotdot.inode; }

result<bool> add_to_leaf(handle& h, ext4_inode_info& dir, lblk_t lblk, dev::buffer& leaf, const new_entry& e) {
  const dir_rules rules = dir_rules_of(h.sb());
  dir_block_fault fault;
  const auto room = find_room(leaf.data(), rules, e.name.size(), fault);
  if (fault) return bad_dir_block(dir, lblk, leaf, fault);
  if (!room) return false;
  insert_entry(XIP_TRY(dir_write_access(h, dir, block_kind::directory_leaf, leaf)), rules, *room, e.name, e.inode, e.type);
  XIP_TRY(dirty_metadata(h, leaf));
  return true;
}

result<ino_t> dir_find(ext4_inode_info& dir, std::string_view name) {
  const auto where = XIP_TRY(dir_locate(dir, name));
  if (!where) return fail(ENOENT);
  return where->found.entry.inode;
}

result<> dir_add(handle& h, ext4_inode_info& dir, std::string_view name, ino_t ino, std::uint32_t mode) {
  if (name.empty() || name.size() > name_len_max) return fail(name.empty() ? ENOENT : ENAMETOOLONG);
  const new_entry e{name, ino, file_type_of(mode)};
  return without_exceptions([&] { return is_dx(dir) ? htree_add(h, dir, e) : linear_add(h, dir, e); });
}

result<> dir_remove(handle& h, ext4_inode_info& dir, std::string_view name, ino_t ino) {
  const auto where = XIP_TRY(dir_locate(dir, name));
  if (!where || where->found.entry.inode != ino) return fail(ENOENT);
  return dir_erase(h, dir, *where);
}

result<std::uint32_t> dir_blocks_to_add(ext4_inode_info& dir, std::string_view name) {
  const ext4_sb_info& sb = sbi_of(dir);
  const auto has_room = [&](lblk_t lblk, const dev::buffer& leaf) -> result<bool> {
    dir_block_fault fault;
    const bool room = find_room(leaf.data(), dir_rules_of(sb), name.size(), fault).has_value();
    return fault ? result<bool>{bad_dir_block(dir, lblk, leaf, fault)} : room;
  };
  if (is_dx(dir)) {
    dir_hash hash;
    dx_path path = XIP_TRY(dx_probe(dir, name, hash));
    const dev::buffer_ref leaf = XIP_TRY(dx_leaf(dir, path.leaf()));
    if (XIP_TRY(has_room(path.leaf(), *leaf))) return 0;
    std::uint32_t blocks = 1;
    for (std::uint32_t level = path.bottom + 1; level-- != 0 && path.frame[level].view().full();) ++blocks;
    return blocks;
  }
  const std::uint32_t count = XIP_TRY(dir_block_count(dir));
  for (lblk_t lblk; lblk.value() < count; ++lblk) {
    const dev::buffer_ref b = XIP_TRY(dir_block(dir, lblk));
    if (XIP_TRY(has_room(lblk, *b))) return 0;
  }
  return count == 1 && gets_index(sb) ? 2 : 1;  // an index moves the names to a block of their own, which is then split
}

result<bool> dir_is_empty(ext4_inode_info& dir) {
  XIP_TRY(read_first_entries(dir));
  const std::uint32_t count = XIP_TRY(dir_block_count(dir));
  for (lblk_t lblk; lblk.value() < count; ++lblk)
    if (!XIP_TRY(holds_nothing(dir, lblk))) return false;
  return true;
}

result<> dir_init(handle& h, ext4_inode_info& dir, ino_t parent) {
  lblk_t lblk;
  const dev::buffer_ref b = XIP_TRY(dir_append_block(h, dir, lblk));
  init_first_block(XIP_TRY(dir_write_access(h, dir, block_kind::directory_leaf, *b)), dir_rules_of(h.sb()), dir.i_ino, parent);
  return dirty_metadata(h, *b);
}

// A name is added: the leaf it goes to, the leaf that is split off; at each level of index a block and one split off from it, or a root
// that grows. Every block that joins is allocated like one of a file. Linux: EXT4_INDEX_EXTRA_TRANS_BLOCKS.
std::uint32_t credits_dir_add(const ext4_inode_info& dir) noexcept {
  const std::uint32_t levels = htree_max_levels(sbi_of(dir));
  const std::uint32_t joining = levels;  // a leaf, and a block on each level but the root's
  return 1 + levels + joining * (1 + credits_for_one_extent(dir));
}

// The leaf, and the directory's inode.
std::uint32_t credits_dir_remove(const ext4_inode_info&) noexcept { return 1 + credits_inode; }

}  // namespace xip::ext4lite
