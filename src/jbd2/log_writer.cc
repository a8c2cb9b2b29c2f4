#include "jbd2/log_writer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <xip/base/points.h>
#include <xip/locks/clock.h>

#include "jbd2/checksum.h"

namespace xip::jbd2 {
namespace {

template <class T>
void put(std::span<std::byte> block, std::size_t at, const T& value) noexcept {
  std::memcpy(block.data() + at, &value, sizeof value);
}

}  // namespace

log_writer::log_writer(const log_format& format, std::span<std::byte> staging, dev::buffer_cache& buffers, log_cursor& cursor) noexcept
    : format_{format}, staging_{staging}, buffers_{buffers}, cursor_{cursor} {}

// ---- how much ---------------------------------------------------------------------------------------------------------------------------------

std::size_t log_writer::tag_size() const noexcept {
  return tag_bytes((format_.wide ? incompat_64bit : 0) | (format_.checksums ? incompat_csum_v3 : 0));
}

std::size_t log_writer::tags_of_descriptor() const noexcept {
  const std::size_t room = (end_of_entries() - sizeof(journal_header) - tag_uuid_size) / tag_size();
  return std::min<std::size_t>(room, staged_blocks - 1);
}

std::size_t log_writer::revokes_of_block() const noexcept { return (end_of_entries() - sizeof(revoke_header)) / revoke_size(); }

std::uint32_t log_writer::blocks_for(std::uint64_t blocks, std::uint64_t revokes) const noexcept {
  const auto groups_of = [](std::uint64_t n, std::uint64_t each) { return (n + each - 1) / each; };
  const std::uint64_t all = blocks + groups_of(blocks, tags_of_descriptor()) + groups_of(revokes, revokes_of_block()) + 1;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(all, UINT32_MAX));
}

result<> log_writer::reserve(std::uint32_t count) {
  std::uint32_t at = cursor_.head;
  for (; count != 0; --count, at = format_.next_block(at))
    XIP_TRY(format_.place.device.reserve(format_.place.log.find(at).value() << format_.place.block_bits, block_size()));
  return {};
}

// ---- blocks -----------------------------------------------------------------------------------------------------------------------------------

std::span<std::byte> log_writer::begin_block(std::uint32_t type) {
  const std::span<std::byte> block = staged(count_++);
  std::ranges::fill(block, std::byte{0});
  put(block, 0, journal_header{be32{journal_magic}, be32{type}, be32{cursor_.sequence}});
  return block;
}

void log_writer::set_tail(std::span<std::byte> block) {
  if (!format_.checksums) return;
  const std::size_t at = block_size() - sizeof(block_tail);
  put(block, at, block_tail{be32{block_checksum(format_.seed, block, at)}});
}

void log_writer::end_revoke_block() {
  if (next_revoke_ == 0) return;
  const std::span<std::byte> block = staged(count_ - 1);
  put(block, offsetof(revoke_header, r_count), be32{static_cast<std::uint32_t>(std::exchange(next_revoke_, 0))});
  set_tail(block);
}

result<> log_writer::write_revoke(pblk_t block) {
  if (next_revoke_ == 0 || next_revoke_ + revoke_size() > end_of_entries()) {
    end_revoke_block();
    if (count_ == staged_blocks) XIP_TRY(submit());
    static_cast<void>(begin_block(revoke_block));
    next_revoke_ = sizeof(revoke_header);
  }
  if (format_.wide)
    put(staged(count_ - 1), next_revoke_, be64{block.value()});
  else
    put(staged(count_ - 1), next_revoke_, be32{static_cast<std::uint32_t>(block.value())});
  next_revoke_ += revoke_size();
  return {};
}

result<> log_writer::flush_revokes() {
  end_revoke_block();
  return submit();
}

// A block that begins with the magic number would be taken for one of the journal's own.
result<place_in_log> log_writer::write_block(dev::buffer& b) {
  XIP_TRY(XIP_FAIL_POINT(buffer_write, b.block().value()));
  const std::span<std::byte> copy = XIP_TRY(next_data());
  buffers_.take_copy(b, copy);
  be32 begin;
  std::memcpy(&begin, copy.data(), sizeof begin);
  const bool escaped = begin == journal_magic;
  if (escaped) put(copy, 0, be32{0});
  return add_data(b.block(), escaped, XIP_EXHIBIT(checksum_of_old_block) ? b.data() : std::span<const std::byte>{copy});
}

