// Assertions on our own invariants. What lies on a disk or comes from a caller is never asserted: that is an error to return.
#pragma once

#include <xip/base/config.h>

namespace xip {

// Prints where and what, and aborts.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace xip

// In every build: for what costs next to nothing.
#define XIP_ASSERT(EXPR) ((EXPR) ? static_cast<void>(0) : ::xip::assertion_failed(#EXPR, __FILE__, __LINE__))

// In builds with lock checking only.
#if XIP_LOCKDEP
#define XIP_DEBUG_ASSERT(EXPR) XIP_ASSERT(EXPR)
#else
#define XIP_DEBUG_ASSERT(EXPR) static_cast<void>(sizeof(!(EXPR)))
#endif
