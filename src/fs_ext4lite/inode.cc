// Inodes as they are read: iget, what each field must hold, attributes, eviction. Linux: fs/ext4/inode.c.
//
// Lock chains:
//   invalidate_lock -> jbd2_handle -> i_data_sem
#include <algorithm>
#include <array>
#include <cstring>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fmt/format.h>

#include <xip/vfs/ops.h>
#include <xip/xip/entry.h>
#include <xip/xip/mapped.h>

#include "fs_ext4lite/block_claims.h"
#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/extent_tree.h"
#include "fs_ext4lite/group.h"
#include "fs_ext4lite/indirect.h"
#include "fs_ext4lite/inode.h"
#include "fs_ext4lite/inode_fields.h"
#include "fs_ext4lite/message.h"
#include "fs_ext4lite/xattr.h"

namespace xip::ext4lite {
namespace {

inline constexpr std::uint64_t inode_readahead_blocks = 32;

[[nodiscard]] std::span<const std::byte> bytes_in(const ext4_sb_info& sb, const inode_slot& slot) noexcept {
  return slot.buffer->data().subspan(slot.offset, sb.s_inode_size);
}

// ---- what a slot may hold -------------------------------------------------------------------------------------------------------------

[[nodiscard]] bool known_type(std::uint32_t mode) noexcept {
  return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) || S_ISSOCK(mode);
}

[[nodiscard]] result<> check_features(ext4_inode_info& inode) {
  const std::uint32_t flags = inode.i_flags_disk.load(std::memory_order_relaxed);
  const char* name = (flags & inline_data_fl) != 0 ? "inline data"
                     : (flags & encrypt_fl) != 0   ? "encryption"
                     : (flags & verity_fl) != 0    ? "fs-verity"
                                                   : nullptr;
  if (name == nullptr) return {};
  const ext4_sb_info& sb = sbi_of(inode);
  ext4_msg(sb, vfs::log_level::warning, "inode {} uses {}, which is not supported", inode.i_ino.value(), name);
  return fail(EOPNOTSUPP);
}

[[nodiscard]] result<> check_type(ext4_inode_info& inode, const ext4_inode& raw) {
  const std::uint32_t mode = raw.i_mode;
  if (!known_type(mode)) return corrupted(inode, fmt::format("mode {:#o} names no file type", mode));
  if (inode.i_ino.value() == root_ino && !S_ISDIR(mode))
    return corrupted(inode, fmt::format("the root has mode {:#o}, not a directory's", mode));
  return {};
}

// More than the blocks of any file can hold: what lies there could be named by no block number, or by no place in the file's block map.
[[nodiscard]] result<> check_size(ext4_inode_info& inode, std::uint64_t size) {
  const unsigned bits = inode.i_sb.s_blocksize_bits;
  const bool has_map = inode.is_reg() && !has_extents(inode);
  const std::uint64_t limit = (has_map ? indirect_max_blocks(bits) : std::uint64_t{extent_max_block}) << bits;
  if (size <= limit) return {};
  return corrupted(inode, fmt::format("size {:#x} is past {:#x}, the end of the largest {}", size, limit, has_map ? "block map" : "file"));
}

[[nodiscard]] result<> check_file_acl(ext4_inode_info& inode) {
  const std::uint64_t block = inode.i_file_acl.load(std::memory_order_relaxed);
  if (block == 0 || data_blocks_valid(sbi_of(inode), pblk_t{block}, 1)) return {};
  return corrupted(inode, fmt::format("attribute block {} lies outside the file system or in its metadata", block));
}

// ---- filling in ------------------------------------------------------------------------------------------------------------------------

void read_owner_and_links(ext4_inode_info& inode, const ext4_inode& raw) noexcept {
  inode.i_mode.store(raw.i_mode, std::memory_order_relaxed);
  inode.i_uid.store(raw.i_uid | std::uint32_t{raw.i_uid_high} << 16, std::memory_order_relaxed);
  inode.i_gid.store(raw.i_gid | std::uint32_t{raw.i_gid_high} << 16, std::memory_order_relaxed);
  inode.i_nlink.store(raw.i_links_count, std::memory_order_relaxed);
  inode.i_dtime.store(raw.i_dtime, std::memory_order_relaxed);
  inode.i_flags_disk.store(raw.i_flags, std::memory_order_relaxed);
  if (fits_in_slot(inode.i_extra_isize, offsetof(ext4_inode, i_projid), sizeof raw.i_projid)) inode.i_projid = raw.i_projid;
}

void read_times(ext4_inode_info& inode, const ext4_inode& raw) noexcept {
  const auto extra = [&](std::size_t offset, const le32& field) {
    return fits_in_slot(inode.i_extra_isize, offset, sizeof field) ? std::optional<std::uint32_t>{field} : std::nullopt;
  };
  vfs::inode_times t;
  t.atime = decode_time(raw.i_atime, extra(offsetof(ext4_inode, i_atime_extra), raw.i_atime_extra));
  t.mtime = decode_time(raw.i_mtime, extra(offsetof(ext4_inode, i_mtime_extra), raw.i_mtime_extra));
  t.ctime = decode_time(raw.i_ctime, extra(offsetof(ext4_inode, i_ctime_extra), raw.i_ctime_extra));
  if (fits_in_slot(inode.i_extra_isize, offsetof(ext4_inode, i_crtime), sizeof raw.i_crtime))
    t.btime = decode_time(raw.i_crtime, extra(offsetof(ext4_inode, i_crtime_extra), raw.i_crtime_extra));
  inode.set_times(t);
}

[[nodiscard]] std::uint64_t blocks_of(const ext4_sb_info& sb, const ext4_inode& raw) noexcept {
  if (!sb.has_ro_compat(ro_compat_huge_file)) return raw.i_blocks_lo;
  const std::uint64_t count = raw.i_blocks_lo | std::uint64_t{raw.i_blocks_high} << 32;
  return (raw.i_flags & huge_file_fl) != 0 ? count << (sb.s_blocksize_bits - 9) : count;
}

[[nodiscard]] std::uint64_t size_of(const ext4_sb_info& sb, const ext4_inode& raw) noexcept {
  const bool high = S_ISREG(raw.i_mode) || (S_ISDIR(raw.i_mode) && sb.has_incompat(incompat_largedir));
  return raw.i_size_lo | (high ? std::uint64_t{raw.i_size_high} << 32 : 0);
}

void read_device_number(ext4_inode_info& inode) noexcept {
  const std::uint32_t mode = inode.i_mode.load(std::memory_order_relaxed);
  if (!S_ISCHR(mode) && !S_ISBLK(mode)) return;
  le32 words[2];
  std::memcpy(words, inode.i_data, sizeof words);
  inode.i_rdev = decode_device(words[0], words[1]);
}

// A file whose extents all lie in its inode has as many blocks as they are long, and one more for attributes. Linux believes i_blocks; e2fsck mends it. Nothing
// but st_blocks hangs on it, so the file works; the first one of a mount is named. Not analysed: nobody else has the inode yet.
void warn_of_block_count(const ext4_inode_info& inode) XIP_NO_THREAD_SAFETY_ANALYSIS {
  const ext4_sb_info& sb = sbi_of(inode);
  const tree_node root{reinterpret_cast<const std::byte*>(inode.i_data)};
  if (root.depth() != 0 || sb.has_ro_compat(ro_compat_bigalloc)) return;
  std::uint64_t blocks = inode.i_file_acl.load(std::memory_order_relaxed) != 0 ? 1 : 0;
  for (std::uint32_t i = 0; i < root.entries(); ++i) blocks += root.extent_at(i).len;
  const std::uint64_t sectors = blocks << (sb.s_blocksize_bits - 9), counted = inode.i_blocks.load(std::memory_order_relaxed);
  if (counted == sectors || sb.s_warned_of_i_blocks.exchange(true, std::memory_order_relaxed)) return;
  ext4_msg(sb, vfs::log_level::warning, "inode {} counts {} sectors and has {}; run e2fsck", inode.i_ino.value(), counted, sectors);
}

// Not analysed: nobody else has the inode yet.
[[nodiscard]] result<> read_inode(ext4_inode_info& inode, const ext4_inode& raw) XIP_NO_THREAD_SAFETY_ANALYSIS {
  const ext4_sb_info& sb = sbi_of(inode);
  read_owner_and_links(inode, raw);
  XIP_TRY(check_type(inode, raw));
  XIP_TRY(check_features(inode));
  const std::uint64_t size = size_of(sb, raw);
  XIP_TRY(check_size(inode, size));
  inode.i_size.store(static_cast<loff_t>(size), std::memory_order_relaxed);
  inode.i_disksize.store(static_cast<loff_t>(size), std::memory_order_relaxed);
  inode.i_blocks.store(blocks_of(sb, raw), std::memory_order_relaxed);
  inode.i_file_acl.store(raw.i_file_acl_lo | (sb.has_incompat(incompat_64bit) ? std::uint64_t{raw.i_file_acl_high} << 32 : 0),
                         std::memory_order_relaxed);
  XIP_TRY(check_file_acl(inode));
  read_times(inode, raw);
  std::memcpy(inode.i_data, raw.i_block, sizeof inode.i_data);
  if ((raw.i_flags & extents_fl) != 0 && (inode.is_reg() || inode.is_dir() || inode.is_symlink())) {
    XIP_TRY(check_extent_root(inode));
    note_depth(inode);
    warn_of_block_count(inode);
  }
  read_device_number(inode);
  inode.i_block_group = group_t{(inode.i_ino.value() - 1) / sb.s_inodes_per_group};
  set_aops_and_ops(inode);
  return {};
}

// i_extra_isize decides which fields exist, and what the checksum covers.
[[nodiscard]] result<> check_slot(ext4_inode_info& inode, std::span<const std::byte> slot, const ext4_inode& raw, pblk_t block) {
  const ext4_sb_info& sb = sbi_of(inode);
  if (sb.s_inode_size > good_old_inode_size) {
    const std::uint32_t extra = raw.i_extra_isize;
    if (good_old_inode_size + extra > sb.s_inode_size || extra % 4 != 0)
      return corrupted(inode,
                       fmt::format("extra size {} does not fit an inode of {} bytes (block {})", extra, sb.s_inode_size, block.value()));
    inode.i_extra_isize = static_cast<std::uint16_t>(extra);
  }
  inode.i_generation = raw.i_generation;
  inode.i_csum_seed = inode_csum_seed(sb, inode.i_ino, inode.i_generation);
  if (inode_checksum_ok(sb, inode.i_csum_seed, slot)) return {};
  return corrupted(inode, fmt::format("wrong checksum (block {})", block.value()));
}

// A name leads to an inode that is not in use: the name is wrong, or was read just before it went.
[[nodiscard]] result<> check_links(ext4_inode_info& inode, const ext4_inode& raw, bool orphan) {
  if (raw.i_links_count != 0 || (orphan && raw.i_mode != 0)) return {};
  if (inode.i_ino.value() == root_ino) return corrupted(inode, "the root has no links");
  return fail(ESTALE);
}

[[nodiscard]] result<> fill_inode(ext4_inode_info& inode, bool orphan) {
  ext4_sb_info& sb = sbi_of(inode);
  const inode_slot slot = XIP_TRY(inode_slot_of(sb, inode.i_ino));
  ext4_inode raw{};
  const std::span<const std::byte> bytes = bytes_in(sb, slot);
  std::memcpy(&raw, bytes.data(), std::min(sizeof raw, bytes.size()));
  XIP_TRY(check_slot(inode, bytes, raw, slot.buffer->block()));
  XIP_TRY(check_links(inode, raw, orphan));
  XIP_TRY(read_inode(inode, raw));
  // Most inodes have no attributes, and it is known then that they have no lists.
  if (inode.i_file_acl.load(std::memory_order_relaxed) == 0 && !has_xattrs_in_body(inode, bytes)) {
    vfs::set_cached_acl(inode, vfs::acl_type::access, {});
    vfs::set_cached_acl(inode, vfs::acl_type::default_, {});
  }
  // What was changed before it left memory may not be durable yet: the next fsync waits for whatever is running. Linux: __ext4_iget.
  if (sb.s_written.load(std::memory_order_acquire)) {
    const std::uint64_t running = running_tid(sb);
    inode.i_sync_tid.store(running, std::memory_order_relaxed);
    inode.i_datasync_tid.store(running, std::memory_order_relaxed);
  }
  return {};
}

// The nodes of an extent tree, each claimed where the walk from left to right comes to it.
class node_claims {
 public:
  [[nodiscard]] result<> come_to(ext4_inode_info& inode, lblk_t lblk, block_claims& claims) {
    shared_guard guard{inode.i_data_sem};
    const tree_path path = XIP_TRY(find_path(inode, lblk));
    for (std::uint32_t level = 1; level <= path.depth; ++level) {
      const pblk_t node = path.level[level].buffer->block();
      if (node == last_[level]) continue;
      last_[level] = node;
      XIP_TRY(claims.claim(inode, node, 1));
    }
    return {};
  }

