// What moves the bytes of one mapping: through windows of device memory, or in one batch of requests for the whole call. The loops of
// mapping_read.cc and mapping_write.cc are written once over either.
//
// A mover answers each move with the bytes it took on. Windows have moved them on return. A batch has only noted them until
// complete(), which says how many of the noted bytes, counted from the first, did arrive. A listening checker hears of each block when its bytes
// move, not before.
#pragma once

#include <array>
#include <cstddef>

#include <xip/base/result.h>
#include <xip/dev/device.h>
#include <xip/vfs/iov_iter.h>
#include <xip/vfs/super_block.h>

namespace xip {

// What is left of an error after so many good bytes.
struct completed {
  std::size_t bytes = 0;  // from the first noted byte on
  int error = 0;          // why it stopped there; 0: everything arrived
};

// BYTES bytes of D at device byte OFFSET, to be overwritten: asked for again in recovery mode where whole poisoned pages are. Fewer: the window ends. EIO: poison.
[[nodiscard]] result<dev::window> window_for_write(dev::device& d, std::uint64_t offset, std::size_t bytes) noexcept;

class window_mover {
 public:
  explicit window_mover(vfs::inode& inode) noexcept : inode_{inode}, device_{inode.i_sb.s_bdev} {}

  // Up to BYTES bytes at device byte OFFSET into TO. Fewer: the window or the user's memory ended. EIO: poison.
  [[nodiscard]] result<std::size_t> read(vfs::iov_iter& to, std::uint64_t offset, std::size_t bytes) noexcept;
  [[nodiscard]] result<std::size_t> write(vfs::iov_iter& from, std::uint64_t offset, std::size_t bytes) noexcept;
  [[nodiscard]] result<> write_zeros(std::uint64_t offset, std::size_t bytes) noexcept;
  // BYTES bytes of zeros into TO, where the file has no contents; the device is not touched.
  [[nodiscard]] std::size_t read_zeros(vfs::iov_iter& to, std::size_t bytes) noexcept { return to.zero(bytes); }
  [[nodiscard]] completed complete() noexcept { return {}; }
  void discard() noexcept {}
  // Everything written before is durable after it.
  void drain() noexcept {
    XIP_POINT(xip_before_drain);
    device_.drain();
  }
  static constexpr bool moves_at_once = true;

 private:
  const vfs::inode& inode_;
  dev::device& device_;
};

// Pieces are noted in order, neighbours merged; one submission carries them all unless there are more than max_pieces.
class batch_mover {
 public:
  explicit batch_mover(vfs::inode& inode) noexcept : inode_{inode}, device_{inode.i_sb.s_bdev} {}

  [[nodiscard]] result<std::size_t> read(vfs::iov_iter& to, std::uint64_t offset, std::size_t bytes) noexcept;
  [[nodiscard]] result<std::size_t> write(vfs::iov_iter& from, std::uint64_t offset, std::size_t bytes) noexcept;
  [[nodiscard]] result<> write_zeros(std::uint64_t offset, std::size_t bytes) noexcept;
  [[nodiscard]] std::size_t read_zeros(vfs::iov_iter& to, std::size_t bytes) noexcept;
  // Submits what is noted. On an error the pieces are tried one by one, so that the good bytes before the bad one count.
  [[nodiscard]] completed complete() noexcept;
  // What is noted is forgotten and moves never.
  void discard() noexcept;
  void drain() noexcept { XIP_POINT(xip_before_drain); }  // a completed request is all that a block device promises before its flush
  static constexpr bool moves_at_once = false;

 private:
  static constexpr std::size_t max_pieces = 128;

  // A piece with MEMORY null is zeros that were delivered already: it only counts.
  [[nodiscard]] result<> note(std::uint64_t offset, std::byte* memory, std::size_t bytes, bool writing) noexcept;
  [[nodiscard]] completed submit() noexcept;
  [[nodiscard]] completed submit_one_by_one() noexcept;
  [[nodiscard]] result<> transfer(std::span<const dev::io_piece> pieces) noexcept;
  // User memory that is not plain cannot be given to the device: it passes through a bounce page.
  [[nodiscard]] result<std::size_t> bounce_read(vfs::iov_iter& to, std::uint64_t offset, std::size_t bytes) noexcept;
  [[nodiscard]] result<std::size_t> bounce_write(vfs::iov_iter& from, std::uint64_t offset, std::size_t bytes) noexcept;

  const vfs::inode& inode_;
  dev::device& device_;
  std::size_t used_ = 0;
  std::size_t settled_bytes_ = 0;  // of batches already submitted
  int failed_ = 0;                 // a batch submitted on the way failed: nothing more is noted until complete()
  bool writing_ = false;
  std::array<dev::io_piece, max_pieces> pieces_;
};

}  // namespace xip
