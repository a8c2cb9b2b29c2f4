// What: a truncate of a page that is pinned.
// Why: a device that reads or writes a page is not stopped by unmapping it: its block must not be given to another as long as it does (Linux d2c997c0f145).
// Operations: a page is pinned, written as a device does, and unpinned; ftruncate to nothing; pwrite of another file.
// Invariant: the truncate waits; no block is written for a file whose it is not.
// Groups: auto mmap dax locks. Needs: DAX.
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
    put(task(), fd, 0, block(), {.file = 1, .generation = 1});
    leave_free(*this, 1);
    at = map_file(*this, task(), fd, block());
  }
  void pinner(vfs::task& me) {
    mm::page_pin pin;
    if (!mm::pin_user_page(me, at, true, pin)) return;
    const std::uint64_t word = 4;
    XIP_POINT(user_point);
    pin.write(0, &word, sizeof word);
    unpin(me, pin);
  }
  // As the end of a request: in the middle of no call.
  static void unpin(vfs::task& me, mm::page_pin& pin) {
    const current_scope scope{me.context};
    pin.unpin();
  }
  void cutter(vfs::task& me) {
    must(me.ftruncate(fd, 0));
    must(me.fsync(fd));
  }
  void writer(vfs::task& me) { put(me, other, 0, block(), {.file = 2, .generation = 1}); }
  void check() {
    expect_data(task(), other, 0, block(), {.file = 2, .generation = 1});
    expect(!load_word(task(), at).has_value(), "behind the end nothing is loaded");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax locks", "a truncate of a pinned page", {"pinner", &scene::pinner}, {"cutter", &scene::cutter},
         {"writer", &scene::writer})
