// What: a load of a hole against a write into it.
// Why: a fault that has found a hole must not map zeros when the write has been there meanwhile, and zeros that are mapped must go before the write returns
// (Linux 538f8ea6c852, 843172978bb9, and "dax: fix data corruption when fault races with write" of 2017).
// Operations: a load; pwrite of a word; a load and a store by the writer when it is done.
// Invariant: a load is zero or what was written; behind the write the mapping shows it.
// Groups: auto mmap dax rw. Needs: DAX.
#include "write_races.h"

namespace xip::scenario {
namespace {

struct scene : write_against_load {
  static constexpr requirements needs{.dax = true};
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax rw", "a load of a hole and a write into it", {"loader", &scene::loader}, {"writer", &scene::writer})