result<place_in_log> log_writer::write_copy(pblk_t home, const place_in_log& from) {
  const std::span<std::byte> copy = XIP_TRY(next_data());
  XIP_TRY(format_.place.device.read(format_.place.log.find(from.at).value() << format_.place.block_bits, copy));
  return add_data(home, from.escaped, copy);
}

result<std::span<std::byte>> log_writer::next_data() {
  if (count_ != 0 && tags_ == tags_of_descriptor()) XIP_TRY(flush_blocks());
  if (count_ == 0) {
    static_cast<void>(begin_block(descriptor_block));
    tags_ = 0;
    next_tag_ = sizeof(journal_header);
  }
  return staged(count_);
}

place_in_log log_writer::add_data(pblk_t home, bool escaped, std::span<const std::byte> summed) {
  add_tag(home, escaped, summed);
  std::uint32_t at = cursor_.head;
  for (std::size_t i = 0; i < count_; ++i) at = format_.next_block(at);
  ++count_;
  return {at, escaped};
}

void log_writer::add_tag(pblk_t home, bool escaped, std::span<const std::byte> summed) {
  const std::span<std::byte> descriptor = staged(0);
  const std::uint32_t flags = (escaped ? flag_escape : 0) | (tags_ != 0 ? flag_same_uuid : 0);
  const be32 low{static_cast<std::uint32_t>(home.value())}, high{static_cast<std::uint32_t>(home.value() >> 32)};
  if (format_.checksums) {
    const be32 sum{data_checksum(format_.seed, cursor_.sequence, summed)};
    put(descriptor, next_tag_, block_tag3{low, be32{flags}, format_.wide ? high : be32{0}, sum});
    flags_of_last_ = next_tag_ + offsetof(block_tag3, t_flags) + 3;
  } else {
    const block_tag tag{low, be16{0}, be16{static_cast<std::uint16_t>(flags)}, high};
    std::memcpy(descriptor.data() + next_tag_, &tag, tag_size());
    flags_of_last_ = next_tag_ + offsetof(block_tag, t_flags) + 1;
  }
  next_tag_ += tag_size();
  if (tags_++ != 0) return;
  std::memcpy(descriptor.data() + next_tag_, format_.jsb.s_uuid, tag_uuid_size);
  next_tag_ += tag_uuid_size;
}

result<> log_writer::flush_blocks() {
  if (count_ == 0) return {};
  const std::span<std::byte> descriptor = staged(0);
  descriptor[flags_of_last_] |= std::byte{flag_last_tag};
  set_tail(descriptor);
  return submit();
}

result<> log_writer::write_commit_block() {
  const std::span<std::byte> block = begin_block(commit_block);
  const auto now = realtime_now_coarse().count();
  put(block, offsetof(commit_header, h_commit_sec), be64{static_cast<std::uint64_t>(now / 1'000'000'000)});
  put(block, offsetof(commit_header, h_commit_nsec), be32{static_cast<std::uint32_t>(now % 1'000'000'000)});
  if (format_.checksums)
    put(block, offsetof(commit_header, h_chksum), be32{block_checksum(format_.seed, block, offsetof(commit_header, h_chksum))});
  XIP_TRY(submit());
  ++cursor_.sequence;
  return {};
}

// In one request. Neighbours are one piece of it.
result<> log_writer::submit() {
  std::array<dev::io_piece, staged_blocks> pieces;
  std::size_t n = 0;
  for (std::size_t i = 0; i < count_; ++i, cursor_.head = format_.next_block(cursor_.head)) {
    const std::uint64_t offset = format_.place.log.find(cursor_.head).value() << format_.place.block_bits;
    if (n != 0 && pieces[n - 1].offset + pieces[n - 1].bytes == offset)
      pieces[n - 1].bytes += block_size();
    else
      pieces[n++] = {offset, staged(i).data(), block_size()};
  }
  cursor_.free -= static_cast<std::uint32_t>(count_);
  const bool any = std::exchange(count_, 0) != 0;
  return any ? format_.place.device.write_batch({pieces.data(), n}) : result<>{};
}

}  // namespace xip::jbd2
