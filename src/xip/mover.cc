#include "xip/mover.h"

#include <algorithm>
#include <utility>

#include <xip/base/points.h>
#include <xip/base/units.h>
#include <xip/dev/block_observer.h>

namespace xip {
namespace {

alignas(page_size) constexpr std::array<std::byte, page_size> zero_page{};

// The BYTES bytes at device byte OFFSET, which are INODE's, move next.
inline void observe_access(const dev::device& device, const vfs::inode& inode, std::uint64_t offset, std::size_t bytes,
                           bool write) noexcept {
  dev::block_observer* observer = device.observer();
  if (observer == nullptr || bytes == 0) [[likely]]
    return;
  const unsigned bits = inode.i_sb.s_blocksize_bits;
  const std::uint64_t first = offset >> bits;
  observer->on_access(pblk_t{first}, static_cast<std::uint32_t>(((offset + bytes - 1) >> bits) - first + 1), inode.i_ino,
                      inode.i_generation, write);
}

constexpr bool page_aligned(std::uint64_t n) noexcept { return (n & (page_size - 1)) == 0; }

}  // namespace

result<std::size_t> window_mover::read(vfs::iov_iter& to, std::uint64_t offset, std::size_t bytes) noexcept {
  const dev::window w = XIP_TRY(device_.direct_access(offset, bytes, dev::access_intent::read));
  return to.copy(std::min(bytes, w.bytes), [&](std::byte* host, std::size_t at, std::size_t n) {
    XIP_POINT(xip_copy_piece, offset + at, n);
    observe_access(device_, inode_, offset + at, n, false);
    device_.copy_out(host, w.data + at, n);
  });
}

result<std::size_t> window_mover::write(vfs::iov_iter& from, std::uint64_t offset, std::size_t bytes) noexcept {
  const dev::window w = XIP_TRY(window_for_write(device_, offset, bytes));
  return from.copy(std::min(bytes, w.bytes), [&](const std::byte* host, std::size_t at, std::size_t n) {
    XIP_POINT(xip_copy_piece, offset + at, n);
    observe_access(device_, inode_, offset + at, n, true);
    device_.copy_in(w.data + at, host, n);
  });
}

result<> window_mover::write_zeros(std::uint64_t offset, std::size_t bytes) noexcept {
  while (bytes != 0) {
    const dev::window w = XIP_TRY(window_for_write(device_, offset, bytes));
    const std::size_t n = std::min(bytes, w.bytes);
    XIP_POINT(xip_zero_piece, offset, n);
    observe_access(device_, inode_, offset, n, true);
    device_.zero(w.data, n);
    offset += n;
    bytes -= n;
  }
  return {};
}

result<dev::window> window_for_write(dev::device& d, std::uint64_t offset, std::size_t bytes) noexcept {
  auto w = d.direct_access(offset, bytes, dev::access_intent::write);
  if (w.has_value() || w.error() != EIO || !page_aligned(offset) || bytes < page_size) return w;
  return d.direct_access(offset, bytes & ~(page_size - 1), dev::access_intent::recovery_write);
}

result<std::size_t> batch_mover::read(vfs::iov_iter& to, std::uint64_t offset, std::size_t bytes) noexcept {
  if (!to.is_plain()) return bounce_read(to, offset, bytes);
  result<> noted{};
  to.copy(bytes, [&](std::byte* host, std::size_t at, std::size_t n) {
    if (noted.has_value()) noted = note(offset + at, host, n, false);
  });
  if (!noted.has_value()) to.revert(bytes);
  XIP_TRY(noted);
  return bytes;
}

result<std::size_t> batch_mover::write(vfs::iov_iter& from, std::uint64_t offset, std::size_t bytes) noexcept {
  if (!from.is_plain()) return bounce_write(from, offset, bytes);
  result<> noted{};
  from.copy(bytes, [&](std::byte* host, std::size_t at, std::size_t n) {
    if (noted.has_value()) noted = note(offset + at, host, n, true);
  });
  if (!noted.has_value()) from.revert(bytes);
  XIP_TRY(noted);
  return bytes;
}

result<> batch_mover::write_zeros(std::uint64_t offset, std::size_t bytes) noexcept {
  while (bytes != 0) {
    const std::size_t n = std::min(bytes, page_size);
    XIP_TRY(note(offset, const_cast<std::byte*>(zero_page.data()), n, true));  // only ever read
    offset += n;
    bytes -= n;
  }
  return {};
}

std::size_t batch_mover::read_zeros(vfs::iov_iter& to, std::size_t bytes) noexcept {
  const std::size_t moved = to.zero(bytes);
  static_cast<void>(note(0, nullptr, moved, false));
  return moved;
}

result<> batch_mover::note(std::uint64_t offset, std::byte* memory, std::size_t bytes, bool writing) noexcept {
  writing_ = writing;
  if (used_ != 0) {
    dev::io_piece& last = pieces_[used_ - 1];
    const bool both_zeros = memory == nullptr && last.memory == nullptr;
    const bool adjacent =
        memory != nullptr && last.memory != nullptr && last.offset + last.bytes == offset && last.memory + last.bytes == memory;
    if (both_zeros || adjacent) {
      last.bytes += bytes;
      return {};
    }
  }
  if (used_ == max_pieces) {
    const completed done = submit();
    settled_bytes_ += done.bytes;
    failed_ = done.error;
  }
  if (failed_ != 0) return fail(failed_);
  pieces_[used_++] = {offset, memory, bytes};
  return {};
}

completed batch_mover::complete() noexcept {
  completed done = submit();
  done.bytes += std::exchange(settled_bytes_, 0);
  if (const int earlier = std::exchange(failed_, 0); earlier != 0) done.error = earlier;
  return done;
}

void batch_mover::discard() noexcept {
  used_ = 0;
  settled_bytes_ = 0;
  failed_ = 0;
}

completed batch_mover::submit() noexcept {
  std::array<dev::io_piece, max_pieces> wanted;
  std::size_t count = 0;
  completed done;
  for (const dev::io_piece& p : std::span{pieces_}.first(used_)) {
    if (p.memory != nullptr) wanted[count++] = p;
    done.bytes += p.bytes;
  }
  if (count != 0 && !transfer({wanted.data(), count}).has_value()) done = submit_one_by_one();
  used_ = 0;
  return done;
}

completed batch_mover::submit_one_by_one() noexcept {
  completed done;
  for (const dev::io_piece& p : std::span{pieces_}.first(used_)) {
    if (p.memory != nullptr) {
      if (auto r = transfer({&p, 1}); !r.has_value()) {
        done.error = r.error().number();
        return done;
      }
    }
    done.bytes += p.bytes;
  }
  return done;
}

result<> batch_mover::transfer(std::span<const dev::io_piece> pieces) noexcept {
  for (const dev::io_piece& p : pieces) observe_access(device_, inode_, p.offset, p.bytes, writing_);
  return writing_ ? device_.write_batch(pieces) : device_.read_batch(pieces);
}

result<std::size_t> batch_mover::bounce_read(vfs::iov_iter& to, std::uint64_t offset, std::size_t bytes) noexcept {
  std::array<std::byte, page_size> page;
  std::size_t done = 0;
  while (done < bytes) {
    const std::size_t n = std::min(bytes - done, page.size());
    observe_access(device_, inode_, offset + done, n, false);
    if (auto r = device_.read(offset + done, std::span{page}.first(n)); !r.has_value()) {
      if (done == 0) return fail(r.error());
      break;
    }
    const std::size_t moved = to.copy_to_iter(page.data(), n);
    static_cast<void>(note(0, nullptr, moved, false));
    done += moved;
    if (moved != n) break;
  }
  return done;
}

result<std::size_t> batch_mover::bounce_write(vfs::iov_iter& from, std::uint64_t offset, std::size_t bytes) noexcept {
  std::array<std::byte, page_size> page;
  std::size_t done = 0;
  while (done < bytes) {
    const std::size_t n = std::min(bytes - done, page.size());
    const std::size_t got = from.copy_from_iter(page.data(), n);
    if (got != 0) {
      observe_access(device_, inode_, offset + done, got, true);
      if (auto r = device_.write(offset + done, std::span{page}.first(got)); !r.has_value()) {
        from.revert(got);
        if (done == 0) return fail(r.error());
        break;
      }
      static_cast<void>(note(0, nullptr, got, true));
    }
    done += got;
    if (got != n) break;
  }
  return done;
}

}  // namespace xip
