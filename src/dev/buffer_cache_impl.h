// The inside of the buffer cache: a hash table in shards, each with a lock of its own, and the write-back with its staging memory.
//
// A buffer is in the table from its insertion to its eviction. Its contents are filled by one task (state filling), the others wait at
// the shard. Dirty buffers are on the shard's dirty list; a write-back takes them from there one after the other.
#pragma once

#include <array>
#include <atomic>
#include <optional>

#include <xip/dev/block_observer.h>
#include <xip/dev/buffer_cache.h>
#include <xip/locks/lockdep.h>
#include <xip/locks/mutex.h>
#include <xip/locks/spin_lock.h>
#include <xip/locks/wait_queue.h>

#include "dev/buffer_list.h"

namespace xip::dev {

inline constexpr lock_class buffer_cache_class{"buffer_cache", lock_kind::spinning};
inline constexpr lock_class buffer_write_class{"buffer_write"};

struct buffer_cache::impl {
  static constexpr unsigned shard_bits = 6;
  static constexpr std::size_t shard_count = std::size_t{1} << shard_bits;
  static constexpr std::size_t batch_blocks = 64;  // blocks of one write request

  struct alignas(64) shard {
    spin_lock<buffer_cache_class> lock;
    buffer** buckets XIP_PT_GUARDED_BY(lock) = nullptr;  // bucket_mask + 1 of them
    buffer_list<&buffer::age_> by_age XIP_GUARDED_BY(lock);
    buffer_list<&buffer::dirty_links_> dirty XIP_GUARDED_BY(lock);
    wait_queue filled;  // woken when a buffer leaves the state filling
  };

  // What became of a buffer's contents, and who has to fill them.
  enum class claim : std::uint8_t { valid, mine, failed };

  // Blocks copied for the medium, and the request made of them.
  struct staged_batch {
    std::array<buffer*, batch_blocks> buffers;
    std::array<io_piece, batch_blocks> pieces;  // neighbours are one piece
    std::size_t count = 0;
    std::size_t piece_count = 0;
  };

  impl(device& medium, unsigned block_bits, std::pmr::memory_resource& memory, std::size_t limit) noexcept;
  ~impl();
  // The tables. ENOMEM.
  [[nodiscard]] result<> allocate_tables() noexcept;

  // buffer_table.cc: what is cached
  [[nodiscard]] shard& shard_of(pblk_t block) noexcept { return shards[hash(block) >> (64 - shard_bits)]; }
  // Cached, with one reference more, or null.
  [[nodiscard]] buffer* pin_cached(pblk_t block) noexcept;
  // The same, inserted without contents if it was not cached. ERANGE, ENOMEM.
  [[nodiscard]] result<buffer*> pin(pblk_t block) noexcept;
  static void pin(buffer& b) noexcept { b.references_.fetch_add(1, std::memory_order_relaxed); }
  static void unpin(buffer& b) noexcept { b.references_.fetch_sub(1, std::memory_order_release); }
  void forget(pblk_t block) noexcept;
  // Evicts clean, unreferenced buffers while there are more than the limit, looking at a bounded number, from START's shard on.
  void shrink(pblk_t start) noexcept;
  template <class Visit>
  void for_each(Visit&& visit);

  // buffer_cache.cc: contents
  // CLAIM valid: it has contents. mine: the caller must fill them and call filled(). failed: the task that was filling them could not.
  [[nodiscard]] claim claim_contents(buffer& b) noexcept;
  [[nodiscard]] bool claim_without_waiting(buffer& b) noexcept;
  void filled(buffer& b, bool good) noexcept;
  [[nodiscard]] result<> read_contents(buffer& b) noexcept;
  void read_ahead(pblk_t first, std::size_t count) noexcept;
  void observe(pblk_t block, bool write) const noexcept {
    if (block_observer* observer = medium.observer(); observer != nullptr) observer->on_metadata(block, write);
  }
  void note_clean(buffer& b) noexcept;
  [[nodiscard]] static bool unchanged_since_clean(const buffer& b) noexcept;