 private:
  std::array<pblk_t, extent_max_depth + 1> last_{};
};

// Reads the whole tree, from block 0 to END, and claims what it holds.
[[nodiscard]] result<> check_tree(ext4_inode_info& inode, std::uint64_t end, block_claims& claims) {
  node_claims nodes;
  if (!has_extents(inode)) {
    shared_guard guard{inode.i_data_sem};
    XIP_TRY(indirect_claim_tables(inode, claims));
  }
  std::uint64_t blocks_left = sbi_of(inode).s_blocks_count;
  for (std::uint64_t at = 0; at < end;) {
    const lblk_t lblk{static_cast<std::uint32_t>(at)};
    const extent_map em = XIP_TRY(map_blocks(nullptr, inode, lblk, static_cast<std::uint32_t>(end - at), 0));
    at += em.len;
    if (em.type == extent_type::hole) continue;
    if (em.len > blocks_left) return corrupted(inode, "its map has more blocks than the file system");
    blocks_left -= em.len;
    if (has_extents(inode)) XIP_TRY(nodes.come_to(inode, lblk, claims));
    XIP_TRY(claims.claim(inode, em.pblk, em.len));
  }
  return {};
}

// Who has no links gives the block up, which is looked at before.
[[nodiscard]] result<> check_attributes(ext4_inode_info& inode, block_claims& claims) {
  XIP_TRY(claims.share(inode, pblk_t{inode.i_file_acl}));
  if (inode.i_nlink.load(std::memory_order_relaxed) != 0) return {};
  shared_guard guard{inode.xattr_sem};
  xattr_views found{&inode.i_sb.memory()};
  XIP_TRY(read_xattr_block(inode, found));
  return {};
}

[[nodiscard]] result<vfs::inode_ref> iget(ext4_sb_info& sb, ino_t number, bool orphan) {
  if (!inode_number_valid(sb, number))
    return corrupted(sb, fmt::format("inode {} is reserved or beyond the last, {}", number.value(), sb.s_inodes_count));
  vfs::iget_answer answer = XIP_TRY(vfs::iget_locked(sb, number));
  if (!answer.is_new) return std::move(answer.ref);
  if (auto filled = fill_inode(info_of(*answer.ref), orphan); !filled) {
    vfs::iget_failed(std::move(answer.ref), filled.error());
    return fail(filled.error());
  }
  vfs::unlock_new_inode(*answer.ref);
  return std::move(answer.ref);
}

// Linux: ext4_should_enable_dax.
[[nodiscard]] bool wants_dax(const ext4_inode_info& inode) noexcept {
  const ext4_sb_info& sb = sbi_of(inode);
  const std::uint32_t flags = inode.i_flags_disk.load(std::memory_order_relaxed);
  if (sb.s_dax == dax_mode::never || !inode.is_reg() || (flags & journal_data_fl) != 0) return false;
  if (!sb.s_bdev.has_direct_access() || sb.s_blocksize != page_size) return false;
  return sb.s_dax == dax_mode::always || (flags & dax_fl) != 0;
}

}  // namespace

