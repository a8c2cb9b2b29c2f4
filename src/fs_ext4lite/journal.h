// Handles: every change of metadata is made under one. Linux: fs/ext4/ext4_jbd2.h.
//
// A handle is opened with credits: the most buffers it may dirty. get_write_access gives the contents to write, dirty_metadata says that they
// have been written. Without a journal in use a commit is a write-back: new handles wait, every dirty buffer goes home, the device is
// flushed, and blocks freed before may be used again.
#pragma once

#include <cstdint>
#include <span>

#include <xip/base/result.h>
#include <xip/dev/buffer_cache.h>

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite {

// Opened by journal_start; stops at the end of its scope. A start inside an open handle of the same thread joins it (its credits are added, as a
// reservation made by the outer caller must cover both).
class handle {
 public:
  handle(handle&& other) noexcept;
  handle& operator=(handle&&) = delete;
  ~handle() { stop(); }

  void stop() noexcept;
  [[nodiscard]] ext4_sb_info& sb() const noexcept { return *sb_; }
  // The commit that will carry this handle's changes.
  [[nodiscard]] std::uint64_t tid() const noexcept;
  [[nodiscard]] std::uint32_t credits_left() const noexcept;
  // COUNT more credits in the same transaction; false: stop and restart.
  [[nodiscard]] bool extend(std::uint32_t count) noexcept;

 private:
  friend result<handle> journal_start(ext4_sb_info& sb, std::uint32_t credits);
  handle(ext4_sb_info& sb, handle* outer) noexcept : sb_{&sb}, outer_{outer} {}
  friend result<std::span<std::byte>> get_write_access(handle& h, dev::buffer& b);
  friend result<std::span<std::byte>> get_create_access(handle& h, dev::buffer& b);
  friend result<> dirty_metadata(handle& h, dev::buffer& b);

  ext4_sb_info* sb_;
  handle* outer_;             // joined, null for the outermost
  std::uint32_t credits_ = 0;
  std::uint32_t used_ = 0;
  std::uint32_t depth_ = 1;
};

// EROFS: read-only (or made so by an error). EIO. The first one of a read-write mount clears EXT4_VALID_FS on the medium.
// Takes jbd2_handle shared: never under i_data_sem or a group lock, never inside a commit.
[[nodiscard]] result<handle> journal_start(ext4_sb_info& sb, std::uint32_t credits);
// The buffer's contents, to be written by H and nobody else until dirty_metadata. Linux: jbd2_journal_get_write_access.
[[nodiscard]] result<std::span<std::byte>> get_write_access(handle& h, dev::buffer& b);
// The same for a block that was just allocated: its old contents do not matter. Linux: jbd2_journal_get_create_access.
[[nodiscard]] result<std::span<std::byte>> get_create_access(handle& h, dev::buffer& b);
// The contents are complete: the buffer belongs to the running commit.
[[nodiscard]] result<> dirty_metadata(handle& h, dev::buffer& b);

// Makes everything changed before durable; no handle may be open in this thread. Linux: ext4_force_commit.
[[nodiscard]] result<> force_commit(ext4_sb_info& sb);
// Returns at once if the commit TID is durable already. Linux: jbd2_complete_transaction.
[[nodiscard]] result<> commit_tid(ext4_sb_info& sb, std::uint64_t tid);
// After ENOSPC: commit if that may free blocks. False: nothing was pending, or ATTEMPT is the fourth. Linux: ext4_should_retry_alloc.
[[nodiscard]] bool should_retry_alloc(ext4_sb_info& sb, unsigned attempt) noexcept;

}  // namespace xip::ext4lite
