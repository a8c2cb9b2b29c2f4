// The end of a transaction. Linux: jbd2_journal_commit_transaction (fs/jbd2/commit.c).
//
// A crash before the commit block is whole on the medium leaves the file system as the transaction before left it; after that, as this one does. Neither of
// the two flushes can be left out: without the first a commit block could arrive before what it commits, without the second it might not have arrived
// when somebody is told so.
//
// Lock chains:
//   jbd2_commit -> jbd2_handle -> buffer_write -> buffer_cache
//   jbd2_commit -> jbd2_handle -> jbd2_revoke -> buffer_write
//   jbd2_commit -> jbd2_revoke
#include <new>
#include <utility>

#include <xip/base/points.h>

#include "jbd2/journal.h"

namespace xip::jbd2 {

result<> journal::commit(tid_t tid) {
  if (committed() >= tid || (XIP_EXHIBIT(commit_trusted_early) && running() > tid)) return {};
  mutex_guard guard{commit_lock_};
  return commit_locked(tid);
}

result<> journal::commit_locked(tid_t tid) {
  if (committed() >= tid) return {};
  if (aborted()) return fail(EIO);
#if XIP_EXHIBITS
  if (XIP_EXHIBIT(stock_tail_update)) XIP_TRY(or_abort(move_stock_tail()));
#endif
  const tid_t ending = running();
  const auto frozen = freeze();
  if (!frozen) return or_abort(fail(frozen.error()));
  XIP_TRY(whole_or_abort(make_durable(*frozen)));
  finish(ending);
  return {};
}

// Nobody changes anything meanwhile. What fails before the first block goes out has changed nothing.
result<journal::transaction_kind> journal::freeze() {
  exclusive_guard guard{handles_};
  XIP_TRY(operations_.before_commit(context_));
  const std::uint32_t blocks = begun_ ? XIP_TRY(prepare()) : 0;
  XIP_POINT(jbd2_freeze, cursor_.sequence, blocks);
  if (blocks != 0) XIP_TRY(whole_or_abort(write_to_log()));
  set_limit();
  operations_.frozen(context_);
  running_.fetch_add(1, std::memory_order_release);
  return blocks != 0 ? transaction_kind::logged : transaction_kind::empty;
}

// All that can be refused, before anything is written: memory to remember each block by, and room on the host. The blocks of the log that the transaction
// takes; 0: it has changed nothing.
result<std::uint32_t> journal::prepare() {
  struct census {
    journal& j;
    std::uint32_t dirty = 0;
    bool no_memory = false;
  } counted{*this};
  mutex_guard guard{revoke_lock_};
  // A block that was freed and is in use again is logged anew, and needs no revoking.
  buffers_.for_each_dirty(
      [](void* argument, dev::buffer& b) XIP_NO_THREAD_SAFETY_ANALYSIS {
        auto& c = *static_cast<census*>(argument);
        try {
          logged_copy& copy = c.j.not_home_.try_emplace(b.block().value()).first->second;
          copy.block = b.block().value();
          copy.revoked = false;
        } catch (const std::bad_alloc&) {
          c.no_memory = true;
        }
        ++c.dirty;
        return !c.no_memory;
      },
      &counted);
  drop_needless_revokes();
  const std::uint32_t revokes = revoke_count_.load(std::memory_order_relaxed);
  log_writer log = writer();
  const std::uint32_t blocks = counted.dirty + revokes != 0 ? log.blocks_for(counted.dirty, revokes) : 0;
  result<> refused;
  if (counted.no_memory)
    refused = fail(ENOMEM);
  else if (blocks > cursor_.free)
    refused = fail(EIO);  // somebody has dirtied more than he had asked for
  else
    refused = log.reserve(blocks);
  if (refused) return blocks;
  std::erase_if(not_home_, [](const auto& known) { return known.second.place.at == 0; });
  return fail(refused.error());
}

result<> journal::write_revokes(log_writer& log) {
  {
    mutex_guard guard{revoke_lock_};
    committing_revokes_ = std::exchange(revokes_, nullptr);
    revoke_count_.store(0, std::memory_order_relaxed);
  }
  for (const logged_copy* copy = committing_revokes_; copy != nullptr; copy = copy->next_revoked)
    if (!XIP_EXHIBIT(revoke_missing)) XIP_TRY(log.write_revoke(pblk_t{copy->block}));
  return log.flush_revokes();
}

result<> journal::write_to_log() {
  log_writer log = writer();
  XIP_TRY(write_revokes(log));
  struct copying {
    journal& j;
    log_writer& log;
    result<> outcome;
  } going{*this, log, {}};
  buffers_.for_each_dirty(
      [](void* argument, dev::buffer& b) XIP_NO_THREAD_SAFETY_ANALYSIS {
        auto& c = *static_cast<copying*>(argument);
        auto pinned = c.j.buffers_.find_any(b.block());
        const auto placed = c.log.write_block(b);
        if (!placed) {
          c.outcome = fail(placed.error());
          return false;
        }
        logged_copy& copy = c.j.not_home_.find(b.block().value())->second;
        copy.pinned = std::move(pinned);
        copy.place = *placed;
        return true;
      },
      &going);
  XIP_TRY(going.outcome);
  return log.flush_blocks();
}

result<> journal::make_durable(transaction_kind kind) {
  XIP_POINT(jbd2_before_flush, cursor_.sequence);
  if (!XIP_EXHIBIT(commit_before_data)) XIP_TRY(medium().flush_cache());
  if (kind == transaction_kind::empty) return {};
  XIP_POINT(jbd2_before_commit_block, cursor_.sequence);
  XIP_TRY(writer().write_commit_block());
  XIP_POINT(jbd2_commit_block_written, cursor_.sequence);
  return XIP_EXHIBIT(commit_not_flushed) ? result<>{} : medium().flush_cache();
}

void journal::finish(tid_t tid) noexcept {
  // What is freed must not be brought home: the block may be another file's from now on.
  if (committing_revokes_ != nullptr) {
    mutex_guard guard{revoke_lock_};
    for (logged_copy* copy = std::exchange(committing_revokes_, nullptr); copy != nullptr;) {
      const std::uint64_t freed = std::exchange(copy, copy->next_revoked)->block;
      if (!XIP_EXHIBIT(freed_brought_home)) not_home_.erase(freed);
    }
  }
  operations_.committed(context_, tid);
  committed_.store(tid, std::memory_order_release);
  XIP_POINT(jbd2_committed, tid);
}

}  // namespace xip::jbd2