result<vfs::inode_ref> ext4_iget(ext4_sb_info& sb, ino_t number) { return iget(sb, number, false); }
result<vfs::inode_ref> iget_orphan(ext4_sb_info& sb, ino_t number) { return iget(sb, number, true); }

result<> check_orphan(ext4_sb_info& sb, ino_t number, block_claims& claims) {
  const apart_inode inode = XIP_TRY(read_apart(sb, number, true));
  if (inode->i_file_acl != 0) XIP_TRY(check_attributes(*inode, claims));
  if (!has_tree(*inode)) return {};
  return check_tree(*inode, has_extents(*inode) ? extent_max_block : indirect_max_blocks(sb.s_blocksize_bits), claims);
}

void free_apart::operator()(ext4_inode_info* inode) const noexcept { inode->i_sb.s_op->free_inode(inode); }

result<apart_inode> read_apart(ext4_sb_info& sb, ino_t number, bool orphan) {
  apart_inode inode{&info_of(*XIP_TRY(sb.s_op->alloc_inode(sb, number)))};
  XIP_TRY(fill_inode(*inode, orphan));
  return inode;
}

result<inode_slot> inode_slot_of(ext4_sb_info& sb, ino_t number) {
  if (number.value() == 0 || number.value() > sb.s_inodes_count) return fail(EUCLEAN);
  const group_t g{(number.value() - 1) / sb.s_inodes_per_group};
  const std::uint64_t offset = std::uint64_t{(number.value() - 1) % sb.s_inodes_per_group} * sb.s_inode_size;
  const std::uint64_t index = offset >> sb.s_blocksize_bits;
  const pblk_t block = inode_table_of(sb, g) + index;
  // Where a read is a request, the neighbours come along: who looks at one inode looks at those made after it.
  if (!sb.s_bdev.has_direct_access() && !sb.s_buffers->find(block))
    sb.s_buffers->read_ahead(block,
                             static_cast<std::uint32_t>(std::min<std::uint64_t>(inode_readahead_blocks, sb.s_itb_per_group - index)));
  dev::buffer_ref buffer = XIP_TRY(sb.s_buffers->read(block));
  return inode_slot{std::move(buffer), static_cast<std::uint32_t>(offset & (sb.s_blocksize - 1))};
}

