// The fields of each structure, by the structs of format.h.
#include "fuzz/layout.h"

#include <algorithm>
#include <span>

#include <sys/stat.h>

#include <xip/vfs/posix_acl.h>

#include "jbd2/format.h"

namespace xip::fuzz {
namespace {

using namespace ext4lite;

struct member {
  std::uint16_t offset;
  std::uint8_t width;
  meaning what = meaning::number;
};

#define XIP_MEMBER(TYPE, FIELD, WHAT) \
  member { offsetof(TYPE, FIELD), sizeof(TYPE::FIELD), meaning::WHAT }
#define XIP_SUPER(FIELD, WHAT) XIP_MEMBER(ext4_super_block, FIELD, WHAT)
#define XIP_DESC(FIELD, WHAT) XIP_MEMBER(ext4_group_desc, FIELD, WHAT)
#define XIP_INODE(FIELD, WHAT) XIP_MEMBER(ext4_inode, FIELD, WHAT)

#define XIP_JSB(FIELD, WHAT) XIP_MEMBER(jbd2::journal_superblock, FIELD, WHAT)

// clang-format off
constexpr member super_members[] = {
    XIP_SUPER(s_inodes_count, inode), XIP_SUPER(s_blocks_count_lo, block), XIP_SUPER(s_r_blocks_count_lo, block), XIP_SUPER(s_free_blocks_count_lo, block),
    XIP_SUPER(s_free_inodes_count, inode), XIP_SUPER(s_first_data_block, block), XIP_SUPER(s_log_block_size, number), XIP_SUPER(s_log_cluster_size, number),
    XIP_SUPER(s_blocks_per_group, length), XIP_SUPER(s_clusters_per_group, length), XIP_SUPER(s_inodes_per_group, length), XIP_SUPER(s_mtime, number),
    XIP_SUPER(s_mnt_count, number), XIP_SUPER(s_magic, number), XIP_SUPER(s_state, flags), XIP_SUPER(s_errors, number), XIP_SUPER(s_creator_os, number),
    XIP_SUPER(s_rev_level, number), XIP_SUPER(s_def_resuid, number), XIP_SUPER(s_first_ino, inode), XIP_SUPER(s_inode_size, length),
    XIP_SUPER(s_feature_compat, flags), XIP_SUPER(s_feature_incompat, flags), XIP_SUPER(s_feature_ro_compat, flags),
    XIP_SUPER(s_reserved_gdt_blocks, length), XIP_SUPER(s_journal_inum, inode), XIP_SUPER(s_last_orphan, inode), XIP_SUPER(s_def_hash_version, number),
    XIP_SUPER(s_desc_size, length), XIP_SUPER(s_default_mount_opts, flags), XIP_SUPER(s_first_meta_bg, number), XIP_SUPER(s_blocks_count_hi, block),
    XIP_SUPER(s_r_blocks_count_hi, block), XIP_SUPER(s_free_blocks_count_hi, block), XIP_SUPER(s_min_extra_isize, length),
    XIP_SUPER(s_want_extra_isize, length), XIP_SUPER(s_flags, flags), XIP_SUPER(s_log_groups_per_flex, number), XIP_SUPER(s_checksum_type, number),
    XIP_SUPER(s_error_count, number), XIP_SUPER(s_overhead_clusters, block), XIP_SUPER(s_backup_bgs, number), XIP_SUPER(s_lpf_ino, inode),
    XIP_SUPER(s_checksum_seed, number), XIP_SUPER(s_orphan_file_inum, inode), XIP_SUPER(s_usr_quota_inum, inode),
};
constexpr member desc_members[] = {
    XIP_DESC(bg_block_bitmap_lo, block), XIP_DESC(bg_inode_bitmap_lo, block), XIP_DESC(bg_inode_table_lo, block), XIP_DESC(bg_free_blocks_count_lo, length),
    XIP_DESC(bg_free_inodes_count_lo, length), XIP_DESC(bg_used_dirs_count_lo, length), XIP_DESC(bg_flags, flags), XIP_DESC(bg_itable_unused_lo, length),
    XIP_DESC(bg_block_bitmap_hi, block), XIP_DESC(bg_inode_bitmap_hi, block), XIP_DESC(bg_inode_table_hi, block), XIP_DESC(bg_free_blocks_count_hi, length),
    XIP_DESC(bg_free_inodes_count_hi, length), XIP_DESC(bg_used_dirs_count_hi, length), XIP_DESC(bg_itable_unused_hi, length),
};
constexpr member inode_members[] = {
    XIP_INODE(i_mode, flags), XIP_INODE(i_uid, number), XIP_INODE(i_size_lo, length), XIP_INODE(i_atime, number), XIP_INODE(i_dtime, inode),
    XIP_INODE(i_links_count, number), XIP_INODE(i_blocks_lo, length), XIP_INODE(i_flags, flags), XIP_INODE(i_generation, number),
    XIP_INODE(i_file_acl_lo, block), XIP_INODE(i_size_high, length), XIP_INODE(i_blocks_high, length), XIP_INODE(i_file_acl_high, block),
    XIP_INODE(i_extra_isize, length), XIP_INODE(i_ctime_extra, number), XIP_INODE(i_crtime, number), XIP_INODE(i_projid, number),
};
constexpr member extent_header_members[] = {
    XIP_MEMBER(ext4_extent_header, eh_magic, number), XIP_MEMBER(ext4_extent_header, eh_entries, length), XIP_MEMBER(ext4_extent_header, eh_max, length),
    XIP_MEMBER(ext4_extent_header, eh_depth, number),
};
constexpr member extent_members[] = {
    XIP_MEMBER(ext4_extent, ee_block, length), XIP_MEMBER(ext4_extent, ee_len, length), XIP_MEMBER(ext4_extent, ee_start_hi, block),
    XIP_MEMBER(ext4_extent, ee_start_lo, block),
};
constexpr member extent_idx_members[] = {
    XIP_MEMBER(ext4_extent_idx, ei_block, length), XIP_MEMBER(ext4_extent_idx, ei_leaf_lo, block), XIP_MEMBER(ext4_extent_idx, ei_leaf_hi, block),
};
constexpr member dir_entry_members[] = {
    XIP_MEMBER(ext4_dir_entry, inode, inode), XIP_MEMBER(ext4_dir_entry, rec_len, length), XIP_MEMBER(ext4_dir_entry, name_len, length),
    XIP_MEMBER(ext4_dir_entry, file_type, number), member{sizeof(ext4_dir_entry), 1}, member{sizeof(ext4_dir_entry), 4},
};
constexpr member dx_info_members[] = {
    XIP_MEMBER(dx_root_info, reserved_zero, number), XIP_MEMBER(dx_root_info, hash_version, number), XIP_MEMBER(dx_root_info, info_length, length),
    XIP_MEMBER(dx_root_info, indirect_levels, number), XIP_MEMBER(dx_root_info, unused_flags, flags),
};
constexpr member dx_room_members[] = {XIP_MEMBER(dx_countlimit, limit, length), XIP_MEMBER(dx_countlimit, count, length)};
constexpr member dx_entry_members[] = {XIP_MEMBER(dx_entry, hash, number), XIP_MEMBER(dx_entry, block, length)};
constexpr member xattr_header_members[] = {
    XIP_MEMBER(ext4_xattr_header, h_magic, number), XIP_MEMBER(ext4_xattr_header, h_refcount, number), XIP_MEMBER(ext4_xattr_header, h_blocks, number),
    XIP_MEMBER(ext4_xattr_header, h_hash, number),
};
constexpr member xattr_entry_members[] = {
    XIP_MEMBER(ext4_xattr_entry, e_name_len, length), XIP_MEMBER(ext4_xattr_entry, e_name_index, number), XIP_MEMBER(ext4_xattr_entry, e_value_offs, length),
    XIP_MEMBER(ext4_xattr_entry, e_value_inum, inode), XIP_MEMBER(ext4_xattr_entry, e_value_size, length), XIP_MEMBER(ext4_xattr_entry, e_hash, number),
    member{sizeof(ext4_xattr_entry), 1},
};
constexpr member list_members[] = {
    XIP_MEMBER(ext4_acl_entry_short, e_tag, flags), XIP_MEMBER(ext4_acl_entry_short, e_perm, flags), member{sizeof(ext4_acl_entry_short), 4},
};
constexpr member journal_header_members[] = {
    XIP_MEMBER(jbd2::journal_header, h_magic, number), XIP_MEMBER(jbd2::journal_header, h_blocktype, number), XIP_MEMBER(jbd2::journal_header, h_sequence, number),
};
constexpr member journal_super_members[] = {
    XIP_JSB(s_blocksize, length), XIP_JSB(s_maxlen, length), XIP_JSB(s_first, length), XIP_JSB(s_sequence, number), XIP_JSB(s_start, length),
    XIP_JSB(s_errno, number), XIP_JSB(s_feature_compat, flags), XIP_JSB(s_feature_incompat, flags), XIP_JSB(s_feature_ro_compat, flags),
    XIP_JSB(s_nr_users, number), XIP_JSB(s_checksum_type, number), XIP_JSB(s_num_fc_blks, length), XIP_JSB(s_head, length), XIP_JSB(s_checksum, number),
};
constexpr member revoke_members[] = {XIP_MEMBER(jbd2::revoke_header, r_count, length)};
constexpr member commit_members[] = {member{offsetof(jbd2::commit_header, h_chksum), 4}};
constexpr member tag_members[] = {member{0, 4, meaning::block}, member{0, 2, meaning::flags}};
constexpr member word_members[] = {member{0, 4}};
constexpr member pointer_members[] = {member{0, 4, meaning::block}};
constexpr member orphan_members[] = {member{0, 4, meaning::inode}};
constexpr member orphan_tail_members[] = {XIP_MEMBER(ext4_orphan_block_tail, ob_magic, number), XIP_MEMBER(ext4_orphan_block_tail, ob_checksum, number)};
// clang-format on

#undef XIP_JSB
#undef XIP_INODE
#undef XIP_DESC
#undef XIP_SUPER
#undef XIP_MEMBER

class field_finder {
 public:
  field_finder(const sparse_image& image, const geometry& g) : image_{image}, g_{g} {}

