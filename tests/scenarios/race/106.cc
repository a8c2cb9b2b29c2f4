// What: a load of a hole against a write into it, which zeroes the block first.
// Why: with zero=alloc the block is a written one before the bytes are in it: who loads it may see zeros, but not what it held before, nor zeros when the write has
// returned (Linux: EXT4_GET_BLOCKS_CREATE_ZERO).
// Operations: a load; pwrite of a word; a load by the writer when it is done.
// Invariant: a load is zero or what was written; behind the write the mapping shows it.
// Groups: auto mmap dax rw. Needs: DAX.
#include "write_races.h"

namespace xip::scenario {
namespace {

struct scene : write_against_load {
  static constexpr requirements needs{.dax = true, .mount = "zero=alloc"};
  static constexpr race_options options{.mount = "zero=alloc"};
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax rw", "a load of a hole and a write that zeroes first", {"loader", &scene::loader},
         {"writer", &scene::writer})
