// Which blocks are cached: the hash table in shards, second-chance eviction, forget.
#include <algorithm>
#include <bit>
#include <new>

#include <xip/base/assert.h>
#include <xip/base/points.h>

#include "dev/buffer_cache_impl.h"

namespace xip::dev {
namespace {

constexpr std::size_t eviction_budget = 128;  // buffers looked at for one that came in
constexpr std::size_t fewest_buckets = 4;     // of one shard
constexpr std::size_t most_buckets = 4096;

// Null instead of an exception.
void* allocate_bytes(std::pmr::memory_resource& memory, std::size_t bytes, std::size_t alignment) noexcept {
  try {
    return memory.allocate(bytes, alignment);
  } catch (...) {  // what a caller's resource throws
    return nullptr;
  }
}

}  // namespace

buffer_cache::impl::impl(device& d, unsigned block_bits, std::pmr::memory_resource& resource, std::size_t limit) noexcept
    : medium{d},
      bits{block_bits},
      block_size{std::size_t{1} << block_bits},
      block_count{d.size() >> block_bits},
      limit_blocks{limit >> block_bits},
      memory{resource} {}

result<> buffer_cache::impl::allocate_tables() noexcept {
  const std::size_t buckets = std::clamp(std::bit_ceil(limit_blocks / shard_count + 1), fewest_buckets, most_buckets);
  bucket_mask = buckets - 1;
  for (shard& s : shards) {
    void* table = allocate_bytes(memory, buckets * sizeof(buffer*), alignof(buffer*));
    if (table == nullptr) return fail(ENOMEM);
    s.buckets = new (table) buffer* [buckets] {};
  }
  return {};
}

buffer_cache::impl::~impl() {
  for (shard& s : shards) {
    if (s.buckets == nullptr) continue;
    buffer* b = nullptr;
    for (;;) {
      {
        spin_guard guard{s.lock};
        b = s.by_age.front();
        if (b == nullptr) break;
        clear_dirty(s, *b);
        remove(s, *b);
      }
      XIP_ASSERT(b->references_.load(std::memory_order_acquire) == 0);  // nobody holds a buffer longer than its cache lives
      free(b);
    }
    memory.deallocate(s.buckets, (bucket_mask + 1) * sizeof(buffer*), alignof(buffer*));
  }
  mutex_guard guard{write_lock};
  if (staging != nullptr) memory.deallocate(staging, batch_blocks << bits, block_size);
}

buffer* buffer_cache::impl::allocate(pblk_t block) noexcept {
  void* place = allocate_bytes(memory, sizeof(buffer), alignof(buffer));
  if (place == nullptr) return nullptr;
  auto* b = new (place) buffer{block};
  b->data_ = static_cast<std::byte*>(allocate_bytes(memory, block_size, block_size));
  b->size_ = static_cast<std::uint32_t>(block_size);
  if (b->data_ != nullptr) return b;
  b->~buffer();
  memory.deallocate(place, sizeof(buffer), alignof(buffer));
  return nullptr;
}

void buffer_cache::impl::free(buffer* b) noexcept {
  memory.deallocate(b->data_, block_size, block_size);
  b->~buffer();
  memory.deallocate(b, sizeof(buffer), alignof(buffer));
}

buffer* buffer_cache::impl::lookup(shard& s, pblk_t block) noexcept {
  buffer* b = bucket_of(s, block);
  while (b != nullptr && b->block_ != block) b = b->hash_next_;
  return b;
}

void buffer_cache::impl::insert(shard& s, buffer& b) noexcept {
  buffer*& bucket = bucket_of(s, b.block_);
  b.hash_next_ = bucket;
  bucket = &b;
  s.by_age.push_back(b);
  cached.fetch_add(1, std::memory_order_relaxed);
}

void buffer_cache::impl::remove(shard& s, buffer& b) noexcept {
  buffer** at = &bucket_of(s, b.block_);
  while (*at != &b) at = &(*at)->hash_next_;
  *at = b.hash_next_;
  s.by_age.erase(b);
  cached.fetch_sub(1, std::memory_order_relaxed);
}

buffer* buffer_cache::impl::pin_cached(pblk_t block) noexcept {
  shard& s = shard_of(block);
  spin_guard guard{s.lock};
  buffer* b = lookup(s, block);
  if (b == nullptr) return nullptr;
  pin(*b);
  if (!b->used_.load(std::memory_order_relaxed)) b->used_.store(true, std::memory_order_relaxed);
  return b;
}

result<buffer*> buffer_cache::impl::pin(pblk_t block) noexcept {
  if (buffer* b = pin_cached(block); b != nullptr) return b;
  if (block.value() >= block_count) return fail(ERANGE);
  buffer* fresh = allocate(block);
  if (fresh == nullptr) return fail(ENOMEM);
  buffer* winner = nullptr;
  {
    shard& s = shard_of(block);
    spin_guard guard{s.lock};
    winner = lookup(s, block);
    if (winner == nullptr) insert(s, *(winner = fresh));
    pin(*winner);
  }
  if (winner != fresh)
    free(fresh);  // somebody inserted it meanwhile
  else
    shrink(block);
  return winner;
}

bool buffer_cache::impl::over_limit() const noexcept {
  return cached.load(std::memory_order_relaxed) > limit_blocks + dirty.load(std::memory_order_relaxed);
}

// Twice around at the most: what had its second chance in the first round can go in the second.
void buffer_cache::impl::shrink(pblk_t start) noexcept {
  std::size_t budget = eviction_budget;
  const auto first = static_cast<std::size_t>(&shard_of(start) - shards.data());
  for (std::size_t i = 0; i < 2 * shard_count && budget != 0 && over_limit(); ++i) {
    for (buffer* old = collect_old(shards[(first + i) % shard_count], budget); old != nullptr;) {
      buffer* next = old->hash_next_;
      check_before_eviction(*old);
      free(old);
      old = next;
    }
  }
}

buffer* buffer_cache::impl::collect_old(shard& s, std::size_t& budget) noexcept {
  buffer* chain = nullptr;
  spin_guard guard{s.lock};
  const buffer* first_spared = nullptr;  // seen again: the list is through
  while (budget != 0 && over_limit()) {
    buffer* b = s.by_age.front();
    if (b == nullptr || b == first_spared) break;
    --budget;
    const bool dirty_or_held = b->references_.load(std::memory_order_acquire) != 0 || b->on_dirty_list_ || b->dirty();
    if (dirty_or_held || b->used_.exchange(false, std::memory_order_relaxed)) {
      if (first_spared == nullptr) first_spared = b;
      s.by_age.erase(*b);
      s.by_age.push_back(*b);
      continue;
    }
    remove(s, *b);
    b->hash_next_ = chain;
    chain = b;
  }
  return chain;
}

void buffer_cache::impl::check_before_eviction(const buffer& b) noexcept {
  if (unchanged_since_clean(b)) return;
  evicted_changed_block.store(b.block_.value(), std::memory_order_relaxed);
  evicted_changed.store(true, std::memory_order_release);
}

void buffer_cache::impl::clear_dirty(shard& s, buffer& b) noexcept {
  if (b.on_dirty_list_) {
    s.dirty.erase(b);
    b.on_dirty_list_ = false;
    dirty.fetch_sub(1, std::memory_order_relaxed);
  }
  b.dirty_.store(false);
}

void buffer_cache::impl::forget(pblk_t block) noexcept {
  shard& s = shard_of(block);
  buffer* unused = nullptr;
  {
    spin_guard guard{s.lock};
    buffer* b = lookup(s, block);
    if (b == nullptr || b->state_.load(std::memory_order_relaxed) == buffer_state::filling) return;
    clear_dirty(s, *b);
    b->state_.store(buffer_state::empty, std::memory_order_relaxed);
    b->verified_.store(false, std::memory_order_relaxed);
    b->trigger_.store(nullptr, std::memory_order_relaxed);
    if (b->references_.load(std::memory_order_acquire) == 0) remove(s, *(unused = b));
  }
  if (unused != nullptr) free(unused);
}

}  // namespace xip::dev
