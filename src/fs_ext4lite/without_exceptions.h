// Where memory that runs out becomes an errno: before an exception could pass what has to be undone, or a hook.
#pragma once

#include <new>
#include <utility>

#include <xip/base/result.h>

namespace xip::ext4lite {

// What CALL answers; an exception becomes ENOMEM.
template <class Call>
[[nodiscard]] auto without_exceptions(Call&& call) noexcept -> decltype(call()) {
  try {
    return std::forward<Call>(call)();
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

}  // namespace xip::ext4lite
