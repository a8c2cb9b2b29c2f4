#include <xip/locks/thread_context.h>

namespace xip {
namespace {

constinit thread_local thread_context current_fallback;

}  // namespace

thread_context& fallback_context() noexcept { return current_fallback; }

}  // namespace xip
