// What: fsyncs of 2 MiB that are one entry, and a store into a page of them.
// Why: who waits for a page waits for the whole of which it is a part (Linux 23c84eb78375).
// Operations: a store, fsync, a store through a mapping of the whole; a store through one of a page.
// Invariant: all return, and all words are there.
// Groups: auto mmap dax prealloc sync. Needs: DAX, 16 MiB.
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
  void syncer(vfs::task& me) {
    expect_store(*this, me, views[0].whole + 8 * page, 1);
    must(me.fsync(views[0].fd));
    expect_store(*this, me, views[0].whole + 8 * page, 2);
  }
  void storer(vfs::task& me) { expect_store(*this, me, views[1].part + 8, 3); }
  void check() {
    expect_equal(read_word(*this, task(), main.fd, from + 8 * page), 2u, "the word of the whole");
    expect_equal(read_word(*this, task(), main.fd, from + 8 * page + 8), 3u, "the word of the page");
    must(task().fsync(main.fd));
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax prealloc sync", "fsyncs of 2 MiB and stores into their pages", {"syncer", &scene::syncer},
         {"storer", &scene::storer})
