// What several scenarios need beyond the API.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include <linux/fiemap.h>

#include <xip/locks/thread_context.h>
#include <xip/locks/wait_for.h>
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

// Waits until CONDITION() holds or another thread has failed, whose failure is then the scenario's: what follows may expect too much.
template <class Condition>
void wait_for(run& t, Condition&& condition) {
  xip::wait_for([&] { return t.stopping() || condition(); });
}

// How far one thread of parallel() has come, for another to see.
class progress {
 public:
  // Called by the thread itself.
  void begin(vfs::task& me) noexcept {
    before_ = times_contended(me.context);
    context_.store(&me.context, std::memory_order_release);
  }
  void end() noexcept { ended_.store(true, std::memory_order_release); }
  // How often it had to wait for a sleeping lock of any class since it began.
  [[nodiscard]] std::uint64_t waits() const noexcept {
    thread_context* const context = context_.load(std::memory_order_acquire);
    return context == nullptr ? 0 : times_contended(*context) - before_;
  }
  // Called by another: returns when it has ended, or waits for a lock.
  void wait_until_ended_or_stuck(run& t) const {
    wait_for(t, [&] { return ended_.load(std::memory_order_acquire) || waits() != 0; });
  }

 private:
  std::uint64_t before_ = 0;  // written before context_
  std::atomic<thread_context*> context_{nullptr};
  std::atomic<bool> ended_{false};
};

// A file with N written extents of one block each, with a hole of one block between any two.
inline void write_every_second_block(run& t, int fd, std::uint64_t n, stamp who) {
  const loff_t block = t.block_size();
  for (std::uint64_t i = 0; i < n; ++i) t.put(fd, static_cast<loff_t>(2 * i) * block, static_cast<std::size_t>(block), who);
}

// The same, and the holes filled from the last to the first: blocks that follow each other in the file do not on the device.
inline void write_blocks_out_of_order(run& t, int fd, std::uint64_t n, stamp who) {
  const loff_t block = t.block_size();
  write_every_second_block(t, fd, n, who);
  for (std::uint64_t i = n - 1; i-- > 0;) t.put(fd, static_cast<loff_t>(2 * i + 1) * block, static_cast<std::size_t>(block), who);
}

}  // namespace xip::scenario
