// How often a test program takes memory from the heap. Whoever includes this gets a program whose operator new counts.
#pragma once

#include <cstdint>

namespace xip::test {

// Calls of operator new so far: by the running thread, by all.
[[nodiscard]] std::uint64_t heap_allocations_of_this_thread() noexcept;
[[nodiscard]] std::uint64_t heap_allocations() noexcept;

}  // namespace xip::test
