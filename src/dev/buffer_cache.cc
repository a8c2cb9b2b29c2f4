// The buffer cache's calls, and how a block gets its contents: read or zeroed once, by one task, while the others wait.
#include <xip/dev/buffer_cache.h>

#include <algorithm>
#include <cstring>
#include <new>

#include <xip/base/assert.h>
#include <xip/base/crc.h>
#include <xip/base/points.h>

#include "dev/buffer_cache_impl.h"

namespace xip::dev {

bool buffer_cache::impl::claim_without_waiting(buffer& b) noexcept {
  spin_guard guard{shard_of(b.block_).lock};
  if (b.state_.load(std::memory_order_relaxed) != buffer_state::empty) return false;
  b.state_.store(buffer_state::filling, std::memory_order_relaxed);
  return true;
}

buffer_cache::impl::claim buffer_cache::impl::claim_contents(buffer& b) noexcept {
  if (b.state_.load(std::memory_order_acquire) == buffer_state::valid) return claim::valid;
  if (claim_without_waiting(b)) return claim::mine;
  shard& s = shard_of(b.block_);
  spin_guard guard{s.lock};
  s.filled.wait(s.lock, [&] { return b.state_.load(std::memory_order_relaxed) != buffer_state::filling; });
  return b.state_.load(std::memory_order_relaxed) == buffer_state::valid ? claim::valid : claim::failed;
}

void buffer_cache::impl::filled(buffer& b, bool good) noexcept {
  if (good) note_clean(b);
  shard& s = shard_of(b.block_);
  {
    spin_guard guard{s.lock};
    b.state_.store(good ? buffer_state::valid : buffer_state::empty, std::memory_order_release);
  }
  s.filled.wake_all();
}

result<> buffer_cache::impl::read_contents(buffer& b) noexcept {
  XIP_TRY(XIP_FAIL_POINT(buffer_read, b.block_.value()));
  observe(b.block_, false);
  return medium.read(bytes_of(b.block_, bits), {b.data_, b.size_});
}

void buffer_cache::impl::read_ahead(pblk_t first, std::size_t count) noexcept {
  std::array<buffer*, batch_blocks> mine;
  std::array<io_piece, batch_blocks> pieces;
  XIP_ASSERT(count <= batch_blocks);
  std::size_t n = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const result<buffer*> pinned = pin(first + i);
    if (!pinned) break;
    buffer& b = **pinned;
    if (XIP_FAIL_POINT(buffer_read, b.block_.value()).has_value() && claim_without_waiting(b)) {
      mine[n] = &b;
      pieces[n++] = {bytes_of(b.block_, bits), b.data_, b.size_};
    } else {
      unpin(b);
    }
  }
  if (n == 0) return;
  const bool good = medium.read_batch({pieces.data(), n}).has_value();
  for (std::size_t i = 0; i < n; ++i) {
    filled(*mine[i], good);
    unpin(*mine[i]);
  }
}

void buffer_cache::impl::note_clean(buffer& b) noexcept {
  if constexpr (lockdep_compiled_in) b.clean_crc_ = crc32c(~0u, b.data());
}

bool buffer_cache::impl::unchanged_since_clean(const buffer& b) noexcept {
  if (!lockdep_compiled_in || b.dirty() || b.state_.load(std::memory_order_acquire) != buffer_state::valid) return true;
  return b.clean_crc_ == crc32c(~0u, b.data());
}

buffer_cache::buffer_cache(device& d, unsigned block_bits, std::pmr::memory_resource& memory, std::size_t limit) noexcept
    : device_{d}, block_bits_{block_bits}, memory_{memory}, impl_{nullptr} {
  try {
    impl_ = new (memory.allocate(sizeof(impl), alignof(impl))) impl{d, block_bits, memory, limit};
  } catch (...) {  // what a caller's resource throws
    return;
  }
  if (impl_->allocate_tables()) return;
  impl_->~impl();
  memory.deallocate(impl_, sizeof(impl), alignof(impl));
  impl_ = nullptr;
}

buffer_cache::~buffer_cache() {
  if (impl_ == nullptr) return;
  impl_->~impl();
  memory_.deallocate(impl_, sizeof(impl), alignof(impl));
}

