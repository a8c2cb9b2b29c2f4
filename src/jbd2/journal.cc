// The journal as a whole: how it is found, begun and ended; the timer.
//
// Lock chains:
//   s_first_change_lock -> jbd2_timer
//   jbd2_commit -> jbd2_revoke
#include "jbd2/journal.h"

#include <cstring>

#include <fmt/format.h>

#include <xip/base/points.h>
#include <xip/locks/clock.h>

#include "jbd2/checksum.h"
#include "jbd2/log_headers.h"
#include "jbd2/torn_superblock.h"

namespace xip::jbd2 {

journal::journal(journal_request&& request)
    : buffers_{request.buffers},
      bits_{request.buffers.block_bits()},
      log_{std::move(request.log)},
      memory_{request.memory},
      handles_{request.handles},
      operations_{request.operations},
      context_{request.context},
      carried_{request.carried},
      interval_{request.commit_interval},
      format_{.place = place(), .jsb = jsb_, .end = 0, .seed = 0, .checksums = request.checksums, .wide = request.wide},
      staging_{staged_blocks << bits_, &memory_},
      used_{memory_},
      not_home_{&memory_} {}

journal::~journal() { stop_timer(); }

// ---- loading --------------------------------------------------------------------------------------------------------------------------------

namespace {

[[nodiscard]] result<> add_sequences(const journal_place& at, std::uint32_t first, std::uint32_t end, used_sequences& to) {
  result<> added;
  XIP_TRY(for_each_header(at, first, end, [&](std::uint32_t, const journal_header& h) {
    added = to.add(h.h_sequence);
    return added.has_value();
  }));
  return added;
}

}  // namespace

// Of every block that is left in the log.
result<> journal::collect_sequences() {
  used_.clear();
  XIP_TRY(add_sequences(place(), jsb_.s_first, format_.end, used_));
  used_.sort();
  return {};
}

// Where the log of super block JSB may begin, of PLACES blocks from FROM on, and with which transaction. With checksums the place decides the number. If the log may still have
// blocks of such a one, or of one that comes after it before the log is full, another place is taken; so it is where Linux would go on after us. EUCLEAN: fewer
// than FEWEST places will do.
result<journal::log_beginning> journal::choose_beginning(const journal_superblock& jsb, std::uint32_t from, std::uint32_t places,
                                                         std::uint32_t fewest) const noexcept {
  if (!format_.checksums) return log_beginning{from, cursor_.sequence};
  const std::uint32_t of_linux = sequence_that_keeps_checksum(jsb, 0) + 1;
  std::optional<log_beginning> first;
  for (std::uint32_t at = from; places != 0; --places, at = format_.next_block(at)) {
    const std::uint32_t sequence = sequence_that_keeps_checksum(jsb, at);
    const bool apart = sequence - of_linux >= capacity() && of_linux - sequence >= capacity();
    if (sequence == 0 || !apart || used_.overlaps(sequence, capacity())) continue;
    if (!first) first = log_beginning{at, sequence};
    if (--fewest == 0) return *first;
  }
  return fail(EUCLEAN);
}

result<> journal::load(std::string& message) {
  const loaded_superblock loaded = XIP_TRY(load_superblock(place(), message));
  jsb_ = loaded.jsb;
  format_.end = loaded.end;
  XIP_TRY(check_writable(loaded, message));
  most_ = (capacity() - spare_blocks) / 4;
  limit_.store(most_, std::memory_order_relaxed);
  assert_nothing_to_commit();
  cursor_.sequence = jsb_.s_sequence;
  cursor_.head = jsb_.s_first;
  torn_ = loaded.state == superblock_state::bad;
  if (!torn_ || XIP_TRY(superblock_is_torn(place(), loaded))) return {};
  message = "the journal is damaged: the checksum of its super block is wrong";
  return fail(EUCLEAN);
}

// What a journal of this file system has. Version 1 had no features, and no room for them in its super block.
void journal::upgrade_features(journal_superblock& jsb) const noexcept {
  if (jsb.s_header.h_blocktype == superblock_v1) {
    constexpr std::size_t kept = offsetof(journal_superblock, s_feature_compat);
    std::memset(reinterpret_cast<std::byte*>(&jsb) + kept, 0, sizeof jsb - kept);
    jsb.s_header.h_blocktype = superblock_v2;
    jsb.s_nr_users = 1;
  }
  jsb.s_feature_compat = jsb.s_feature_compat & ~compat_checksum;
  jsb.s_feature_incompat = incompat_revoke | (format_.wide ? incompat_64bit : 0) | (format_.checksums ? incompat_csum_v3 : 0);
  jsb.s_checksum_type = format_.checksums ? checksum_crc32c : std::uint8_t{0};
  if (!format_.checksums) jsb.s_checksum = 0;
  jsb.s_errno = 0;
  jsb.s_header.h_sequence = 0;  // tell_errno's
}

// ---- from empty to empty ----------------------------------------------------------------------------------------------------------------------

// What the log has is home, if it has anything: an unmount was cut off. Whoever finds it in the middle of this finds it empty, or as it was, and the file system
// says in both cases that it does not count.
result<> journal::prepare_to_begin(std::string& message) {
  assert_nothing_to_commit();
  if (aborted()) return fail(EIO);
  XIP_TRY(collect_sequences());
  journal_superblock wanted = jsb_;
  upgrade_features(wanted);
  wanted.s_start = 0;
  if (format_.checksums) wanted.s_checksum = superblock_checksum(wanted);
  format_.seed = checksum_seed(wanted);
  if (!format_.checksums) cursor_.sequence = used_.behind(cursor_.sequence);
  const auto beginning = choose_beginning(wanted, cursor_.head, capacity(), beginnings_to_spare);
  if (!beginning) {
    message =
        "the log still has blocks of so many transactions that a new one could be taken for one of them; run e2fsck, or make the journal "
        "anew with "
        "tune2fs -O ^has_journal and tune2fs -j";
    return fail(beginning.error());
  }
  next_ = *beginning;
  XIP_TRY(medium().reserve(log_.find(0).value() << bits_, block_size()));
  if (torn_ || std::memcmp(&wanted, &jsb_, sizeof wanted) != 0) {
    XIP_TRY(rewrite_superblock(place(), wanted));
    jsb_ = wanted;
    torn_ = false;
  }
  return {};
}

result<> journal::begin() {
  assert_nothing_to_commit();
  XIP_TRY(move_log(place(), jsb_, next_.sequence, next_.start));
  cursor_ = {.head = next_.start, .free = capacity(), .sequence = next_.sequence};
#if XIP_EXHIBITS
  stock_tail_ = next_;
#endif
  begun_ = true;
  set_limit();
  start_timer();
  return {};
}

result<> journal::end_locked() {
  if (aborted()) {
    record_errno();
    return fail(EIO);
  }
  if (!begun_) return {};
  XIP_TRY(checkpoint_locked());
  if (const auto carried = not_home_.find(carried_.value()); carried != not_home_.end()) {
    // The log is live: a torn write is made good from it.
    XIP_TRY(or_abort(bring_home(carried_, carried->second.place)));
    mutex_guard guard{revoke_lock_};
    not_home_.erase(carried);
  }
  XIP_TRY(or_abort(move_log(place(), jsb_, format_.checksums ? sequence_that_keeps_checksum(jsb_, 0) : cursor_.sequence, 0)));
  begun_ = false;
  limit_.store(most_, std::memory_order_relaxed);
  return {};
}

result<> journal::end() {
  stop_timer();
  const auto done = [this] {
    mutex_guard guard{commit_lock_};
    return end_locked();
  }();
  if (!done && !aborted()) start_timer();  // the log goes on
  return done;
}

// ---- when nothing can be written any more -------------------------------------------------------------------------------------------------------

void journal::abort(error why) noexcept {
  int none = 0;
  if (!aborted_.compare_exchange_strong(none, why.number())) return;
  XIP_POINT(jbd2_aborted, static_cast<std::uint64_t>(why.number()));
  operations_.aborted(context_, why);
}

// Without memory, or room on the host, what was tried may be tried again. After anything else what the medium holds is unknown.
result<> journal::or_abort(result<> done) noexcept {
  if (done || done.error() == ENOMEM || done.error() == ENOSPC) return done;
  return whole_or_abort(done);
}

// Where something has changed that cannot be taken back every error is one of the medium.
result<> journal::whole_or_abort(result<> done) noexcept {
  if (done) return done;
  abort(error{done.error() == ENOMEM || done.error() == ENOSPC ? EIO : done.error().number()});
  record_errno();
  return fail(EIO);
}

// Whether that arrives is unknown too; if it did not, it is tried again at the end. The log counts meanwhile, so a crash here leaves its super block as it was or as
// it is to be: one line of it changes.
void journal::record_errno() noexcept {
  if (!aborted() || jsb_.s_errno != 0) return;
  (void)tell_errno(place(), jsb_, aborted_.load(std::memory_order_relaxed));
}

// ---- the timer ----------------------------------------------------------------------------------------------------------------------------------

// Without one, changes are durable when somebody asks for it: a thread that cannot be had is no reason to refuse them.
void journal::start_timer() {
  if (interval_.load(std::memory_order_relaxed) == nanoseconds::zero()) return;
  {
    mutex_guard guard{timer_lock_};
    timer_stops_ = false;
  }
  if (auto made = kthread::run("jbd2", memory_, [this] { commit_on_timer(); })) timer_.emplace(std::move(*made));
}

void journal::stop_timer() noexcept {
  if (!timer_) return;
  {
    mutex_guard guard{timer_lock_};
    timer_stops_ = true;
  }
  timer_queue_.wake_all();
  timer_.reset();
}

void journal::commit_on_timer() noexcept {
  for (;;) {
    {
      mutex_guard guard{timer_lock_};
      const nanoseconds deadline = monotonic_now() + interval_.load(std::memory_order_relaxed);
      if (timer_queue_.wait_until(timer_lock_, deadline, [this]() XIP_REQUIRES(timer_lock_) { return timer_stops_; })) return;
    }
    if (aborted()) return;
    // What it fails with, whoever asks next is told.
    if (buffers_.dirty_count() != 0) (void)commit(running());
  }
}

}  // namespace xip::jbd2
