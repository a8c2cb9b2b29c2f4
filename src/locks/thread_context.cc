#include <xip/locks/thread_context.h>

namespace xip {

thread_context& make_default_context() noexcept {
  static constinit thread_local thread_context unnamed{};
  current_context = &unnamed;
  return unnamed;
}

}  // namespace xip
