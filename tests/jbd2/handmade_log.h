// A journal made by hand, block by block, in a device of memory: what a transaction looks like in each version of the format.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <xip/dev/devices.h>

#include "jbd2/checksum.h"
#include "jbd2/format.h"
#include "jbd2/log_map.h"

namespace xip::jbd2::test {

inline constexpr unsigned block_bits = 10;
inline constexpr std::uint32_t block_size = 1u << block_bits;
inline constexpr std::uint32_t log_blocks = 32;
inline constexpr std::uint64_t log_start = 64;  // block of the device
inline constexpr std::uint64_t device_blocks = 128;

using block = std::vector<std::byte>;

[[nodiscard]] inline block filled(std::uint8_t with) { return block(block_size, std::byte{with}); }

class handmade_log {
 public:
  explicit handmade_log(std::uint32_t incompat, std::uint32_t sequence = 7, std::uint32_t start = 1)
      : incompat_{incompat}, sequence_{sequence}, at_{start} {
    jsb.s_header = {journal_magic, superblock_v2, 0u};
    jsb.s_blocksize = block_size;
    jsb.s_maxlen = log_blocks;
    jsb.s_first = 1;
    jsb.s_sequence = sequence;
    jsb.s_start = start;
    jsb.s_feature_incompat = incompat;
    jsb.s_nr_users = 1;
    for (std::size_t i = 0; i < sizeof jsb.s_uuid; ++i) jsb.s_uuid[i] = static_cast<std::uint8_t>(i * 7 + 1);
    if (has_checksums()) jsb.s_checksum_type = checksum_crc32c;
    seal();
  }

  // The super block, as it stands in jsb.
  void seal() {
    if (has_checksums()) jsb.s_checksum = superblock_checksum(jsb);
    put(0, std::as_bytes(std::span{&jsb, 1}));
  }

  // One descriptor block for blocks at home in HOMES, and DATA for each; of which the log gets only the first FOLLOWING.
  void blocks(const std::vector<std::uint64_t>& homes, const std::vector<block>& data, std::size_t following = SIZE_MAX) {
    block b = header(descriptor_block);
    std::size_t tag = sizeof(journal_header);
    std::vector<block> logged = data;
    for (std::size_t i = 0; i < homes.size(); ++i) {
      std::uint32_t flags = (i != 0 ? flag_same_uuid : 0) | (i + 1 == homes.size() ? flag_last_tag : 0);
      be32 first;
      std::memcpy(&first, logged[i].data(), sizeof first);
      if (first == journal_magic) {
        flags |= flag_escape;
        std::memset(logged[i].data(), 0, sizeof first);
      }
      put_tag(&b[tag], homes[i], flags, logged[i]);
      tag += tag_bytes(incompat_) + ((flags & flag_same_uuid) != 0 ? 0 : tag_uuid_size);
    }
    append_with_tail(b);
    for (std::size_t i = 0; i < std::min(logged.size(), following); ++i) append(logged[i]);
  }
  // BYTES is how long it says it is; 0: as long as it is.
  void revokes(const std::vector<std::uint64_t>& homes, std::size_t bytes = 0) {
    block b = header(revoke_block);
    std::size_t at = sizeof(revoke_header);
    for (const std::uint64_t home : homes) {
      const be64 wide{home};
      const be32 narrow{static_cast<std::uint32_t>(home)};
      const bool is_wide = (incompat_ & incompat_64bit) != 0;
      std::memcpy(&b[at], is_wide ? static_cast<const void*>(&wide) : &narrow, is_wide ? sizeof wide : sizeof narrow);
      at += is_wide ? sizeof wide : sizeof narrow;
    }
    const be32 used{static_cast<std::uint32_t>(bytes != 0 ? bytes : at)};
    std::memcpy(&b[offsetof(revoke_header, r_count)], &used, sizeof used);
    append_with_tail(b);
  }
  void commit() {
    block b = header(commit_block);
    if (has_checksums()) put_sum(b, offsetof(commit_header, h_chksum));
    append(b);
    ++sequence_;
  }

  // Turns one bit of journal block AT.
  void damage(std::uint32_t at, std::size_t offset) {
    std::byte b{};
    static_cast<void>(device->read((log_start + at) * block_size + offset, std::span{&b, 1}));
    b ^= std::byte{1};
    static_cast<void>(device->write((log_start + at) * block_size + offset, std::span{&b, 1}));
  }
  [[nodiscard]] block home(std::uint64_t at) const {
    block b(block_size);
    static_cast<void>(device->read(at * block_size, b));
    return b;
  }
  [[nodiscard]] std::uint32_t at() const noexcept { return at_; }
  [[nodiscard]] std::uint32_t sequence() const noexcept { return sequence_; }

  journal_superblock jsb{};
  std::unique_ptr<dev::device> device = std::move(*dev::open_memory(device_blocks * block_size));

 private:
  [[nodiscard]] bool has_checksums() const noexcept { return (incompat_ & (incompat_csum_v2 | incompat_csum_v3)) != 0; }
  [[nodiscard]] block header(std::uint32_t type) const {
    const journal_header h{journal_magic, type, sequence_};
    block b(block_size);
    std::memcpy(b.data(), &h, sizeof h);
    return b;
  }
  void put_tag(std::byte* to, std::uint64_t home, std::uint32_t flags, const block& data) const {
    const std::uint32_t sum = has_checksums() ? data_checksum(checksum_seed(jsb), sequence_, data) : 0;
    const auto low = static_cast<std::uint32_t>(home), high = static_cast<std::uint32_t>(home >> 32);
    if ((incompat_ & incompat_csum_v3) != 0) {
      const block_tag3 t{low, flags, high, sum};
      std::memcpy(to, &t, sizeof t);
    } else {
      const block_tag t{low, static_cast<std::uint16_t>(sum), static_cast<std::uint16_t>(flags), high};
      std::memcpy(to, &t, (incompat_ & incompat_64bit) != 0 ? sizeof t : sizeof t - 4);
    }
  }
  void put_sum(block& b, std::size_t field) const {
    const be32 sum{block_checksum(checksum_seed(jsb), b, field)};
    std::memcpy(&b[field], &sum, sizeof sum);
  }
  void append_with_tail(block& b) {
    if (has_checksums()) put_sum(b, b.size() - sizeof(block_tail));
    append(b);
  }
  void append(const block& b) {
    put(at_, b);
    if (++at_ == log_blocks) at_ = 1;
  }
  void put(std::uint32_t at, std::span<const std::byte> bytes) { static_cast<void>(device->write((log_start + at) * block_size, bytes)); }

  const std::uint32_t incompat_;
  std::uint32_t sequence_;
  std::uint32_t at_;
};

}  // namespace xip::jbd2::test
