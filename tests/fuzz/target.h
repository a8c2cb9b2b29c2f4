// What every fuzz target has: one input in, nothing out. A finding ends the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "fuzz/container.h"
#include "fuzz/session.h"

namespace xip::fuzz {

// What this program's target does with an input; each *_target.cc defines it.
void run_target(const test_case& c);

// Mounts the image of C as its program says, looks at it with SWEEP, and lets the program run on it with TABLES. What was sound is still sound to
// a second mount.
void run_session(const test_case& c, void (*sweep)(session&), std::span<const std::span<const operation>> tables);

}  // namespace xip::fuzz
