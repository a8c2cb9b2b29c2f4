// What: a load of a page of preallocated blocks, and a store into the 2 MiB around it.
// Why: who maps 2 MiB as one has to take the zero pages of all of them out of page tables first, wherever they lie (Linux de14b9cb5e02, 0e40de0338d0).
// Operations: two loads through a mapping of eight pages; a store through one of the whole, into the second page of these.
// Invariant: what is loaded is zero or what was stored, and behind the store nobody loads zeros any more.
// Groups: auto mmap dax prealloc. Needs: DAX, 16 MiB.
#include "huge_helpers.h"

namespace xip::scenario {
namespace {

struct scene : huge_race {
  static constexpr requirements needs{.dax = true, .size = 16 * mib};

  bool stored = false;

  void setup() { make_file(false); }
  void loader(vfs::task& me) {
    for (int i = 0; i < 2; ++i) {
      const bool late = stored;
      const auto word = load_word(me, views[0].part + page + 8);
      expect(word == 5u || (!late && word == 0u), "what is loaded is zero, or what was stored, and behind the store nothing else");
    }
  }
  void storer(vfs::task& me) {
    expect_store(*this, me, views[1].whole + 9 * page + 8, 5);
    stored = true;
  }
  void check() { expect_word(*this, task(), main.fd, from + 9 * page + 8, main.part + page + 8, 5); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax prealloc", "a load of a page and a store into the 2 MiB around it", {"loader", &scene::loader},
         {"storer", &scene::storer})
