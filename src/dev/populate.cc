#include "dev/populate.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include <sys/mman.h>

#include <xip/base/units.h>

// Younger than some headers.
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22  // Linux 5.14
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25  // Linux 6.1
#endif

namespace xip::dev {
namespace {

// What one page of page tables maps, or one huge page. Between two pieces whoever waits for the process's mmap_lock gets it.
constexpr std::size_t piece_pages = 512;
constexpr std::size_t piece_bytes = piece_pages * page_size;
using residency = std::array<unsigned char, piece_pages>;

[[nodiscard]] bool is_resident(unsigned char page) noexcept { return (page & 1) != 0; }

// 0, or an errno.
[[nodiscard]] int advise(std::byte* from, std::size_t bytes, int advice) noexcept {
  int why;
  do why = ::madvise(from, bytes, advice) == 0 ? 0 : errno;
  while (why == EINTR);
  return why;
}

}  // namespace

// A walk through small pages costs more than the copy of one does where memory is touched at random. Once the host has none to give, or has no such thing
// for this file, it is not asked again: its search for one is long.
bool page_populator::make_huge(std::byte* base) noexcept {
  const int why = huge_ ? advise(base, piece_bytes, MADV_COLLAPSE) : ENOMEM;
  if (why != 0 && why != EAGAIN) huge_ = false;
  return why == 0;
}

// A page that is given up between the question and its use is read in again; one that is cut out of the file meanwhile becomes a page again.
bool page_populator::populate_piece(std::byte* base, std::size_t bytes) noexcept {
  residency pages{};
  if (::mincore(base, bytes, pages.data()) != 0) return false;
  const auto end = pages.begin() + static_cast<std::ptrdiff_t>((bytes + page_size - 1) / page_size);
  if (bytes == piece_bytes && std::all_of(pages.begin(), end, is_resident) && make_huge(base)) return true;
  for (auto first = std::find_if(pages.begin(), end, is_resident); first != end;) {
    const auto last = std::find_if_not(first, end, is_resident);
    const auto skipped = static_cast<std::size_t>(first - pages.begin()), count = static_cast<std::size_t>(last - first);
    if (advise(base + skipped * page_size, count * page_size, MADV_POPULATE_READ) != 0) return false;
    first = std::find_if(last, end, is_resident);
  }
  return true;
}

bool page_populator::populate(std::byte* base, std::size_t bytes) noexcept {
  while (bytes != 0 && !enough_.load(std::memory_order_relaxed)) {
    const std::size_t n = std::min(bytes, piece_bytes - reinterpret_cast<std::uintptr_t>(base) % piece_bytes);
    if (!populate_piece(base, n)) return false;
    base += n;
    bytes -= n;
  }
  return bytes == 0;
}

}  // namespace xip::dev
