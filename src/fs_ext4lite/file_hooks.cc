// read_iter, write_iter, fsync and llseek of regular files: they choose the locks, the XIP core moves the bytes. Linux: fs/ext4/file.c.
//
// i_rwsem shared keeps a read from seeing half a write, and blocks from being freed under it; exclusive, a write has the file for itself.
// An extending write leaves i_size alone until its bytes are in place. What a failed one allocated past it is truncated away.
//
// Lock chains:
//   i_rwsem -> jbd2_handle -> dax_entry -> i_data_sem
//   i_rwsem -> invalidate_lock
#include <algorithm>
#include <optional>

#include <fcntl.h>
#include <unistd.h>

#include <xip/xip/mapped.h>
#include <xip/xip/mapping.h>

#include "fs_ext4lite/file_hooks.h"
#include "fs_ext4lite/indirect.h"

namespace xip::ext4lite {
namespace {

// ---- read

// The first lines of a read are fetched while its locks are taken. Only a hint: what the cache of extents says here may be old by then.
void prefetch_read(const ext4_inode_info& inode, loff_t pos, std::size_t bytes) noexcept {
  if (!inode.is_dax() || pos >= i_size_read(inode)) return;
  const unsigned bits = inode.i_sb.s_blocksize_bits;
  extent_map em;
  if (!inode.i_es.lookup(lblk_of(pos, bits), em) || em.type != extent_type::mapped) return;
  inode.i_sb.s_bdev.prefetch(bytes_of(em.pblk, bits) + static_cast<std::uint64_t>(pos & ((loff_t{1} << bits) - 1)), bytes);
}

result<std::size_t> ext4_file_read_iter(vfs::kiocb& iocb, vfs::iov_iter& to) {
  vfs::inode& inode = *iocb.ki_filp.f_inode;
  if (to.count() == 0) return 0;
  prefetch_read(info_of(inode), iocb.ki_pos, to.count());
  const auto read = [&]() -> result<std::size_t> {
    if (XIP_EXHIBIT(read_without_lock)) return xip_mapping_read(iocb, to, ext4_xip_ops);
    if ((iocb.ki_flags & vfs::iocb_nowait) != 0) [[unlikely]] {
      if (!inode.i_rwsem.try_lock_shared()) return fail(EAGAIN);
      shared_guard guard{inode.i_rwsem, already_locked};
      return xip_mapping_read(iocb, to, ext4_xip_ops);
    }
    shared_guard guard{inode.i_rwsem};
    return xip_mapping_read(iocb, to, ext4_xip_ops);
  };
  auto done = read();
  if (done.has_value()) file_accessed(iocb.ki_filp);
  return done;
}

// As a read: nobody cuts the file while the sink takes its bytes. The time of access comes first: once the sink has them, somebody may look at it.
result<std::size_t> ext4_file_splice_read(vfs::kiocb& iocb, std::size_t bytes, vfs::splice_sink& sink) {
  file_accessed(iocb.ki_filp);
  vfs::inode& inode = *iocb.ki_filp.f_inode;
  shared_guard guard{inode.i_rwsem};
  return xip_mapping_splice(iocb, bytes, sink, ext4_xip_ops);
}

// ---- write

// Makes a write known to the slices' hooks as long as it runs.
class open_write_scope {
 public:
  explicit open_write_scope(ext4_inode_info& inode) noexcept : inode_{inode} { inode_.i_write = &write_; }
  ~open_write_scope() { inode_.i_write = nullptr; }
  open_write_scope(const open_write_scope&) = delete;
  open_write_scope& operator=(const open_write_scope&) = delete;
  [[nodiscard]] open_write& operator*() noexcept { return write_; }

