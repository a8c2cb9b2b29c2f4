// What every fuzz target has: one input in, nothing out. A finding ends the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "fuzz/container.h"
#include "fuzz/layout.h"
#include "fuzz/session.h"

namespace xip::fuzz {

// What this program's target does with an input; each *_target.cc defines it.
void run_target(const test_case& c);
// The kinds of structures that it is about, so that mutations meet them more often. Empty: all alike.
[[nodiscard]] std::span<const structure_kind> structures_of_target() noexcept;

// Mounts the image of C as its program says, looks at it with SWEEP, and lets the program run on it with TABLES. What was sound is still sound to
// a second mount.
void run_session(const test_case& c, void (*sweep)(session&), std::span<const std::span<const operation>> tables);

}  // namespace xip::fuzz
