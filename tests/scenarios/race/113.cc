// What: a load of 2 MiB of zeros, and a write of one block of them.
// Why: zeros of 2 MiB must not stay mapped where one block of them was written (Linux cd656375f946).
// Operations: a load; pwrite of a word and a load of it by the writer. The zeros are mapped already, as one entry.
// Invariant: a load is zero or what was written; behind the write every mapping shows it.
// Groups: auto mmap dax prealloc. Needs: DAX, 16 MiB.
#include "huge_helpers.h"

namespace xip::scenario {
namespace {

struct scene : huge_race {
  static constexpr requirements needs{.dax = true, .size = 16 * mib};

  void setup() {
    make_file(false);
    expect(load_word(task(), main.whole) == 0u, "preallocated blocks are zeros");
  }
  void loader(vfs::task& me) {
    const auto word = load_word(me, views[0].whole + 9 * page);
    expect(word == 0u || word == 3u, "what is loaded is zero or was written");
  }
  void writer(vfs::task& me) {
    write_word(*this, me, views[1].fd, from + 9 * page, 3);
    expect(load_word(me, views[1].part + page) == 3u, "who has written loads it");
  }
  void check() { expect_word(*this, task(), main.fd, from + 9 * page, main.whole + 9 * page, 3); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax prealloc", "a load of 2 MiB of zeros and a write into them", {"loader", &scene::loader},
         {"writer", &scene::writer})
