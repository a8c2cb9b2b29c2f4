#include <xip/explore/snapshot_device.h>

#include <cerrno>
#include <cstring>

#include "explore/random.h"
#include "explore/zeroed_memory.h"

namespace xip::explore {

// Whole pages are mapped, so whole pages are kept, the last one too.
// Decorated: every store has to come by here, so no window function may be the inline one.
snapshot_device::snapshot_device(std::uint64_t size)
    : device{size, dev::mover_kind::decorated, map_zeroed(size), false}, touched_((size >> page_shift) / 64 + 1) {}

snapshot_device::~snapshot_device() { ::munmap(base_, size_); }

result<> snapshot_device::read_batch(std::span<const dev::io_piece> pieces) noexcept {
  XIP_TRY(check_request(pieces, false));
  for (const dev::io_piece& piece : pieces)
    if (piece.bytes != 0) std::memcpy(piece.memory, base_ + piece.offset, piece.bytes);
  ++stats_.batches;
  stats_.pieces += pieces.size();
  return {};
}

result<> snapshot_device::write_batch(std::span<const dev::io_piece> pieces) noexcept {
  XIP_TRY(check_request(pieces, true));
  for (const dev::io_piece& piece : pieces)
    if (piece.bytes != 0) window_copy_in(base_ + piece.offset, piece.memory, piece.bytes);
  ++stats_.batches;
  stats_.pieces += pieces.size();
  return {};
}

result<> snapshot_device::flush_cache() noexcept {
  if (killed()) return fail(EIO);
  XIP_POINT(dev_flush);
  ++stats_.flushes;
  return {};
}

result<dev::window> snapshot_device::direct_access_slow(std::uint64_t offset, std::size_t bytes, dev::access_intent) noexcept {
  if (killed()) return fail(EIO);
  if (offset >= size_ || bytes > size_ - offset) return fail(ERANGE);
  return dev::window{base_ + offset, bytes};
}

void snapshot_device::window_copy_in(std::byte* to, const void* from, std::size_t bytes) noexcept {
  keep(to, bytes);
  dev::copy_file_data(to, from, bytes);
}

void snapshot_device::window_zero(std::byte* to, std::size_t bytes) noexcept {
  keep(to, bytes);
  std::memset(to, 0, bytes);
}

void snapshot_device::window_store(std::byte* to, const void* from, std::size_t bytes) noexcept {
  keep(to, bytes);
  std::memcpy(to, from, bytes);
}

void snapshot_device::keep(const std::byte* at, std::size_t bytes) noexcept {
  if (!keeping_ || bytes == 0) return;
  const auto offset = static_cast<std::uint64_t>(at - base_);
  const std::uint64_t last = (offset + bytes - 1) >> page_shift;
  for (std::uint64_t page = offset >> page_shift; page <= last; ++page)
    if ((touched_[page / 64] >> (page % 64) & 1) == 0) keep_page(page);
}

void snapshot_device::keep_page(std::uint64_t number) noexcept {
  const std::size_t used = undo_.size();
  if (used == pages_.size()) pages_.push_back(std::make_unique_for_overwrite<std::byte[]>(page_bytes));
  const std::uint64_t start = number << page_shift;
  undo_.push_back({number, pages_[used].get()});
  std::memcpy(undo_.back().bytes, base_ + start, page_bytes);
  touched_[number / 64] |= std::uint64_t{1} << (number % 64);
}

std::uint64_t snapshot_device::changes() const noexcept {
  std::uint64_t sum = 0;
  for (const kept_page& page : undo_) {
    const std::byte* const now = base_ + (page.number << page_shift);
    if (std::memcmp(now, page.bytes, page_bytes) == 0) continue;
    sum += mix(hash_bytes(now, page_bytes) ^ page.number);
  }
  return sum;
}

result<> snapshot_device::save() {
  for (const kept_page& page : undo_) touched_[page.number / 64] = 0;
  undo_.clear();
  keeping_ = true;
  saved_stats_ = stats_;
  return {};
}

void snapshot_device::restore() noexcept {
  for (const kept_page& page : undo_) {
    const std::uint64_t start = page.number << page_shift;
    std::memcpy(base_ + start, page.bytes, page_bytes);
    touched_[page.number / 64] = 0;
  }
  undo_.clear();
  stats_ = saved_stats_;
}

}  // namespace xip::explore
