// An open file and one request on it. Linux: struct file, struct kiocb, include/linux/fs.h.
#pragma once

#include <atomic>
#include <cstdint>

#include <xip/base/annotations.h>
#include <xip/base/units.h>
#include <xip/locks/mutex.h>
#include <xip/vfs/inode.h>

namespace xip::vfs {

struct dentry;
struct mount;
class iov_iter;

// f_mode
inline constexpr std::uint32_t fmode_read = 1u << 0;
inline constexpr std::uint32_t fmode_write = 1u << 1;
inline constexpr std::uint32_t fmode_lseek = 1u << 2;
inline constexpr std::uint32_t fmode_path = 1u << 3;    // O_PATH: a place, not an open file
inline constexpr std::uint32_t fmode_writer = 1u << 4;  // counted in the mount's writers

// A place in the namespace; counted by who stores it.
struct path {
  mount* mnt = nullptr;
  dentry* dent = nullptr;
};

struct file {
  const file_operations* f_op = nullptr;
  inode* f_inode = nullptr;
  path f_path;
  std::uint32_t f_mode = 0;
  std::atomic<std::uint32_t> f_flags{0};  // O_ flags
  std::atomic<std::uint32_t> f_count{1};
  mutex<f_pos_lock_class> f_pos_lock;
  loff_t f_pos XIP_GUARDED_BY(f_pos_lock) = 0;
  std::atomic<std::uint32_t> f_iocb_flags{0};  // iocb_ flags that follow from f_flags
  std::atomic<std::uint32_t> f_wb_err{0};      // errseq sample: what this file has already reported
  std::uint32_t f_uid = 0, f_gid = 0;          // who opened it
  void* private_data = nullptr;                // the file system's, freed by its release
};

// ki_flags
inline constexpr std::uint32_t iocb_append = 1u << 1;
inline constexpr std::uint32_t iocb_direct = 1u << 2;
inline constexpr std::uint32_t iocb_dsync = 1u << 3;
inline constexpr std::uint32_t iocb_sync = 1u << 4;  // with dsync: O_SYNC
inline constexpr std::uint32_t iocb_nowait = 1u << 7;

struct kiocb {
  file& ki_filp;
  loff_t ki_pos;
  std::uint32_t ki_flags;
  loff_t ki_fsize_limit;  // RLIMIT_FSIZE of the caller, in bytes
};

// Each change of INODE is to be durable when its call returns, for the file's or the mount's sake. Linux: IS_SYNC.
[[nodiscard]] bool is_sync(const inode& i) noexcept;
// After a write with O_SYNC, O_DSYNC or RWF_DSYNC, with no lock held: make [POS, POS+BYTES) durable; BYTES back, or the error.
[[nodiscard]] result<std::size_t> generic_write_sync(kiocb& iocb, loff_t pos, std::size_t bytes);
// Linux's generic_write_checks, under i_rwsem: O_APPEND position, RLIMIT_FSIZE and s_maxbytes (EFBIG), cuts the iterator. Bytes to write; 0: nothing.
[[nodiscard]] result<std::size_t> generic_write_checks(kiocb& iocb, iov_iter& from);
// Linux's file_modified, under i_rwsem exclusive: clears set-id bits as the caller's credentials demand, updates mtime and ctime.
[[nodiscard]] result<> file_modified(file& f);
// The same for a write: EAGAIN with iocb_nowait where capabilities would have to be removed, or looked for on the medium. Linux: kiocb_modified.
[[nodiscard]] result<> kiocb_modified(kiocb& iocb);
// A store through a mapping: mtime and ctime become now, set-id bits stay; with no lock of the file held. Linux: file_update_time.
[[nodiscard]] result<> file_update_time(file& f);
// What fsync does, for bytes [START, END). Reports errors of the background once an open file.
[[nodiscard]] result<> vfs_fsync_range(file& f, loff_t start, loff_t end, bool datasync);
// Linux's file_accessed: relatime rules; call with no lock held.
void file_accessed(file& f) noexcept;

}  // namespace xip::vfs
