// What: a read and a load of a block that is punched, while another file takes it.
// Why: nothing stood between them and the blocks that a punch freed: they went on in another file's (Linux 730633f0b7f9, d4f5258eae7b, ea3d7209ca01).
// Operations: fallocate and fsync; pread and two loads; pwrite of another file, for which there is a block only when that one is free.
// Invariant: what is read or loaded is what was there or zeros, and zeros from then on; the other file has its own bytes, or is told that there is no space.
// Groups: auto mmap dax rw prealloc enospc. Needs: DAX.
#include <linux/falloc.h>

#include "mapping_helpers.h"
#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};
  int other = -1;
  bool punched = false;

  void setup() {
    fd = create("file");
    other = create("other");
    put(task(), fd, 0, 2 * block(), {.file = 1, .generation = 1});
    leave_free(*this, 0);
    at = map_file(*this, task(), fd, 2 * block());
    expect(load_word(task(), at).has_value(), "what was written can be loaded");
  }
  void puncher(vfs::task& me) {
    must(me.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, block()));
    punched = true;
    must(me.fsync(fd));
    expect(load_word(me, at) == 0u, "a hole is zeros");
  }
  void looker(vfs::task& me) {
    bool late = punched;
    expect_word_of(load_word(me, at).value_or(1), late);
    late = punched;
    expect_word_of(read_word(*this, me, fd, 0), late);
    late = punched;
    expect_word_of(load_word(me, at).value_or(1), late);
  }
  void taker(vfs::task& me) {
    const std::uint64_t word = 3;
    const auto written = me.pwrite(other, &word, sizeof word, 0);
    if (!written) return expect_errno(written, ENOSPC);
    expect_equal(read_word(*this, me, other, 0), 3u, "what was written");
  }
  void check() {
    expect_word(*this, task(), fd, 0, at, 0);
    expect_data(task(), fd, block(), block(), {.file = 1, .generation = 1});
  }

 private:
  void expect_word_of(std::uint64_t word, bool late) const {
    expect(word == 0 || (!late && word == pattern_word(0, {.file = 1, .generation = 1})),
           "what was there, or zeros, and zeros behind the punch");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax rw prealloc enospc", "a read and a load of a block that another file takes", {"puncher", &scene::puncher},
         {"looker", &scene::looker}, {"taker", &scene::taker})
