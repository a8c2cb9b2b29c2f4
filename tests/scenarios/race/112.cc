// What: two stores into a hole of 2 MiB.
// Why: the loser of the two faults must not zero what the winner has stored (Linux 843172978bb9, ba5843f51d46).
// Operations: two stores into one page, each in an address space of its own.
// Invariant: both words are there.
// Groups: auto mmap dax. Needs: DAX, 16 MiB.
#include "huge_helpers.h"

namespace xip::scenario {
namespace {

struct scene : huge_race {
  static constexpr requirements needs{.dax = true, .size = 16 * mib};

  void setup() { make_file(true); }
  void first(vfs::task& me) { expect_store(*this, me, views[0].whole, 1); }
  void second(vfs::task& me) { expect_store(*this, me, views[1].whole + 8, 2); }
  void check() {
    expect_word(*this, task(), main.fd, from, main.whole, 1);
    expect_word(*this, task(), main.fd, from + 8, main.whole + 8, 2);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax", "two stores into a hole of 2 MiB", {"first", &scene::first}, {"second", &scene::second})
