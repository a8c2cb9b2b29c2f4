// What: a store into a page, and one into the 2 MiB around it.
// Why: the two faults want entries of different sizes; each has to find what the other has put (Linux e2093926a098, de14b9cb5e02, 0e40de0338d0).
// Operations: a store through a mapping of eight pages; a store through one of the whole, into the page behind.
// Invariant: both words are there, in the file and in both mappings.
// Groups: auto mmap dax prealloc. Needs: DAX, 16 MiB.
#include "huge_helpers.h"

namespace xip::scenario {
namespace {

struct scene : huge_race {
  static constexpr requirements needs{.dax = true, .size = 16 * mib};

  void setup() { make_file(false); }
  void of_page(vfs::task& me) { expect_store(*this, me, views[0].part, 1); }
  void of_whole(vfs::task& me) { expect_store(*this, me, views[1].whole + 9 * page + 8, 2); }
  void check() {
    expect_word(*this, task(), main.fd, from + 8 * page, main.whole + 8 * page, 1);
    expect_word(*this, task(), main.fd, from + 9 * page + 8, main.part + page + 8, 2);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax prealloc", "a store into a page and one into the 2 MiB around it", {"of_page", &scene::of_page},
         {"of_whole", &scene::of_whole})
