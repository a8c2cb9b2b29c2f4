// The handle of a change that is made in steps: as many of them as may be go into one transaction.
#pragma once

#include <cstdint>
#include <optional>

#include <xip/base/result.h>

#include "fs_ext4lite/journal.h"

namespace xip::ext4lite {

class step_handle {
 public:
  // CREDITS are those of one step.
  step_handle(ext4_sb_info& sb, std::uint32_t credits) noexcept : sb_{sb}, credits_{credits} {}

  // A fresh one. What was changed so far may be durable from here on without the rest. As journal_start: never under i_data_sem.
  [[nodiscard]] result<> restart() {
    h_.reset();
    h_.emplace(XIP_TRY(journal_start(sb_, credits_)));
    steps_ = 0;
    return {};
  }
  // One more step in the same transaction, of the MOST that others' commits should have to wait for. False: restart.
  [[nodiscard]] bool another_step(std::uint32_t most) noexcept {
    if (steps_++ == 0) return true;
    const std::uint32_t left = h_->credits_left();
    return steps_ <= most && (left >= credits_ || h_->extend(credits_ - left));
  }
  void stop() noexcept { h_.reset(); }

  [[nodiscard]] handle& operator*() noexcept { return *h_; }

 private:
  ext4_sb_info& sb_;
  const std::uint32_t credits_;
  std::uint32_t steps_ = 0;
  std::optional<handle> h_;
};

}  // namespace xip::ext4lite