std::size_t xattr_body_offset(const ext4_inode_info& inode) noexcept { return good_old_inode_size + std::size_t{inode.i_extra_isize}; }

std::size_t xattr_body_bytes(const ext4_inode_info& inode) noexcept {
  const std::size_t size = sbi_of(inode).s_inode_size, offset = xattr_body_offset(inode);
  constexpr std::size_t least = sizeof(ext4_xattr_ibody_header) + sizeof(le32);
  return inode.i_extra_isize == 0 || offset + least > size ? 0 : size - offset;
}

bool has_xattrs_in_body(const ext4_inode_info& inode, std::span<const std::byte> slot) noexcept {
  if (xattr_body_bytes(inode) == 0) return false;
  ext4_xattr_ibody_header header;
  std::memcpy(&header, slot.data() + xattr_body_offset(inode), sizeof header);
  return header.h_magic == xattr_magic;
}

bool has_tree(const ext4_inode_info& inode) noexcept {
  if (inode.is_reg() || inode.is_dir()) return true;
  const std::uint64_t cluster_sectors = (std::uint64_t{inode.i_sb.s_blocksize} << sbi_of(inode).s_cluster_bits) / 512;
  const std::uint64_t attribute_sectors = inode.i_file_acl.load(std::memory_order_relaxed) != 0 ? cluster_sectors : 0;
  return inode.is_symlink() && inode.i_blocks.load(std::memory_order_relaxed) > attribute_sectors;
}

