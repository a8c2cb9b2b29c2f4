// Times, attributes and write-back errors of one inode. Linux: fs/inode.c, fs/attr.c, lib/errseq.c.
//
// Lock chains:
//   i_rwsem -> i_lock
//   i_rwsem/1 -> i_rwsem/2 -> i_lock
#include <xip/vfs/inode.h>

#include <fcntl.h>

#include <xip/locks/clock.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/ops.h>

#include "vfs/attr.h"
#include "vfs/hook.h"
#include "vfs/permission.h"
#include "vfs/xattr.h"

namespace xip::vfs {

inode_times inode::times() const noexcept {
  inode_times t;
  std::uint32_t begin;
  do {
    begin = times_sequence_.read_begin();
    t = times_.load();
  } while (times_sequence_.read_retry(begin));
  return t;
}

namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t day = 24 * 60 * 60 * second;

// Linux: s64 nanoseconds reach from 1677 to 2262; what lies outside is as good as the ends.
[[nodiscard]] std::int64_t to_nanoseconds(const timespec64& t) noexcept {
  std::int64_t ns;
  if (__builtin_mul_overflow(t.seconds, second, &ns) || __builtin_add_overflow(ns, std::int64_t{t.nanoseconds}, &ns))
    return t.seconds < 0 ? INT64_MIN + 1 : INT64_MAX;
  return ns;
}

// Linux's relative atime: it is renewed if it is not newer than a change, or a day old.
[[nodiscard]] std::int64_t atime_due_after(const inode_times& t) noexcept {
  if (t.atime <= t.mtime || t.atime <= t.ctime) return INT64_MIN;
  const std::int64_t ns = to_nanoseconds(t.atime);
  return ns > INT64_MAX - day ? INT64_MAX : ns + day;
}

}  // namespace

void inode::store_times(const inode_times& t) noexcept {
  const seqcount_write_guard sequence{times_sequence_};
  times_.store(t);
  atime_due_.store(atime_due_after(t), std::memory_order_relaxed);
  changed_at_.store(t.mtime == t.ctime ? to_nanoseconds(t.mtime) : INT64_MIN, std::memory_order_relaxed);
}

void inode::set_times(const inode_times& t) noexcept {
  spin_guard guard{i_lock};
  store_times(t);
}

void inode::change_times(void (*change)(inode_times& t, const timespec64& to), const timespec64& to) noexcept {
  spin_guard guard{i_lock};
  inode_times t = times_.load();
  change(t, to);
  store_times(t);
}

timespec64 current_time() noexcept {
  const std::int64_t now = realtime_now_coarse().count();
  std::int64_t seconds = now / second;
  std::int64_t rest = now % second;
  if (rest < 0) {
    rest += second;
    --seconds;
  }
  return {seconds, static_cast<std::uint32_t>(rest)};
}

timespec64 timestamp_truncate(timespec64 t, const super_block& sb) noexcept {
  if (t.seconds <= sb.s_time_min) return {sb.s_time_min, 0};
  if (t.seconds >= sb.s_time_max) return {sb.s_time_max, 0};
  if (sb.s_time_gran > 1) t.nanoseconds -= t.nanoseconds % sb.s_time_gran;
  return t;
}

timespec64 current_time(const inode& i) noexcept { return timestamp_truncate(current_time(), i.i_sb); }

void inode_touch_mtime_ctime(inode& i) noexcept {
  i.change_times([](inode_times& t, const timespec64& to) { t.mtime = t.ctime = to; }, current_time(i));
}

void inode_touch_ctime(inode& i) noexcept {
  i.change_times([](inode_times& t, const timespec64& to) { t.ctime = to; }, current_time(i));
}

bool atime_needs_update(const inode& i) noexcept {
  const std::uint32_t sb_flags = i.i_sb.s_flags.load(std::memory_order_relaxed);
  if ((sb_flags & (sb_noatime | sb_rdonly)) != 0 || (i.i_flags.load(std::memory_order_relaxed) & s_noatime) != 0) return false;
  if ((sb_flags & sb_relatime) != 0 && realtime_now_coarse().count() < i.atime_due()) [[likely]]
    return false;
  if ((sb_flags & sb_nodiratime) != 0 && i.is_dir()) return false;
  return i.times().atime != current_time(i);
}

