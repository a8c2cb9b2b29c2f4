// Lock chains:
//   i_rwsem -> invalidate_lock -> i_mmap_rwsem
//   i_rwsem -> s_pins
#include "fs_ext4lite/layouts.h"

#include <xip/base/points.h>
#include <xip/xip/mapped.h>

namespace xip::ext4lite {

layouts_guard::layouts_guard(ext4_inode_info& inode, const page_range& range) noexcept {
  inode.i_rwsem.assert_held();
  held_.emplace(inode.i_mapping.invalidate_lock);
  while (!range.empty() && xip_layout_busy(inode, range.first, range.last)) {
    held_.reset();
    XIP_POINT(xip_layout_busy, range.first.value(), range.last.value());
    mm::wait_until_unpinned(inode, range.first, range.last);
    held_.emplace(inode.i_mapping.invalidate_lock);
  }
}

}  // namespace xip::ext4lite
