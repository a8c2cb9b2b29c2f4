// What: blocks that a truncate frees, and another file that allocates, with nothing made durable between.
// Why: a block that is another file's before the metadata that freed it is durable shows its new bytes in the old file after a crash; the
// allocator has to leave it alone until then (Linux: ext4_free_data_in_buddy, called when the transaction has committed).
// Operations: ftruncate to 0; pwrite of three blocks to another file; pread of it.
// Invariant: the other file has none of the blocks that the first one had.
// Groups: auto enospc. Needs: nothing.
#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : race {
  static constexpr std::size_t most = 4;
  observed_file file, other;
  std::uint64_t first[most] = {}, last[most] = {};
  std::size_t count = 0;

  void setup() {
    file = observe("file", 1);
    other = observe("other", 2);
    file.write(task(), 0, 3 * block(), 1);
    must(task().fsync(file.fd()));
    for (const block_run& run : blocks_of(*this, task(), file.fd())) {
      expect(count < most, "few extents");
      first[count] = run.first;
      last[count++] = run.last;
    }
  }
  void cutter(vfs::task& me) { file.truncate(me, 0); }
  void taker(vfs::task& me) {
    other.write(me, 0, 3 * block(), 1);
    other.read(me, 0, 3 * block());
  }
  void check() {
    for (const block_run& run : blocks_of(*this, task(), other.fd()))
      for (std::size_t i = 0; i < count; ++i)
        expect(run.last < first[i] || run.first > last[i], "a block that is not durably free has not been allocated");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto enospc", "no block is used again before its freeing is durable", {"cutter", &scene::cutter}, {"taker", &scene::taker})
