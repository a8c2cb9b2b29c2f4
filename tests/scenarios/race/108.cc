// What: a write over a hole in whose middle a store gets a block, and a commit.
// Why: what a slice has looked up before it locked its pages may have become two pieces: it gives up what lies behind the first, and what it has locked keeps no
// commit waiting.
// Operations: pwrite of four blocks; a store into the third of them; fsync of another file.
// Invariant: all return; but for the word that was stored, every byte is the one written, in the file and in its mapping.
// Groups: auto mmap dax rw locks. Needs: DAX.
#include "write_races.h"

namespace xip::scenario {
namespace {

struct scene : write_over_stored_hole<2> {
  static constexpr requirements needs{.dax = true};
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax rw locks", "a write over a hole that a store fills in its middle", {"writer", &scene::writer},
         {"storer", &scene::storer}, {"syncer", &scene::syncer})