void touch_atime(inode& i) noexcept {
  if (!atime_needs_update(i)) return;
  const timespec64 now = current_time(i);
  // No lock of the file is held any more: a write may be storing its times.
  i.change_times([](inode_times& t, const timespec64& to) { t.atime = to; }, now);
  // The bytes were read all the same: an atime that cannot be stored is nobody's error.
  if (i.i_op != nullptr && i.i_op->update_time != nullptr) (void)call_hook(hook::update_time, i.i_op->update_time, i);
}

void file_accessed(file& f) noexcept {
  if ((f.f_flags.load(std::memory_order_relaxed) & O_NOATIME) == 0) touch_atime(*f.f_inode);
}

bool should_drop_sgid(const inode& i) noexcept {
  const std::uint32_t mode = i.i_mode.load(std::memory_order_relaxed);
  if ((mode & S_ISGID) == 0) return false;
  return (mode & S_IXGRP) != 0 || !in_group_or_capable(i.i_gid.load(std::memory_order_relaxed));
}

std::uint32_t mode_without_privileges(const inode& i) noexcept {
  const std::uint32_t mode = i.i_mode.load(std::memory_order_relaxed);
  if (!S_ISREG(mode)) return mode;
  return mode & ~(S_ISUID | (should_drop_sgid(i) ? std::uint32_t{S_ISGID} : 0));
}

namespace {

[[nodiscard]] bool remove_privileges(inode& i) noexcept {
  if ((i.i_mode.load(std::memory_order_relaxed) & (S_ISUID | S_ISGID)) == 0 || capable(CAP_FSETID)) [[likely]]
    return false;
  const std::uint32_t mode = mode_without_privileges(i);
  return i.i_mode.exchange(mode, std::memory_order_relaxed) != mode;
}

// Several writes within one tick of the coarse clock change the times once.
[[nodiscard]] bool update_mtime_ctime(inode& i) noexcept {
  if (i.i_sb.s_time_gran == 1 && realtime_now_coarse().count() == i.changed_at()) [[likely]]
    return false;
  const inode_times t = i.times();
  const timespec64 now = current_time(i);
  if (t.mtime == now && t.ctime == now) return false;
  inode_touch_mtime_ctime(i);
  return true;
}

}  // namespace

namespace {

[[nodiscard]] result<> modified(inode& i) {
  const bool mode_changed = remove_privileges(i);
  if (!update_mtime_ctime(i) && !mode_changed) return {};
  if (i.i_op == nullptr || i.i_op->update_time == nullptr) return {};
  return call_hook(hook::update_time, i.i_op->update_time, i);
}

}  // namespace

result<> file_modified(file& f) {
  XIP_TRY(remove_file_capability(*f.f_inode));  // first: it may fail
  return modified(*f.f_inode);
}

result<> file_update_time(file& f) {
  inode& i = *f.f_inode;
  if (!update_mtime_ctime(i) || i.i_op == nullptr || i.i_op->update_time == nullptr) return {};
  return call_hook(hook::update_time, i.i_op->update_time, i);
}

result<> kiocb_modified(kiocb& iocb) {
  inode& i = *iocb.ki_filp.f_inode;
  if ((iocb.ki_flags & iocb_nowait) != 0 && may_have_file_capability(i)) return fail(EAGAIN);
  return file_modified(iocb.ki_filp);
}

void generic_fillattr(const inode& i, kstat& stat) noexcept {
  const inode_times t = i.times();
  stat.dev = i.i_sb.s_dev;
  stat.ino = i.i_ino.value();
  stat.rdev = i.i_rdev;
  stat.mode = i.i_mode.load(std::memory_order_relaxed);
  stat.nlink = i.i_nlink.load(std::memory_order_relaxed);
  stat.uid = i.i_uid.load(std::memory_order_relaxed);
  stat.gid = i.i_gid.load(std::memory_order_relaxed);
  stat.size = i_size_read(i);
  stat.blksize = i.i_sb.s_blocksize;
  stat.blocks = i.i_blocks.load(std::memory_order_relaxed);
  stat.atime = t.atime;
  stat.mtime = t.mtime;
  stat.ctime = t.ctime;
  stat.btime = t.btime;
}

