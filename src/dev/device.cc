// What all devices share: the slow half of the window functions, single requests, and the end of a device.
#include <xip/dev/device.h>

namespace xip::dev {

#if XIP_THREAD_SANITIZER
// Volatile, or the loop became a memcpy, which is watched whoever calls it.
__attribute__((no_sanitize("thread"))) void copy_file_data(void* to, const void* from, std::size_t bytes) noexcept {
  auto* const target = static_cast<volatile unsigned char*>(to);
  const auto* const source = static_cast<const volatile unsigned char*>(from);
  for (std::size_t i = 0; i < bytes; ++i) target[i] = source[i];
}
#else
// memcpy moves a page by the CPU's string instruction, behind whose stores the loads of what follows have to wait. In pieces it takes its vector
// loop, from which the CPU runs on ahead: a read of 4 KiB from cold memory takes a fifth less time. Long copies gain nothing by it.
void copy_file_data(void* to, const void* from, std::size_t bytes) noexcept {
  constexpr std::size_t piece_bytes = 2048, in_pieces = 16384;
  auto* target = static_cast<std::byte*>(to);
  const auto* source = static_cast<const std::byte*>(from);
  if (bytes <= in_pieces) {
    for (std::size_t piece = piece_bytes; bytes > piece; bytes -= piece, target += piece, source += piece) {
      asm("" : "+r"(piece));  // of a size that the compiler knew it would make a string instruction itself
      std::memcpy(target, source, piece);
    }
  }
  std::memcpy(target, source, bytes);
}
#endif

device::~device() = default;

result<> device::read(std::uint64_t offset, std::span<std::byte> to) noexcept {
  const io_piece piece{offset, to.data(), to.size()};
  return read_batch({&piece, 1});
}

result<> device::write(std::uint64_t offset, std::span<const std::byte> from) noexcept {
  const io_piece piece{offset, const_cast<std::byte*>(from.data()), from.size()};  // write_batch only reads it
  return write_batch({&piece, 1});
}

result<> device::reserve(std::uint64_t, std::uint64_t) noexcept { return {}; }
void device::discard(std::uint64_t, std::uint64_t) noexcept {}
void device::warm(const std::atomic<bool>&) noexcept {}

void device::kill() noexcept {
  killed_.store(true, std::memory_order_relaxed);
  // From now on direct_access takes its slow half, which answers EIO. Windows handed out before keep working through the virtual functions.
  if (has_direct_access()) mover_.store(mover_kind::decorated, std::memory_order_relaxed);
}

result<> device::check_request(std::span<const io_piece> pieces, bool write) const noexcept {
  if (killed()) return fail(EIO);
  if (write && read_only_) return fail(EROFS);
  for (const io_piece& piece : pieces) {
    if (piece.offset > size_ || piece.bytes > size_ - piece.offset) return fail(ERANGE);
    if (piece.memory == nullptr && piece.bytes != 0) return fail(EFAULT);
  }
  return {};
}

result<window> device::direct_access_slow(std::uint64_t, std::size_t, access_intent) noexcept {
  if (killed()) return fail(EIO);
  return fail(EOPNOTSUPP);
}

void device::window_copy_out(void* to, const std::byte* from, std::size_t bytes) noexcept { copy_file_data(to, from, bytes); }
void device::window_copy_in(std::byte* to, const void* from, std::size_t bytes) noexcept { copy_file_data(to, from, bytes); }
void device::window_zero(std::byte* to, std::size_t bytes) noexcept { std::memset(to, 0, bytes); }
void device::window_store(std::byte* to, const void* from, std::size_t bytes) noexcept { std::memcpy(to, from, bytes); }
void device::window_flush(const std::byte*, std::size_t) noexcept {}
void device::window_drain() noexcept { XIP_POINT(dev_fence); }

}  // namespace xip::dev
