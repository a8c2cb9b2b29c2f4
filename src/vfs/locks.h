// Locks on files, between this room's files. Linux: fs/locks.c.
#pragma once

#include <xip/vfs/inode.h>

namespace xip::vfs {

struct file;
struct files_struct;

// The table OWNER closes a descriptor of F: all its fcntl locks on that file go, whichever descriptor they were taken by. Linux: locks_remove_posix.
void locks_remove_posix(file& f, const files_struct& owner) noexcept;
// The open file F ends: its flock and its F_OFD_ locks go. Linux: locks_remove_file.
void locks_remove_file(file& f) noexcept;
// The inode leaves memory.
void locks_free_context(inode& i) noexcept;

// How many sleep until a lock on I is given back.
[[nodiscard]] unsigned lock_waiters(const inode& i) noexcept;

// A descriptor of the table OWNER is closed; F's reference is dropped. Linux: filp_close.
void filp_close(file& f, const files_struct& owner) noexcept;

}  // namespace xip::vfs
