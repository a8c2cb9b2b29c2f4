// What: fsx with O_DSYNC and with O_DIRECT, mounts in between.
// Why: the synchronous ways through the same hooks.
// Groups: auto rw fsx sync. Needs: nothing.
#include <xip/scenario/models.h>

#include "helpers.h"

XIP_SCENARIO("auto rw fsx sync", "fsx with O_DSYNC and O_DIRECT") {
  run_fsx(t, {.path = "dsync", .operations = 500, .cycle_every = 100, .open_flags = O_DSYNC, .stream = 1});
  run_fsx(t, {.path = "direct", .operations = 1000, .cycle_every = 200, .open_flags = O_DIRECT, .stream = 2});
}
