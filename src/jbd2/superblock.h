// A journal's super block, as it comes in and as it goes out. Linux: journal_load_superblock, jbd2_write_superblock (fs/jbd2/journal.c).
#pragma once

#include <cstdint>
#include <string>

#include <xip/base/result.h>
#include <xip/dev/device.h>

#include "jbd2/format.h"
#include "jbd2/log_map.h"

namespace xip::jbd2 {

// Where a journal is.
struct journal_place {
  dev::device& device;
  const log_map& log;
  unsigned block_bits;  // a block has 1 << this bytes
};

// What a checksum that is wrong says.
enum class superblock_state : std::uint8_t {
  good,
  bad,  // the checksum alone is wrong: a crash may have torn the last write of it, or it is damaged
};

struct loaded_superblock {
  journal_superblock jsb{};
  superblock_state state = superblock_state::good;
  std::uint32_t end = 0;  // of the log, in blocks of the journal
};

// EUCLEAN: it makes no sense. EOPNOTSUPP: it has a feature that is not known. EIO. MESSAGE says what is wrong.
[[nodiscard]] result<loaded_superblock> load_superblock(const journal_place& at, std::string& message);
// It can be loaded, and a journal be written there; errors as load_superblock. Its checksum is not looked at. Linux: load_superblock (fs/jbd2/journal.c).
[[nodiscard]] result<> check_writable(const journal_place& at, std::string& message);
[[nodiscard]] result<> check_writable(const loaded_superblock& loaded, std::string& message);
// With its checksum, if the journal has any; durable on return. Where less than 512 bytes reach the medium at once a crash may leave a part of it.
[[nodiscard]] result<> write_superblock(const journal_place& at, journal_superblock& jsb);
// The same for changes to anything while the log is empty, in steps that no crash can tear: the checksum does not count between the first and the last.
[[nodiscard]] result<> rewrite_superblock(const journal_place& at, journal_superblock& jsb);
// JSB, and nothing of it where that fails, says where the log begins, and with which transaction: one word of 8 bytes, which is written alone. Durable on return. With checksums SEQUENCE is
// sequence_that_keeps_checksum's.
[[nodiscard]] result<> move_log(const journal_place& at, journal_superblock& jsb, std::uint32_t sequence, std::uint32_t start);
// JSB, and nothing of it where that fails, says that the journal was aborted because of NUMBER, an errno; its log counts as before. Nothing
// changes outside of the first line of 64 bytes: with checksums h_sequence, which nobody reads of a super block, keeps the checksum as it is.
// Durable on return.
[[nodiscard]] result<> tell_errno(const journal_place& at, journal_superblock& jsb, int number);

// The checksum lies in another line than s_sequence and s_start. But it is a linear function of each of its bits: for every START there is exactly one sequence
// with which it stays what it is. A log that begins so is moved by a write that cannot be torn.
[[nodiscard]] std::uint32_t sequence_that_keeps_checksum(const journal_superblock& jsb, std::uint32_t start) noexcept;

[[nodiscard]] constexpr bool has_checksums(std::uint32_t incompat) noexcept {
  return (incompat & (incompat_csum_v2 | incompat_csum_v3)) != 0;
}
// The incompat features of JSB; a super block of version 1 has none.
[[nodiscard]] std::uint32_t incompat_of(const journal_superblock& jsb) noexcept;

}  // namespace xip::jbd2
