// What: a write into a preallocated block against a store into the same block.
// Why: the write copies into a block that is unwritten still; a fault that zeroes and converts it then takes the bytes away, and a write that zeroes head and tail takes
// the stored ones (Linux 12735f881952; the naive way of 4.0 loses one of the two).
// Operations: pwrite of a word in the middle; a store of another word.
// Invariant: both words are there, in the file and in the mapping.
// Groups: auto mmap dax rw prealloc. Needs: DAX.
#include "write_races.h"

namespace xip::scenario {
namespace {

struct scene : write_against_store {
  static constexpr requirements needs{.dax = true};
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax rw prealloc", "a write and a store into one preallocated block", {"writer", &scene::writer},
         {"storer", &scene::storer})
