// Handles: every change of metadata is made under one. Linux: fs/ext4/ext4_jbd2.h.
//
// A handle is opened with credits: the most buffers it may dirty. get_write_access gives the contents to write, dirty_metadata says that they
// have been written. With a journal a commit is one of jbd2's transactions; without one it is a write-back: new handles wait, every dirty buffer goes
// home, and the device is flushed. After either, blocks freed before may be used again.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <xip/base/config.h>
#include <xip/base/result.h>
#include <xip/dev/buffer_cache.h>

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite {

// Which buffers a handle has dirtied, where that is checked against its credits.
class dirtied_buffers {
 public:
  // True when B was not among them yet.
  [[nodiscard]] bool add(pblk_t b);
  void clear() noexcept;
  [[nodiscard]] std::string list() const;

 private:
  static constexpr std::size_t few = 32;
  pblk_t first_[few] = {};
  std::size_t count_ = 0;
  std::vector<pblk_t> rest_;
};

// The commit that carries what is changed now.
[[nodiscard]] std::uint64_t running_tid(const ext4_sb_info& sb) noexcept;

// Opened by journal_start; stops at the end of its scope. A start inside an open handle of the same thread joins it; where the outer one has
// fewer credits left than the inner asks for, it gets the difference.
class handle {
 public:
  handle(handle&& other) noexcept;
  handle& operator=(handle&&) = delete;
  handle(const handle&) = delete;
  handle& operator=(const handle&) = delete;
  ~handle() { stop(); }

  void stop() noexcept;
  [[nodiscard]] ext4_sb_info& sb() const noexcept { return *sb_; }
  // The commit that will carry this handle's changes; compared with s_commit_sequence.
  [[nodiscard]] std::uint64_t tid() const noexcept {
#if XIP_EXHIBITS
    if (XIP_EXHIBIT(commit_number_early) && journal_ != nullptr) return outermost().early_tid_;
#endif
    return running_tid(*sb_);
  }
  [[nodiscard]] std::uint32_t credits_left() const noexcept;
  // COUNT more credits in the same transaction; false: stop and restart.
  [[nodiscard]] bool extend(std::uint32_t count) noexcept;

  // From here on mark_inode_dirty_data only remembers that INODE has changed: several changes under one handle are written once. Who says so
  // calls write_put_off before the handle stops, on every way, and holds SLOT so long: then it can be written.
  void put_off(ext4_inode_info& inode, const inode_slot& slot) noexcept {
    put_off_ = &inode;
    put_off_slot_ = &slot;
  }

 private:
  friend result<handle> journal_start(ext4_sb_info& sb, std::uint32_t credits);
  friend result<> dirty_metadata(handle& h, dev::buffer& b);
  friend bool note_put_off(handle& h, const ext4_inode_info& inode) noexcept;
  friend result<> write_put_off(handle& h);
  handle(ext4_sb_info& sb, handle* outermost, std::uint32_t credits) noexcept;

  [[nodiscard]] handle& outermost() noexcept { return outermost_ != nullptr ? *outermost_ : *this; }
  [[nodiscard]] const handle& outermost() const noexcept { return outermost_ != nullptr ? *outermost_ : *this; }
  // B was changed, and counts if no other change of the commit has counted it (FRESH); where credits are checked, if none of this handle has.
  void use_credit(const dev::buffer& b, bool fresh);

  ext4_sb_info* sb_;        // null once stopped
  handle* outermost_;       // which this one has joined; null: this is it
  jbd2::journal* journal_;  // that it was started in
  std::uint32_t credits_ = 0;
  std::uint32_t used_ = 0;
  ext4_inode_info* put_off_ = nullptr;  // of the outermost
  const inode_slot* put_off_slot_ = nullptr;
  bool owes_write_ = false;  // it has changed
#if XIP_EXHIBITS
  std::uint64_t early_tid_ = 0;  // the running one before the handle was open
#endif
#if XIP_LOCKDEP
  dirtied_buffers dirtied_;
#endif
};

// EROFS: read-only, or made so by an error. EIO: it becomes so in this call, or is shut down. ENOSPC: no transaction has so many CREDITS. ENOMEM.
// Takes jbd2_handle shared: never under i_data_sem or a group lock, never inside a commit.
[[nodiscard]] result<handle> journal_start(ext4_sb_info& sb, std::uint32_t credits);
// The medium is about to be changed: before the first change of a read-write mount it says so. get_write_access sees to
// that; who writes data before any metadata calls it. EIO: the super block could not be written, or changes have ended. ENOMEM, ENOSPC (no room on the host):
// nothing was begun. EUCLEAN: the journal's log is full of numbers, and nothing was written. May block.
[[nodiscard]] result<> start_changing(handle& h);
// The buffer's contents, to be written by H and nobody else until dirty_metadata. May block: not under a spin lock.
// Linux: jbd2_journal_get_write_access.
[[nodiscard]] result<std::span<std::byte>> get_write_access(handle& h, dev::buffer& b);
// The same for a block that was just allocated: its old contents do not matter. Linux: jbd2_journal_get_create_access.
[[nodiscard]] result<std::span<std::byte>> get_create_access(handle& h, dev::buffer& b);
// The contents are complete: the buffer belongs to the running commit.
[[nodiscard]] result<> dirty_metadata(handle& h, dev::buffer& b);

// H writes INODE later. False: it does not, the change is to be written now.
[[nodiscard]] bool note_put_off(handle& h, const ext4_inode_info& inode) noexcept;
// What was put off until now is written, if it has changed, and is written at once from here on.
[[nodiscard]] result<> write_put_off(handle& h);

// How jbd2 asks a file system, whose ext4_sb_info is the context, for the ends of its transactions.
extern const jbd2::journal_operations ext4_journal_operations;

// Something could not be written, or not be undone: nothing is written any more, the mount is read-only, and every fsync fails with EIO, so that
// nobody is told that all is well. Linux: jbd2_journal_abort.
void journal_abort(ext4_sb_info& sb, const error& why) noexcept;
// DONE is what became of a change that had begun and cannot be taken back. If it failed in its middle, all changes end, and the medium stays as the
// last commit left it. But for corruption: that was reported where it was found, errors= says what follows, and e2fsck will look.
[[nodiscard]] result<> whole_or_abort(ext4_sb_info& sb, result<> done) noexcept;
// Makes everything changed before durable; no handle may be open in this thread. Linux: ext4_force_commit.
[[nodiscard]] result<> force_commit(ext4_sb_info& sb);
// Returns at once if the commit TID is durable already. Linux: jbd2_complete_transaction.
[[nodiscard]] result<> commit_tid(ext4_sb_info& sb, std::uint64_t tid);
// After ENOSPC: commit if that may free blocks. False: nothing was pending, or ATTEMPT is the fourth. Linux: ext4_should_retry_alloc.
[[nodiscard]] bool should_retry_alloc(ext4_sb_info& sb, unsigned attempt) noexcept;

}  // namespace xip::ext4lite
