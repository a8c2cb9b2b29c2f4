// Inodes as they are written: from memory into their slot of the inode table. Linux: ext4_do_update_inode (fs/ext4/inode.c).
//
// Lock chains:
//   jbd2_handle -> i_raw_lock
//   jbd2_handle -> i_data_sem -> i_raw_lock
//   jbd2_handle -> s_orphan_lock -> i_raw_lock
#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/inode.h"
#include "fs_ext4lite/inode_fields.h"

namespace xip::ext4lite {
namespace {

enum class slot_parts : std::uint8_t {
  attributes,  // not what belongs to i_data_sem
  all,
  fresh,  // all, in a slot that holds nothing of value
};

void write_owner_and_links(const ext4_inode_info& inode, ext4_inode& raw) noexcept {
  raw.i_mode = static_cast<std::uint16_t>(inode.i_mode.load(std::memory_order_relaxed));
  const std::uint32_t uid = inode.i_uid.load(std::memory_order_relaxed);
  const std::uint32_t gid = inode.i_gid.load(std::memory_order_relaxed);
  raw.i_uid = static_cast<std::uint16_t>(uid & 0xFFFF);
  raw.i_uid_high = static_cast<std::uint16_t>(uid >> 16);
  raw.i_gid = static_cast<std::uint16_t>(gid & 0xFFFF);
  raw.i_gid_high = static_cast<std::uint16_t>(gid >> 16);
  raw.i_links_count = static_cast<std::uint16_t>(inode.i_nlink.load(std::memory_order_relaxed));
  raw.i_dtime = inode.i_dtime.load(std::memory_order_relaxed);
  raw.i_generation = inode.i_generation;
  const std::uint64_t file_acl = inode.i_file_acl.load(std::memory_order_relaxed);
  raw.i_file_acl_lo = static_cast<std::uint32_t>(file_acl);
  if (sbi_of(inode).has_incompat(incompat_64bit)) raw.i_file_acl_high = static_cast<std::uint16_t>(file_acl >> 32);
}

void write_times(const ext4_inode_info& inode, ext4_inode& raw) noexcept {
  const vfs::inode_times t = inode.times();
  const auto put = [&](const vfs::timespec64& time, le32& seconds, le32& extra, std::size_t extra_offset) {
    const bool has_extra = fits_in_slot(inode.i_extra_isize, extra_offset, sizeof extra);
    const encoded_time e = encode_time(time, has_extra);
    seconds = e.seconds;
    if (has_extra) extra = e.extra;
  };
  put(t.atime, raw.i_atime, raw.i_atime_extra, offsetof(ext4_inode, i_atime_extra));
  put(t.mtime, raw.i_mtime, raw.i_mtime_extra, offsetof(ext4_inode, i_mtime_extra));
  put(t.ctime, raw.i_ctime, raw.i_ctime_extra, offsetof(ext4_inode, i_ctime_extra));
  if (fits_in_slot(inode.i_extra_isize, offsetof(ext4_inode, i_crtime), sizeof raw.i_crtime))
    put(t.btime, raw.i_crtime, raw.i_crtime_extra, offsetof(ext4_inode, i_crtime_extra));
}

// In sectors as long as they fit; beyond 2^48 of them in blocks, with a flag that says so.
void write_blocks(ext4_inode_info& inode, ext4_inode& raw) noexcept {
  constexpr std::uint64_t sectors_max = (std::uint64_t{1} << 48) - 1;
  const ext4_sb_info& sb = sbi_of(inode);
  std::uint64_t count = inode.i_blocks.load(std::memory_order_relaxed);
  if (count > sectors_max) {
    inode.i_flags_disk.fetch_or(huge_file_fl, std::memory_order_relaxed);
    count >>= sb.s_blocksize_bits - 9;
  } else if ((inode.i_flags_disk.load(std::memory_order_relaxed) & huge_file_fl) != 0) {
    inode.i_flags_disk.fetch_and(~huge_file_fl, std::memory_order_relaxed);
  }
  raw.i_blocks_lo = static_cast<std::uint32_t>(count);
  if (sb.has_ro_compat(ro_compat_huge_file)) raw.i_blocks_high = static_cast<std::uint16_t>(count >> 32);
  raw.i_flags = inode.i_flags_disk.load(std::memory_order_relaxed);
}

void write_size(ext4_inode& raw, loff_t size) noexcept {
  raw.i_size_lo = static_cast<std::uint32_t>(static_cast<std::uint64_t>(size));
  raw.i_size_high = static_cast<std::uint32_t>(static_cast<std::uint64_t>(size) >> 32);
}

// Of a directory i_size is the size on disk: it changes under i_rwsem, with the entries. Symlinks and devices never change after they are made.
// Not analysed: whether anybody else may change i_disksize now is the caller's to know.
void write_contents(const ext4_inode_info& inode, ext4_inode& raw, slot_parts parts) noexcept XIP_NO_THREAD_SAFETY_ANALYSIS {
  if (!inode.is_reg()) write_size(raw, vfs::i_size_read(inode));
  const std::uint32_t mode = inode.i_mode.load(std::memory_order_relaxed);
  if (S_ISCHR(mode) || S_ISBLK(mode)) {
    const encoded_device d = encode_device(inode.i_rdev);
    raw.i_block[0] = d.old;
    raw.i_block[1] = d.fresh;
    return;
  }
  if (parts == slot_parts::attributes && (inode.is_reg() || inode.is_dir())) return;
  std::memcpy(raw.i_block, inode.i_data, sizeof raw.i_block);
  if (inode.is_reg()) write_size(raw, inode.i_disksize.load(std::memory_order_relaxed));
}

void write_fields(ext4_inode_info& inode, ext4_inode& raw, std::size_t slot_size, slot_parts parts) noexcept {
  if (slot_size > good_old_inode_size) {
    raw.i_extra_isize = inode.i_extra_isize;
    if (fits_in_slot(inode.i_extra_isize, offsetof(ext4_inode, i_projid), sizeof raw.i_projid)) raw.i_projid = inode.i_projid;
  }
  write_owner_and_links(inode, raw);
  write_times(inode, raw);
  write_blocks(inode, raw);
  write_contents(inode, raw, parts);
}

// What lies behind the fields that the inode has is the attributes', who read it without i_raw_lock. One that has them all, as most have, is written in place.
void fill_slot(ext4_inode_info& inode, std::span<std::byte> slot, slot_parts parts, std::span<const std::byte> body) noexcept {
  spin_guard guard{inode.i_raw_lock};
  if (parts == slot_parts::fresh) std::memset(slot.data(), 0, slot.size());
  const std::size_t bytes = std::min({sizeof(ext4_inode), slot.size(), std::size_t{good_old_inode_size} + inode.i_extra_isize});
  if (bytes == sizeof(ext4_inode)) [[likely]] {
    write_fields(inode, *reinterpret_cast<ext4_inode*>(slot.data()), slot.size(), parts);
  } else {
    ext4_inode raw{};
    std::memcpy(&raw, slot.data(), bytes);
    write_fields(inode, raw, slot.size(), parts);
    std::memcpy(slot.data(), &raw, bytes);
  }
  if (!body.empty()) std::ranges::copy(body, slot.data() + xattr_body_offset(inode));
  inode_checksum_set(sbi_of(inode), inode.i_csum_seed, slot);
}

void note_commit(const handle& h, ext4_inode_info& inode, slot_parts parts) noexcept {
  inode.i_sync_tid.store(h.tid(), std::memory_order_relaxed);
  if (parts != slot_parts::attributes && !XIP_EXHIBIT(conversion_not_datasync))
    inode.i_datasync_tid.store(h.tid(), std::memory_order_relaxed);
}

[[nodiscard]] result<> write_slot(handle& h, ext4_inode_info& inode, const inode_slot& place, slot_parts parts,
                                  std::span<const std::byte> body) {
  const std::span<std::byte> block = XIP_TRY(get_write_access(h, *place.buffer));
  fill_slot(inode, block.subspan(place.offset, h.sb().s_inode_size), parts, body);
  XIP_TRY(dirty_metadata(h, *place.buffer));
  note_commit(h, inode, parts);
  return {};
}

[[nodiscard]] result<> write_inode(handle& h, ext4_inode_info& inode, slot_parts parts, std::span<const std::byte> body = {}) {
  return write_slot(h, inode, XIP_TRY(inode_slot_of(h.sb(), inode.i_ino)), parts, body);
}

}  // namespace

result<> store_disksize(handle& h, ext4_inode_info& inode, loff_t size) {
  const loff_t old = inode.i_disksize.exchange(size, std::memory_order_relaxed);
  auto marked = mark_inode_dirty_data(h, inode);
  if (!marked.has_value()) inode.i_disksize.store(old, std::memory_order_relaxed);
  return marked;
}

result<> mark_inode_dirty(handle& h, ext4_inode_info& inode) { return write_inode(h, inode, slot_parts::attributes); }
result<> mark_inode_dirty_data(handle& h, ext4_inode_info& inode) {
  if (!note_put_off(h, inode)) return write_inode(h, inode, slot_parts::all);
  note_commit(h, inode, slot_parts::all);
  return {};
}
result<> mark_inode_dirty_data(handle& h, ext4_inode_info& inode, const inode_slot& slot) {
  return write_slot(h, inode, slot, slot_parts::all, {});
}
result<> mark_inode_dirty_with_body(handle& h, ext4_inode_info& inode, std::span<const std::byte> body) {
  return write_inode(h, inode, slot_parts::attributes, body);
}
result<> write_fresh_inode(handle& h, ext4_inode_info& inode) { return write_inode(h, inode, slot_parts::fresh); }

result<> ext4_update_time(vfs::inode& i) {
  handle h = XIP_TRY(journal_start(sbi_of(i), credits_inode));
  return mark_inode_dirty(h, info_of(i));
}

}  // namespace xip::ext4lite
