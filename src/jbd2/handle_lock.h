// What an open handle holds shared, and the end of a transaction exclusive.
#pragma once

#include <xip/locks/rw_semaphore.h>

namespace xip::jbd2 {

inline constexpr lock_class jbd2_handle_class{"jbd2_handle"};

using handle_lock = rw_semaphore<jbd2_handle_class>;

}  // namespace xip::jbd2
