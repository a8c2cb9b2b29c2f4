// One io_uring: from pieces to submission entries and back.
//
// A batch goes in rounds. A round fills the ring with transfers and submits them with one system call, which also waits for all of them;
// what came short is submitted again. Caller memory is handed to the kernel as it is. Through the ring's own registered pool pass small
// pieces, and with O_DIRECT whatever is not aligned.
#include "dev/block_ring.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "dev/open_file.h"

namespace xip::dev {
namespace {

constexpr std::size_t small_piece = page_size;         // below this, a copy costs less than handing over caller memory
constexpr std::size_t pool_unit = 64;                  // pieces in the pool share no cache line
constexpr std::align_val_t pool_alignment{page_size};  // enough for O_DIRECT everywhere

}  // namespace

result<std::unique_ptr<block_ring>> block_ring::make(const ring_target& target, unsigned queue_depth,
                                                     const ring_environment& environment) noexcept {
  std::unique_ptr<block_ring> ring{new (std::nothrow) block_ring{target, environment}};
  if (!ring) return fail(ENOMEM);
  if (const int refused = environment.setup(queue_depth, &ring->ring_, 0); refused < 0) return fail(-refused);
  ring->ring_made_ = true;
  XIP_TRY(ring->allocate(queue_depth));
  if (environment.register_buffers) {
    // Where the host lets nobody pin memory (RLIMIT_MEMLOCK), small pieces go the plain way.
    const iovec whole{ring->pool_, ring->pool_bytes_};
    ring->pool_registered_ = io_uring_register_buffers(&ring->ring_, &whole, 1) == 0;
  }
  return ring;
}

result<> block_ring::allocate(unsigned queue_depth) noexcept {
  capacity_ = queue_depth;
  pool_bytes_ = std::clamp(queue_depth * page_size, std::size_t{64} << 10, std::size_t{1} << 20);
  pool_ = static_cast<std::byte*>(::operator new(pool_bytes_, pool_alignment, std::nothrow));
  transfers_.reset(new (std::nothrow) transfer[capacity_]);
  pending_.reset(new (std::nothrow) unsigned[capacity_]);
  if (pool_ == nullptr || !transfers_ || !pending_) return fail(ENOMEM);
  return {};
}

block_ring::~block_ring() {
  if (ring_made_) io_uring_queue_exit(&ring_);
  ::operator delete(pool_, pool_alignment);
}

io_piece block_ring::rest_of(const cursor& at) noexcept {
  const io_piece& piece = at.pieces[at.piece];
  return {piece.offset + at.done, piece.memory + at.done, piece.bytes - at.done};
}

void block_ring::advance(cursor& at, std::size_t bytes) noexcept {
  at.done += bytes;
  while (at.piece < at.pieces.size() && at.done == at.pieces[at.piece].bytes) {
    ++at.piece;
    at.done = 0;
  }
}

result<> block_ring::run(std::span<const io_piece> pieces, bool write) noexcept {
  if (ring_broken_) return fail(EIO);
  target_.counters.count_pieces(pieces.size());
  cursor at{pieces};
  advance(at, 0);  // past empty pieces
  while (at.piece < pieces.size()) {
    transfer_count_ = 0;
    pool_used_ = 0;
    while (add_next(at, write)) {
    }
    if (transfer_count_ != 0)
      XIP_TRY(complete_transfers(write));
    else
      XIP_TRY(read_modify_write(at));
  }
  return {};
}

bool block_ring::wants_pool(const io_piece& rest) const noexcept {
  if (target_.alignment == 1) return pool_registered_ && rest.bytes < small_piece;
  const auto address = reinterpret_cast<std::uintptr_t>(rest.memory);
  return aligned_down(rest.offset) != rest.offset || aligned_down(address) != address || rest.bytes < target_.alignment;
}

bool block_ring::add_next(cursor& at, bool write) noexcept {
  if (at.piece == at.pieces.size() || transfer_count_ == capacity_) return false;
  const io_piece rest = rest_of(at);
  if (wants_pool(rest)) return add_through_pool(at, write);
  const std::size_t bytes = aligned_down(rest.bytes);
  transfers_[transfer_count_++] = {.offset = rest.offset, .memory = rest.memory, .bytes = bytes};
  advance(at, bytes);
  return true;
}

bool block_ring::add_through_pool(cursor& at, bool write) noexcept {
  const io_piece rest = rest_of(at);
  const std::size_t skew = rest.offset - aligned_down(rest.offset);
  const std::size_t room = aligned_down(pool_bytes_ - pool_used_);
  // A write takes whole units only; a read takes what lies around them too.
  const std::size_t bytes = std::min(write ? aligned_down(rest.bytes) : aligned_up(skew + rest.bytes), room);
  if (bytes == 0 || (write && skew != 0)) return false;
  const std::size_t used = std::min(rest.bytes, bytes - skew);
  transfer& t = transfers_[transfer_count_++];
  t = {.offset = rest.offset - skew, .memory = pool_ + pool_used_, .bytes = bytes, .own_memory = true, .skew = skew, .used = used};
  if (write)
    std::memcpy(t.memory, rest.memory, bytes);
  else
    t.caller = rest.memory;
  pool_used_ = std::min(pool_bytes_, aligned_up((pool_used_ + bytes + pool_unit - 1) & ~(pool_unit - 1)));
  advance(at, used);
  return true;
}

// O_DIRECT moves whole units: one that the piece covers in part is read, changed and written. A crash between leaves it old or new.
result<> block_ring::read_modify_write(cursor& at) noexcept {
  const io_piece rest = rest_of(at);
  const std::size_t skew = rest.offset - aligned_down(rest.offset);
  const std::size_t bytes = std::min<std::size_t>(rest.bytes, target_.alignment - skew);
  for (const bool write : {false, true}) {
    transfers_[0] = {.offset = rest.offset - skew, .memory = pool_, .bytes = target_.alignment, .own_memory = true};
    transfer_count_ = 1;
    if (write) std::memcpy(pool_ + skew, rest.memory, bytes);
    XIP_TRY(complete_transfers(write));
  }
  advance(at, bytes);
  return {};
}

result<> block_ring::complete_transfers(bool write) noexcept {
  for (unsigned i = 0; i < transfer_count_; ++i) pending_[i] = i;
  pending_count_ = transfer_count_;
  bool failed = false;
  no_room_ = false;
  while (pending_count_ != 0 && !failed) {
    const unsigned entries = pending_count_;
    for (unsigned i = 0; i < entries; ++i) prepare(pending_[i], write);
    pending_count_ = 0;
    target_.counters.count_submission();
    const unsigned taken = submit(entries);
    failed = taken < entries;
    for (unsigned i = 0; i < taken; ++i) failed |= !reap();
  }
  if (failed) return fail(no_room_ ? ENOSPC : EIO);
  for (const transfer& t : std::span{transfers_.get(), transfer_count_})
    if (t.caller != nullptr) std::memcpy(t.caller, t.memory + t.skew, t.used);
  return {};
}

void block_ring::prepare(unsigned index, bool write) noexcept {
  const transfer& t = transfers_[index];
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);  // never null: a round has no more transfers than the ring has entries
  std::byte* memory = t.memory + t.done;
  const auto bytes = static_cast<unsigned>(std::min(t.bytes - t.done, environment_.largest_transfer));
  const std::uint64_t offset = t.offset + t.done;
  if (t.own_memory && pool_registered_) {
    if (write)
      io_uring_prep_write_fixed(entry, target_.fd, memory, bytes, offset, 0);
    else
      io_uring_prep_read_fixed(entry, target_.fd, memory, bytes, offset, 0);
  } else if (write) {
    io_uring_prep_write(entry, target_.fd, memory, bytes, offset);
  } else {
    io_uring_prep_read(entry, target_.fd, memory, bytes, offset);
  }
  io_uring_sqe_set_data64(entry, index);
}

