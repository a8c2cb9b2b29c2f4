// What: a write into a preallocated block, which zeroes it first, against a store into the same block.
// Why: whoever of the two comes first zeroes the block, and the other must find it written (Linux 12735f881952).
// Operations: pwrite of a word in the middle; a store of another word.
// Invariant: both words are there, in the file and in the mapping.
// Groups: auto mmap dax rw prealloc. Needs: DAX.
#include "write_races.h"

namespace xip::scenario {
namespace {

struct scene : write_against_store {
  static constexpr requirements needs{.dax = true, .mount = "zero=alloc"};
  static constexpr race_options options{.mount = "zero=alloc"};
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax rw prealloc", "a write that zeroes first and a store into one preallocated block",
         {"writer", &scene::writer}, {"storer", &scene::storer})
