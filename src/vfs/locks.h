// Locks on files, between this room's files. Linux: fs/locks.c.
#pragma once

#include <xip/vfs/file.h>
#include <xip/vfs/inode.h>

namespace xip::vfs {

struct files_struct;
void fput(file& f) noexcept;

// The table OWNER closes a descriptor of F: all its fcntl locks on that file go, whichever descriptor they were taken by. Linux: locks_remove_posix.
void locks_remove_posix(file& f, const files_struct& owner) noexcept;
// The open file F ends: its flock and its F_OFD_ locks go. Linux: locks_remove_file.
void locks_remove_file(file& f) noexcept;
// Somebody has locked something of F's inode since it was brought into memory: one of the two above may have something to do.
[[nodiscard]] inline bool may_be_locked(const file& f) noexcept { return f.f_inode->i_flctx.load(std::memory_order_acquire) != nullptr; }
// The inode leaves memory.
void locks_free_context(inode& i) noexcept;

// How many sleep until a lock on I is given back.
[[nodiscard]] unsigned lock_waiters(const inode& i) noexcept;

// A descriptor of the table OWNER is closed; F's reference is dropped. Linux: filp_close.
inline void filp_close(file& f, const files_struct& owner) noexcept {
  if ((f.f_mode & fmode_path) == 0 && may_be_locked(f)) [[unlikely]]
    locks_remove_posix(f, owner);
  fput(f);
}

}  // namespace xip::vfs
