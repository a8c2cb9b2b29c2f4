// What: a write into a hole that is mapped, and a task that reads what is written and then loads it.
// Why: who has read the bytes must not load zeros afterwards: all zero pages go before the write lets anybody read.
// Operations: pwrite of a word; pread of it, then a load through a mapping that has the zero page.
// Invariant: the load is not older than the read; behind the write both show it.
// Groups: auto mmap dax rw. Needs: DAX.
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};

  void setup() {
    map_hole(1);
    expect(load_word(task(), at) == 0u, "a hole is zeros");
  }
  void writer(vfs::task& me) {
    write_word(*this, me, fd, 0, 7);
    expect(load_word(me, at) == 7u, "who has written loads it");
  }
  void reader(vfs::task& me) {
    const std::uint64_t read = read_word(*this, me, fd, 0);
    const auto loaded = load_word(me, at);
    expect(read == 0u || read == 7u, "what is read is zero or was written");
    expect(loaded == 7u || (loaded == 0u && read == 0u), "what was read once is not zero afterwards");
  }
  void check() { expect_word(*this, task(), fd, 0, at, 7); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax rw", "a write into a hole that is read and loaded", {"writer", &scene::writer}, {"reader", &scene::reader})