  // buffer_writeback.cc: to the medium
  bool mark_dirty(buffer& b) noexcept;
  [[nodiscard]] result<> write_all() noexcept XIP_EXCLUDES(write_lock);
  [[nodiscard]] result<> write_one(buffer& b) noexcept XIP_EXCLUDES(write_lock);
  void for_each_dirty(bool (*visit)(void* argument, buffer& b), void* argument) noexcept XIP_EXCLUDES(write_lock);
  void take_copy(buffer& b, std::span<std::byte> copy) noexcept;
  [[nodiscard]] result<> allocate_staging() noexcept XIP_REQUIRES(write_lock);
  [[nodiscard]] buffer* collect_dirty() noexcept XIP_REQUIRES(write_lock);
  [[nodiscard]] result<> reserve_room(const buffer* chain) noexcept XIP_REQUIRES(write_lock);
  [[nodiscard]] bool take_dirty(buffer& b) noexcept;
  void copy_out(buffer& b, std::span<std::byte> copy) noexcept;
  void put_on_dirty_list(buffer& b) noexcept;
  [[nodiscard]] result<> stage(buffer& b, staged_batch& batch) noexcept XIP_REQUIRES(write_lock);
  [[nodiscard]] result<> submit(staged_batch& batch) noexcept XIP_REQUIRES(write_lock);
  [[nodiscard]] std::byte* staging_of(std::size_t index) noexcept XIP_REQUIRES(write_lock) { return staging + (index << bits); }

  [[nodiscard]] static std::uint64_t hash(pblk_t block) noexcept { return block.value() * 0x9E3779B97F4A7C15u; }
  [[nodiscard]] buffer*& bucket_of(shard& s, pblk_t block) noexcept XIP_REQUIRES(s.lock) {
    return s.buckets[(hash(block) >> 24) & bucket_mask];
  }
  [[nodiscard]] buffer* lookup(shard& s, pblk_t block) noexcept XIP_REQUIRES(s.lock);
  void insert(shard& s, buffer& b) noexcept XIP_REQUIRES(s.lock);
  void remove(shard& s, buffer& b) noexcept XIP_REQUIRES(s.lock);
  void clear_dirty(shard& s, buffer& b) noexcept XIP_REQUIRES(s.lock);
  // Unlinks old buffers into a chain through hash_next_, looking at each of the shard once; what was looked at is taken off BUDGET.
  [[nodiscard]] buffer* collect_old(shard& s, std::size_t& budget) noexcept XIP_EXCLUDES(s.lock);
  [[nodiscard]] bool over_limit() const noexcept;
  [[nodiscard]] buffer* allocate(pblk_t block) noexcept;
  void free(buffer* b) noexcept;
  void check_before_eviction(const buffer& b) noexcept;

  device& medium;
  const unsigned bits;
  const std::size_t block_size;
  const std::uint64_t block_count;
  const std::size_t limit_blocks;
  std::pmr::memory_resource& memory;
  std::size_t bucket_mask = 0;
  std::array<shard, shard_count> shards;
  alignas(64) std::atomic<std::size_t> cached{0};
  std::atomic<std::size_t> dirty{0};
  std::atomic<bool> evicted_changed{false};
  std::atomic<std::uint64_t> evicted_changed_block{0};

  // Held for a whole write-back, so that who comes second finds the medium as he expects it.
  mutex<buffer_write_class> write_lock;
  std::byte* staging XIP_GUARDED_BY(write_lock) = nullptr;
};

// Calls VISIT(buffer) for all buffers, each pinned meanwhile, with no lock held: a pinned buffer keeps its place in the list.
template <class Visit>
void buffer_cache::impl::for_each(Visit&& visit) {
  for (shard& s : shards) {
    buffer* b = nullptr;
    {
      spin_guard guard{s.lock};
      b = s.by_age.front();
      if (b != nullptr) pin(*b);
    }
    while (b != nullptr) {
      visit(*b);
      spin_guard guard{s.lock};
      buffer* next = s.by_age.next(*b);
      if (next != nullptr) pin(*next);
      unpin(*b);
      b = next;
    }
  }
}

}  // namespace xip::dev
