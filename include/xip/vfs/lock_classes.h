// The lock classes of the VFS, in their order, outer first. Linux: Documentation/filesystems/locking.rst, mm/filemap.c.
#pragma once

#include <xip/locks/lock_class.h>

namespace xip::vfs {

inline constexpr lock_class namespace_sem_class{"namespace_sem"};            // mount, umount, remount exclude each other and sync
inline constexpr lock_class s_umount_class{"s_umount"};                      // mount, umount, remount, sync of one super_block
inline constexpr lock_class s_vfs_rename_mutex_class{"s_vfs_rename_mutex"};  // directories of one super_block do not move
inline constexpr lock_class f_pos_lock_class{"f_pos_lock"};                  // the position of one open file
inline constexpr lock_class i_rwsem_class{"i_rwsem"};                  // directories: names; files: contents and size. parent before child
inline constexpr lock_class mmap_lock_class{"mmap_lock"};              // the areas of one address space; shared: a fault in them
inline constexpr lock_class invalidate_lock_class{"invalidate_lock"};  // faults (shared) against truncate and punch (exclusive)
inline constexpr lock_class i_mmap_rwsem_class{"i_mmap_rwsem"};
inline constexpr lock_class s_pins_class{"s_pins", lock_kind::spinning};  // which pages of files others than page tables hold
inline constexpr lock_class d_lock_class{"d_lock"};                       // the cached children of one directory
inline constexpr lock_class s_inodes_class{"s_inodes"};                   // the inode cache of one super_block
inline constexpr lock_class mount_lock_class{"mount_lock"};               // what is mounted where
inline constexpr lock_class file_lock_class{"file_lock"};                 // the descriptor table of one files_struct
inline constexpr lock_class flc_lock_class{"flc_lock"};                   // flock and fcntl locks on one inode
inline constexpr lock_class blocked_lock_class{"blocked_lock"};           // who waits for whose fcntl lock
inline constexpr lock_class i_lock_class{"i_lock", lock_kind::spinning};  // times and small state of one inode

}  // namespace xip::vfs
