// Blocks of one transaction on their way into the log: copied, with their checksums, each group behind the descriptor block that says whose they are.
// Linux: jbd2_journal_commit_transaction (fs/jbd2/commit.c).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <xip/base/result.h>
#include <xip/dev/buffer_cache.h>

#include "jbd2/superblock.h"

namespace xip::jbd2 {

inline constexpr std::uint32_t staged_blocks = 64;  // of one request

// Where a log goes on.
struct log_cursor {
  std::uint32_t head = 0;      // block of the journal that comes next
  std::uint32_t free = 0;      // blocks from there on that hold nothing that is needed
  std::uint32_t sequence = 0;  // of the next transaction
};

// How a log is written; what it is and where.
struct log_format {
  journal_place place;
  const journal_superblock& jsb;
  std::uint32_t end;   // of the log, in blocks of the journal
  std::uint32_t seed;  // of its checksums
  bool checksums;      // version 3
  bool wide;           // block numbers of 64 bits

  // The block of the journal that comes after AT.
  [[nodiscard]] std::uint32_t next_block(std::uint32_t at) const noexcept { return at + 1 == end ? jsb.s_first.load() : at + 1; }
};

struct place_in_log {
  std::uint32_t at = 0;  // block of the journal; 0: nowhere
  bool escaped = false;
};

// One transaction. CURSOR moves on as blocks are written. An error in its middle leaves a log whose last transaction has no commit block.
class log_writer {
 public:
  // STAGING has room for staged_blocks.
  log_writer(const log_format& format, std::span<std::byte> staging, dev::buffer_cache& buffers, log_cursor& cursor) noexcept;

  // Blocks of the log that BLOCKS changed and REVOKES revoked ones take, with all that belongs to them.
  [[nodiscard]] std::uint32_t blocks_for(std::uint64_t blocks, std::uint64_t revokes) const noexcept;
  // Room on the host for COUNT blocks. ENOSPC: nothing was written.
  [[nodiscard]] result<> reserve(std::uint32_t count);
  // All of them before the first block, and flush_revokes() behind the last.
  [[nodiscard]] result<> write_revoke(pblk_t block);
  [[nodiscard]] result<> flush_revokes();
  // What the medium would get of B, which is clean then.
  [[nodiscard]] result<place_in_log> write_block(dev::buffer& b);
  // What the log has of block HOME in another place.
  [[nodiscard]] result<place_in_log> write_copy(pblk_t home, const place_in_log& from);
  // What is staged goes out.
  [[nodiscard]] result<> flush_blocks();
  // After flush_blocks and a flush of the device. Not flushed on return.
  [[nodiscard]] result<> write_commit_block();

 private:
  [[nodiscard]] std::size_t block_size() const noexcept { return std::size_t{1} << format_.place.block_bits; }
  [[nodiscard]] std::span<std::byte> staged(std::size_t i) noexcept { return staging_.subspan(i * block_size(), block_size()); }
  // Up to where entries of a descriptor or revoke block may go.
  [[nodiscard]] std::size_t end_of_entries() const noexcept { return block_size() - (format_.checksums ? sizeof(block_tail) : 0); }
  [[nodiscard]] std::size_t tag_size() const noexcept;
  [[nodiscard]] std::size_t tags_of_descriptor() const noexcept;
  [[nodiscard]] std::size_t revoke_size() const noexcept { return format_.wide ? sizeof(be64) : sizeof(be32); }
  [[nodiscard]] std::size_t revokes_of_block() const noexcept;

  // The next staged block, zeroed but for its header.
  [[nodiscard]] std::span<std::byte> begin_block(std::uint32_t type);
  // Where the next block of data goes, behind a descriptor with room for its tag.
  [[nodiscard]] result<std::span<std::byte>> next_data();
  // It is there, and its tag has the checksum of SUMMED.
  [[nodiscard]] place_in_log add_data(pblk_t home, bool escaped, std::span<const std::byte> summed);
  void add_tag(pblk_t home, bool escaped, std::span<const std::byte> summed);
  void set_tail(std::span<std::byte> block);
  void end_revoke_block();
  [[nodiscard]] result<> submit();

  const log_format& format_;
  const std::span<std::byte> staging_;
  dev::buffer_cache& buffers_;
  log_cursor& cursor_;
  std::size_t count_ = 0;     // blocks staged; if any are data, the first is their descriptor
  std::size_t tags_ = 0;      // in it
  std::size_t next_tag_ = 0;  // where its next tag goes
  std::size_t flags_of_last_ = 0;
  std::size_t next_revoke_ = 0;  // where the next one goes in the last block staged; 0: that is no revoke block
};

}  // namespace xip::jbd2
