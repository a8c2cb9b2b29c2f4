// What: two syncs of what one store has left, and the power fails.
// Why: an entry that is clean before its bytes have arrived lets the second sync find nothing to do and return first.
// Operations: a store before; fdatasync by two tasks.
// Invariant: when either has returned the word is there after a crash.
// Groups: auto mmap dax sync. Needs: DAX.
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};
  bool synced = false;

  void setup() {
    fd = create("file");
    put(task(), fd, 0, block(), {.file = 1, .generation = 1});
    must(task().fsync(fd));
    at = map_file(*this, task(), fd, block());
    expect(load_word(task(), at).has_value(), "what was written is mapped, to be read");
  }
  // The setup is durable when the tasks begin: the store is made by the one of them that comes first.
  void sync(vfs::task& me) {
    expect_store(*this, me, at, 9);
    must(me.fdatasync(fd));
    synced = true;
    power_may_fail();
  }
  void first(vfs::task& me) { sync(me); }
  void second(vfs::task& me) { sync(me); }
  void recovered(vfs::task& me) {
    const std::uint64_t word = recovered_word(me, 0);
    expect(word == 9 || !synced, "what was synced is there");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax sync", "two syncs of one store", {"first", &scene::first}, {"second", &scene::second})