 private:
  ext4_inode_info& inode_;
  open_write write_;
};

// Every byte of [POS, POS + BYTES) is written already and within the file: a write there waits for no space and no commit.
[[nodiscard]] result<bool> overwrites_only(ext4_inode_info& inode, loff_t pos, std::size_t bytes) {
  const loff_t end = pos + static_cast<loff_t>(bytes);
  const unsigned bits = inode.i_sb.s_blocksize_bits;
  if (end > i_size_read(inode)) return false;
  for (lblk_t lblk = lblk_of(pos, bits); pos_of(lblk, bits) < end;) {
    const extent_map em = XIP_TRY(map_blocks(nullptr, inode, lblk, lblk_of(end - 1, bits) - lblk + 1, 0));
    if (em.type != extent_type::mapped) return false;
    lblk += em.len;
  }
  return true;
}

// After the core: i_size covers what arrived, from START up to REACHED, and nothing stays behind it unless the WHOLE write was made.
[[nodiscard]] result<> finish_extension(ext4_inode_info& inode, const open_write& write, loff_t start, loff_t reached, bool whole)
    XIP_REQUIRES(inode.i_rwsem) {
  if (const loff_t size = i_size_read(inode); reached > size) {
    handle h = XIP_TRY(journal_start(sbi_of(inode), credits_orphan + credits_inode));
    XIP_TRY(start_changing(h));  // the tail of the old end is changed before any metadata
    std::optional<entry_range_lock> tail;
    XIP_TRY(xip_zero_tail(inode, size, start, ext4_xip_ops, tail));
    XIP_TRY(extend_size(h, inode, reached));
  }
  if ((whole && !write.on_orphan_list) || XIP_EXHIBIT(extension_not_cleaned_up)) return {};
  exclusive_guard guard{inode.i_mapping.invalidate_lock};
  return truncate_blocks(inode);
}

// i_size grows from OLD_SIZE, by what arrives: not at all if nothing does.
[[nodiscard]] result<std::size_t> write_past_size(vfs::kiocb& iocb, vfs::iov_iter& from, ext4_inode_info& inode, loff_t old_size)
    XIP_REQUIRES(inode.i_rwsem) {
  const loff_t start = iocb.ki_pos;
  const std::size_t wanted = from.count();
  open_write_scope write{inode};
  if (XIP_EXHIBIT(size_before_data)) {
    handle h = XIP_TRY(journal_start(sbi_of(inode), credits_orphan + credits_inode));
    XIP_TRY(extend_size(h, inode, start + static_cast<loff_t>(wanted)));
  }
  const auto written = xip_mapping_write(iocb, from, ext4_xip_ops);
  const std::size_t done = written.value_or(0);
  const loff_t reached = done == 0 ? old_size : start + static_cast<loff_t>(done);
  const auto finished = finish_extension(inode, *write, start, reached, done == wanted);
  // The bytes are there, but a size that could not be stored does not cover them.
  if (!finished.has_value() && i_size_read(inode) < reached) {
    iocb.ki_pos = start;
    return fail(finished.error());
  }
  return written;
}

// Such a file ends before s_maxbytes. Linux: s_bitmap_maxbytes in ext4_generic_write_checks.
[[nodiscard]] result<> limit_to_block_map(const vfs::kiocb& iocb, vfs::iov_iter& from, const ext4_inode_info& inode) {
  const loff_t limit = indirect_max_bytes(inode.i_sb.s_blocksize_bits);
  if (iocb.ki_pos >= limit) return fail(EFBIG);
  from.truncate(static_cast<std::size_t>(std::min<loff_t>(static_cast<loff_t>(from.count()), limit - iocb.ki_pos)));
  return {};
}

[[nodiscard]] result<std::size_t> write_locked(vfs::kiocb& iocb, vfs::iov_iter& from, ext4_inode_info& inode) XIP_REQUIRES(inode.i_rwsem) {
  XIP_TRY(sbi_of(inode).may_change());  // who writes over bytes in place opens no handle that would ask
  if ((inode.i_flags.load(std::memory_order_relaxed) & vfs::s_immutable) != 0) [[unlikely]]
    return fail(EPERM);
  if (XIP_TRY(vfs::generic_write_checks(iocb, from)) == 0) return 0;
  if (!has_extents(inode)) XIP_TRY(limit_to_block_map(iocb, from, inode));
  const std::size_t count = from.count();
  if ((iocb.ki_flags & vfs::iocb_nowait) != 0 && !XIP_TRY(overwrites_only(inode, iocb.ki_pos, count))) return fail(EAGAIN);
  XIP_TRY(vfs::kiocb_modified(iocb));
  const loff_t size = i_size_read(inode);
  if (iocb.ki_pos + static_cast<loff_t>(count) > size) return write_past_size(iocb, from, inode, size);
  open_write_scope write{inode};
  return xip_mapping_write(iocb, from, ext4_xip_ops);
}

// What planted bugs call. Everything unwritten below i_size becomes written, whoever else is at work there.
[[nodiscard]] result<> convert_all(ext4_inode_info& inode) {
  const unsigned bits = inode.i_sb.s_blocksize_bits;
  const std::uint64_t end = blocks_for(static_cast<std::uint64_t>(i_size_read(inode)), bits);
  for (std::uint64_t at = 0; at < end;) {
    handle h = XIP_TRY(journal_start(sbi_of(inode), credits_for_one_extent(inode)));
    const lblk_t lblk{static_cast<std::uint32_t>(at)};
    at += XIP_TRY(map_blocks(&h, inode, lblk, static_cast<std::uint32_t>(end - at), map_convert)).len;
  }
  return {};
}

// Zero pages go from where WRITTEN bytes have come, up to END.
void drop_zeros_late(ext4_inode_info& inode, loff_t end, std::size_t written) noexcept {
  if (written == 0 || entry_table::find(inode) == nullptr) return;
  entry_range_lock entries{inode, pgoff_of(end - static_cast<loff_t>(written)), pgoff_of(end - 1)};
  xip_drop_zero_entries(inode, entries);
}

[[nodiscard]] result<std::size_t> write_as_if_locked(vfs::kiocb& iocb, vfs::iov_iter& from,
                                                     ext4_inode_info& inode) XIP_NO_THREAD_SAFETY_ANALYSIS {
  return write_locked(iocb, from, inode);
}

result<std::size_t> ext4_file_write_iter(vfs::kiocb& iocb, vfs::iov_iter& from) {
  ext4_inode_info& inode = info_of(*iocb.ki_filp.f_inode);
  const auto write = [&]() -> result<std::size_t> {
    std::optional<handle> early;
    if (XIP_EXHIBIT(handle_before_lock)) early.emplace(XIP_TRY(journal_start(sbi_of(inode), credits_inode)));
    if ((iocb.ki_flags & vfs::iocb_nowait) != 0) [[unlikely]] {
      if (!inode.i_rwsem.try_lock()) return fail(EAGAIN);
      exclusive_guard guard{inode.i_rwsem, already_locked};
      return write_locked(iocb, from, inode);
    }
    if (XIP_EXHIBIT(write_lock_shared)) {
      shared_guard guard{inode.i_rwsem};
      return write_as_if_locked(iocb, from, inode);
    }
    exclusive_guard guard{inode.i_rwsem};
    return write_locked(iocb, from, inode);
  };
  return without_exceptions([&]() -> result<std::size_t> {
    if (XIP_EXHIBIT(append_place_unlocked) && (iocb.ki_flags & vfs::iocb_append) != 0) {
      iocb.ki_pos = i_size_read(inode);
      iocb.ki_flags &= ~vfs::iocb_append;
    }
    const std::size_t written = XIP_TRY(write());
    if (XIP_EXHIBIT(conversion_unlocked)) XIP_TRY(convert_all(inode));
    if (XIP_EXHIBIT(zeros_dropped_late)) drop_zeros_late(inode, iocb.ki_pos, written);
    if (written == 0 || XIP_EXHIBIT(sync_write_ignored)) return written;
    return vfs::generic_write_sync(iocb, iocb.ki_pos - static_cast<loff_t>(written), written);
  });
}

// ---- the rest

result<loff_t> ext4_llseek(vfs::file& f, loff_t offset, int whence) {
  if (XIP_EXHIBIT(seek_without_lock)) return xip_seek(*f.f_inode, offset, whence, ext4_xip_ops);
  shared_guard guard{f.f_inode->i_rwsem};
  return xip_seek(*f.f_inode, offset, whence, ext4_xip_ops);
}

}  // namespace

result<> ext4_fsync(vfs::file& f, loff_t start, loff_t end, bool datasync) {
  return without_exceptions([&]() -> result<> {
    ext4_inode_info& inode = info_of(*f.f_inode);
    ext4_sb_info& sb = sbi_of(inode);
    if (sb.s_shutdown.load(std::memory_order_relaxed)) return fail(EIO);
    XIP_TRY(xip_writeback_range(inode, start, end));  // first: a commit that begins later flushes the device
    if (sb.is_rdonly()) return sb.sync_read_only();
    if (XIP_EXHIBIT(conversion_deferred) && inode.is_reg()) XIP_TRY(convert_all(info_of(*f.f_inode)));
    if (XIP_EXHIBIT(directory_sync_ignored) && inode.is_dir()) return {};
    if (XIP_EXHIBIT(fsync_without_commit)) return sb.s_bdev.flush_cache();
    // The names of a directory are all that it has: fdatasync means them too.
    const std::uint64_t tid = (datasync && inode.is_reg() ? inode.i_datasync_tid : inode.i_sync_tid).load(std::memory_order_relaxed);
    // A commit that begins only now flushes the device after the data. One that had begun may have done so before: what was written over since is then still to
    // be flushed, as it is where nothing is committed.
    const bool to_begin = tid >= running_tid(sb);
    XIP_TRY(commit_tid(sb, tid));
    return to_begin ? result<>{} : sb.s_bdev.flush_cache();
  });
}

// Who has written has done so: nobody need keep blocks free behind the file any longer.
void ext4_release_file(vfs::inode& i, vfs::file& f) noexcept {
  if ((f.f_mode & vfs::fmode_write) == 0) return;
  ext4_inode_info& inode = info_of(i);
  drop_window(inode);
  if (!inode.i_rwsem.try_lock()) return;  // somebody is at it; what is held goes with the inode at the latest
  exclusive_guard guard{inode.i_rwsem, already_locked};
  inode.i_slot.buffer.reset();
  inode.i_bitmap.reset();
}

const vfs::file_operations ext4_file_operations{
    .llseek = ext4_llseek,
    .read_iter = ext4_file_read_iter,
    .write_iter = ext4_file_write_iter,
    .splice_read = ext4_file_splice_read,
    .release = ext4_release_file,
    .fsync = ext4_fsync,
    .fallocate = ext4_fallocate,
    .mmap = ext4_file_mmap,
};

const vfs::inode_operations ext4_file_inode_operations{
    .setattr = ext4_setattr,
    .getattr = ext4_getattr,
    .update_time = ext4_update_time,
    .fiemap = ext4_fiemap,
    .fileattr_get = ext4_fileattr_get,
    .fileattr_set = ext4_fileattr_set,
    .getxattr = ext4_getxattr,
    .setxattr = ext4_setxattr,
    .listxattr = ext4_listxattr,
    .get_inode_acl = ext4_get_inode_acl,
    .set_acl = ext4_set_acl,
};

}  // namespace xip::ext4lite
