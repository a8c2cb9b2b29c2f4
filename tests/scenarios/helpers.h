// What several scenarios need beyond the API.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include <linux/fiemap.h>

#include <xip/scenario/scenario.h>

namespace xip::scenario {

// The extents of an open file in order, holes left out.
inline std::vector<vfs::fiemap_extent> extents_of(run& t, int fd, std::source_location here = std::source_location::current()) {
  std::vector<vfs::fiemap_extent> all;
  t.must(t->fiemap(fd, 0, INT64_MAX, all), here);
  std::erase_if(all, [](const vfs::fiemap_extent& e) { return e.physical == 0; });
  return all;
}

inline bool is_unwritten(const vfs::fiemap_extent& e) { return (e.flags & FIEMAP_EXTENT_UNWRITTEN) != 0; }

// Bytes of the file that are allocated and unwritten, or written.
struct extent_bytes {
  std::uint64_t written = 0, unwritten = 0;
};
inline extent_bytes count_extents(run& t, int fd) {
  extent_bytes sum;
  for (const auto& e : extents_of(t, fd)) (is_unwritten(e) ? sum.unwritten : sum.written) += e.length;
  return sum;
}

inline std::string numbered(const char* prefix, std::uint64_t n) { return prefix + std::to_string(n); }

// Blocks, in bytes, that the file system counts as free for root.
inline std::uint64_t free_bytes(run& t) {
  const vfs::kstatfs s = t.must(t->statfs("."));
  return s.bfree * s.bsize;
}

// Waits until another thread has finished (DONE), or has had to wait for a lock of class NAME since BEFORE. Where no lock is checked nobody
// counts: then only a while.
inline void wait_until_done_or_contended(run& t, const std::atomic<bool>& done, const char* name, std::uint64_t before) {
  constexpr std::uint64_t a_while = 200'000;
  for (std::uint64_t i = 0; !done && t.kernel().deps().contentions(name) == before; ++i)
    if (!lockdep_compiled_in && i == a_while) return;
}

// A file with N written extents of one block each, with a hole of one block between any two.
inline void write_every_second_block(run& t, int fd, std::uint64_t n, stamp who) {
  const loff_t block = t.block_size();
  for (std::uint64_t i = 0; i < n; ++i) t.put(fd, static_cast<loff_t>(2 * i) * block, static_cast<std::size_t>(block), who);
}

}  // namespace xip::scenario
