// What: fsx on a file whose blocks are zeroed before they are written.
// Why: with zero=alloc a write finds all blocks written, its own new ones too; nothing else may come of it than without.
// Groups: auto fsx mmap. Needs: DAX.
#include <xip/scenario/models.h>

#include "helpers.h"

XIP_SCENARIO("auto fsx mmap", "fsx with blocks that are zeroed first", .dax = true, .mount = "zero=alloc") {
  run_fsx(t, {.operations = 2000, .max_size = 300'000, .cycle_every = 400, .mount = "zero=convert"});
}
