// A journal that is written. Linux: fs/jbd2/{journal,transaction,commit,checkpoint,revoke}.c.
//
// Changes are made under handles. All handles between two commits are one transaction: the running one. A commit makes it durable, whole or not at all:
//   1. New handles wait until the open ones have stopped. What is dirty in the buffer cache is copied into the log, with revoke and descriptor
//      blocks. Then handles may start again, in the next transaction.
//   2. The device is flushed: file data that the transaction makes reachable is on the medium, and so are its blocks in the log.
//   3. The commit block is written, and the device flushed again.
// Who asks for a commit makes it, in its own thread. Who comes while one is under way waits for that, and most often finds that the next one, made by
// another that waited, carried its changes as well.
//
// A checkpoint brings home what is committed, from the copies in the log: what is being changed in the cache meanwhile stays out of it. When everything
// is home and flushed, the log begins anew, behind where it ended: one word in the journal's super block says so, and its write cannot be torn.
//
// Blocks of the log are counted so that a running transaction always fits: handles ask for room for all the blocks that they may change.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory_resource>
#include <optional>
#include <string>
#include <vector>

#include <xip/base/annotations.h>
#include <xip/base/result.h>
#include <xip/base/units.h>
#include <xip/dev/buffer_cache.h>
#include <xip/locks/kthread.h>
#include <xip/locks/mutex.h>
#include <xip/locks/wait_queue.h>

#include "jbd2/format.h"
#include "jbd2/handle_lock.h"
#include "jbd2/log_map.h"
#include "jbd2/log_writer.h"
#include "jbd2/sequences.h"
#include "jbd2/superblock.h"

namespace xip::jbd2 {

inline constexpr lock_class jbd2_commit_class{"jbd2_commit"};
inline constexpr lock_class jbd2_revoke_class{"jbd2_revoke"};
inline constexpr lock_class jbd2_timer_class{"jbd2_timer"};

// A transaction of this mount, from 1. The log's own number of it, which has 32 bits, is another.
using tid_t = std::uint64_t;

// What the journal asks of the file system. CONTEXT is journal_request's.
struct journal_operations {
  // The running transaction is about to end, nobody has a handle: the last changes to it. They may dirty two blocks more. An error ends the commit, and
  // changes nothing.
  result<> (*before_commit)(void* context);
  // It has ended: what is changed from here on belongs to the next.
  void (*frozen)(void* context) noexcept;
  // TID is durable: what it has freed may be used again.
  void (*committed)(void* context, tid_t tid) noexcept;
  // Nothing is written any more.
  void (*aborted)(void* context, error why) noexcept;
};

struct journal_request {
  dev::buffer_cache& buffers;
  log_map log;
  std::pmr::memory_resource& memory;
  handle_lock& handles;
  const journal_operations& operations;  // a table that outlives the journal
  void* context;
  pblk_t carried;               // goes home in end() only, and from log to log until then: nobody finds the journal while it is torn
  bool checksums;               // write checksums, version 3
  bool wide;                    // block numbers of 64 bits
  nanoseconds commit_interval;  // changes become durable no later than so; 0: when somebody asks only
};

class journal {
 public:
  explicit journal(journal_request&& request);  // bad_alloc
  ~journal();
  journal(const journal&) = delete;
  journal& operator=(const journal&) = delete;

  // Looks at the super block. The log holds nothing that is needed: it was recovered, or never used. EUCLEAN, EOPNOTSUPP, EIO with MESSAGE.
  [[nodiscard]] result<> load(std::string& message);

  // ---- the log as a whole: nobody changes anything meanwhile but through start_handle -----------------------------------------------------

  // Before the first change, by one task; handles may be open, they have changed nothing. First the log is made empty, and its super block what this journal
  // needs: after that the file system may say that its journal counts. EIO, ENOMEM, ENOSPC. EUCLEAN, with MESSAGE, and nothing written: no transaction would
  // be told from what the log has.
  [[nodiscard]] result<> prepare_to_begin(std::string& message);
  // Then it does. EIO: nothing was begun.
  [[nodiscard]] result<> begin();
  // Everything committed goes home but the carried block, and that becomes durable. EIO. ENOSPC, ENOMEM: some of it has, and may be tried again.
  [[nodiscard]] result<> checkpoint() XIP_EXCLUDES(commit_lock_);
  // With nothing changed since the last commit, and no handle open: everything goes home, and the log is empty. begin comes next. Of an aborted one the super block is told
  // why. EIO, ENOSPC, ENOMEM.
  [[nodiscard]] result<> end() XIP_EXCLUDES(commit_lock_);

