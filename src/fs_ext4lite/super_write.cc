// When and how the super block is written. Linux: ext4_setup_super, ext4_commit_super (fs/ext4/super.c).
//
// Lock chains:
//   jbd2_handle -> s_error_lock
//   jbd2_handle -> s_orphan_lock
//   s_first_change_lock -> buffer_write
//   s_umount -> jbd2_commit
//   namespace_sem -> jbd2_commit
#include <algorithm>
#include <cstring>

#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/journal.h"
#include "fs_ext4lite/message.h"
#include "fs_ext4lite/super.h"
#include "jbd2/journal.h"

namespace xip::ext4lite {
namespace {

inline constexpr std::uint8_t errcode_corrupted = 5;  // EXT4_ERR_EFSCORRUPTED

// Seconds since 1970 in 32 bits, and the next 8.
struct split_time {
  std::uint32_t low;
  std::uint8_t high;
};
[[nodiscard]] split_time split(std::int64_t seconds) noexcept {
  const std::int64_t s = std::clamp<std::int64_t>(seconds, 0, (std::int64_t{1} << 40) - 1);
  return {static_cast<std::uint32_t>(s), static_cast<std::uint8_t>(s >> 32)};
}

void set_time(le32& low, std::uint8_t& high, std::int64_t seconds) noexcept {
  const split_time t = split(seconds);
  low = t.low;
  high = t.high;
}

void put(ext4_sb_info& sb, const ext4_super_block& es) noexcept {
  std::memcpy(sb.s_sbh->writable().data() + sb.s_sb_offset, &es, sizeof es);
  sb.s_buffers->mark_dirty(*sb.s_sbh);
}

[[nodiscard]] result<> write_now(ext4_sb_info& sb) {
  XIP_TRY(sb.s_buffers->write_one(*sb.s_sbh));
  return sb.s_bdev.flush_cache();
}

// The record of errors since the last write moves into ES.
void put_errors(ext4_sb_info& sb, ext4_super_block& es) {
  if (!sb.s_error_seen.load(std::memory_order_relaxed)) return;
  es.s_state = static_cast<std::uint16_t>(es.s_state | error_fs);
  mutex_guard guard{sb.s_error_lock};
  error_record& r = sb.s_error_record;
  if (r.count == 0) return;
  if (es.s_first_error_time == 0) {
    set_time(es.s_first_error_time, es.s_first_error_time_hi, r.first_time);
    es.s_first_error_ino = r.first_ino;
    es.s_first_error_line = r.first_line;
    es.s_first_error_errcode = errcode_corrupted;
    std::memcpy(es.s_first_error_func, r.first_func, sizeof es.s_first_error_func);
  }
  set_time(es.s_last_error_time, es.s_last_error_time_hi, r.last_time);
  es.s_last_error_ino = r.last_ino;
  es.s_last_error_line = r.last_line;
  es.s_last_error_errcode = errcode_corrupted;
  std::memcpy(es.s_last_error_func, r.last_func, sizeof es.s_last_error_func);
  es.s_error_count = es.s_error_count + r.count;
  r = {};
}

void put_counts(const ext4_sb_info& sb, ext4_super_block& es) noexcept {
  const auto blocks = static_cast<std::uint64_t>(std::max<std::int64_t>(sb.s_freeblocks.load(std::memory_order_relaxed), 0));
  es.s_free_blocks_count_lo = static_cast<std::uint32_t>(blocks);
  if (sb.has_incompat(incompat_64bit)) es.s_free_blocks_count_hi = static_cast<std::uint32_t>(blocks >> 32);
  es.s_free_inodes_count = static_cast<std::uint32_t>(std::max<std::int64_t>(sb.s_freeinodes.load(std::memory_order_relaxed), 0));
}

}  // namespace

ext4_super_block super_block_copy(const ext4_sb_info& sb) noexcept {
  ext4_super_block es;
  std::memcpy(&es, sb.s_sbh->data().data() + sb.s_sb_offset, sizeof es);
  return es;
}

namespace {

// ES goes to the medium. Where that fails, what lies there is unknown, and the next attempt writes it again over BEFORE.
[[nodiscard]] result<> try_to_write(ext4_sb_info& sb, const ext4_super_block& es, const ext4_super_block& before) {
  put(sb, es);
  const auto written = write_now(sb);
  if (written) return {};
  put(sb, before);
  if (written.error() == ENOMEM) return written;
  ext4_msg(sb, vfs::log_level::error, "cannot write the super block: {}", written.error().message());
  return fail(EIO);
}

void count_mount(ext4_super_block& es, std::int64_t now) noexcept {
  set_time(es.s_mtime, es.s_mtime_hi, now);
  set_time(es.s_wtime, es.s_wtime_hi, now);
  es.s_mnt_count = static_cast<std::uint16_t>(es.s_mnt_count + 1);
}

// needs_recovery and nothing else: where a line of 64 bytes is all that reaches the medium at once, the flag and the checksum may be of different ages after
// a crash, and both ages are known (super_torn.cc). The log is empty until the flag is there. How often it was mounted is said at the end.
[[nodiscard]] result<> begin_journal(ext4_sb_info& sb, const ext4_super_block& before) {
  ext4_super_block es = before;
  es.s_feature_incompat = es.s_feature_incompat | incompat_recover;
  std::string message;
  if (const auto prepared = sb.s_journal->prepare_to_begin(message); !prepared) {
    if (!message.empty()) ext4_msg(sb, vfs::log_level::error, "nothing can be changed: {}", message);
    return prepared;
  }
  if (es.s_feature_incompat != before.s_feature_incompat && !XIP_EXHIBIT(recovery_flag_late)) XIP_TRY(try_to_write(sb, es, before));
  sb.s_changed_since = vfs::current_time().seconds;
  return sb.s_journal->begin();
}

}  // namespace

// A crash from here on leaves an image without EXT4_VALID_FS, or one that needs recovery.
result<> begin_writing(ext4_sb_info& sb) {
  if (sb.s_shutdown.load(std::memory_order_relaxed)) return fail(EIO);
  const ext4_super_block before = super_block_copy(sb);
  if (sb.s_journal != nullptr) {
    XIP_TRY(begin_journal(sb, before));
  } else {
    ext4_super_block es = before;
    es.s_state = static_cast<std::uint16_t>(es.s_state & ~valid_fs);
    // Later it could go home behind the first slot that is taken.
    if (sb.has_compat(compat_orphan_file)) es.s_feature_ro_compat = es.s_feature_ro_compat | ro_compat_orphan_present;
    count_mount(es, vfs::current_time().seconds);
    XIP_TRY(try_to_write(sb, es, before));
  }
  sb.s_written.store(true, std::memory_order_release);
  return {};
}

bool has_unwritten_errors(ext4_sb_info& sb) {
  if (!sb.s_error_seen.load(std::memory_order_relaxed)) return false;
  mutex_guard guard{sb.s_error_lock};
  return sb.s_error_record.count != 0;
}

void update_super_block(ext4_sb_info& sb) {
  ext4_super_block es = super_block_copy(sb);
  put_counts(sb, es);
  put_errors(sb, es);
  set_time(es.s_wtime, es.s_wtime_hi, vfs::current_time().seconds);
  put(sb, es);
}

namespace {

// Nothing may be written any more but that errors were found, into the super block as the medium has it.
[[nodiscard]] result<> write_errors_only(ext4_sb_info& sb) {
  ext4_super_block es;
  XIP_TRY(sb.s_bdev.read(super_offset, std::as_writable_bytes(std::span{&es, 1})));
  put_errors(sb, es);
  if (sb.has_metadata_csum()) es.s_checksum = super_block_checksum(es);
  XIP_TRY(sb.s_bdev.write(super_offset, std::as_bytes(std::span{&es, 1})));
  return sb.s_bdev.flush_cache();
}

// The orphan file is not to be looked at, unless something is left in it.
void clear_orphan_present(ext4_sb_info& sb, ext4_super_block& es) {
  mutex_guard guard{sb.s_orphan_lock};
  if (sb.s_orphan_file.empty()) es.s_feature_ro_compat = es.s_feature_ro_compat & ~ro_compat_orphan_present;
}

[[nodiscard]] result<> end_write_back(ext4_sb_info& sb) {
  exclusive_guard guard{sb.s_handle_barrier};
  update_super_block(sb);
  ext4_super_block es = super_block_copy(sb);
  clear_orphan_present(sb, es);
  // What was not clean when it was mounted is not clean now: that is for e2fsck to say.
  if (!sb.s_error_seen.load(std::memory_order_relaxed)) es.s_state = static_cast<std::uint16_t>(es.s_state | (sb.s_mount_state & valid_fs));
  put(sb, es);
  return write_now(sb);
}

[[nodiscard]] result<> clear_recovery_flag(ext4_sb_info& sb) {
  exclusive_guard guard{sb.s_handle_barrier};
  ext4_super_block es = super_block_copy(sb);
  es.s_feature_incompat = es.s_feature_incompat & ~incompat_recover;
  put(sb, es);
  return write_now(sb);
}

// The super block as it will stay is the last transaction, so that a torn write of it can be made good from the log. Then the log is emptied, and then the flag
// goes, alone: in this order nobody finds transactions without the flag.
[[nodiscard]] result<> end_journal(ext4_sb_info& sb) {
  {
    exclusive_guard guard{sb.s_handle_barrier};
    update_super_block(sb);
    ext4_super_block es = super_block_copy(sb);
    count_mount(es, sb.s_changed_since);
    clear_orphan_present(sb, es);
    set_time(es.s_wtime, es.s_wtime_hi, vfs::current_time().seconds);
    put(sb, es);
  }
  XIP_TRY(force_commit(sb));
  if (XIP_EXHIBIT(recovery_flag_early)) XIP_TRY(clear_recovery_flag(sb));
  XIP_TRY(sb.s_journal->end());
  sb.s_written.store(false, std::memory_order_release);  // whatever becomes of the flag: the next change begins the log anew
  return clear_recovery_flag(sb);
}

}  // namespace

result<> mark_clean(ext4_sb_info& sb) {
  // Open handles end first: one of them may be about to make the first change.
  {
    exclusive_guard guard{sb.s_handle_barrier};
  }
  if (!sb.s_written.load(std::memory_order_acquire)) return {};
  if (sb.s_shutdown.load(std::memory_order_relaxed)) {
    if (sb.s_journal != nullptr) (void)sb.s_journal->end();  // it is told why
    XIP_TRY(write_errors_only(sb));
    return fail(EIO);
  }
  XIP_TRY(force_commit(sb));
  XIP_TRY(sb.s_journal != nullptr ? end_journal(sb) : end_write_back(sb));
  sb.s_written.store(false, std::memory_order_release);
  return {};
}

}  // namespace xip::ext4lite
