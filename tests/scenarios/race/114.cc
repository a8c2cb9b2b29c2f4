// What: a store into a page of 2 MiB of zeros that are mapped as a whole.
// Why: the zeros go from all page tables before the page gets its block, and come back around it (Linux cd656375f946, e3fce68cdbed).
// Operations: a store into a page; a load of it in another address space.
// Invariant: a load is zero or what was stored; what was stored is there, and zeros beside it, also behind an fsync.
// Groups: auto mmap dax. Needs: DAX, 16 MiB.
#include "huge_helpers.h"

namespace xip::scenario {
namespace {

struct scene : huge_race {
  static constexpr requirements needs{.dax = true, .size = 16 * mib};

  void setup() {
    make_file(true);
    expect(load_word(task(), main.whole) == 0u, "a hole is zeros");
    expect_huge();
  }
  void storer(vfs::task& me) { expect_store(*this, me, views[0].part, 1); }
  void loader(vfs::task& me) {
    const auto word = load_word(me, views[1].whole + 8 * page);
    expect(word == 0u || word == 1u, "what is loaded is zero or was stored");
  }
  void check() {
    expect_word(*this, task(), main.fd, from + 8 * page, main.whole + 8 * page, 1);
    must(task().fsync(main.fd));
    expect(load_word(task(), main.whole + 9 * page) == 0u, "zeros beside it");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax", "a store into a page of 2 MiB of zeros", {"storer", &scene::storer}, {"loader", &scene::loader})
