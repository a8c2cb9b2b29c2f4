// One interface for every medium: blocks by request for all, and a window of real memory for those that have one.
// Bytes of a window move only through copy_in, copy_out, zero, flush and drain, so that a decorator sees each store.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include <xip/base/annotations.h>
#include <xip/base/points.h>
#include <xip/base/result.h>
#include <xip/base/units.h>

namespace xip::dev {

class block_observer;

// Device memory that may be read (and, if asked for so, written) through the device's window functions.
struct window {
  std::byte* data = nullptr;
  std::size_t bytes = 0;
};

enum class access_intent : std::uint8_t {
  read,
  write,
  recovery_write,  // whole pages; clears poison (Linux: DAX_RECOVERY_WRITE)
};

// One stretch of one request: BYTES bytes at byte OFFSET of the device, from or to MEMORY.
struct io_piece {
  std::uint64_t offset;
  std::byte* memory;
  std::size_t bytes;
};

// How the window functions move bytes: inline for an undecorated device, by a virtual call under a decorator.
enum class mover_kind : std::uint8_t { none, cached_memory, persistent_memory, decorated };

// Moves file data: device memory is one side of it. A program may store into the same bytes through a mapping of the file while they are read or
// written, with no lock that we could take: what arrives then is old or new, byte by byte, as on Linux, and whoever minds has to lock. That race
// is the program's, and allowed. ThreadSanitizer would report it as ours, so of all copies it does not see this one.
void copy_file_data(void* to, const void* from, std::size_t bytes) noexcept;

// What a hint fetches: as many lines as a core keeps under way at once. The CPU's own prefetcher follows from there.
inline constexpr std::size_t cache_line_bytes = 64;
inline constexpr std::size_t prefetch_bytes = 8 * cache_line_bytes;

struct device_stats {
  std::uint64_t batches = 0;  // submissions: one a read_batch or write_batch, however many pieces (block: io_uring_enter calls)
  std::uint64_t pieces = 0;   // pieces of all those batches
  std::uint64_t flushes = 0;  // flush_cache calls
};

class device {
 public:
  device(const device&) = delete;
  device& operator=(const device&) = delete;
  virtual ~device();

  // "memory", "pmem:FILE", "block:FILE"; as messages name it.
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }  // bytes
  [[nodiscard]] bool read_only() const noexcept { return read_only_; }
  [[nodiscard]] bool has_direct_access() const noexcept { return mover() != mover_kind::none; }
  // A store is durable when it has been flushed and drained, without flush_cache. Linux: dax_synchronous.
  [[nodiscard]] virtual bool synchronous() const noexcept { return has_direct_access(); }

  // A window on up to BYTES bytes at byte OFFSET; it may be shorter (poison ahead, end of a contiguous piece), never empty.
  // One to write into has room behind it. EIO: OFFSET is poisoned, or the device is dead. EOPNOTSUPP: no windows here. ERANGE: outside the device.
  // EROFS. ENOSPC: the host has no room behind a hole.
  [[nodiscard]] result<window> direct_access(std::uint64_t offset, std::size_t bytes, access_intent intent) noexcept {
    if (const mover_kind kind = mover(); kind == mover_kind::decorated || kind == mover_kind::none) [[unlikely]]
      return direct_access_slow(offset, bytes, intent);
    if (offset >= size_ || bytes > size_ - offset) [[unlikely]]
      return fail(ERANGE);
    if (read_only_ && intent != access_intent::read) [[unlikely]]
      return fail(EROFS);
    if (windows_over_holes_ && intent != access_intent::read) [[unlikely]]
      XIP_TRY(reserve(offset, bytes));
    return window{base_ + offset, bytes};
  }

  // A hint that the bytes at OFFSET are about to be copied out: the page walk and the first cache lines, which a copy that begins cold would wait
  // for, are on their way when it begins. Touches nothing, counts as no access, never fails; devices without plain windows ignore it.
  void prefetch(std::uint64_t offset, std::size_t bytes) const noexcept {
    if (const mover_kind kind = mover(); kind == mover_kind::decorated || kind == mover_kind::none || offset >= size_) return;
    const std::size_t most = std::min({bytes, static_cast<std::size_t>(size_ - offset), prefetch_bytes});
    for (std::size_t at = 0; at < most; at += cache_line_bytes) __builtin_prefetch(base_ + offset + at);
  }

