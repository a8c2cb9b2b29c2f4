// A bump pointer and a list of free blocks for each size: four sizes between one power of two and the next.
#include <xip/explore/snapshot_arena.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>

#include <sys/mman.h>

#include <xip/base/assert.h>

#include "explore/address_marks.h"

namespace xip::explore {
namespace {

constexpr std::size_t smallest = 16;
constexpr std::size_t steps = 4;  // sizes between powers of two
constexpr std::size_t size_classes = 4 + (64 - 7) * steps + 1;

struct free_block {
  free_block* next;
};

struct block_size {
  std::size_t index;
  std::size_t bytes;
};

// 16, 32, 48, 64, then 80, 96, 112, 128, 160, 192, ...: at most a fifth of a block is wasted.
block_size size_for(std::size_t bytes) noexcept {
  if (bytes <= 64) {
    const std::size_t units = std::max<std::size_t>(1, (bytes + smallest - 1) / smallest);
    return {units - 1, units * smallest};
  }
  const auto power = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;  // 2^power < bytes <= 2^(power+1)
  const std::size_t step = (std::size_t{1} << power) / steps;
  const std::size_t above = (bytes - (std::size_t{1} << power) + step - 1) / step;  // 1 .. steps
  return {4 + (power - 6) * steps + above - 1, (std::size_t{1} << power) + above * step};
}

// What is aligned to more than the smallest block comes from the powers of two, whose blocks are aligned to their size.
std::size_t bytes_for(std::size_t bytes, std::size_t alignment) noexcept {
  return alignment <= smallest ? bytes : std::bit_ceil(std::max(bytes, alignment));
}

std::byte* reserve_space(std::size_t bytes) noexcept {
  void* const space = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return space == MAP_FAILED ? nullptr : static_cast<std::byte*>(space);
}

}  // namespace

struct snapshot_arena::header {
  std::size_t used;  // the bump pointer, from the base
  std::array<free_block*, size_classes> free;
};

snapshot_arena::snapshot_arena(std::size_t reserve)
    : reserve_{(std::max(reserve, sizeof(header) + max_alignment) + max_alignment - 1) & ~(max_alignment - 1)},
      base_{reserve_space(reserve_)},
      saved_{reserve_space(reserve_)} {
  if (base_ == nullptr || saved_ == nullptr) {
    if (base_ != nullptr) ::munmap(base_, reserve_);
    if (saved_ != nullptr) ::munmap(saved_, reserve_);
    throw std::bad_alloc{};
  }
  new (base_) header{.used = (sizeof(header) + smallest - 1) & ~(smallest - 1), .free = {}};
  top_ = head().used;
  forbid_access(base_ + top_, reserve_ - top_);
}

snapshot_arena::~snapshot_arena() {
  allow_access(base_, reserve_);
  ::munmap(base_, reserve_);
  ::munmap(saved_, reserve_);
}

std::size_t snapshot_arena::used() const noexcept { return head().used; }

void* snapshot_arena::do_allocate(std::size_t bytes, std::size_t alignment) {
  header& h = head();
  const std::size_t wanted = bytes_for(bytes, alignment);
  if (alignment > max_alignment || wanted < bytes || wanted > reserve_) throw std::bad_alloc{};
  const block_size size = size_for(wanted);
  if (free_block* const found = h.free[size.index]; found != nullptr) {
    allow_access(found, bytes < sizeof(free_block) ? sizeof(free_block) : bytes);
    h.free[size.index] = found->next;
    if (bytes < sizeof(free_block)) forbid_access(found, sizeof(free_block)), allow_access(found, bytes);
    return found;
  }
  const std::size_t unit = std::has_single_bit(size.bytes) ? std::min(size.bytes, max_alignment) : smallest;
  const std::size_t start = (h.used + unit - 1) & ~(unit - 1);
  if (start > reserve_ || size.bytes > reserve_ - start) throw std::bad_alloc{};
  h.used = start + size.bytes;
  top_ = std::max(top_, h.used);
  allow_access(base_ + start, bytes);
  return base_ + start;
}

void snapshot_arena::do_deallocate(void* block, std::size_t bytes, std::size_t alignment) {
  header& h = head();
  const block_size size = size_for(bytes_for(bytes, alignment));
  XIP_ASSERT(block >= base_ + sizeof(header) && block < base_ + h.used);
  allow_access(block, sizeof(free_block));
  h.free[size.index] = new (block) free_block{h.free[size.index]};
  forbid_access(block, size.bytes);
}

result<> snapshot_arena::save() {
  const std::size_t bytes = head().used;
  try {
    copy_marks(base_, bytes, saved_marks_);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
  allow_access(base_, bytes);
  std::memcpy(saved_, base_, bytes);
  put_marks(base_, saved_marks_);
  saved_bytes_ = bytes;
  top_ = bytes;
  return {};
}

void snapshot_arena::restore() noexcept {
  XIP_ASSERT(saved_bytes_ != 0);
  allow_access(base_, saved_bytes_);
  std::memcpy(base_, saved_, saved_bytes_);
  put_marks(base_, saved_marks_);
  forbid_access(base_ + saved_bytes_, top_ - saved_bytes_);
  top_ = saved_bytes_;
}

}  // namespace xip::explore
