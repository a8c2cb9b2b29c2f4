// Whole sessions: whatever a task may call, on an image.
#include "fuzz/target.h"

namespace xip::fuzz {

std::span<const structure_kind> structures_of_target() noexcept { return {}; }

void run_target(const test_case& c) {
  const std::span<const operation> all[] = {walk_operations(),      name_operations(),  data_operations(),
                                            attribute_operations(), xattr_operations(), system_operations()};
  run_session(c, nullptr, all);
}

}  // namespace xip::fuzz