  // ---- handles ----------------------------------------------------------------------------------------------------------------------------

  // Takes the handle lock shared, with room for CREDITS blocks. May wait for a commit and a checkpoint. EIO: aborted. ENOSPC: more than any transaction
  // may have, or no room for a checkpoint on the host. ENOMEM.
  [[nodiscard]] result<> start_handle(std::uint32_t credits);
  void stop_handle(std::uint32_t credits) noexcept;
  // Room for COUNT more. False: there is none; stop the handle and start another.
  [[nodiscard]] bool extend_handle(std::uint32_t count) noexcept;
  // Metadata block BLOCK is freed under an open handle: no copy of it that the log has by now may ever go home again after this transaction. Needs no memory.
  void revoke(pblk_t block) noexcept;

  // ---- transactions -----------------------------------------------------------------------------------------------------------------------

  [[nodiscard]] tid_t running() const noexcept { return running_.load(std::memory_order_acquire); }
  [[nodiscard]] tid_t committed() const noexcept { return committed_.load(std::memory_order_acquire); }
  // Returns when TID is durable. No handle is open in this thread. EIO: aborted. ENOMEM, ENOSPC: not durable, may be tried again.
  [[nodiscard]] result<> commit(tid_t tid) XIP_EXCLUDES(commit_lock_);

  // As journal_request's; a thread that waits does so for the old one first.
  void set_commit_interval(nanoseconds interval) noexcept { interval_.store(interval, std::memory_order_relaxed); }

  // Nothing is written any more, every call fails with EIO; the log stays for the next mount to recover. Linux: jbd2_journal_abort.
  void abort(error why) noexcept;
  [[nodiscard]] bool aborted() const noexcept { return aborted_.load(std::memory_order_relaxed) != 0; }

 private:
  // A block whose newest copy, committed or being so, is in the log only.
  struct logged_copy {
    std::uint64_t block = 0;
    dev::buffer_ref pinned;  // else a read of the block could find its old contents
    place_in_log place;
    bool revoked = false;  // freed since: it is in a list of revoked ones
    logged_copy* next_revoked = nullptr;
  };

  [[nodiscard]] journal_place place() const noexcept { return {buffers_.medium(), log_, bits_}; }
  [[nodiscard]] dev::device& medium() const noexcept { return buffers_.medium(); }
  [[nodiscard]] std::size_t block_size() const noexcept { return std::size_t{1} << bits_; }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return format_.end - jsb_.s_first; }
  [[nodiscard]] log_writer writer() noexcept XIP_REQUIRES(commit_lock_) { return {format_, staging_, buffers_, cursor_}; }

  // Before begin there is nothing to commit, and whoever tries finds that out with the handle lock held exclusive: load and begin need no other lock.
  void assert_nothing_to_commit() const noexcept XIP_ASSERT_CAPABILITY(commit_lock_) {}

  // journal.cc
  [[nodiscard]] result<> collect_sequences() XIP_REQUIRES(commit_lock_);
  void upgrade_features(journal_superblock& jsb) const noexcept;
  static constexpr std::uint32_t spare_blocks = 16;         // for a commit block, and for the carried block
  static constexpr std::uint32_t beginnings_to_spare = 64;  // a log that has fewer when it begins would find none at some checkpoint
  struct log_beginning {
    std::uint32_t start, sequence;
  };
  [[nodiscard]] result<log_beginning> choose_beginning(const journal_superblock& jsb, std::uint32_t from, std::uint32_t places,
                                                       std::uint32_t fewest) const noexcept XIP_REQUIRES(commit_lock_);
  [[nodiscard]] result<> or_abort(result<> done) noexcept XIP_REQUIRES(commit_lock_);
  [[nodiscard]] result<> whole_or_abort(result<> done) noexcept XIP_REQUIRES(commit_lock_);
  [[nodiscard]] result<> end_locked() XIP_REQUIRES(commit_lock_);
  void record_errno() noexcept XIP_REQUIRES(commit_lock_);
  void start_timer();
  void stop_timer() noexcept;
  void commit_on_timer() noexcept;

