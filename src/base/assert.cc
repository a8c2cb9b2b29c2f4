#include <xip/base/assert.h>

#include <cstdio>
#include <cstdlib>

namespace xip {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "%s:%d: this must hold and does not: %s\n", file, line, expression);
  std::abort();
}

}  // namespace xip
