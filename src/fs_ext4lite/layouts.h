// Keeping everybody off pages that lose their blocks: setattr.cc, punch.cc and shift_range.cc. Linux: ext4_break_layouts (fs/ext4/inode.c).
#pragma once

#include <cstdint>
#include <optional>

#include <xip/base/annotations.h>
#include <xip/base/units.h>
#include <xip/mm/rmap.h>

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite {

// Pages FIRST to LAST; none: LAST is before FIRST.
struct page_range {
  pgoff_t first;
  pgoff_t last = mm::last_pgoff;
  [[nodiscard]] bool empty() const noexcept { return last < first; }
  // In bytes.
  [[nodiscard]] loff_t start() const noexcept { return static_cast<loff_t>(first.value() << page_shift); }
  [[nodiscard]] loff_t end() const noexcept {
    return last == mm::last_pgoff ? INT64_MAX : static_cast<loff_t>((last.value() + 1) << page_shift);
  }
};

inline constexpr page_range no_pages{pgoff_t{1}, pgoff_t{0}};

// All that have no byte of a file of SIZE.
[[nodiscard]] inline page_range pages_behind(loff_t size) noexcept {
  return {pgoff_t{blocks_for(static_cast<std::uint64_t>(size), page_shift)}};
}
// Those that lie in [OFFSET, END) as a whole.
[[nodiscard]] inline page_range pages_within(loff_t offset, loff_t end) noexcept {
  const pgoff_t first = pages_behind(offset).first, behind = pgoff_of(end);
  return first < behind ? page_range{first, pgoff_t{behind.value() - 1}} : no_pages;
}

// invalidate_lock of INODE exclusive, and no page of RANGE in a page table, nor pinned: whoever would put one there waits. A pinned page is waited for without
// invalidate_lock, since who has it may fault before he lets it go; then all of RANGE is looked at again, for others may have been pinned.
// i_rwsem exclusive, which is kept.
class XIP_SCOPED_CAPABILITY layouts_guard {
 public:
  layouts_guard(ext4_inode_info& inode, const page_range& range) noexcept XIP_ACQUIRE(inode.i_mapping.invalidate_lock);
  ~layouts_guard() XIP_RELEASE() {}
  layouts_guard(const layouts_guard&) = delete;
  layouts_guard& operator=(const layouts_guard&) = delete;

 private:
  std::optional<exclusive_guard<rw_semaphore<vfs::invalidate_lock_class>>> held_;
};

}  // namespace xip::ext4lite