  // Window functions. A store through copy_in or zero is durable after this thread's next drain; an ordinary store (store, or a CPU's
  // own through a mapping) after flush and drain. On a medium that is a page cache, only flush_cache makes either durable.
  void copy_out(void* to, const std::byte* from, std::size_t bytes) noexcept {
    if (mover() == mover_kind::decorated) [[unlikely]]
      return window_copy_out(to, from, bytes);
    copy_file_data(to, from, bytes);
  }
  void copy_in(std::byte* to, const void* from, std::size_t bytes) noexcept {
    if (mover() == mover_kind::cached_memory) {
      copy_file_data(to, from, bytes);
      return;
    }
    window_copy_in(to, from, bytes);
  }
  void zero(std::byte* to, std::size_t bytes) noexcept {
    if (mover() == mover_kind::cached_memory) {
      std::memset(to, 0, bytes);
      return;
    }
    window_zero(to, bytes);
  }
  // What a CPU's own store through a mapping does: the bytes may stay in its cache until flush.
  void store(std::byte* to, const void* from, std::size_t bytes) noexcept {
    if (mover() == mover_kind::decorated) [[unlikely]]
      return window_store(to, from, bytes);
    copy_file_data(to, from, bytes);
  }
  void flush(const std::byte* from, std::size_t bytes) noexcept {
    if (mover() != mover_kind::cached_memory) window_flush(from, bytes);
  }
  void drain() noexcept {
    if (mover() == mover_kind::cached_memory) {
      XIP_POINT(dev_fence);
      return;
    }
    window_drain();
  }

  // Requests, on every device. All pieces of a batch are one submission and have all completed on return.
  // EIO: some piece failed; which bytes moved is then unknown. ENOSPC: likewise, the host has no room behind a hole. ERANGE. EROFS.
  [[nodiscard]] virtual result<> read_batch(std::span<const io_piece> pieces) noexcept = 0;
  [[nodiscard]] virtual result<> write_batch(std::span<const io_piece> pieces) noexcept = 0;
  [[nodiscard]] result<> read(std::uint64_t offset, std::span<std::byte> to) noexcept;
  [[nodiscard]] result<> write(std::uint64_t offset, std::span<const std::byte> from) noexcept;
  // Everything written before (requests and drained stores) is on the medium on return.
  [[nodiscard]] virtual result<> flush_cache() noexcept = 0;
  // Room behind these bytes, so that a write there does not fail for lack of it. Where they were a hole they may still read as one. ENOSPC.
  // Default: there always is room.
  [[nodiscard]] virtual result<> reserve(std::uint64_t offset, std::uint64_t bytes) noexcept;
  // The medium needs no more backing for these bytes; a hint (FALLOC_FL_PUNCH_HOLE on a file). Default: nothing.
  virtual void discard(std::uint64_t offset, std::uint64_t bytes) noexcept;
  // Has done, for what the host holds in memory of the device, what the first use of each window would wait for: a page fault, a question after room. Reads
  // nothing in and takes no room. Returns when all is done, or soon after ENOUGH was set; others may use the device meanwhile. Default: nothing.
  virtual void warm(const std::atomic<bool>& enough) noexcept;

  // After kill() every request and every new window fails with EIO; memory stays mapped until the destructor, so that windows handed out
  // before stay usable (Linux: kill_dax). May be called while others use the device.
  void kill() noexcept;
  [[nodiscard]] bool killed() const noexcept { return killed_.load(std::memory_order_relaxed); }

  [[nodiscard]] virtual device_stats stats() const noexcept { return {}; }

  // Who is told about accesses and allocation (xip/dev/block_observer.h). Null: nobody.
  [[nodiscard]] block_observer* observer() const noexcept { return observer_; }
  void set_observer(block_observer* o) noexcept { observer_ = o; }

 protected:
  device(std::uint64_t size, mover_kind mover, std::byte* base, bool read_only) noexcept
      : size_{size}, base_{base}, read_only_{read_only}, mover_{mover} {}

  // Asked on a decorated or killed device, and where there are no windows.
  [[nodiscard]] virtual result<window> direct_access_slow(std::uint64_t offset, std::size_t bytes, access_intent intent) noexcept;
  virtual void window_copy_out(void* to, const std::byte* from, std::size_t bytes) noexcept;
  virtual void window_copy_in(std::byte* to, const void* from, std::size_t bytes) noexcept;
  virtual void window_zero(std::byte* to, std::size_t bytes) noexcept;
  virtual void window_store(std::byte* to, const void* from, std::size_t bytes) noexcept;
  virtual void window_flush(const std::byte* from, std::size_t bytes) noexcept;
  virtual void window_drain() noexcept;

  // What every request must pass first: EIO on a killed device, EROFS, ERANGE, EFAULT for a piece without memory.
  [[nodiscard]] result<> check_request(std::span<const io_piece> pieces, bool write) const noexcept;
  // Where the windows of D begin: a decorator passes the pointers of the device below through.
  [[nodiscard]] static std::byte* base_of(const device& d) noexcept { return d.base_; }
  [[nodiscard]] mover_kind mover() const noexcept { return mover_.load(std::memory_order_relaxed); }
  // A store into a window may need room that is not taken yet: each window to write into asks for it. Before the device is used.
  void set_windows_over_holes() noexcept { windows_over_holes_ = true; }

  const std::uint64_t size_;
  std::byte* const base_;
  const bool read_only_;

 private:
  // Changes once, in kill(): nothing is published through it, so relaxed loads (plain moves) are enough.
  std::atomic<mover_kind> mover_;
  std::atomic<bool> killed_{false};
  bool windows_over_holes_ = false;
  block_observer* observer_ = nullptr;
};

}  // namespace xip::dev
