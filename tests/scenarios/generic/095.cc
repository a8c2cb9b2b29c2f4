// What: fsx on files whose blocks are in a map, not in a tree: direct and indirect blocks, holes punched between them.
// Why: tables of a map go with the last block that they name, wherever the hole is.
// Groups: auto rw fsx. Needs: a fresh image of its own geometry.
#include <xip/scenario/models.h>

#include "helpers.h"

XIP_SCENARIO("auto rw fsx", "fsx on block maps", .mkfs = "-b 1024 -O ^extent,^64bit") {
  run_fsx(t, {.operations = 2000, .max_size = 600'000, .cycle_every = 200, .preallocate = false});
}
