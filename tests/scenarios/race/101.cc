// What: a store into a block that is punched, and another file that takes it.
// Why: between the zap and the free a fault may map the block again, and what is stored there then is in another's file (Linux ea3d7209ca01).
// Operations: two stores; a punch and fsync; pwrite of another file, which needs the block.
// Invariant: the other file has its own bytes, and no page table a block that is not its file's; a store has its block or finds no space.
// Groups: auto mmap dax rw prealloc enospc. Needs: DAX.
#include "range_helpers.h"

namespace xip::scenario {
namespace {

struct scene : range_race<punch> {
  static constexpr requirements needs{.dax = true};
  int other = -1;

  void setup() {
    range_race::setup();
    other = create("other");
    leave_free(*this, 0);
  }
  void puncher(vfs::task& me) {
    changer(me);
    must(me.fsync(fd));
  }
  void storer(vfs::task& me) {
    static_cast<void>(store_word(me, address_of(1), 7));
    static_cast<void>(store_word(me, address_of(1, 8), 7));
  }
  void writer(vfs::task& me) {
    std::array<std::byte, page_size> bytes;
    fill(bytes, 0, {.file = 2, .generation = 1});
    const auto written = me.pwrite(other, bytes.data(), bytes.size(), 0);
    if (!written) expect_errno(written, ENOSPC);
  }
  void check() {
    if (must(task().fstat(other)).size != 0) expect_data(task(), other, 0, block(), {.file = 2, .generation = 1});
    for (const std::uint64_t page : {0, 2, 3}) expect_word_at(page, 0, 10 + page);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax rw prealloc enospc", "a store into a block that is punched", {"puncher", &scene::puncher},
         {"storer", &scene::storer}, {"writer", &scene::writer})
