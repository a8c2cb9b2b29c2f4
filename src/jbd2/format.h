// A journal as it lies on disk: structs, sizes, numbers; all integers are big-endian. No I/O here.
// Source: Documentation/filesystems/ext4/journal of Linux; names as in include/linux/jbd2.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <xip/base/endian.h>

namespace xip::jbd2 {

// clang-format off
#define XIP_AT(TYPE, FIELD, OFFSET) static_assert(offsetof(TYPE, FIELD) == (OFFSET))

inline constexpr std::uint32_t journal_magic = 0xC03B3998;

// h_blocktype
inline constexpr std::uint32_t descriptor_block = 1;
inline constexpr std::uint32_t commit_block = 2;
inline constexpr std::uint32_t superblock_v1 = 3;
inline constexpr std::uint32_t superblock_v2 = 4;
inline constexpr std::uint32_t revoke_block = 5;

// What every block of the journal's own begins with. A metadata block that begins with the magic number is escaped.
struct journal_header {
  be32 h_magic;
  be32 h_blocktype;
  be32 h_sequence;                 // of the transaction
};
static_assert(sizeof(journal_header) == 12 && alignof(journal_header) == 1);
XIP_AT(journal_header, h_magic, 0x0);
XIP_AT(journal_header, h_blocktype, 0x4);
XIP_AT(journal_header, h_sequence, 0x8);

// ---- super block: block 0 of the journal --------------------------------------------------------------------------------------------

inline constexpr std::uint32_t superblock_size = 1024;
inline constexpr std::uint32_t min_journal_blocks = 1024;  // JBD2_MIN_JOURNAL_BLOCKS

struct journal_superblock {
  journal_header s_header;
  be32 s_blocksize;
  be32 s_maxlen;                   // blocks of the journal
  be32 s_first;                    // block of the log
  be32 s_sequence;                 // first transaction to expect in the log
  be32 s_start;                    // its block; 0: the log is empty
  be32 s_errno;                    // why the journal was aborted: a negative errno
  be32 s_feature_compat;           // from here on only in version 2
  be32 s_feature_incompat;
  be32 s_feature_ro_compat;
  std::uint8_t s_uuid[16];
  be32 s_nr_users;
  be32 s_dynsuper;
  be32 s_max_transaction;
  be32 s_max_trans_data;
  std::uint8_t s_checksum_type;
  std::uint8_t s_padding2[3];
  be32 s_num_fc_blks;              // blocks at the end for fast commits
  be32 s_head;
  be32 s_padding[40];
  be32 s_checksum;                 // crc32c of the super block with 0 here
  std::uint8_t s_users[16 * 48];
};
static_assert(sizeof(journal_superblock) == superblock_size && alignof(journal_superblock) == 1);
XIP_AT(journal_superblock, s_header, 0x00);
XIP_AT(journal_superblock, s_blocksize, 0x0C);
XIP_AT(journal_superblock, s_maxlen, 0x10);
XIP_AT(journal_superblock, s_first, 0x14);
XIP_AT(journal_superblock, s_sequence, 0x18);
XIP_AT(journal_superblock, s_start, 0x1C);
XIP_AT(journal_superblock, s_errno, 0x20);
XIP_AT(journal_superblock, s_feature_compat, 0x24);
XIP_AT(journal_superblock, s_feature_incompat, 0x28);
XIP_AT(journal_superblock, s_feature_ro_compat, 0x2C);
XIP_AT(journal_superblock, s_uuid, 0x30);
XIP_AT(journal_superblock, s_nr_users, 0x40);
XIP_AT(journal_superblock, s_dynsuper, 0x44);
XIP_AT(journal_superblock, s_max_transaction, 0x48);
XIP_AT(journal_superblock, s_max_trans_data, 0x4C);
XIP_AT(journal_superblock, s_checksum_type, 0x50);
XIP_AT(journal_superblock, s_padding2, 0x51);
XIP_AT(journal_superblock, s_num_fc_blks, 0x54);
XIP_AT(journal_superblock, s_head, 0x58);
XIP_AT(journal_superblock, s_padding, 0x5C);
XIP_AT(journal_superblock, s_checksum, 0xFC);
XIP_AT(journal_superblock, s_users, 0x100);

// s_feature_compat
inline constexpr std::uint32_t compat_checksum = 0x01;        // crc32 of a transaction's blocks in its commit block
// s_feature_incompat
inline constexpr std::uint32_t incompat_revoke = 0x01;        // there may be revoke blocks
inline constexpr std::uint32_t incompat_64bit = 0x02;         // block numbers of 64 bits
inline constexpr std::uint32_t incompat_async_commit = 0x04;  // a commit block may be on disk before the blocks it commits
inline constexpr std::uint32_t incompat_csum_v2 = 0x08;
inline constexpr std::uint32_t incompat_csum_v3 = 0x10;
inline constexpr std::uint32_t incompat_fast_commit = 0x20;
// s_checksum_type
inline constexpr std::uint8_t checksum_crc32c = 4;

// ---- descriptor block: a header, then a tag for each block that follows it in the log -----------------------------------------------

struct block_tag {                 // 8 bytes; with 64bit the last four, too; with csum_v2 two more behind, unused
  be32 t_blocknr;
  be16 t_checksum;                 // low half, with csum_v2
  be16 t_flags;
  be32 t_blocknr_high;             // with 64bit
};
static_assert(sizeof(block_tag) == 12 && alignof(block_tag) == 1);
XIP_AT(block_tag, t_blocknr, 0x0);
XIP_AT(block_tag, t_checksum, 0x4);
XIP_AT(block_tag, t_flags, 0x6);
XIP_AT(block_tag, t_blocknr_high, 0x8);

struct block_tag3 {                // with csum_v3
  be32 t_blocknr;
  be32 t_flags;
  be32 t_blocknr_high;
  be32 t_checksum;
};
static_assert(sizeof(block_tag3) == 16 && alignof(block_tag3) == 1);
XIP_AT(block_tag3, t_blocknr, 0x0);
XIP_AT(block_tag3, t_flags, 0x4);
XIP_AT(block_tag3, t_blocknr_high, 0x8);
XIP_AT(block_tag3, t_checksum, 0xC);

// t_flags
inline constexpr std::uint32_t flag_escape = 1;     // the block begins with the magic number, which the log has as 0
inline constexpr std::uint32_t flag_same_uuid = 2;  // no 16 bytes of UUID behind this tag
inline constexpr std::uint32_t flag_deleted = 4;
inline constexpr std::uint32_t flag_last_tag = 8;
inline constexpr std::uint32_t tag_uuid_size = 16;

// Last of a descriptor block and of a revoke block, with csum_v2 or csum_v3.
struct block_tail {
  be32 t_checksum;                 // crc32c of the block with 0 here
};
static_assert(sizeof(block_tail) == 4 && alignof(block_tail) == 1);
XIP_AT(block_tail, t_checksum, 0x0);

// ---- revoke block: a header, then numbers of blocks, 4 or (64bit) 8 bytes each ------------------------------------------------------

struct revoke_header {
  journal_header r_header;
  be32 r_count;                    // bytes in use, with this header
};
static_assert(sizeof(revoke_header) == 16 && alignof(revoke_header) == 1);
XIP_AT(revoke_header, r_header, 0x0);
XIP_AT(revoke_header, r_count, 0xC);

// ---- commit block ---------------------------------------------------------------------------------------------------------------------

struct commit_header {
  journal_header h_header;
  std::uint8_t h_chksum_type;
  std::uint8_t h_chksum_size;
  std::uint8_t h_padding[2];
  be32 h_chksum[8];                // [0], with csum_v2 or csum_v3: crc32c of the block with 0 here
  be64 h_commit_sec;
  be32 h_commit_nsec;
};
static_assert(sizeof(commit_header) == 60 && alignof(commit_header) == 1);
XIP_AT(commit_header, h_header, 0x00);
XIP_AT(commit_header, h_chksum_type, 0x0C);
XIP_AT(commit_header, h_chksum_size, 0x0D);
XIP_AT(commit_header, h_padding, 0x0E);
XIP_AT(commit_header, h_chksum, 0x10);
XIP_AT(commit_header, h_commit_sec, 0x30);
XIP_AT(commit_header, h_commit_nsec, 0x38);

#undef XIP_AT
// clang-format on

// Bytes of a tag in a journal with these incompat features.
[[nodiscard]] constexpr std::uint32_t tag_bytes(std::uint32_t incompat) noexcept {
  if ((incompat & incompat_csum_v3) != 0) return sizeof(block_tag3);
  const std::uint32_t with_checksum = (incompat & incompat_csum_v2) != 0 ? 2 : 0;
  return (incompat & incompat_64bit) != 0 ? sizeof(block_tag) + with_checksum : sizeof(block_tag) - 4 + with_checksum;
}
static_assert(tag_bytes(0) == 8 && tag_bytes(incompat_64bit) == 12 && tag_bytes(incompat_csum_v2) == 10);
static_assert(tag_bytes(incompat_csum_v2 | incompat_64bit) == 14 && tag_bytes(incompat_csum_v3 | incompat_64bit) == 16);

// BLOCK, which the log has escaped, as it was.
// BYTES are the block's, from its byte SKIPPED on.
inline void unescape(std::span<std::byte> bytes, std::uint64_t skipped = 0) noexcept {
  const be32 magic{journal_magic};
  if (skipped >= sizeof magic) return;
  const auto* from = reinterpret_cast<const std::byte*>(&magic) + skipped;
  std::memcpy(bytes.data(), from, std::min(bytes.size(), sizeof magic - skipped));
}

// Transactions are numbered by 32 bits that wrap.
[[nodiscard]] constexpr bool tid_after(std::uint32_t a, std::uint32_t b) noexcept { return static_cast<std::int32_t>(a - b) > 0; }

}  // namespace xip::jbd2
