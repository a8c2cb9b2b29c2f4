// Dirty buffers on their way to the medium: copied, given their checksums, sorted and written in batches.
//
// A buffer becomes clean when its contents are copied, and dirty again if the copy could not be written; so a change made in between is
// never lost. A crash in mid-way leaves some blocks new and some old: whoever needs more keeps a journal.
//
// Lock chains:
//   buffer_write -> buffer_cache
//   buffer_write -> faulty_rules
#include <cstring>
#include <utility>

#include <xip/base/points.h>

#include "dev/buffer_cache_impl.h"

namespace xip::dev {
namespace {

// What went wrong first.
void keep_first(result<>& outcome, const result<>& next) noexcept {
  if (outcome.has_value() && !next.has_value()) outcome = next;
}

// Sorts the chain of COUNT buffers by block: NEXT gets and sets the successor.
template <class Next, class Before>
buffer* sort_chain(buffer* first, std::size_t count, const Next& next, const Before& before) {
  if (count < 2) return first;
  buffer* last_left = first;
  for (std::size_t i = 1; i < count / 2; ++i) last_left = next(*last_left);
  buffer* right = next(*last_left);
  next(*last_left) = nullptr;
  buffer* left = sort_chain(first, count / 2, next, before);
  right = sort_chain(right, count - count / 2, next, before);
  buffer* sorted = nullptr;
  for (buffer** end = &sorted;;) {
    if (left == nullptr || right == nullptr) {
      *end = left != nullptr ? left : right;
      return sorted;
    }
    buffer*& smaller = before(*right, *left) ? right : left;
    *end = smaller;
    end = &next(*smaller);
    smaller = *end;
  }
}

}  // namespace

// The exchange and the one in take_dirty are on one atomic: either this one sees "clean" and puts the buffer on the list, or the taker sees
// what was changed before this call.
bool buffer_cache::impl::mark_dirty(buffer& b) noexcept {
  if (b.dirty_.exchange(true)) return false;
  put_on_dirty_list(b);
  return true;
}

void buffer_cache::impl::put_on_dirty_list(buffer& b) noexcept {
  shard& s = shard_of(b.block_);
  spin_guard guard{s.lock};
  // What was forgotten in between has nothing to write any more.
  if (b.state_.load(std::memory_order_relaxed) != buffer_state::valid) b.dirty_.store(false);
  if (b.on_dirty_list_ || !b.dirty_.load()) return;
  s.dirty.push_back(b);
  b.on_dirty_list_ = true;
  dirty.fetch_add(1, std::memory_order_relaxed);
}

bool buffer_cache::impl::take_dirty(buffer& b) noexcept {
  shard& s = shard_of(b.block_);
  spin_guard guard{s.lock};
  if (!b.on_dirty_list_) return false;
  clear_dirty(s, b);
  return true;
}

result<> buffer_cache::impl::allocate_staging() noexcept {
  if (staging != nullptr) return {};
  try {
    staging = static_cast<std::byte*>(memory.allocate(batch_blocks << bits, block_size));
  } catch (...) {  // what a caller's resource throws
    return fail(ENOMEM);
  }
  return {};
}

// All dirty buffers, pinned, as a chain through write_next_ in ascending order. They stay on their lists until they are staged.
buffer* buffer_cache::impl::collect_dirty() noexcept {
  buffer* chain = nullptr;
  std::size_t count = 0;
  for (shard& s : shards) {
    spin_guard guard{s.lock};
    for (buffer* b = s.dirty.front(); b != nullptr; b = s.dirty.next(*b)) {
      pin(*b);
      b->write_next_ = chain;
      chain = b;
      ++count;
    }
  }
  return sort_chain(
      chain, count, [](buffer& b) -> buffer*& { return b.write_next_; },
      [](const buffer& a, const buffer& b) { return a.block() < b.block(); });
}

// Room on the medium for all of CHAIN before the first of them is written: a host without it refuses them together, and the medium stays what it
// was. Otherwise some would be new and some old.
result<> buffer_cache::impl::reserve_room(const buffer* chain) noexcept {
  for (const buffer* b = chain; b != nullptr;) {
    const buffer* last = b;
    while (last->write_next_ != nullptr && last->write_next_->block_ == last->block_ + 1) last = last->write_next_;
    const std::uint64_t offset = bytes_of(b->block_, bits);
    XIP_TRY(medium.reserve(offset, bytes_of(last->block_, bits) + block_size - offset));
    b = last->write_next_;
  }
  return {};
}

void buffer_cache::impl::copy_out(buffer& b, std::span<std::byte> copy) noexcept {
  std::memcpy(copy.data(), b.data_, block_size);
  note_clean(b);
  if (const before_write trigger = b.trigger_.load(std::memory_order_acquire)) trigger(b.trigger_context_, b.block_, copy);
}

void buffer_cache::impl::take_copy(buffer& b, std::span<std::byte> copy) noexcept {
  (void)take_dirty(b);
  copy_out(b, copy);
}

void buffer_cache::impl::for_each_dirty(bool (*visit)(void* argument, buffer& b), void* argument) noexcept {
  mutex_guard guard{write_lock};
  bool more = true;
  for (buffer* b = collect_dirty(); b != nullptr;) {
    buffer* next = b->write_next_;
    more = more && visit(argument, *b);
    unpin(*b);
    b = next;
  }
}

// Copies what is dirty in B, gives the copy its checksum, and adds it to the batch, which takes over one reference.
result<> buffer_cache::impl::stage(buffer& b, staged_batch& batch) noexcept {
  if (!take_dirty(b)) {
    unpin(b);
    return {};
  }
  if (const result<> refused = XIP_FAIL_POINT(buffer_write, b.block_.value()); !refused) {
    mark_dirty(b);
    unpin(b);
    return refused;
  }
  std::byte* copy = staging_of(batch.count);
  copy_out(b, {copy, block_size});
  const std::uint64_t offset = bytes_of(b.block_, bits);
  io_piece* last = batch.piece_count != 0 ? &batch.pieces[batch.piece_count - 1] : nullptr;
  if (last != nullptr && last->offset + last->bytes == offset)
    last->bytes += block_size;
  else
    batch.pieces[batch.piece_count++] = {offset, copy, block_size};
  batch.buffers[batch.count++] = &b;
  return {};
}

// Writes the batch and empties it. If it fails, each block is tried alone, so that only those that cannot be written stay dirty.
result<> buffer_cache::impl::submit(staged_batch& batch) noexcept {
  result<> outcome;
  for (std::size_t i = 0; i < batch.count; ++i) observe(batch.buffers[i]->block_, true);
  const bool written = batch.count == 0 || medium.write_batch({batch.pieces.data(), batch.piece_count}).has_value();
  for (std::size_t i = 0; i < batch.count; ++i) {
    buffer& b = *batch.buffers[i];
    if (!written) {
      const result<> alone = medium.write(bytes_of(b.block_, bits), {staging_of(i), block_size});
      if (!alone) mark_dirty(b);
      keep_first(outcome, alone);
    }
    unpin(b);
  }
  batch.count = 0;
  batch.piece_count = 0;
  return outcome;
}

result<> buffer_cache::impl::write_all() noexcept {
  mutex_guard guard{write_lock};
  if (dirty.load(std::memory_order_relaxed) == 0) return {};
  XIP_TRY(allocate_staging());
  staged_batch batch;
  buffer* const chain = collect_dirty();
  if (const result<> room = reserve_room(chain); !room) {
    for (buffer* b = chain; b != nullptr;) unpin(*std::exchange(b, b->write_next_));
    return room;
  }
  result<> outcome;
  for (buffer* b = chain; b != nullptr;) {
    buffer* next = b->write_next_;
    keep_first(outcome, stage(*b, batch));
    if (batch.count == batch_blocks) keep_first(outcome, submit(batch));
    b = next;
  }
  keep_first(outcome, submit(batch));
  medium.drain();
  return outcome;
}

result<> buffer_cache::impl::write_one(buffer& b) noexcept {
  mutex_guard guard{write_lock};
  XIP_TRY(allocate_staging());
  XIP_TRY(medium.reserve(bytes_of(b.block_, bits), block_size));
  staged_batch batch;
  pin(b);
  result<> outcome = stage(b, batch);
  keep_first(outcome, submit(batch));
  medium.drain();
  return outcome;
}

}  // namespace xip::dev
