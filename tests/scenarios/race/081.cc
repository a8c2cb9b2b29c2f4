// What: a write into a preallocated block against a store into the same block.
// Why: the write copies into a block that is unwritten still; a fault that zeroes and converts it then takes the bytes away, and a write that zeroes head and tail takes
// the stored ones (Linux 12735f881952; the naive way of 4.0 loses one of the two).
// Operations: pwrite of a word in the middle; a store of another word.
// Invariant: both words are there, in the file and in the mapping.
// Groups: auto mmap rw prealloc. Needs: DAX.
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
  void writer(vfs::task& me) {
    write_word(*this, me, fd, 800, 1);
    expect(load_word(me, at + 800) == 1u, "who has written loads it");
  }
  void storer(vfs::task& me) {
    expect_store(*this, me, at + 80, 2);
    expect_equal(read_word(*this, me, fd, 80), 2u, "who has stored reads it");
  }
  void check() {
    expect_word(*this, task(), fd, 800, at + 800, 1);
    expect_word(*this, task(), fd, 80, at + 80, 2);
    expect_word(*this, task(), fd, 8, at + 8, 0);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap rw prealloc", "a write and a store into one preallocated block", {"writer", &scene::writer},
         {"storer", &scene::storer})
