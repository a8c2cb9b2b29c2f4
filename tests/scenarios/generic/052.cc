// What: fsx on blocks of 1 KiB without metadata checksums: several blocks a page, deeper trees.
// Why: nothing may assume that a block is a page, or that checksums are there.
// Groups: auto rw fsx. Needs: a fresh image of its own geometry.
#include <xip/scenario/models.h>

#include "helpers.h"

XIP_SCENARIO("auto rw fsx", "fsx on 1 KiB blocks", .mkfs = "-b 1024 -O ^metadata_csum") {
  run_fsx(t, {.operations = 3000, .max_size = 300'000, .cycle_every = 300});
}
