// What: a private copy against a write and a truncate.
// Why: a store into a private page copies what is mapped at that moment, asks nobody and changes nothing; behind the new end of the file there is none (Linux
// fd96b8da68d3; O3 of what ext4 answers).
// Operations: a private store; pwrite of the block; ftruncate of the block behind it, with a private store there too.
// Invariant: the copy has what was stored and, beside it, old or new bytes; what lies behind the end is signalled.
// Groups: auto mmap dax rw. Needs: DAX.
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};

  void setup() {
    fd = create("file");
    must(task().ftruncate(fd, 2 * block()));
    at = map_file(*this, task(), fd, 2 * block(), MAP_PRIVATE);
    for (const user_address page : {at, at + block()}) expect(load_word(task(), page) == 0u, "a hole is zeros");
  }
  void storer(vfs::task& me) {
    expect_store(*this, me, at, 1);
    static_cast<void>(store_word(me, at + block(), 1));
    expect(load_word(me, at) == 1u, "what was stored is there");
  }
  void writer(vfs::task& me) { write_word(*this, me, fd, 8, 2); }
  void cutter(vfs::task& me) { must(me.ftruncate(fd, block())); }
  void check() {
    expect_equal(read_word(*this, task(), fd, 0), 0, "the file");
    expect_equal(read_word(*this, task(), fd, 8), 2, "the file");
    expect(load_word(task(), at) == 1u, "what was stored is there");
    const auto beside = load_word(task(), at + 8);
    expect(beside == 0u || beside == 2u, "beside it lies what was or is in the file");
    expect(!load_word(task(), at + block()).has_value(), "behind the end there is nothing");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax rw", "a private copy against a write and a truncate", {"storer", &scene::storer}, {"writer", &scene::writer},
         {"cutter", &scene::cutter})