  [[nodiscard]] std::vector<field> of(const structure& s) && {
    end_ = s.offset + s.bytes;
    switch (s.kind) {
      case structure_kind::super_block:
        add(s.offset, super_members);
        break;
      case structure_kind::group_desc:
        add(s.offset, desc_members);
        break;
      case structure_kind::inode:
        inode(s.offset);
        break;
      case structure_kind::extent_block:
        node(s.offset);
        break;
      case structure_kind::pointer_block:
        words(s, pointer_members);
        break;
      case structure_kind::directory_leaf:
        entries(s.offset);
        break;
      case structure_kind::directory_index:
        index(s.offset);
        break;
      case structure_kind::xattr_block:
        add(s.offset, xattr_header_members);
        attributes(s.offset, s.offset + sizeof(ext4_xattr_header));
        break;
      case structure_kind::orphan_block:
        words(s, orphan_members);
        add(end_ - sizeof(ext4_orphan_block_tail), orphan_tail_members);
        break;
      case structure_kind::journal_super:
        add(s.offset, journal_super_members);
        big_endian();
        break;
      case structure_kind::journal_descriptor:
        add(s.offset, journal_header_members);
        tags(s.offset);
        big_endian();
        break;
      case structure_kind::journal_revoke:
        add(s.offset, journal_header_members);
        add(s.offset, revoke_members);
        for (std::uint64_t at = s.offset + sizeof(jbd2::revoke_header), n = 0; n < 8; ++n, at += 4) add(at, pointer_members);
        big_endian();
        break;
      case structure_kind::journal_commit:
        add(s.offset, journal_header_members);
        add(s.offset, commit_members);
        big_endian();
        break;
      case structure_kind::block_bitmap:
      case structure_kind::inode_bitmap:
      case structure_kind::data:
        words(s, word_members);
        break;
    }
    return std::move(found_);
  }

