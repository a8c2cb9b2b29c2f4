// The parts of iov_iter that are not inline, and the door to user memory. Linux: lib/iov_iter.c, mm/gup.c (fault_in_*).
//
// Lock chains:
//   f_pos_lock -> i_rwsem -> mmap_lock -> invalidate_lock
#include <xip/vfs/iov_iter.h>

#include <cstring>

#include <xip/locks/pseudo_lock.h>
#include <xip/vfs/lock_classes.h>

namespace xip::vfs {

std::size_t iov_iter::fault_in(std::size_t bytes) const noexcept {
  bytes = std::min(bytes, count_);
  might_fault();
  if (access_ == nullptr) return bytes;
  const iovec* segment = segments_;
  std::size_t skip = offset_, ready = 0;
  while (ready < bytes) {
    const std::size_t piece = std::min(bytes - ready, segment->iov_len - skip);
    const auto* user = static_cast<const std::byte*>(segment->iov_base) + skip;
    const std::size_t had = piece == 0 ? 0 : access_->fault_in(access_->context, user, piece, direction_ == iter_direction::dest);
    ready += had;
    if (had != piece) break;
    ++segment;
    skip = 0;
  }
  return ready;
}

std::size_t iov_iter::copy_to_iter(const void* from, std::size_t bytes) noexcept {
  return copy(bytes, [from](std::byte* user, std::size_t offset, std::size_t n) {
    std::memcpy(user, static_cast<const std::byte*>(from) + offset, n);
  });
}

std::size_t iov_iter::copy_from_iter(void* to, std::size_t bytes) noexcept {
  return copy(bytes, [to](const std::byte* user, std::size_t offset, std::size_t n) {
    std::memcpy(static_cast<std::byte*>(to) + offset, user, n);
  });
}

std::size_t iov_iter::zero(std::size_t bytes) noexcept {
  return copy(bytes, [](std::byte* user, std::size_t, std::size_t n) { std::memset(user, 0, n); });
}

// A fault takes mmap_lock and, inside it, the mapping's invalidate_lock: both edges are recorded even if nothing faults.
void record_might_fault() noexcept {
  static constexpr char fault_instance = 0;
  pseudo_acquire(mmap_lock_class, &fault_instance, false);
  might_wait_for(invalidate_lock_class);
  pseudo_release(mmap_lock_class, &fault_instance);
}

}  // namespace xip::vfs