unsigned block_ring::submit(unsigned entries) noexcept {
  unsigned taken = 0;
  while (taken < entries) {
    const int n = io_uring_submit_and_wait(&ring_, entries - taken);
    if (n == -EINTR) continue;
    if (n <= 0) {
      ring_broken_ = true;  // entries of this batch are left in it
      break;
    }
    taken += static_cast<unsigned>(n);
  }
  return taken;
}

io_uring_cqe* block_ring::next_completion() noexcept {
  io_uring_cqe* completion = nullptr;
  int refused = 0;
  do {
    refused = io_uring_wait_cqe(&ring_, &completion);
  } while (refused == -EINTR);
  if (refused != 0) ring_broken_ = true;
  return refused == 0 ? completion : nullptr;
}

bool block_ring::reap() noexcept {
  io_uring_cqe* completion = next_completion();
  if (completion == nullptr) return false;
  const auto index = static_cast<unsigned>(io_uring_cqe_get_data64(completion));
  const int moved = completion->res;
  io_uring_cqe_seen(&ring_, completion);

  transfer& t = transfers_[index];
  if (moved == -EINTR) {
    pending_[pending_count_++] = index;
    return true;
  }
  if (is_no_room(-moved)) no_room_ = true;
  if (moved <= 0) return false;  // zero: the file ends before the device does
  const std::size_t done = t.done + static_cast<std::size_t>(moved);
  if (done < t.bytes) {
    if (aligned_down(done) == t.done) return false;  // no progress in whole units
    t.done = aligned_down(done);
    pending_[pending_count_++] = index;
  }
  return true;
}

result<> block_ring::fsync() noexcept {
  if (ring_broken_) return fail(EIO);
  io_uring_prep_fsync(io_uring_get_sqe(&ring_), target_.fd, IORING_FSYNC_DATASYNC);
  if (submit(1) != 1) return fail(EIO);
  io_uring_cqe* completion = next_completion();
  if (completion == nullptr) return fail(EIO);
  const int refused = completion->res;
  io_uring_cqe_seen(&ring_, completion);
  if (refused < 0) return fail(EIO);
  return {};
}

}  // namespace xip::dev
