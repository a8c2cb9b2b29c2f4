// Lock chains:
//   jbd2_handle -> buffer_write -> buffer_cache
//   jbd2_handle -> i_data_sem
//   jbd2_handle -> s_error_lock
//   jbd2_handle -> s_first_change_lock -> buffer_write
//   i_data_sem -> s_first_change_lock
//   s_orphan_lock -> s_first_change_lock
#include "fs_ext4lite/journal.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include <xip/base/assert.h>
#include <xip/base/points.h>
#include <xip/dev/block_observer.h>
#include <xip/locks/thread_context.h>

#include "fs_ext4lite/extent_tree.h"
#include "fs_ext4lite/message.h"
#include "fs_ext4lite/super.h"
#include "fs_ext4lite/without_exceptions.h"
#include "jbd2/journal.h"

namespace xip::ext4lite {
namespace {

// For the revoke blocks of what a handle frees: most_metadata_freed blocks, and then some.
inline constexpr std::uint32_t revoke_credits = 8;
static_assert(most_metadata_freed / (1024 / sizeof(be64)) < revoke_credits);

[[noreturn]] void broken(ext4_sb_info& sb, const std::string& text) {
  ext4_msg(sb, vfs::log_level::error, "{}", text);
  std::abort();
}

// In this order: whoever finds the mount read-only finds out why. What errors=panic has shut down stays so. Linux: ext4_handle_error.
void shut_down(ext4_sb_info& sb, const error& why) noexcept {
  if (sb.s_shutdown.exchange(true, std::memory_order_relaxed)) return;
  sb.s_flags.fetch_or(vfs::sb_rdonly, std::memory_order_release);
  ext4_msg(sb, vfs::log_level::error, "a change could not be made ({}): read-only from now on", why.message());
}

// All dirty buffers go home and are flushed, after the data that they make visible. What a crash leaves behind: any mixture of old and new
// blocks, without EXT4_VALID_FS, so that the next user runs e2fsck; a block freed in this commit has not been reused, and a block allocated in
// it holds its data, so no file shows another's.
[[nodiscard]] result<> write_back(ext4_sb_info& sb) XIP_REQUIRES(sb.s_handle_barrier) {
  XIP_TRY(finish_group_checksums(sb));
  if (sb.s_buffers->dirty_count() == 0) return sb.s_bdev.flush_cache();
  update_super_block(sb);
  if (!XIP_EXHIBIT(commit_before_data)) XIP_TRY(sb.s_bdev.flush_cache());
  XIP_TRY(sb.s_buffers->write_dirty());
  return sb.s_bdev.flush_cache();
}

// What is durable now, whoever made it so.
void committed(ext4_sb_info& sb, std::uint64_t tid) noexcept {
  XIP_POINT(ext4_before_reuse, tid);
  release_pending_frees(sb);
  if (dev::block_observer* observer = sb.s_bdev.observer(); observer != nullptr) observer->on_commit();
  sb.s_commit_sequence.store(tid, std::memory_order_release);
  XIP_POINT(ext4_commit_done, tid);
}

// Without a journal.
[[nodiscard]] result<> commit_running(ext4_sb_info& sb) XIP_REQUIRES(sb.s_handle_barrier) {
  // Before the first flush: who finds that his changes belong to a commit that begins later knows that it flushes what he has written.
  const std::uint64_t tid = sb.s_running_tid.fetch_add(1, std::memory_order_acq_rel);
  XIP_POINT(ext4_commit_start, tid);
  if (sb.s_shutdown.load(std::memory_order_relaxed)) return fail(EIO);
  if (const auto written = write_back(sb); !written) {
    // What the medium holds now is unknown. But without memory, or room behind a hole, nothing was tried, and may be again.
    if (written.error() != ENOMEM && written.error() != ENOSPC) journal_abort(sb, written.error());
    return written;
  }
  freeze_pending_frees(sb);
  committed(sb, tid);
  return {};
}

// ---- what jbd2 asks ---------------------------------------------------------------------------------------------------------------------------

[[nodiscard]] ext4_sb_info& sb_of(void* context) noexcept { return *static_cast<ext4_sb_info*>(context); }

// The super block goes along only where it has changed: its counts are the sums of the descriptors', and are brought up to date when it is written anyway.
result<> before_commit(void* context) {
  return without_exceptions([context]() XIP_NO_THREAD_SAFETY_ANALYSIS -> result<> {
    ext4_sb_info& sb = sb_of(context);
    XIP_POINT(ext4_commit_start, running_tid(sb));
    if (!sb.s_written.load(std::memory_order_acquire)) return {};  // the log has not begun: nothing was changed
    XIP_TRY(finish_group_checksums(sb));
    if (sb.s_sbh->dirty() || has_unwritten_errors(sb)) update_super_block(sb);
    return {};
  });
}

void frozen(void* context) noexcept {
  freeze_pending_frees(sb_of(context));
  if (XIP_EXHIBIT(freed_at_freeze)) release_pending_frees(sb_of(context));
}

void journal_committed(void* context, jbd2::tid_t tid) noexcept { committed(sb_of(context), tid); }

void journal_aborted(void* context, error why) noexcept { shut_down(sb_of(context), why); }

}  // namespace

const jbd2::journal_operations ext4_journal_operations{
    .before_commit = before_commit,
    .frozen = frozen,
    .committed = journal_committed,
    .aborted = journal_aborted,
};

void journal_abort(ext4_sb_info& sb, const error& why) noexcept {
  if (sb.s_journal != nullptr)
    sb.s_journal->abort(why);
  else
    shut_down(sb, why);
}

result<> whole_or_abort(ext4_sb_info& sb, result<> done) noexcept {
  if (!done && done.error() != EUCLEAN) journal_abort(sb, done.error());
  return done;
}

bool dirtied_buffers::add(pblk_t b) {
  const auto end = first_ + count_;
  if (std::find(first_, end, b) != end || std::ranges::find(rest_, b) != rest_.end()) return false;
  if (count_ < few)
    first_[count_++] = b;
  else
    rest_.push_back(b);
  return true;
}

void dirtied_buffers::clear() noexcept {
  count_ = 0;
  rest_.clear();
}

std::string dirtied_buffers::list() const {
  std::string text;
  for (std::size_t i = 0; i < count_; ++i) text += fmt::format(" {}", first_[i].value());
  for (pblk_t b : rest_) text += fmt::format(" {}", b.value());
  return text;
}

handle::handle(ext4_sb_info& sb, handle* outermost, std::uint32_t credits) noexcept
    : sb_{&sb}, outermost_{outermost}, journal_{sb.s_journal}, credits_{credits} {
  if (outermost_ == nullptr) current().journal_info = this;
}

handle::handle(handle&& other) noexcept
    : sb_{std::exchange(other.sb_, nullptr)},
      outermost_{other.outermost_},
      journal_{other.journal_},
      credits_{other.credits_},
      used_{other.used_},
      put_off_{std::exchange(other.put_off_, nullptr)},
      put_off_slot_{other.put_off_slot_},
      owes_write_{std::exchange(other.owes_write_, false)}
#if XIP_EXHIBITS
      ,
      early_tid_{other.early_tid_}
#endif
#if XIP_LOCKDEP
      ,
      dirtied_{std::move(other.dirtied_)}
#endif
{
  if (sb_ != nullptr && outermost_ == nullptr) current().journal_info = this;
}

void handle::stop() noexcept XIP_NO_THREAD_SAFETY_ANALYSIS {
  if (sb_ == nullptr) return;
  ext4_sb_info& sb = *std::exchange(sb_, nullptr);
  if (outermost_ != nullptr) return;
  XIP_ASSERT(!owes_write_);
  current().journal_info = nullptr;
  if (journal_ != nullptr)
    journal_->stop_handle(credits_ + revoke_credits);
  else
    sb.s_handle_barrier.unlock_shared();
  XIP_POINT(ext4_handle_stopped);
}

std::uint64_t running_tid(const ext4_sb_info& sb) noexcept {
  return sb.s_journal != nullptr ? sb.s_journal->running() : sb.s_running_tid.load(std::memory_order_acquire);
}

std::uint32_t handle::credits_left() const noexcept { return outermost().credits_ - std::min(outermost().credits_, outermost().used_); }

bool handle::extend(std::uint32_t count) noexcept {
  if (sb_->s_shutdown.load(std::memory_order_relaxed)) return false;
  if (journal_ != nullptr && !journal_->extend_handle(count)) return false;
  outermost().credits_ += count;
  return true;
}

void handle::use_credit([[maybe_unused]] const dev::buffer& b, [[maybe_unused]] bool fresh) {
  handle& h = outermost();
#if XIP_LOCKDEP
  if (!h.dirtied_.add(b.block())) return;
  if (++h.used_ > h.credits_)
    broken(*sb_, fmt::format("a handle with {} credits dirtied {} buffers:{}", h.credits_, h.used_, h.dirtied_.list()));
#else
  h.used_ += fresh ? 1 : 0;
#endif
}

result<handle> journal_start(ext4_sb_info& sb, std::uint32_t credits) XIP_NO_THREAD_SAFETY_ANALYSIS {
  if (auto* open = static_cast<handle*>(current().journal_info); open != nullptr) {
    if (open->sb_ != &sb) broken(sb, "a handle of another file system is open in this thread");
    if (open->credits_left() < credits && !open->extend(credits - open->credits_left()))
      return fail(sb.s_shutdown.load(std::memory_order_relaxed) ? EIO : ENOSPC);
    return handle{sb, open, 0};
  }
  XIP_TRY(sb.may_change());
#if XIP_EXHIBITS
  const std::uint64_t early_tid = running_tid(sb);
#endif
  if (sb.s_journal != nullptr) {
    XIP_TRY(sb.s_journal->start_handle(credits + revoke_credits));
  } else {
    sb.s_handle_barrier.lock_shared();
  }
  // A remount may have come between; it waits for open handles after it has set the flag.
  if (sb.is_rdonly()) [[unlikely]] {
    if (sb.s_journal != nullptr)
      sb.s_journal->stop_handle(credits + revoke_credits);
    else
      sb.s_handle_barrier.unlock_shared();
    return fail(EROFS);
  }
  XIP_POINT(ext4_handle_started, credits);
#if XIP_EXHIBITS
  handle started{sb, nullptr, credits};
  started.early_tid_ = early_tid;
  return started;
#else
  return handle{sb, nullptr, credits};
#endif
}

result<> start_changing(handle& h) {
  ext4_sb_info& sb = h.sb();
  if (sb.s_written.load(std::memory_order_acquire)) [[likely]]
    return {};
  mutex_guard guard{sb.s_first_change_lock};
  return sb.s_written.load(std::memory_order_relaxed) ? result<>{} : begin_writing(sb);
}

result<std::span<std::byte>> get_write_access(handle& h, dev::buffer& b) {
  XIP_TRY(start_changing(h));
  return b.writable();
}

result<std::span<std::byte>> get_create_access(handle& h, dev::buffer& b) {
  XIP_TRY(start_changing(h));
  b.set_verified();
  return b.writable();
}

result<> dirty_metadata(handle& h, dev::buffer& b) {
  h.use_credit(b, h.sb().s_buffers->mark_dirty_still(b));
  return {};
}

bool note_put_off(handle& h, const ext4_inode_info& inode) noexcept {
  handle& outermost = h.outermost();
  if (outermost.put_off_ != &inode) return false;
  outermost.owes_write_ = true;
  return true;
}

result<> write_put_off(handle& h) {
  handle& outermost = h.outermost();
  ext4_inode_info* const inode = std::exchange(outermost.put_off_, nullptr);
  if (!std::exchange(outermost.owes_write_, false)) return {};
  shared_guard guard{inode->i_data_sem};
  return mark_inode_dirty_data(h, *inode, *outermost.put_off_slot_);
}

result<> force_commit(ext4_sb_info& sb) {
  if (current().journal_info != nullptr) broken(sb, "a commit is waited for with a handle open");
  if (!sb.s_written.load(std::memory_order_acquire)) return {};
  if (sb.s_journal != nullptr) return sb.s_journal->commit(sb.s_journal->running());
  exclusive_guard guard{sb.s_handle_barrier};
  return commit_running(sb);
}

result<> commit_tid(ext4_sb_info& sb, std::uint64_t tid) {
  if (sb.s_commit_sequence.load(std::memory_order_acquire) >= tid) return {};
  if (current().journal_info != nullptr) broken(sb, "a commit is waited for with a handle open");
  if (sb.s_journal != nullptr) return sb.s_journal->commit(tid);
  exclusive_guard guard{sb.s_handle_barrier};
  if (sb.s_commit_sequence.load(std::memory_order_relaxed) >= tid) return {};
  return commit_running(sb);
}

bool should_retry_alloc(ext4_sb_info& sb, unsigned attempt) noexcept {
  if (attempt >= 3 || sb.s_pending_blocks.load(std::memory_order_relaxed) == 0) return false;
  try {
    return force_commit(sb).has_value();
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace xip::ext4lite
