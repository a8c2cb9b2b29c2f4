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

namespace xip::dev {
namespace {

// What one page of page tables maps. Between two pieces whoever waits for the process's mmap_lock gets it.
constexpr std::size_t piece_pages = 512;
constexpr std::size_t piece_bytes = piece_pages * page_size;
using residency = std::array<unsigned char, piece_pages>;

[[nodiscard]] bool is_resident(unsigned char page) noexcept { return (page & 1) != 0; }

[[nodiscard]] bool populate_read(std::byte* from, std::size_t bytes) noexcept {
  bool done;
  do done = ::madvise(from, bytes, MADV_POPULATE_READ) == 0;
  while (!done && errno == EINTR);
  return done;
}

}  // namespace

// A page that is given up between the question and its use is read in again; one that is cut out of the file meanwhile becomes a page again.
bool page_populator::populate_piece(std::byte* base, std::size_t bytes) noexcept {
  residency pages{};
  if (::mincore(base, bytes, pages.data()) != 0) return false;
  const auto end = pages.begin() + static_cast<std::ptrdiff_t>((bytes + page_size - 1) / page_size);
  for (auto first = std::find_if(pages.begin(), end, is_resident); first != end;) {
    const auto last = std::find_if_not(first, end, is_resident);
    const auto skipped = static_cast<std::size_t>(first - pages.begin()), count = static_cast<std::size_t>(last - first);
    if (!populate_read(base + skipped * page_size, count * page_size)) return false;
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
