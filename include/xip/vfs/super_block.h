// super_block, file_system_type and what a mount is given. Linux: include/linux/fs.h, fs/super.c, fs/fs_context.c.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>

#include <xip/base/result.h>
#include <xip/base/units.h>
#include <xip/dev/device.h>
#include <xip/locks/mutex.h>
#include <xip/locks/rw_semaphore.h>
#include <xip/locks/spin_lock.h>
#include <xip/locks/wait_queue.h>
#include <xip/vfs/inode.h>

namespace xip::vfs {

class kernel;
struct dentry;
struct file_system_type;
struct super_operations;

inline constexpr std::uint32_t sb_rdonly = 1u << 0;
inline constexpr std::uint32_t sb_nosuid = 1u << 1;
inline constexpr std::uint32_t sb_nodev = 1u << 2;
inline constexpr std::uint32_t sb_noexec = 1u << 3;
inline constexpr std::uint32_t sb_synchronous = 1u << 4;
inline constexpr std::uint32_t sb_dirsync = 1u << 7;
inline constexpr std::uint32_t sb_noatime = 1u << 10;
inline constexpr std::uint32_t sb_nodiratime = 1u << 11;
inline constexpr std::uint32_t sb_posixacl = 1u << 16;  // access control lists are looked at: set by the file system
inline constexpr std::uint32_t sb_relatime = 1u << 21;  // the default unless noatime or strictatime is given

// One mounted file system. A file system embeds it as the base of its own state.
struct super_block {
  super_block(kernel& k, dev::device& d) noexcept : s_kernel{k}, s_bdev{d}, s_id{d.name()} {}
  virtual ~super_block();
  super_block(const super_block&) = delete;
  super_block& operator=(const super_block&) = delete;

  kernel& s_kernel;
  dev::device& s_bdev;
  const file_system_type* s_type = nullptr;
  const super_operations* s_op = nullptr;
  std::atomic<std::uint32_t> s_flags{0};
  unsigned s_blocksize_bits = 12;
  std::uint32_t s_blocksize = 4096;                             // bytes
  loff_t s_maxbytes = 0;                                        // a file's largest size
  std::uint32_t s_time_gran = 1;                                // nanoseconds
  std::int64_t s_time_min = INT64_MIN, s_time_max = INT64_MAX;  // seconds that an inode can keep: others become the nearest
  std::uint32_t s_dev = 0;                                      // st_dev, given by the kernel instance
  inode* s_root = nullptr;  // set by mount; the VFS takes over its one reference and has dropped it when kill_sb runs
  std::string_view s_id;    // the device's name, for messages

  rw_semaphore<s_umount_class> s_umount;
  mutex<s_vfs_rename_mutex_class> s_vfs_rename_mutex;
  // Odd while something moves from one directory into another; changed under s_vfs_rename_mutex. A walk that may not leave a directory looks whether
  // it was moved meanwhile. Linux: rename_lock.
  std::atomic<std::uint32_t> s_rename_sequence{0};

  [[nodiscard]] bool is_rdonly() const noexcept { return (s_flags.load(std::memory_order_relaxed) & sb_rdonly) != 0; }
  [[nodiscard]] std::pmr::memory_resource& memory() const noexcept;

  // Pages of its files that are in use by others than page tables (xip/mm), and who waits until one is not.
  spin_lock<s_pins_class> s_pins_lock;
  mm::page_pin* s_pins XIP_GUARDED_BY(s_pins_lock) = nullptr;
  wait_queue s_unpinned;
  // How many of its inodes have pages that were stored to through a mapping and are not durable yet.
  std::atomic<std::uint32_t> s_dirty_mappings{0};

  struct inode_cache;
  inode_cache* s_inodes = nullptr;  // made by the first iget or insert (a mount: one thread), destroyed with the super block
};

// What a file system's mount is given. Linux: struct fs_context.
struct fs_context {
  kernel& owner;
  dev::device& source;
  std::uint32_t sb_flags = 0;
  std::string_view options;  // comma-separated, file-system specific ones only; an unknown one is EINVAL and named in the message
  std::string message;       // why it failed, for a person: set by errorf

  // Says why, and hands the errno on: return fc.errorf(EINVAL, "...").
  [[nodiscard]] std::unexpected<error> errorf(int number, std::string text) {
    message = std::move(text);
    return fail(number);
  }
};

struct file_system_type {
  const char* name;
  // Reads the super block, returns the mounted file system with s_root set. Destroys what it made when it fails.
  result<super_block*> (*mount)(fs_context& fc);
  // Last step of an unmount: writes all back, marks it clean, frees SB. The error is what umount returns.
  result<> (*kill_sb)(super_block* sb);
};

}  // namespace xip::vfs
