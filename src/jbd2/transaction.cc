// Handles, and the room that they ask for. Linux: fs/jbd2/transaction.c.
//
// What handles may dirty and what is dirty already is counted as blocks of the log, so that the running transaction fits whenever it ends. A handle starts
// when there is room for half of what a transaction may have; the other half is for open handles that need more than they asked for, so that nobody has to give
// up in the middle of a change.
//
// Lock chains:
//   i_rwsem -> jbd2_commit -> jbd2_handle
//   invalidate_lock -> jbd2_commit
//   jbd2_handle -> jbd2_revoke
#include <utility>

#include "jbd2/journal.h"

namespace xip::jbd2 {
namespace {

// Blocks of the log for BLOCKS changed and REVOKES revoked ones: no fewer than log_writer::blocks_for says, with a few that the end of the transaction dirties.
[[nodiscard]] std::uint64_t log_blocks(std::uint64_t blocks, std::uint64_t revokes) noexcept {
  constexpr std::uint64_t ends = 8;
  return blocks + blocks / 16 + revokes / 64 + ends;
}

}  // namespace

bool journal::reserve(std::uint32_t blocks, std::uint32_t limit) noexcept {
  const std::uint64_t asked = std::uint64_t{outstanding_.fetch_add(blocks, std::memory_order_acq_rel)} + blocks;
  if (log_blocks(asked + buffers_.dirty_count(), revoke_count_.load(std::memory_order_relaxed)) <= limit) return true;
  outstanding_.fetch_sub(blocks, std::memory_order_acq_rel);
  return false;
}

void journal::set_limit() noexcept { limit_.store(cursor_.free >= 2 * most_ + spare_blocks / 2 ? most_ : 0, std::memory_order_release); }

// A commit takes what is dirty away, a checkpoint what the log is full of.
result<> journal::make_room(std::uint32_t blocks) {
  if (log_blocks(blocks, 0) > most_) return fail(ENOSPC);
  mutex_guard guard{commit_lock_};
  if (aborted()) return fail(EIO);
  if (limit_.load(std::memory_order_relaxed) == 0) return checkpoint_locked();
  if (!reserve(blocks, most_)) return commit_locked(running());
  outstanding_.fetch_sub(blocks, std::memory_order_acq_rel);
  return {};
}

result<> journal::start_handle(std::uint32_t credits) XIP_NO_THREAD_SAFETY_ANALYSIS {
  for (;;) {
    handles_.lock_shared();
    if (!aborted() && reserve(credits, limit_.load(std::memory_order_acquire))) return {};
    handles_.unlock_shared();
    if (aborted()) return fail(EIO);
    XIP_TRY(make_room(credits));
  }
}

void journal::stop_handle(std::uint32_t credits) noexcept XIP_NO_THREAD_SAFETY_ANALYSIS {
  outstanding_.fetch_sub(credits, std::memory_order_acq_rel);
  handles_.unlock_shared();
}

bool journal::extend_handle(std::uint32_t count) noexcept { return !aborted() && reserve(count, 2 * most_); }

// A block that the log has no live copy of needs none. Of one that is revoked already, by the transaction that is being committed, that says it.
void journal::revoke(pblk_t block) noexcept XIP_NO_THREAD_SAFETY_ANALYSIS {
  mutex_guard guard{revoke_lock_};
  const auto found = not_home_.find(block.value());
  if (found == not_home_.end() || found->second.revoked) return;
  logged_copy& copy = found->second;
  copy.revoked = true;
  copy.next_revoked = std::exchange(revokes_, &copy);
  revoke_count_.fetch_add(1, std::memory_order_relaxed);
}

// Of blocks that are in use again.
void journal::drop_needless_revokes() noexcept {
  std::uint32_t count = 0;
  for (logged_copy** at = &revokes_; *at != nullptr;) {
    logged_copy& copy = **at;
    if (copy.revoked)
      at = &copy.next_revoked, ++count;
    else
      *at = copy.next_revoked;
  }
  revoke_count_.store(count, std::memory_order_relaxed);
}

}  // namespace xip::jbd2
