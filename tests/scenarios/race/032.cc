// What: a truncate down against a truncate up and a read of the tail.
// Why: the bytes behind the new end in its block must be zeroed before the size passes them again (Linux c7fc0366c656).
// Operations: ftruncate to 1,000 bytes; ftruncate to three blocks; pread of two blocks.
// Invariant: behind byte 1,000 the read has old bytes or zeros, never old bytes where the cut came first. Whoever comes last, on the medium
// zeros stand between the end of the file and the end of its block.
// Groups: auto rw. Needs: nothing.
#include <algorithm>

#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;

  void setup() {
    file = observe("file", 1);
    file.write(task(), 0, 2 * block(), 1);
  }
  void down(vfs::task& me) { file.truncate(me, 1000); }
  void up(vfs::task& me) { file.truncate(me, 3 * block()); }
  void reader(vfs::task& me) { file.read(me, 0, 2 * block()); }
  void check() {
    const auto size = static_cast<std::uint64_t>(must(task().fstat(file.fd())).size);
    if (size != 1000) return;
    must(task().fsync(file.fd()));
    std::array<std::byte, 8> word;
    for (std::uint64_t at = size; at + word.size() <= block(); at += word.size()) {
      must(device().read(blocks_of(*this, task(), file.fd()).front().first * block() + at, word));
      expect(std::ranges::all_of(word, [](std::byte b) { return b == std::byte{0}; }), "zeros behind the end of file on the medium");
    }
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rw", "truncate down against truncate up", {"down", &scene::down}, {"up", &scene::up}, {"reader", &scene::reader})
