#include "crash/image.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "explore/zeroed_memory.h"

namespace xip::crash {

// Whole pieces are kept, so whole ones are mapped.
image::image(std::uint64_t bytes)
    : size_{bytes},
      mapped_{((bytes >> piece_shift) + 1) << piece_shift},
      data_{explore::map_zeroed(mapped_)},
      changed_((mapped_ >> piece_shift) / 64 + 1) {}

image::~image() { ::munmap(data_, mapped_); }

void image::keep(std::uint64_t offset, std::uint64_t bytes) noexcept {
  if (bytes == 0) return;
  const std::uint64_t last = (offset + bytes - 1) >> piece_shift;
  for (std::uint64_t piece = offset >> piece_shift; piece <= last; ++piece) {
    std::uint64_t& word = changed_[piece / 64];
    const std::uint64_t bit = std::uint64_t{1} << (piece % 64);
    if ((word & bit) != 0) continue;
    word |= bit;
    pieces_.push_back(piece);
    const std::byte* const from = data_ + (piece << piece_shift);
    kept_.insert(kept_.end(), from, from + piece_bytes);
  }
}

void image::undo() noexcept {
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    std::memcpy(data_ + (pieces_[i] << piece_shift), kept_.data() + (i << piece_shift), piece_bytes);
    changed_[pieces_[i] / 64] = 0;
  }
  pieces_.clear();
  kept_.clear();
}

result<> image_device::read_batch(std::span<const dev::io_piece> pieces) noexcept {
  XIP_TRY(check_request(pieces, false));
  for (const dev::io_piece& piece : pieces) {
    if (piece.bytes == 0) continue;
    if (listener_ != nullptr) listener_->on_read(piece.offset, piece.bytes);
    std::memcpy(piece.memory, base_ + piece.offset, piece.bytes);
  }
  return {};
}

result<> image_device::write_batch(std::span<const dev::io_piece> pieces) noexcept {
  XIP_TRY(check_request(pieces, true));
  for (const dev::io_piece& piece : pieces)
    if (piece.bytes != 0) window_copy_in(base_ + piece.offset, piece.memory, piece.bytes);
  return {};
}

result<> image_device::flush_cache() noexcept {
  if (killed()) return fail(EIO);
  XIP_POINT(dev_flush);
  return {};
}

result<dev::window> image_device::direct_access_slow(std::uint64_t offset, std::size_t bytes, dev::access_intent) noexcept {
  if (killed()) return fail(EIO);
  if (!has_direct_access()) return fail(EOPNOTSUPP);
  if (offset >= size_ || bytes > size_ - offset) return fail(ERANGE);
  return dev::window{base_ + offset, bytes};
}

void image_device::window_copy_out(void* to, const std::byte* from, std::size_t bytes) noexcept {
  if (listener_ != nullptr && bytes != 0) listener_->on_read(static_cast<std::uint64_t>(from - base_), bytes);
  dev::copy_file_data(to, from, bytes);
}

void image_device::change(const std::byte* at, std::size_t bytes) noexcept {
  const auto offset = static_cast<std::uint64_t>(at - base_);
  image_.keep(offset, bytes);
  if (listener_ != nullptr && bytes != 0) listener_->on_change(offset, bytes);
}

void image_device::window_copy_in(std::byte* to, const void* from, std::size_t bytes) noexcept {
  change(to, bytes);
  dev::copy_file_data(to, from, bytes);
}

void image_device::window_zero(std::byte* to, std::size_t bytes) noexcept {
  change(to, bytes);
  std::memset(to, 0, bytes);
}

void image_device::window_store(std::byte* to, const void* from, std::size_t bytes) noexcept {
  change(to, bytes);
  std::memcpy(to, from, bytes);
}

}  // namespace xip::crash