  // transaction.cc
  [[nodiscard]] bool reserve(std::uint32_t blocks, std::uint32_t limit) noexcept;
  [[nodiscard]] result<> make_room(std::uint32_t blocks) XIP_EXCLUDES(commit_lock_);
  void set_limit() noexcept XIP_REQUIRES(commit_lock_);
  void drop_needless_revokes() noexcept XIP_REQUIRES(revoke_lock_);

  // commit.cc
  enum class transaction_kind : std::uint8_t { empty, logged };
  [[nodiscard]] result<> commit_locked(tid_t tid) XIP_REQUIRES(commit_lock_);
  [[nodiscard]] result<transaction_kind> freeze() XIP_REQUIRES(commit_lock_) XIP_EXCLUDES(handles_);
  [[nodiscard]] result<std::uint32_t> prepare() XIP_REQUIRES(commit_lock_, handles_);
  [[nodiscard]] result<> write_to_log() XIP_REQUIRES(commit_lock_, handles_);
  [[nodiscard]] result<> write_revokes(log_writer& log) XIP_REQUIRES(commit_lock_, handles_);
  [[nodiscard]] result<> make_durable(transaction_kind kind) XIP_REQUIRES(commit_lock_);
  void finish(tid_t tid) noexcept XIP_REQUIRES(commit_lock_);

  // checkpoint.cc
  [[nodiscard]] result<> checkpoint_locked() XIP_REQUIRES(commit_lock_);
  [[nodiscard]] result<> write_home() XIP_REQUIRES(commit_lock_);
  [[nodiscard]] result<> bring_home(pblk_t block, const place_in_log& from) XIP_REQUIRES(commit_lock_);
  [[nodiscard]] result<> begin_again() XIP_REQUIRES(commit_lock_);
#if XIP_EXHIBITS
  [[nodiscard]] result<> move_stock_tail() XIP_REQUIRES(commit_lock_);
#endif
  void forget_log() noexcept XIP_REQUIRES(commit_lock_);
  [[nodiscard]] result<> remember_sequences() XIP_REQUIRES(commit_lock_);

  dev::buffer_cache& buffers_;
  const unsigned bits_;
  const log_map log_;
  std::pmr::memory_resource& memory_;
  handle_lock& handles_;
  const journal_operations& operations_;
  void* const context_;
  const pblk_t carried_;
  std::atomic<nanoseconds> interval_;

  // One commit or checkpoint at a time, from its beginning to its end.
  mutex<jbd2_commit_class> commit_lock_;
  journal_superblock jsb_{};  // as the medium has it, or is about to; changed in load, then under commit_lock_
  log_format format_;         // changed in load and begin
  bool torn_ = false;         // the super block, when it was loaded
  log_beginning next_{};      // what begin() begins with
  bool begun_ XIP_GUARDED_BY(commit_lock_) = false;
  std::pmr::vector<std::byte> staging_ XIP_GUARDED_BY(commit_lock_);
  log_cursor cursor_ XIP_GUARDED_BY(commit_lock_);
  used_sequences used_ XIP_GUARDED_BY(commit_lock_);
  // By block. It grows and shrinks under revoke_lock_ as well, so that revoke may look a block up under that one alone.
  std::pmr::map<std::uint64_t, logged_copy> not_home_ XIP_GUARDED_BY(commit_lock_);
  logged_copy* committing_revokes_ XIP_GUARDED_BY(commit_lock_) = nullptr;
#if XIP_EXHIBITS
  log_beginning stock_tail_ XIP_GUARDED_BY(commit_lock_) = {};  // of exhibit_place::stock_tail_update: where the last transaction begins
#endif

  std::uint32_t most_ = 0;                     // log blocks that a transaction may have when a handle starts; twice as many when it stops
  std::atomic<std::uint32_t> limit_{0};        // most_, or 0: a checkpoint comes first
  std::atomic<std::uint32_t> outstanding_{0};  // blocks that open handles may dirty
  mutex<jbd2_revoke_class> revoke_lock_;
  logged_copy* revokes_ XIP_GUARDED_BY(revoke_lock_) = nullptr;  // of the running transaction
  std::atomic<std::uint32_t> revoke_count_{0};                   // how many those are

  std::atomic<tid_t> running_{1};
  std::atomic<tid_t> committed_{0};
  std::atomic<int> aborted_{0};  // an errno

  mutex<jbd2_timer_class> timer_lock_;
  wait_queue timer_queue_;
  bool timer_stops_ XIP_GUARDED_BY(timer_lock_) = false;
  std::optional<kthread> timer_;
};

}  // namespace xip::jbd2
