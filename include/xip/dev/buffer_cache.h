// Cached metadata blocks. Linux: fs/buffer.c (sb_bread, sb_getblk, mark_buffer_dirty, sync_dirty_buffer, bforget).
//
// Contents are read through data(). They are changed only by who holds a journal handle: the file system's get_write_access asks for
// writable(), dirty_metadata for mark_dirty(). The file system's locks order readers and writers of one buffer's contents.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <utility>

#include <xip/base/result.h>
#include <xip/base/units.h>
#include <xip/dev/device.h>

namespace xip::dev {

class buffer_cache;

// Fills in the checksum of a block in the copy that goes to the medium. CONTEXT is what set_trigger got.
using before_write = void (*)(void* context, pblk_t block, std::span<std::byte> data) noexcept;

enum class buffer_state : std::uint8_t {
  empty,    // no contents: never read, or the read failed, or the block was forgotten
  filling,  // one task is reading or zeroing it, others wait for that
  valid,
};

// A buffer's place in one of the cache's lists.
struct buffer_links {
  class buffer* previous = nullptr;
  class buffer* next = nullptr;
};

class buffer {
 public:
  explicit buffer(pblk_t block) noexcept : block_{block} {}
  [[nodiscard]] pblk_t block() const noexcept { return block_; }
  [[nodiscard]] std::span<const std::byte> data() const noexcept { return {data_, size_}; }
  // For journal code only, after it has done what write access needs.
  [[nodiscard]] std::span<std::byte> writable() noexcept { return {data_, size_}; }

  // The file system has checked the checksum and shape of what was read; stays set while the block is cached.
  [[nodiscard]] bool verified() const noexcept { return verified_.load(std::memory_order_acquire); }
  void set_verified() noexcept { verified_.store(true, std::memory_order_release); }
  [[nodiscard]] bool dirty() const noexcept { return dirty_.load(std::memory_order_acquire); }
  // Called when the block's kind is known; the trigger runs on the copy that is written out.
  void set_trigger(before_write trigger, void* context) noexcept {
    trigger_context_ = context;
    trigger_.store(trigger, std::memory_order_release);
  }

 private:
  friend class buffer_cache;
  friend class buffer_ref;
  const pblk_t block_;
  std::byte* data_ = nullptr;
  std::uint32_t size_ = 0;
  std::atomic<std::uint32_t> references_{0};              // rises from zero only under the shard's lock
  std::atomic<buffer_state> state_{buffer_state::empty};  // written under the shard's lock
  std::atomic<bool> verified_{false};
  std::atomic<bool> dirty_{false};
  std::atomic<bool> used_{false};  // second chance for the shrinker
  std::atomic<before_write> trigger_{nullptr};
  void* trigger_context_ = nullptr;

  // Guarded by the lock of the cache's shard this block belongs to.
  buffer* hash_next_ = nullptr;
  buffer_links age_;          // all buffers of the shard, the next to be looked at for eviction first
  buffer_links dirty_links_;  // those that are to be written
  bool on_dirty_list_ = false;
  // Guarded by the cache's write lock: the list that a write-back sorts.
  buffer* write_next_ = nullptr;
  // Checksum of the contents when they last became clean; kept where lockdep is compiled in.
  std::uint32_t clean_crc_ = 0;
};

// A counted reference to a cached buffer; it is not evicted while one exists.
class buffer_ref {
 public:
  buffer_ref() noexcept = default;
  buffer_ref(buffer_ref&& other) noexcept : buffer_{std::exchange(other.buffer_, nullptr)} {}
  buffer_ref& operator=(buffer_ref&& other) noexcept {
    if (this != &other) {
      reset();
      buffer_ = std::exchange(other.buffer_, nullptr);
    }
    return *this;
  }
  buffer_ref(const buffer_ref& other) noexcept : buffer_{other.buffer_} {
    if (buffer_ != nullptr) buffer_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  buffer_ref& operator=(const buffer_ref& other) noexcept { return *this = buffer_ref{other}; }
  ~buffer_ref() { reset(); }
  void reset() noexcept {
    if (buffer* b = std::exchange(buffer_, nullptr)) b->references_.fetch_sub(1, std::memory_order_release);
  }

  [[nodiscard]] explicit operator bool() const noexcept { return buffer_ != nullptr; }
  [[nodiscard]] buffer& operator*() const noexcept { return *buffer_; }
  [[nodiscard]] buffer* operator->() const noexcept { return buffer_; }
  [[nodiscard]] buffer* get() const noexcept { return buffer_; }

 private:
  friend class buffer_cache;
  explicit buffer_ref(buffer* b) noexcept : buffer_{b} {}  // takes over one reference
  buffer* buffer_ = nullptr;
};

class buffer_cache {
 public:
  // LIMIT: how many bytes of clean, unreferenced buffers to keep at the most. Without memory for the tables every call answers ENOMEM.
  buffer_cache(device& d, unsigned block_bits, std::pmr::memory_resource& memory, std::size_t limit = std::size_t{64} << 20) noexcept;
  ~buffer_cache();  // no references may be left; dirty buffers are dropped
  buffer_cache(const buffer_cache&) = delete;
  buffer_cache& operator=(const buffer_cache&) = delete;

