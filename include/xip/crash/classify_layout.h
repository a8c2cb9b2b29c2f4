// Which lines count as one, on images of a file system whose layout is known.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <xip/crash/classify.h>

namespace xip::crash {

// LAYOUT says of a byte in which part of the image it lies, and in which block of the journal: as ext4_layout does. A block of the log counts whole or not at
// all, where checksums cover each. The log's super block does not, and neither does a log without checksums.
template <class Layout>
[[nodiscard]] classifier classify_by(std::shared_ptr<const Layout> layout) {
  return [layout = std::move(layout)](std::uint64_t offset) -> line_class {
    const typename Layout::place p = layout->at(offset);
    if (p.what == Layout::part::journal && p.number != 0 && layout->has_metadata_csum()) return {line_kind::checked, p.number};
    return {p.what == Layout::part::other ? line_kind::data : line_kind::metadata};
  };
}

}  // namespace xip::crash