void set_inode_flags(ext4_inode_info& inode) noexcept {
  const std::uint32_t disk = inode.i_flags_disk.load(std::memory_order_relaxed);
  std::uint32_t flags = 0;
  if ((disk & sync_fl) != 0) flags |= vfs::s_sync;
  if ((disk & append_fl) != 0) flags |= vfs::s_append;
  if ((disk & immutable_fl) != 0) flags |= vfs::s_immutable;
  if ((disk & noatime_fl) != 0) flags |= vfs::s_noatime;
  // The VFS changes flags of its own at the same time.
  inode.i_flags.fetch_or(flags, std::memory_order_relaxed);
  inode.i_flags.fetch_and(flags | ~(vfs::s_sync | vfs::s_append | vfs::s_immutable | vfs::s_noatime), std::memory_order_relaxed);
  if (XIP_EXHIBIT(dax_flag_at_once))
    wants_dax(inode) ? inode.i_flags.fetch_or(vfs::s_dax, std::memory_order_relaxed)
                     : inode.i_flags.fetch_and(~vfs::s_dax, std::memory_order_relaxed);
}

void set_aops_and_ops(ext4_inode_info& inode) noexcept {
  set_inode_flags(inode);
  if (wants_dax(inode)) inode.i_flags.fetch_or(vfs::s_dax, std::memory_order_relaxed);
  if (inode.is_reg()) {
    inode.i_op = &ext4_file_inode_operations;
    inode.i_fop = &ext4_file_operations;
  } else if (inode.is_dir()) {
    inode.i_op = &ext4_dir_inode_operations;
    inode.i_fop = &ext4_dir_operations;
  } else {
    inode.i_op = inode.is_symlink() ? &ext4_symlink_inode_operations : &ext4_special_inode_operations;
  }
}