 private:
  void add(std::uint64_t base, std::span<const member> members) {
    for (const member& m : members)
      if (base + m.offset + m.width <= end_) found_.push_back({base + m.offset, m.width, m.what});
  }

  void big_endian() noexcept {
    for (field& f : found_) f.big_endian = true;
  }

  // Of tags of each size there is; those that are none are numbers all the same.
  void tags(std::uint64_t offset) {
    constexpr std::uint32_t enough = 12;
    for (std::uint32_t i = 0; i < enough; ++i) add(offset + sizeof(jbd2::journal_header) + i * 4, tag_members);
  }

  void words(const structure& s, std::span<const member> one) {
    constexpr std::uint32_t enough = 64;
    for (std::uint32_t i = 0; i < std::min<std::uint32_t>(s.bytes / 4, enough); ++i) add(s.offset + i * 4, one);
  }

  void inode(std::uint64_t offset) {
    const auto raw = image_.load<ext4_inode>(offset);
    const std::uint64_t slot_end = end_;
    const std::uint64_t blocks = offset + offsetof(ext4_inode, i_block);
    add(offset, inode_members);
    end_ = std::min(slot_end, blocks + sizeof raw.i_block);
    if ((raw.i_flags & extents_fl) != 0)
      node(blocks);
    else
      for (std::uint32_t i = 0; i < n_blocks; ++i) add(blocks + i * sizeof(le32), pointer_members);
    end_ = slot_end;
    if (g_.inode_size <= good_old_inode_size) return;
    const std::uint64_t inside = offset + good_old_inode_size + raw.i_extra_isize;
    add(inside, word_members);
    attributes(inside + sizeof(ext4_xattr_ibody_header), inside + sizeof(ext4_xattr_ibody_header));
  }

