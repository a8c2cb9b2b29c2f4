// What: fsx by the copy path alone, with small requests, so that most blocks are read, changed and written.
// Why: partial blocks without a window are read-modify-write under the exclusive lock.
// Groups: auto rw fsx. Needs: nothing.
#include <xip/scenario/models.h>

#include "helpers.h"

XIP_SCENARIO("auto rw fsx", "fsx by the copy path", .mount = "dax=never") {
  run_fsx(t, {.path = "small", .operations = 3000, .max_size = 64 * 1024, .max_io = 3000, .stream = 1});
  run_fsx(t, {.path = "large", .operations = 500, .max_size = 1 << 20, .max_io = 200'000, .stream = 2});
}
