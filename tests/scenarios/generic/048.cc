// What: fsx: 4,000 random operations on one file against a model in memory.
// Why: the classic; it found most of the bugs in the history of DAX.
// Groups: auto rw fsx. Needs: nothing.
#include <xip/scenario/models.h>

#include "helpers.h"

XIP_SCENARIO("auto rw fsx", "fsx") { run_fsx(t, {.operations = 4000}); }
