// What: fsx on a larger file with mounts in between, every second one by the copy path (dax=never).
// Why: both movers must agree on every byte, and nothing may live in a cache only.
// Groups: auto rw fsx. Needs: nothing.
#include <xip/scenario/models.h>

#include "helpers.h"

XIP_SCENARIO("auto rw fsx", "fsx over many mounts, by both movers") {
  run_fsx(t, {.operations = 2000, .max_size = 2 << 20, .max_io = 300'000, .cycle_every = 80, .mount = "dax=never"});
}
