// What: a store, a write into the same page, an fsync, and the power fails.
// Why: a write that drops the entry of a page drops with it that somebody has stored there: nothing is flushed by the next fsync (Linux c6dcf52c23d2).
// Operations: a store of a word and fsync; pwrite of another word of the same block, which is a hole at first.
// Invariant: when the fsync has returned the stored word is there after a crash.
// Groups: auto mmap dax sync. Needs: DAX.
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};
  bool synced = false;

  void setup() {
    fd = create("file");
    must(task().ftruncate(fd, 2 * block()));
    at = map_file(*this, task(), fd, 2 * block());
    expect(load_word(task(), at + block()) == 0u, "zeros beside it");  // so that an overwrite looks for zero pages, too
  }
  void storer(vfs::task& me) {
    expect_store(*this, me, at + 80, 2);
    must(me.fsync(fd));
    synced = true;
    power_may_fail();
  }
  void writer(vfs::task& me) { write_word(*this, me, fd, 800, 1); }
  void check() {
    expect_word(*this, task(), fd, 80, at + 80, 2);
    expect_word(*this, task(), fd, 800, at + 800, 1);
  }
  void recovered(vfs::task& me) {
    const std::uint64_t word = recovered_word(me, 80);
    expect(word == 2 || (word == 0 && !synced), "what was synced is there");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax sync", "a store and a write into one page, synced", {"storer", &scene::storer}, {"writer", &scene::writer})
