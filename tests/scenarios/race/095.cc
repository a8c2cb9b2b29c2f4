// What: an fsync against a truncate and a growth of the same file.
// Why: an fsync finds an entry, and it is gone or another's when its lock is had; what it flushes must be its file's.
// Operations: a store before; fsync; ftruncate to nothing and to two blocks again; a store.
// Invariant: all return; what the last store left is in the file unless it was cut away.
// Groups: auto mmap dax sync. Needs: DAX.
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};

  void setup() {
    map_hole(2);
    expect_store(*this, task(), at + block(), 1);
  }
  void syncer(vfs::task& me) { must(me.fsync(fd)); }
  void cutter(vfs::task& me) {
    must(me.ftruncate(fd, 0));
    must(me.ftruncate(fd, 2 * block()));
  }
  void storer(vfs::task& me) { static_cast<void>(store_word(me, at + block() + 8, 2)); }
  void check() {
    expect_word(*this, task(), fd, block(), at + block(), 0);
    const auto word = load_word(task(), at + block() + 8);
    expect(word == 0u || word == 2u, "zero or what was stored");
    expect_equal(read_word(*this, task(), fd, block() + 8), *word, "the file and its mapping agree");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax sync", "an fsync against a truncate", {"syncer", &scene::syncer}, {"cutter", &scene::cutter},
         {"storer", &scene::storer})
