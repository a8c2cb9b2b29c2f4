// libxip on an image in memory.
#pragma once

#include <string>
#include <vector>

#include "posix/table.h"

namespace xip::posix {

struct libxip_answers {
  std::vector<std::vector<std::string>> cases;
  std::string trouble;  // what e2fsck, the log or lockdep had to say
};
// The answers of libxip to every case of T, on the image file IMAGE, which gets what was written. Of one that is not libxip's: none.
[[nodiscard]] libxip_answers run_on_libxip(const table& t, const std::string& image);

}  // namespace xip::posix
