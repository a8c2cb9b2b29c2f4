// What: a write into holes whose blocks lie apart, on a disk that a commit has to make room on.
// Why: who finds no block waits for a commit that frees some: with a handle open, or a page locked that the owner of a handle waits for, that commit never comes.
// Operations: pwrite of four blocks, for which two are free and two only behind a commit; a store into the second of them; fsync of another file.
// Invariant: all return, and nothing fails; every byte is there but for the word that was stored.
// Groups: auto mmap dax enospc locks. Needs: DAX.
#include "race_helpers.h"
#include "write_races.h"

namespace xip::scenario {
namespace {

struct scene : write_over_stored_hole<1> {
  static constexpr requirements needs{.dax = true};

  // Every second block of a row of eight comes free, half of them durably.
  void setup() {
    write_over_stored_hole::setup();
    constexpr std::array names{"k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"};
    for (const char* name : names) {
      const int kept = create(name);
      put(task(), kept, 0, block(), {.file = 2, .generation = 1});
      must(task().close(kept));
    }
    leave_free(*this, 0);
    for (const std::size_t i : {1, 3}) must(task().unlink(names[i]));
    must(kernel().sync());
    for (const std::size_t i : {5, 7}) must(task().unlink(names[i]));
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax enospc locks", "a write that waits for space against a store and a commit", {"writer", &scene::writer},
         {"storer", &scene::storer}, {"syncer", &scene::syncer})
