// What lies in a line, as far as it says which states need not be told apart.
#pragma once

#include <cstdint>
#include <functional>

namespace xip::crash {

enum class line_kind : std::uint8_t {
  metadata,
  data,     // of files
  checked,  // covered by a checksum together with the rest of its group: one that has not arrived whole is one that is wrong
};

struct line_class {
  line_kind kind = line_kind::metadata;
  // Lines in flight with the same number arrive together: none of them, all of them, those up to some store, or torn in one of two ways. Zero:
  // each for itself. Of checked lines nothing is lost by that; of others states are left out, which the report says.
  std::uint64_t group = 0;
};

// Of the line that begins at byte OFFSET of the device.
using classifier = std::function<line_class(std::uint64_t offset)>;

}  // namespace xip::crash