std::uint32_t vfs_prepare_mode(const inode& dir, std::uint32_t mode, std::uint32_t mask) noexcept {
  const bool set_gid_of_dir = (dir.i_mode.load(std::memory_order_relaxed) & S_ISGID) != 0 && !S_ISDIR(mode);
  if (set_gid_of_dir && (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
      !in_group_or_capable(dir.i_gid.load(std::memory_order_relaxed)))
    mode &= ~std::uint32_t{S_ISGID};
  return (dir.i_sb.s_flags.load(std::memory_order_relaxed) & sb_posixacl) != 0 ? mode : mode & ~mask;
}

void inode_init_owner(inode& i, const inode& dir, std::uint32_t mode) noexcept {
  std::uint32_t gid = current_fsgid();
  if ((dir.i_mode.load(std::memory_order_relaxed) & S_ISGID) != 0) {
    gid = dir.i_gid.load(std::memory_order_relaxed);
    if (S_ISDIR(mode))
      mode |= S_ISGID;
    else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !in_group_or_capable(gid))
      mode &= ~std::uint32_t{S_ISGID};
  }
  i.i_uid.store(current_fsuid(), std::memory_order_relaxed);
  i.i_gid.store(gid, std::memory_order_relaxed);
  i.i_mode.store(mode, std::memory_order_relaxed);
}

void setattr_copy(inode& i, const iattr& attr) noexcept {
  const std::uint32_t valid = attr.ia_valid;
  if ((valid & attr_uid) != 0) i.i_uid.store(attr.ia_uid, std::memory_order_relaxed);
  if ((valid & attr_gid) != 0) i.i_gid.store(attr.ia_gid, std::memory_order_relaxed);
  if ((valid & attr_mode) != 0) {
    std::uint32_t mode = attr.ia_mode;
    if (!in_group_or_capable(i.i_gid.load(std::memory_order_relaxed))) mode &= ~std::uint32_t{S_ISGID};
    i.i_mode.store(mode, std::memory_order_relaxed);
  }
  if ((valid & (attr_atime | attr_mtime | attr_ctime)) == 0) return;
  inode_times t = i.times();
  if ((valid & attr_atime) != 0) t.atime = timestamp_truncate(attr.ia_atime, i.i_sb);
  if ((valid & attr_mtime) != 0) t.mtime = timestamp_truncate(attr.ia_mtime, i.i_sb);
  if ((valid & attr_ctime) != 0) t.ctime = timestamp_truncate(attr.ia_ctime, i.i_sb);
  i.set_times(t);
}

// ---- errors of write-back: a counter that says whether somebody has looked since. errno in the low bits, then "seen", then the count.

namespace {

constexpr std::uint32_t errno_mask = (1u << 12) - 1;
constexpr std::uint32_t errseq_seen = 1u << 12;
constexpr std::uint32_t errseq_one = 1u << 13;

}  // namespace

void mapping_set_error(address_space& mapping, int number) noexcept {
  std::uint32_t old = mapping.wb_err.load(std::memory_order_relaxed);
  std::uint32_t next;
  do {
    next = (old & ~(errno_mask | errseq_seen)) | (static_cast<std::uint32_t>(number) & errno_mask);
    if ((old & errseq_seen) != 0) next += errseq_one;
  } while (!mapping.wb_err.compare_exchange_weak(old, next, std::memory_order_release, std::memory_order_relaxed));
}

std::uint32_t errseq_sample(const address_space& mapping) noexcept {
  const std::uint32_t now = mapping.wb_err.load(std::memory_order_acquire);
  return (now & errseq_seen) != 0 ? now : 0;  // an error that nobody has seen is news to the first who opens, too
}

int errseq_check_and_advance(address_space& mapping, std::atomic<std::uint32_t>& since) noexcept {
  std::uint32_t now = mapping.wb_err.load(std::memory_order_acquire);
  if (now == since.load(std::memory_order_relaxed)) return 0;
  const std::uint32_t seen = now | errseq_seen;
  if (now != seen) mapping.wb_err.compare_exchange_strong(now, seen, std::memory_order_acq_rel);
  // Two fsyncs of one open file: one of them reports.
  return since.exchange(seen, std::memory_order_acq_rel) == seen ? 0 : static_cast<int>(seen & errno_mask);
}

}  // namespace xip::vfs
