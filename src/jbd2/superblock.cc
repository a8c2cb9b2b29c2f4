#include "jbd2/superblock.h"

#include <array>
#include <bit>
#include <cstddef>
#include <span>
#include <utility>

#include <fmt/format.h>

#include <xip/base/assert.h>

#include "jbd2/checksum.h"

namespace xip::jbd2 {
namespace {

constexpr std::uint32_t known_incompat = incompat_revoke | incompat_64bit | incompat_async_commit | incompat_csum_v2 | incompat_csum_v3;

[[nodiscard]] std::unexpected<error> damaged(std::string& message, std::string what) {
  message = "the journal is damaged: " + std::move(what);
  return fail(EUCLEAN);
}

[[nodiscard]] result<> check_features(loaded_superblock& loaded, std::string& message) {
  const journal_superblock& jsb = loaded.jsb;
  const std::uint32_t incompat = jsb.s_feature_incompat;
  const std::uint32_t unknown = incompat & ~known_incompat;
  const bool by_crc32 = (incompat & incompat_async_commit) != 0 && !has_checksums(incompat);
  if (unknown != 0 || jsb.s_feature_ro_compat != 0 || by_crc32) {
    message = by_crc32 ? std::string{"the journal's asynchronous commits have checksums of the first version"}
                       : fmt::format("the journal has unknown features (incompat {:#x}, ro_compat {:#x})", unknown,
                                     jsb.s_feature_ro_compat.load());
    return fail(EOPNOTSUPP);
  }
  constexpr std::uint32_t both = incompat_csum_v2 | incompat_csum_v3;
  if ((incompat & both) == both) return damaged(message, "it has checksums of two versions");
  if (!has_checksums(incompat)) return {};
  if (jsb.s_checksum_type != checksum_crc32c) return damaged(message, fmt::format("its checksums are of type {}", jsb.s_checksum_type));
  if (superblock_checksum(jsb) != jsb.s_checksum) loaded.state = superblock_state::bad;
  return {};
}

[[nodiscard]] result<> check_shape(loaded_superblock& loaded, const journal_place& at, std::string& message) {
  const journal_superblock& jsb = loaded.jsb;
  if (jsb.s_blocksize != 1u << at.block_bits) return damaged(message, fmt::format("its blocks have {} bytes", jsb.s_blocksize.load()));
  loaded.end = jsb.s_maxlen;
  if (loaded.end > at.log.size()) return damaged(message, fmt::format("it has {} blocks, its file only {}", loaded.end, at.log.size()));
  const std::uint32_t first = jsb.s_first;
  if (first == 0 || first >= loaded.end) return damaged(message, fmt::format("its log begins at block {} of {}", first, loaded.end));
  const std::uint32_t start = jsb.s_start;
  if (start != 0 && (start < first || start >= loaded.end))
    return damaged(message, fmt::format("its first transaction is at block {}", start));
  return {};
}

[[nodiscard]] std::uint64_t byte_of_superblock(const journal_place& at) noexcept { return at.log.find(0).value() << at.block_bits; }

[[nodiscard]] result<> put(const journal_place& at, const journal_superblock& jsb) {
  XIP_TRY(at.device.write(byte_of_superblock(at), std::as_bytes(std::span{&jsb, 1})));
  return at.device.flush_cache();
}

// What BITS of a field do to the checksum when they change.
struct sum_of_bits {
  std::uint32_t sum = 0, bits = 0;
};
using sums_of_field = std::array<sum_of_bits, 32>;

// Of the 32-bit field at byte AT: for each bit of the checksum bits of the field that change it, and of the bits above it none. They are the
// same in every super block, since CRC-32C is linear.
consteval sums_of_field sums_at(std::size_t at) {
  const auto next = [](std::uint32_t sum) { return sum >> 1 ^ ((sum & 1) != 0 ? 0x82f63b78u : 0); };
  std::uint32_t sum = 1;
  for (std::size_t n = 0; n <= 8 * (sizeof(journal_superblock) - at - sizeof(be32)); ++n) sum = next(sum);
  sums_of_field rows;
  for (unsigned from_end = 0; from_end < 32; ++from_end, sum = next(sum)) {
    sum_of_bits r{sum, 1u << (from_end ^ 7)};  // a byte's lowest bit comes first, and the number's highest byte
    while (r.sum != 0) {
      sum_of_bits& known = rows[31 - static_cast<unsigned>(std::countl_zero(r.sum))];
      if (known.sum == 0) {
        known = r;
        break;
      }
      r.sum ^= known.sum;
      r.bits ^= known.bits;
    }
  }
  return rows;
}

// What the field of ROWS has to be, if TRIAL has 0 there, for the checksum to be the one that TRIAL says.
[[nodiscard]] std::uint32_t number_that_keeps_checksum(const journal_superblock& trial, const sums_of_field& rows) noexcept {
  std::uint32_t difference = superblock_checksum(trial) ^ trial.s_checksum, number = 0;
  for (unsigned bit = 32; bit-- != 0;) {
    if ((difference >> bit & 1) == 0) continue;
    difference ^= rows[bit].sum;
    number ^= rows[bit].bits;
  }
  return number;
}

}  // namespace

std::uint32_t incompat_of(const journal_superblock& jsb) noexcept {
  return jsb.s_header.h_blocktype == superblock_v2 ? jsb.s_feature_incompat.load() : 0;
}

result<loaded_superblock> load_superblock(const journal_place& at, std::string& message) {
  if (at.log.size() == 0) return damaged(message, "it has no blocks");
  loaded_superblock loaded;
  if (auto read = at.device.read(byte_of_superblock(at), std::as_writable_bytes(std::span{&loaded.jsb, 1})); !read) {
    message = fmt::format("journal block 0 cannot be read: {}", read.error().message());
    return fail(read.error());
  }
  const journal_header& header = loaded.jsb.s_header;
  if (header.h_magic != journal_magic) return damaged(message, "block 0 is no super block");
  if (header.h_blocktype != superblock_v1 && header.h_blocktype != superblock_v2)
    return damaged(message, fmt::format("block 0 is of type {}, no super block", header.h_blocktype.load()));
  if (header.h_blocktype == superblock_v2) XIP_TRY(check_features(loaded, message));
  XIP_TRY(check_shape(loaded, at, message));
  return loaded;
}

result<> check_writable(const loaded_superblock& loaded, std::string& message) {
  const std::uint32_t blocks = loaded.end - loaded.jsb.s_first + 1;  // with its super block
  if (blocks < min_journal_blocks) {
    message = fmt::format("the journal has {} blocks, fewer than {}", blocks, min_journal_blocks);
    return fail(EUCLEAN);
  }
  if (loaded.jsb.s_nr_users > 1) {
    message = fmt::format("the journal belongs to {} file systems", loaded.jsb.s_nr_users.load());
    return fail(EOPNOTSUPP);
  }
  return {};
}

result<> check_writable(const journal_place& at, std::string& message) {
  return check_writable(XIP_TRY(load_superblock(at, message)), message);
}

result<> write_superblock(const journal_place& at, journal_superblock& jsb) {
  if (has_checksums(incompat_of(jsb))) jsb.s_checksum = superblock_checksum(jsb);
  return put(at, jsb);
}

result<> rewrite_superblock(const journal_place& at, journal_superblock& jsb) {
  constexpr std::uint32_t both = incompat_csum_v2 | incompat_csum_v3;
  journal_superblock before;
  XIP_TRY(at.device.read(byte_of_superblock(at), std::as_writable_bytes(std::span{&before, 1})));
  if (has_checksums(incompat_of(before))) {
    before.s_feature_incompat = before.s_feature_incompat & ~both;
    XIP_TRY(put(at, before));
  }
  const std::uint32_t incompat = incompat_of(jsb);
  if (!has_checksums(incompat)) return put(at, jsb);
  jsb.s_checksum = superblock_checksum(jsb);
  jsb.s_feature_incompat = incompat & ~both;
  XIP_TRY(put(at, jsb));
  jsb.s_feature_incompat = incompat;
  return put(at, jsb);
}

result<> move_log(const journal_place& at, journal_superblock& jsb, std::uint32_t sequence, std::uint32_t start) {
  journal_superblock moved = jsb;
  moved.s_sequence = sequence;
  moved.s_start = start;
  XIP_ASSERT(!has_checksums(incompat_of(moved)) || superblock_checksum(moved) == moved.s_checksum);
  XIP_TRY(put(at, moved));
  jsb = moved;
  return {};
}

result<> tell_errno(const journal_place& at, journal_superblock& jsb, int number) {
  static constexpr sums_of_field rows = sums_at(offsetof(journal_superblock, s_header) + offsetof(journal_header, h_sequence));
  journal_superblock told = jsb;
  told.s_errno = static_cast<std::uint32_t>(-number);
  if (has_checksums(incompat_of(told))) {
    told.s_header.h_sequence = 0u;
    told.s_header.h_sequence = number_that_keeps_checksum(told, rows);
    XIP_ASSERT(superblock_checksum(told) == told.s_checksum);
  }
  XIP_TRY(put(at, told));
  jsb = told;
  return {};
}

std::uint32_t sequence_that_keeps_checksum(const journal_superblock& jsb, std::uint32_t start) noexcept {
  static constexpr sums_of_field rows = sums_at(offsetof(journal_superblock, s_sequence));
  journal_superblock trial = jsb;
  trial.s_start = start;
  trial.s_sequence = 0u;
  return number_that_keeps_checksum(trial, rows);
}

}  // namespace xip::jbd2