  void node(std::uint64_t offset) {
    const auto header = image_.load<ext4_extent_header>(offset);
    add(offset, extent_header_members);
    for (std::uint32_t i = 0; i <= header.eh_entries && offset + sizeof header + i * sizeof(ext4_extent) < end_; ++i) {
      if (header.eh_depth == 0)
        add(offset + sizeof header + i * sizeof(ext4_extent), extent_members);
      else
        add(offset + sizeof header + i * sizeof(ext4_extent), extent_idx_members);
    }
  }

  void entries(std::uint64_t at) {
    while (at + sizeof(ext4_dir_entry) <= end_) {
      add(at, dir_entry_members);
      const std::uint32_t length = image_.load<ext4_dir_entry>(at).rec_len;
      if (length < sizeof(ext4_dir_entry)) return;
      at += length;
    }
  }

  void index(std::uint64_t offset) {
    const bool root = image_.load<ext4_dir_entry>(offset).rec_len == sizeof(ext4_dir_entry) + 4;
    entries(offset);
    if (root) add(offset + offsetof(dx_root, info), dx_info_members);
    const std::uint64_t first = offset + (root ? sizeof(dx_root) : sizeof(dx_node));
    const auto room = image_.load<dx_countlimit>(first);
    add(first, dx_room_members);
    for (std::uint32_t i = 0; i <= room.count && first + i * sizeof(dx_entry) < end_; ++i)
      add(first + i * sizeof(dx_entry), dx_entry_members);
  }

  // From AT on, with values that count from BASE; of those that may be lists, the entries too.
  void attributes(std::uint64_t base, std::uint64_t at) {
    while (at + sizeof(ext4_xattr_entry) <= end_) {
      const auto e = image_.load<ext4_xattr_entry>(at);
      add(at, xattr_entry_members);
      if (e.e_name_len == 0 && e.e_name_index == 0 && e.e_value_offs == 0) return;
      if (e.e_name_len == 0) list(base + e.e_value_offs);
      at += (sizeof e + e.e_name_len + 3) / 4 * 4;
    }
  }

  void list(std::uint64_t at) {
    constexpr std::uint32_t entries = 8;
    add(at, word_members);
    at += sizeof(ext4_acl_header);
    for (std::uint32_t i = 0; i < entries && at + sizeof(ext4_acl_entry_short) <= end_; ++i) {
      add(at, list_members);
      const std::uint32_t tag = image_.load<ext4_acl_entry_short>(at).e_tag;
      at += sizeof(ext4_acl_entry_short) + (tag == vfs::acl_user || tag == vfs::acl_group ? sizeof(le32) : 0);
    }
  }

  const sparse_image& image_;
  const geometry& g_;
  std::uint64_t end_ = 0;
  std::vector<field> found_;
};

}  // namespace

std::vector<field> fields_of(const sparse_image& image, const geometry& g, const structure& s) { return field_finder{image, g}.of(s); }

}  // namespace xip::fuzz
