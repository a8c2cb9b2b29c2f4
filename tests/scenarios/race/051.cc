// What: a file grows, with bytes behind its end in its last block, as a store through a mapping leaves them.
// Why: whoever raises the size zeroes from the old end on first, under the lock that keeps others from raising it too (Linux c7fc0366c656).
// Operations: ftruncate to two blocks; pwrite behind the first block; pread of two blocks.
// Invariant: behind the old end there are zeros.
// Groups: auto rw. Needs: nothing.
#include "race_helpers.h"

namespace xip::scenario {
namespace {

constexpr std::size_t old_size = 100;

struct scene : race {
  observed_file file;

  void setup() {
    file = observe("file", 1);
    file.write(task(), 0, old_size, 1);
    must(task().fsync(file.fd()));
    const auto blocks = blocks_of(*this, task(), file.fd());
    expect_equal(blocks.size(), 1u, "extents of the file");
    std::array<std::byte, 512> left_there;
    fill(left_there, 0, {.file = 7, .generation = 7});
    must(device().write(blocks.front().first * block() + 512, left_there));
  }
  void grower(vfs::task& me) { file.truncate(me, 2 * block()); }
  void writer(vfs::task& me) { file.write(me, block() + 10, 50, 2); }
  void reader(vfs::task& me) { file.read(me, 0, 2 * block()); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rw", "what lies behind the end of a file that grows", {"grower", &scene::grower}, {"writer", &scene::writer},
         {"reader", &scene::reader})