result<> ext4_getattr(const vfs::inode& i, vfs::kstat& stat) {
  const ext4_inode_info& inode = info_of(i);
  vfs::generic_fillattr(i, stat);
  stat.has_btime = fits_in_slot(inode.i_extra_isize, offsetof(ext4_inode, i_crtime), sizeof(le32));
  const std::uint32_t flags = inode.i_flags_disk.load(std::memory_order_relaxed);
  struct pair {
    std::uint32_t flag;
    std::uint64_t attribute;
  };
  for (const pair& p : {pair{compr_fl, STATX_ATTR_COMPRESSED}, pair{immutable_fl, STATX_ATTR_IMMUTABLE}, pair{append_fl, STATX_ATTR_APPEND},
                        pair{nodump_fl, STATX_ATTR_NODUMP}, pair{encrypt_fl, STATX_ATTR_ENCRYPTED}, pair{verity_fl, STATX_ATTR_VERITY}}) {
    stat.attributes_mask |= p.attribute;
    if ((flags & p.flag) != 0) stat.attributes |= p.attribute;
  }
  stat.attributes_mask |= STATX_ATTR_DAX;
  if (i.is_dax()) stat.attributes |= STATX_ATTR_DAX;
  return {};
}

// ---- the end of an inode ----------------------------------------------------------------------------------------------------------------

namespace {

// What comes last in the life of an inode, all under one handle: the orphan record goes, then the number. Its slot and its group's bitmap are held.
[[nodiscard]] result<> give_number_back(handle& h, ext4_inode_info& inode) {
  static_cast<void>(XIP_TRY(orphan_unlink(h, inode)));
  inode.i_dtime.store(static_cast<std::uint32_t>(vfs::current_time().seconds), std::memory_order_relaxed);
  {
    exclusive_guard guard{inode.i_data_sem};
    inode.i_disksize.store(0, std::memory_order_relaxed);
    XIP_TRY(mark_inode_dirty_data(h, inode));
  }
  return free_inode_number(h, inode);
}

// Its blocks first, under handles of their own; then the attributes, the orphan record, and the number, under one. A crash before the last leaves
// it on the orphan list, and so does what fails before it: the next mount does the rest.
[[nodiscard]] result<> delete_inode(ext4_inode_info& inode) {
  ext4_sb_info& sb = sbi_of(inode);
  vfs::i_size_write(inode, 0);
  if (has_tree(inode)) {
    exclusive_guard guard{inode.i_mapping.invalidate_lock};
    XIP_TRY(truncate_blocks(inode));
  }
  const dev::buffer_ref bitmap = XIP_TRY(load_inode_bitmap(sb, inode.i_block_group));
  const inode_slot slot = XIP_TRY(inode_slot_of(sb, inode.i_ino));
  handle h = XIP_TRY(journal_start(sb, credits_xattr_release + credits_orphan + credits_inode + 2));
  XIP_TRY(xattr_release(h, inode));
  return whole_or_abort(sb, give_number_back(h, inode));
}

}  // namespace

void evict_inode(vfs::inode& i) noexcept {
  ext4_inode_info& inode = info_of(i);
  ext4_sb_info& sb = sbi_of(inode);
  const bool linked = i.i_nlink.load(std::memory_order_relaxed) != 0;
  // What was stored through mappings that are gone, and nobody has synced.
  if (linked && !xip_writeback_range(i, 0, INT64_MAX))
    ext4_msg(sb, vfs::log_level::warning, "what was stored into inode {} is lost", inode.i_ino.value());
  entry_table::release(i);
  drop_window(inode);
  if (linked && !on_orphan_list(inode)) return;
  if (sb.is_rdonly() || sb.s_shutdown.load(std::memory_order_relaxed)) return orphan_forget(inode);
  result<> done = fail(ENOMEM);
  try {
    done = linked ? retry_truncate(inode) : delete_inode(inode);
  } catch (const std::bad_alloc&) {
  }
  if (done) return;
  sb.s_evict_error.store(done.error().number(), std::memory_order_relaxed);
  orphan_forget(inode);
  ext4_msg(sb, vfs::log_level::error, "inode {} could not be {}: {}", inode.i_ino.value(), linked ? "truncated" : "deleted",
           done.error().message());
  // A name leads to it still: the list would get it twice.
  if (linked) journal_abort(sb, done.error());
}

}  // namespace xip::ext4lite