  // The block's contents, read if need be. EIO, ERANGE (outside the device), ENOMEM. Concurrent readers of one block read it once.
  [[nodiscard]] result<buffer_ref> read(pblk_t block) noexcept;
  // The block without reading it: zero-filled if it was not cached. For a block that is about to be written whole.
  [[nodiscard]] result<buffer_ref> get(pblk_t block) noexcept;
  // Cached or nothing.
  [[nodiscard]] buffer_ref find(pblk_t block) noexcept;
  // Cached or nothing, whatever its contents: a block that was forgotten, too.
  [[nodiscard]] buffer_ref find_any(pblk_t block) noexcept;
  // Ask for COUNT blocks from FIRST in one batch; no error is reported here.
  void read_ahead(pblk_t first, std::uint32_t count) noexcept;

  // Whether it was clean.
  bool mark_dirty(buffer& b) noexcept;
  // The same for who keeps every write-back out, as an open handle does: costs less for a block that is dirty already.
  bool mark_dirty_still(buffer& b) noexcept;
  // The block was freed: what is dirty in it must never be written (Linux: bforget). Its contents are no longer valid.
  void forget(pblk_t block) noexcept;

  // Writes every dirty buffer (trigger applied to the copy), in ascending order, batched, then drains; no flush_cache. The caller keeps
  // contents still. A buffer whose write failed stays dirty. EIO: the first failure. ENOMEM: nothing was written.
  [[nodiscard]] result<> write_dirty() noexcept;
  // One buffer, now.
  [[nodiscard]] result<> write_one(buffer& b) noexcept;

  // For a journal, which writes what is dirty itself. Calls VISIT(argument, buffer) for every dirty buffer in ascending order, until it answers false.
  // The caller keeps contents still; VISIT may call take_copy.
  void for_each_dirty(bool (*visit)(void* argument, buffer& b), void* argument) noexcept;
  // What the medium is to get of B, with its checksum, goes to COPY, which is as long as a block. B is clean then.
  void take_copy(buffer& b, std::span<std::byte> copy) noexcept;

  [[nodiscard]] std::size_t dirty_count() const noexcept;
  [[nodiscard]] std::size_t cached_count() const noexcept;
  [[nodiscard]] unsigned block_bits() const noexcept { return block_bits_; }
  [[nodiscard]] device& medium() const noexcept { return device_; }
  // The first block found whose clean contents changed although nobody marked it dirty; where lockdep is compiled in, else never one.
  // Looks at what is cached and remembers what was evicted. Nobody may be changing buffers meanwhile.
  [[nodiscard]] std::optional<pblk_t> changed_while_clean() noexcept;
  // Calls VISIT(buffer) for all cached buffers with contents, no lock held (tests: compare clean ones with the medium).
  void for_each(void (*visit)(void* argument, buffer& b), void* argument);

 private:
  friend struct buffer_cache_probe;  // a test that must see who waits
  struct impl;
  device& device_;
  unsigned block_bits_;
  std::pmr::memory_resource& memory_;
  impl* impl_;  // null: there was no memory for it
};

}  // namespace xip::dev
