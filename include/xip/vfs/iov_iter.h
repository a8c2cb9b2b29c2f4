// The user memory of one call: segments, a position in them, and how to reach them. Linux: include/linux/uio.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>

#include <sys/uio.h>

#include <xip/vfs/user_access.h>

namespace xip::vfs {

enum class iter_direction : unsigned char {
  dest,    // a read fills it (ITER_DEST)
  source,  // a write takes from it (ITER_SOURCE)
};

class iov_iter {
 public:
  // SEGMENTS must outlive the iterator; BYTES is their sum. ACCESS null: plain memory.
  iov_iter(iter_direction direction, std::span<const iovec> segments, std::size_t bytes, const user_access* access) noexcept
      : segments_{segments.data()}, count_{bytes}, access_{access}, direction_{direction} {}

  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] iter_direction direction() const noexcept { return direction_; }
  [[nodiscard]] bool is_plain() const noexcept { return access_ == nullptr; }
  // Leave only the first BYTES bytes (RLIMIT_FSIZE, s_maxbytes).
  void truncate(std::size_t bytes) noexcept { count_ = std::min(count_, bytes); }
  // Undo truncate: BYTES more are left.
  void reexpand(std::size_t bytes) noexcept { count_ = bytes; }
  // Between set_nofault(true) and (false) copies stop at memory that is not there (Linux: pagefault_disable).
  void set_nofault(bool on) noexcept { nofault_ = on; }

  void advance(std::size_t bytes) noexcept {
    count_ -= bytes;
    bytes += offset_;
    while (bytes != 0 && bytes >= segments_->iov_len) bytes -= segments_++->iov_len;
    offset_ = bytes;
  }
  // Goes BYTES back, at most what was advanced.
  void revert(std::size_t bytes) noexcept {
    count_ += bytes;
    while (bytes > offset_) {
      bytes -= offset_;
      offset_ = (--segments_)->iov_len;
    }
    offset_ -= bytes;
  }

  // Calls MOVE(std::byte* host, std::size_t offset, std::size_t bytes) for the next BYTES bytes (at most count()), in pieces, and advances.
  // Returns the bytes moved; fewer mean that user memory ended there.
  template <class Move>
  std::size_t copy(std::size_t bytes, Move&& move) {
    bytes = std::min(bytes, count_);
    if (!nofault_) might_fault();
    std::size_t done = 0;
    while (done < bytes) {
      skip_empty();
      auto* user = static_cast<std::byte*>(segments_->iov_base) + offset_;
      const std::size_t piece = std::min(bytes - done, segments_->iov_len - offset_);
      const std::size_t moved = copy_piece(user, piece, done, move);
      advance(moved);
      done += moved;
      if (moved != piece) break;
    }
    return done;
  }

  // How many of the next BYTES bytes (at most count()) can be had now (0: EFAULT); brings them in. May block and fault.
  [[nodiscard]] std::size_t fault_in(std::size_t bytes) const noexcept;

  // For those who copy from or to kernel memory: the bytes moved, all but at bad user memory.
  std::size_t copy_to_iter(const void* from, std::size_t bytes) noexcept;
  std::size_t copy_from_iter(void* to, std::size_t bytes) noexcept;
  std::size_t zero(std::size_t bytes) noexcept;

 private:
  template <class Move>
  std::size_t copy_piece(std::byte* user, std::size_t bytes, std::size_t base, Move& move) {
    if (access_ == nullptr) [[likely]] {
      move(user, base, bytes);
      return bytes;
    }
    struct bound {
      Move& move;
      std::size_t base;
    } argument{move, base};
    const move_piece call = [](void* a, std::byte* host, std::size_t offset, std::size_t n) {
      auto& b = *static_cast<bound*>(a);
      b.move(host, b.base + offset, n);
    };
    return direction_ == iter_direction::source ? access_->copy_in(access_->context, user, bytes, nofault_, call, &argument)
                                                : access_->copy_out(access_->context, user, bytes, nofault_, call, &argument);
  }

  // There is a byte left, so there is a segment that has it.
  void skip_empty() noexcept {
    while (offset_ == segments_->iov_len) {
      ++segments_;
      offset_ = 0;
    }
  }

  const iovec* segments_;
  std::size_t offset_ = 0;  // within *segments_
  std::size_t count_;
  const user_access* access_;
  iter_direction direction_;
  bool nofault_ = false;
};

}  // namespace xip::vfs
