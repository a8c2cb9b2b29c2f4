// What: a store against a truncate, and another file that takes the blocks.
// Why: between the zap and the free a fault may map the block again, and what is stored there then is in another's file (Linux ea3d7209ca01).
// Operations: a store; ftruncate to nothing and fsync; pwrite of another file, which needs the freed block.
// Invariant: the store goes into the file or is signalled; the other file has its own bytes, and no page table a block that is not its file's.
// Groups: auto mmap dax rw. Needs: DAX.
#include "mapping_helpers.h"
#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};
  int other = -1, third = -1;

  void setup() {
    fd = create("file");
    other = create("other");
    third = create("third");
    put(task(), fd, 0, block(), {.file = 1, .generation = 1});
    leave_free(*this, 1);
    at = map_file(*this, task(), fd, block());
    expect(load_word(task(), at).has_value(), "what was written can be loaded");
  }
  void storer(vfs::task& me) { static_cast<void>(store_word(me, at, 5)); }
  void cutter(vfs::task& me) {
    must(me.ftruncate(fd, 0));
    must(me.fsync(third));
    expect(!load_word(me, at).has_value(), "behind the end nothing is loaded");
  }
  void writer(vfs::task& me) { put(me, other, 0, block(), {.file = 2, .generation = 1}); }
  void check() {
    expect_data(task(), other, 0, block(), {.file = 2, .generation = 1});
    expect(!load_word(task(), at).has_value(), "behind the end nothing is loaded");
    expect_equal(must(task().fstat(fd)).size, 0, "the size");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax rw", "a store against a truncate", {"storer", &scene::storer}, {"cutter", &scene::cutter},
         {"writer", &scene::writer})
