// What: fsx on blocks of 2 KiB without a journal, 64-bit numbers or flex_bg.
// Why: other layouts of group descriptors and bitmaps.
// Groups: auto rw fsx. Needs: a fresh image of its own geometry.
#include <xip/scenario/models.h>

#include "helpers.h"

XIP_SCENARIO("auto rw fsx", "fsx on 2 KiB blocks", .mkfs = "-b 2048 -O ^has_journal,^64bit,^flex_bg") {
  run_fsx(t, {.operations = 3000, .max_size = 300'000, .cycle_every = 300});
}
