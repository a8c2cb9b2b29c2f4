#pragma once

#include <cstdint>

namespace xip::vfs::test {

// How often operator new was called in this program so far.
[[nodiscard]] std::uint64_t heap_allocations() noexcept;

}  // namespace xip::vfs::test
