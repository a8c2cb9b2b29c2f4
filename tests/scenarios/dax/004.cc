// What: fsx on a DAX file, large requests over many extents and windows.
// Why: the DAX mover alone, without the copy path to hide behind.
// Groups: auto dax fsx. Needs: DAX.
#include <xip/scenario/models.h>

#include "helpers.h"

XIP_SCENARIO("auto fsx", "fsx by windows", .dax = true) {
  run_fsx(t, {.operations = 3000, .max_size = 3 << 20, .max_io = 1 << 20, .stream = 1});
  run_fsx(t, {.path = "tiny", .operations = 3000, .max_size = 20'000, .max_io = 500, .stream = 2});
}
