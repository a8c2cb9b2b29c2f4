// What is committed goes home, and its room in the log is free again. Linux: fs/jbd2/checkpoint.c.
//
// The copies in the log are what goes home: those in the cache may be half way to something that is not committed. A crash on the way leaves some blocks old
// and some new, and the log as it was: recovery brings all of them home once more. The log begins anew only when all of them are home and flushed.
//
// One block stays: that by which the journal is found. Torn, it would leave most tools without a way to the log. So it is the first transaction of the log that
// begins anew, written before that is said; and it goes home once, at the end.
//
// Lock chains:
//   jbd2_commit -> jbd2_revoke
#include <array>

#include <xip/base/points.h>

#include "jbd2/journal.h"

namespace xip::jbd2 {

result<> journal::checkpoint() {
  mutex_guard guard{commit_lock_};
  return checkpoint_locked();
}

result<> journal::checkpoint_locked() {
  if (aborted()) return fail(EIO);
  if (!begun_ || cursor_.free == capacity()) return {};
  XIP_POINT(jbd2_checkpoint, not_home_.size());
  if (XIP_EXHIBIT(tail_before_home)) XIP_TRY(or_abort(begin_again()));
  XIP_TRY(or_abort(write_home()));
  XIP_TRY(or_abort(medium().flush_cache()));
  XIP_POINT(jbd2_before_tail, cursor_.sequence);
  XIP_TRY(or_abort(begin_again()));
  forget_log();
  return {};
}

// The log has no live copy any more but the carried one: what the running transaction has freed needs no revoking. Not before the log is moved: until then
// recovery finds what it has.
void journal::forget_log() noexcept {
  mutex_guard guard{revoke_lock_};
  revokes_ = nullptr;
  revoke_count_.store(0, std::memory_order_relaxed);
  std::erase_if(not_home_, [this](const auto& known) { return known.first != carried_.value(); });
}

// In ascending order, a batch of reads and one of writes at a time.
result<> journal::write_home() {
  for (auto next = not_home_.begin(); next != not_home_.end();) {
    std::array<dev::io_piece, staged_blocks> from, to;
    std::array<bool, staged_blocks> escaped;
    std::size_t n = 0;
    for (; n < staged_blocks && next != not_home_.end(); ++next) {
      const auto& [home, copy] = *next;
      if (home == carried_.value()) continue;
      std::byte* const memory = staging_.data() + (n << bits_);
      from[n] = {log_.find(copy.place.at).value() << bits_, memory, block_size()};
      to[n] = {home << bits_, memory, block_size()};
      escaped[n] = copy.place.escaped;
      XIP_TRY(medium().reserve(to[n].offset, to[n].bytes));
      ++n;
    }
    XIP_TRY(medium().read_batch({from.data(), n}));
    for (std::size_t i = 0; i < n; ++i)
      if (escaped[i]) unescape({to[i].memory, to[i].bytes});
    XIP_TRY(medium().write_batch({to.data(), n}));
  }
  return {};
}

result<> journal::bring_home(pblk_t block, const place_in_log& from) {
  const std::span<std::byte> memory = std::span{staging_}.first(block_size());
  XIP_TRY(medium().read(log_.find(from.at).value() << bits_, memory));
  if (from.escaped) unescape(memory);
  XIP_TRY(medium().write(bytes_of(block, bits_), memory));
  return medium().flush_cache();
}

// Those of the log as it is, and of what comes next in it. What is overwritten by and by is forgotten when there are too many.
result<> journal::remember_sequences() {
  if (used_.size() > 4 * std::size_t{capacity()}) XIP_TRY(collect_sequences());
  for (std::uint32_t sequence = jsb_.s_sequence; sequence != cursor_.sequence + 2; ++sequence) XIP_TRY(used_.add(sequence));
  used_.sort();
  return {};
}

// Everything but the carried block is home and flushed. Until move_log, a crash finds the log as it was; whatever was written behind its end is none of it.
result<> journal::begin_again() {
  XIP_TRY(remember_sequences());
  log_writer sizes = writer();
  const log_beginning next = XIP_TRY(choose_beginning(jsb_, cursor_.head, cursor_.free - sizes.blocks_for(1, 0), 1));
  log_cursor cursor{.head = next.start, .free = capacity(), .sequence = next.sequence};
  place_in_log moved;
  const auto carried = not_home_.find(carried_.value());
  if (carried != not_home_.end()) {
    log_writer log{format_, staging_, buffers_, cursor};
    XIP_TRY(log.reserve(log.blocks_for(1, 0)));
    moved = XIP_TRY(log.write_copy(carried_, carried->second.place));
    XIP_TRY(log.flush_blocks());
    XIP_TRY(medium().flush_cache());
    XIP_TRY(log.write_commit_block());
    XIP_TRY(medium().flush_cache());
  }
  XIP_TRY(move_log(place(), jsb_, next.sequence, next.start));
  if (carried != not_home_.end()) carried->second.place = moved;
  cursor_ = cursor;
#if XIP_EXHIBITS
  stock_tail_ = next;
#endif
  set_limit();
  return {};
}

#if XIP_EXHIBITS
// What a planted bug calls at each commit. What came before the last transaction is home, so the log begins with that one, of which nothing is:
// Linux moves its tail so, with the checksum in another line. Then it goes home as well.
result<> journal::move_stock_tail() {
  if (!begun_) return {};
  if (stock_tail_.sequence != jsb_.s_sequence) {
    journal_superblock moved = jsb_;
    moved.s_sequence = stock_tail_.sequence;
    moved.s_start = stock_tail_.start;
    XIP_TRY(write_superblock(place(), moved));
    jsb_ = moved;
  }
  XIP_TRY(write_home());
  if (const auto carried = not_home_.find(carried_.value()); carried != not_home_.end())
    XIP_TRY(bring_home(carried_, carried->second.place));
  stock_tail_ = {.start = cursor_.head, .sequence = cursor_.sequence};
  return medium().flush_cache();
}
#endif

}  // namespace xip::jbd2
