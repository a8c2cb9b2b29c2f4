// What: a truncate into the middle of 2 MiB that are one entry, and a store into what stays.
// Why: the entry goes as a whole, and what it has of the file comes back page by page; what was stored there must not be lost (xfstests generic/346).
// Operations: ftruncate; a store before the new end.
// Invariant: what was stored is there, and nothing behind the end.
// Groups: auto mmap dax prealloc. Needs: DAX, 16 MiB.
#include "huge_helpers.h"

namespace xip::scenario {
namespace {

struct scene : huge_race {
  static constexpr requirements needs{.dax = true, .size = 16 * mib};

  void setup() {
    make_file(false);
    expect_store(*this, task(), main.whole, 9);
    expect_huge();
  }
  void storer(vfs::task& me) { expect_store(*this, me, views[0].whole + 8, 1); }
  void cutter(vfs::task& me) {
    must(me.ftruncate(views[1].fd, from + 4 * page));
    expect(!load_word(me, views[1].whole + 4 * page), "behind the end there is nothing");
  }
  void check() {
    expect_word(*this, task(), main.fd, from + 8, main.whole + 8, 1);
    expect_word(*this, task(), main.fd, from, main.whole, 9);
    expect(!load_word(task(), main.whole + 4 * page), "behind the end there is nothing");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax prealloc", "a truncate into 2 MiB and a store into what stays", {"storer", &scene::storer},
         {"cutter", &scene::cutter})
