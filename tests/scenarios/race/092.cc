// What: a store and a write that want the last block, and a file that is deleted.
// Why: who has no space waits for a commit that may free blocks, and must hold neither handle nor entry then.
// Operations: a store into a hole; pwrite into a hole of another file; unlink of a third.
// Invariant: each succeeds or is told that there is no space, and the file system stays whole.
// Groups: auto mmap dax enospc. Needs: DAX.
#include "mapping_helpers.h"
#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};
  int other = -1;

  void setup() {
    fd = create("file");
    other = create("other");
    put(task(), create("third"), 0, block(), {.file = 3, .generation = 1});
    must(task().ftruncate(fd, 2 * block()));
    must(kernel().sync());
    leave_free(*this, 1);
    at = map_file(*this, task(), fd, 2 * block());
  }
  void storer(vfs::task& me) {
    if (store_word(me, at, 1)) expect(load_word(me, at) == 1u, "what was stored is there");
  }
  void writer(vfs::task& me) {
    const std::uint64_t word = 2;
    const auto written = me.pwrite(other, &word, sizeof word, 0);
    if (!written) expect_errno(written, ENOSPC);
  }
  void remover(vfs::task& me) { must(me.unlink("third")); }
  void check() {
    const auto word = load_word(task(), at);
    expect(word == 0u || word == 1u, "the page is zeros or what was stored");
    expect_equal(read_word(*this, task(), fd, 0), *word, "the file and its mapping agree");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax enospc", "a store and a write for the last block", {"storer", &scene::storer}, {"writer", &scene::writer},
         {"remover", &scene::remover})
