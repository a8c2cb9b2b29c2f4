// Taking a range of blocks out of a file, in as many handles as it takes.
#pragma once

#include <cstdint>

#include <xip/base/annotations.h>
#include <xip/base/result.h>
#include <xip/base/units.h>

#include "fs_ext4lite/ext4.h"
#include "fs_ext4lite/step_handle.h"

namespace xip::ext4lite {

// From the right end of [FIRST, END) to its left: whenever it stops, what is gone is a hole, and what is left can be taken out later. Works under
// H, whose credits are credits_for_removal at least, credits_for_punch where END may cut an extent in two.
class block_remover {
 public:
  block_remover(step_handle& h, ext4_inode_info& inode, lblk_t first, std::uint64_t end) noexcept
      : h_{h}, inode_{inode}, first_{first}, end_{end} {}

  // As much as goes into H's transaction. True: there is more, H has to be restarted. ENOSPC: no block for the tree, which an extent cut in two
  // may need; EIO, EUCLEAN, ENOMEM.
  [[nodiscard]] result<bool> remove_some();

 private:
  [[nodiscard]] result<bool> remove_one() XIP_REQUIRES(inode_.i_data_sem);

  step_handle& h_;
  ext4_inode_info& inode_;
  const lblk_t first_;
  std::uint64_t end_;
};

}  // namespace xip::ext4lite