result<buffer_ref> buffer_cache::read(pblk_t block) noexcept {
  if (impl_ == nullptr) return fail(ENOMEM);
  buffer_ref ref{XIP_TRY(impl_->pin(block))};
  switch (impl_->claim_contents(*ref)) {
    case impl::claim::valid:
      impl_->observe(block, false);
      return ref;
    case impl::claim::failed:
      return fail(EIO);
    case impl::claim::mine:
      break;
  }
  const result<> outcome = impl_->read_contents(*ref);
  impl_->filled(*ref, outcome.has_value());
  if (!outcome) return fail(outcome.error());
  return ref;
}

result<buffer_ref> buffer_cache::get(pblk_t block) noexcept {
  if (impl_ == nullptr) return fail(ENOMEM);
  buffer_ref ref{XIP_TRY(impl_->pin(block))};
  impl::claim claimed = impl_->claim_contents(*ref);
  while (claimed == impl::claim::failed) claimed = impl_->claim_contents(*ref);
  if (claimed == impl::claim::mine) {
    std::memset(ref->data_, 0, ref->size_);
    impl_->filled(*ref, true);
  }
  impl_->observe(block, true);
  return ref;
}

buffer_ref buffer_cache::find(pblk_t block) noexcept {
  if (impl_ == nullptr) return {};
  buffer_ref ref{impl_->pin_cached(block)};
  if (ref && ref->state_.load(std::memory_order_acquire) != buffer_state::valid) ref.reset();
  if (ref) impl_->observe(block, false);
  return ref;
}

buffer_ref buffer_cache::find_any(pblk_t block) noexcept { return buffer_ref{impl_ != nullptr ? impl_->pin_cached(block) : nullptr}; }

void buffer_cache::read_ahead(pblk_t first, std::uint32_t count) noexcept {
  if (impl_ == nullptr || first.value() >= impl_->block_count) return;
  std::uint64_t left = std::min<std::uint64_t>(count, impl_->block_count - first.value());
  while (left != 0) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left, impl::batch_blocks));
    impl_->read_ahead(first, n);
    first += n;
    left -= n;
  }
}

bool buffer_cache::mark_dirty(buffer& b) noexcept {
  impl_->observe(b.block(), true);
  return impl_->mark_dirty(b);
}

bool buffer_cache::mark_dirty_still(buffer& b) noexcept {
  impl_->observe(b.block(), true);
  return !b.dirty() && impl_->mark_dirty(b);
}

void buffer_cache::forget(pblk_t block) noexcept {
  if (impl_ != nullptr) impl_->forget(block);
}

result<> buffer_cache::write_dirty() noexcept {
  if (impl_ == nullptr) return fail(ENOMEM);
  return impl_->write_all();
}

result<> buffer_cache::write_one(buffer& b) noexcept { return impl_->write_one(b); }

void buffer_cache::for_each_dirty(bool (*visit)(void* argument, buffer& b), void* argument) noexcept {
  if (impl_ != nullptr) impl_->for_each_dirty(visit, argument);
}

void buffer_cache::take_copy(buffer& b, std::span<std::byte> copy) noexcept { impl_->take_copy(b, copy); }

std::size_t buffer_cache::dirty_count() const noexcept { return impl_ != nullptr ? impl_->dirty.load(std::memory_order_relaxed) : 0; }
std::size_t buffer_cache::cached_count() const noexcept { return impl_ != nullptr ? impl_->cached.load(std::memory_order_relaxed) : 0; }

std::optional<pblk_t> buffer_cache::changed_while_clean() noexcept {
  if (impl_ == nullptr) return std::nullopt;
  if (impl_->evicted_changed.load(std::memory_order_acquire)) return pblk_t{impl_->evicted_changed_block.load(std::memory_order_relaxed)};
  std::optional<pblk_t> changed;
  impl_->for_each([&](buffer& b) {
    if (!changed && !impl::unchanged_since_clean(b)) changed = b.block();
  });
  return changed;
}

void buffer_cache::for_each(void (*visit)(void* argument, buffer& b), void* argument) {
  if (impl_ == nullptr) return;
  impl_->for_each([=](buffer& b) {
    if (b.state_.load(std::memory_order_acquire) == buffer_state::valid) visit(argument, b);
  });
}

}  // namespace xip::dev
