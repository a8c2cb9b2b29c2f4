// What: a load of a hole against a write into it.
// Why: a fault that has found a hole must not map zeros when the write has been there meanwhile, and zeros that are mapped must go before the write returns
// (Linux 538f8ea6c852, 843172978bb9, and "dax: fix data corruption when fault races with write" of 2017).
// Operations: a load; pwrite of a word; a load and a store by the writer when it is done.
// Invariant: a load is zero or what was written; behind the write the mapping shows it.
// Groups: auto mmap rw. Needs: DAX.
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};

  void setup() { map_hole(1); }
  void loader(vfs::task& me) {
    const auto word = load_word(me, at);
    expect(word == 0u || word == 7u, "what is loaded is zero or was written");
  }
  void writer(vfs::task& me) {
    write_word(*this, me, fd, 0, 7);
    expect(load_word(me, at) == 7u, "who has written loads it");
  }
  void check() { expect_word(*this, task(), fd, 0, at, 7); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap rw", "a load of a hole and a write into it", {"loader", &scene::loader}, {"writer", &scene::writer})
