// Attributes between the files of this room. Linux: fs/attr.c, fs/inode.c, lib/errseq.c.
#pragma once

#include <atomic>
#include <cstdint>

#include <xip/base/result.h>
#include <xip/vfs/inode.h>
#include <xip/vfs/ops.h>

namespace xip::vfs {

struct mount;

[[nodiscard]] timespec64 timestamp_truncate(timespec64 t, const super_block& sb) noexcept;
// Whether a read of I at this moment would change its atime, as the mount options want it. Linux: atime_needs_update.
[[nodiscard]] bool atime_needs_update(const inode& i) noexcept;
// A read of I happened: its atime, as the mount options want it. No lock held.
void touch_atime(inode& i) noexcept;
// A set-group-ID that is a privilege, or that the caller could not set. Linux: setattr_should_drop_sgid.
[[nodiscard]] bool should_drop_sgid(const inode& i) noexcept;
// The mode that a write by somebody without capabilities leaves: no set-user-ID, no effective set-group-ID.
[[nodiscard]] std::uint32_t mode_without_privileges(const inode& i) noexcept;

// Fills in the times and calls the setattr hook, which checks and completes ATTR under its lock (setattr_prepare): its errors. EPERM: it has none.
// The caller has write access to the mount. Linux: notify_change.
[[nodiscard]] result<> notify_change(inode& i, iattr attr);
// Linux: do_truncate. TIMES: attr_mtime | attr_ctime where the caller wants them even if the size stays.
[[nodiscard]] result<> truncate_inode(inode& i, loff_t size, std::uint32_t times);

// What a newly opened file need not report; and what one must report now (an errno, or 0).
[[nodiscard]] std::uint32_t errseq_sample(const address_space& mapping) noexcept;
[[nodiscard]] int errseq_check_and_advance(address_space& mapping, std::atomic<std::uint32_t>& since) noexcept;

}  // namespace xip::vfs
