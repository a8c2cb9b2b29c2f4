// What: two stores into one preallocated block.
// Why: a fault cannot tell a block that was just allocated from one that was preallocated: the second to come must not zero what the first has stored
// (Linux 1ca191576fc8, ba5843f51d46).
// Operations: a store of a word by each task, into the same block.
// Invariant: both words are there.
// Groups: auto mmap dax rw prealloc. Needs: DAX.
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};

  void setup() {
    fd = create("file");
    must(task().fallocate(fd, 0, 0, 2 * block()));
    at = map_file(*this, task(), fd, block());
  }
  void first(vfs::task& me) { expect_store(*this, me, at, 1); }
  void second(vfs::task& me) { expect_store(*this, me, at + 64, 2); }
  void check() {
    expect_word(*this, task(), fd, 0, at, 1);
    expect_word(*this, task(), fd, 64, at + 64, 2);
    expect_word(*this, task(), fd, 128, at + 128, 0);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax rw prealloc", "two stores into one preallocated block", {"first", &scene::first}, {"second", &scene::second})
