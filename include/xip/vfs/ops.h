// The tables through which the VFS calls a file system, with Linux's member names. Linux: include/linux/fs.h,
// Documentation/filesystems/vfs.rst. A null member means that the file system cannot do it; the errno then is Linux's own.
//
// Who holds what when a hook is called:
//   lookup, iterate_shared                 the directory's i_rwsem, shared at least (taken by the VFS)
//   create, mkdir, mknod, symlink, tmpfile the directory's i_rwsem exclusive
//   unlink, rmdir                          the directory's i_rwsem exclusive (subclass parent), then the victim's
//   link                                   the directory's i_rwsem exclusive, then the source's
//   rename                                 s_vfs_rename_mutex if directories differ, both directories, then the two inodes
//   setxattr, set_acl                      the inode's i_rwsem exclusive
//   getxattr, listxattr, get_inode_acl     any or no i_rwsem
//   everything on a file's contents        nothing: read_iter, write_iter, fallocate, setattr, fsync, llseek take their own
#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <xip/base/result.h>
#include <xip/base/units.h>
#include <xip/vfs/file.h>
#include <xip/vfs/inode.h>
#include <xip/vfs/iov_iter.h>
#include <xip/vfs/posix_acl.h>
#include <xip/vfs/super_block.h>

namespace xip::vfs {

// iattr.ia_valid
inline constexpr std::uint32_t attr_mode = 1u << 0;
inline constexpr std::uint32_t attr_uid = 1u << 1;
inline constexpr std::uint32_t attr_gid = 1u << 2;
inline constexpr std::uint32_t attr_size = 1u << 3;
inline constexpr std::uint32_t attr_atime = 1u << 4;
inline constexpr std::uint32_t attr_mtime = 1u << 5;
inline constexpr std::uint32_t attr_ctime = 1u << 6;
inline constexpr std::uint32_t attr_times_set = 1u << 7;  // these times, not now: Linux's ATTR_ATIME_SET and ATTR_MTIME_SET
// Take away set-user-ID; and set-group-ID, unless it stands for something else (a lock) and the caller is in the group.
inline constexpr std::uint32_t attr_kill_suid = 1u << 11;
inline constexpr std::uint32_t attr_kill_sgid = 1u << 12;
inline constexpr std::uint32_t attr_kill_priv = 1u << 14;  // take away security.capability
inline constexpr std::uint32_t attr_touch = 1u << 17;      // both times become now: whoever may write may do that

struct iattr {
  std::uint32_t ia_valid = 0;
  std::uint32_t ia_mode = 0;
  std::uint32_t ia_uid = 0;
  std::uint32_t ia_gid = 0;
  loff_t ia_size = 0;
  timespec64 ia_atime, ia_mtime, ia_ctime;
};

// What stat and statx say. Blocks are in 512-byte units.
struct kstat {
  std::uint64_t dev = 0, ino = 0, rdev = 0;
  std::uint32_t mode = 0, nlink = 0, uid = 0, gid = 0;
  loff_t size = 0;
  std::uint32_t blksize = 0;
  std::uint64_t blocks = 0;
  timespec64 atime, mtime, ctime, btime;
  bool has_btime = false;
  std::uint64_t attributes = 0;       // STATX_ATTR_ bits
  std::uint64_t attributes_mask = 0;  // which of them are known here
};

// Flags that a file carries on the disk, in both of the forms that Linux knows: lsattr's FS_*_FL, and FS_XFLAG_*. Linux: struct fileattr.
struct fileattr {
  std::uint32_t flags = 0;
  std::uint32_t fsx_xflags = 0;
  std::uint32_t fsx_projid = 0;
  bool flags_valid = false;  // for fileattr_set: these are the ones that the caller gave
  bool fsx_valid = false;
};

struct kstatfs {
  std::uint64_t type = 0, bsize = 0, blocks = 0, bfree = 0, bavail = 0, files = 0, ffree = 0, namelen = 0, frsize = 0, flags = 0;
  std::uint64_t fsid = 0;
  // What Linux keeps to itself, so that a call can be refused before it makes a file.
  loff_t maxbytes = 0;        // of a new file
  bool preallocates = false;  // fallocate works on a new file
};

// Receives the entries of a directory. POS is the cookie of the next entry when emit returned true.
struct dir_context {
  loff_t pos = 0;
  // False: no room, stop before this entry. TYPE is a DT_ value.
  bool (*actor)(dir_context& ctx, std::string_view name, loff_t pos, ino_t ino, unsigned type) = nullptr;
  void* private_data = nullptr;
};

// Where a stretch of a file lies (fiemap, `xip map`).
struct fiemap_extent {
  loff_t logical = 0;          // byte in the file
  std::uint64_t physical = 0;  // byte on the device; 0 for a hole
  std::uint64_t length = 0;    // bytes
  std::uint32_t flags = 0;     // FIEMAP_EXTENT_ bits
};
struct fiemap_context {
  // False: no room, stop.
  bool (*fill)(fiemap_context& ctx, const fiemap_extent& e) = nullptr;
  void* private_data = nullptr;
};

// The new value of an attribute; none: it is to go. VALUE.data() of an empty value may be null.
using xattr_value = std::optional<std::span<const std::byte>>;

// Takes what splice_read brings, all of it at once. Linux: struct splice_desc, in its place.
struct splice_sink {
  // PIECES are BYTES bytes of device memory, or zeros, which hold still and may be read until it returns; they are not to be written. The file's i_rwsem
  // is held shared: the sink calls nothing of this file system.
  result<> (*take)(splice_sink& sink, std::span<const iovec> pieces, std::size_t bytes) = nullptr;
};

struct inode_operations {
  // The named inode, counted; null when there is no such name.
  result<inode*> (*lookup)(inode& dir, std::string_view name) = nullptr;
  // These answer with the new inode, counted and unlocked (unlock_new_inode); the VFS puts it behind the dentry. MODE has its type bits.
  result<inode*> (*create)(inode& dir, std::string_view name, std::uint32_t mode) = nullptr;
  result<inode*> (*mkdir)(inode& dir, std::string_view name, std::uint32_t mode) = nullptr;
  result<inode*> (*mknod)(inode& dir, std::string_view name, std::uint32_t mode, std::uint64_t rdev) = nullptr;
  result<inode*> (*symlink)(inode& dir, std::string_view name, std::string_view target) = nullptr;
  result<inode*> (*tmpfile)(inode& dir, std::uint32_t mode) = nullptr;
  // The new name's reference is taken by the VFS.
  result<> (*link)(inode& source, inode& dir, std::string_view name) = nullptr;
  result<> (*unlink)(inode& dir, std::string_view name, inode& victim) = nullptr;
  result<> (*rmdir)(inode& dir, std::string_view name, inode& victim) = nullptr;
  result<> (*rename)(inode& old_dir, std::string_view old_name, inode& source, inode& new_dir, std::string_view new_name, inode* target,
                     unsigned flags) = nullptr;
  // The target of a symlink, at most PATH_MAX - 1 bytes.
  result<std::pmr::string> (*get_link)(inode& i) = nullptr;
  // The hook takes i_rwsem exclusive itself and then calls setattr_prepare, before it changes anything. Size: Linux's ext4_setattr order.
  result<> (*setattr)(inode& i, iattr attr) = nullptr;
  result<> (*getattr)(const inode& i, kstat& stat) = nullptr;  // null: generic_fillattr alone
  // Times were changed in memory: make them go to disk with the inode. Under whatever lock the caller of file_modified holds.
  result<> (*update_time)(inode& i) = nullptr;
  result<> (*fiemap)(inode& i, fiemap_context& ctx, loff_t start, std::uint64_t length) = nullptr;
  result<> (*fileattr_get)(inode& i, fileattr& out) = nullptr;
  // The hook takes i_rwsem exclusive itself and then calls fileattr_set_prepare. What FA does not change is left.
  result<> (*fileattr_set)(inode& i, fileattr fa) = nullptr;
  // Extended attributes. NAME is whole, prefix and all ("user.colour"), at most 255 bytes, never an access control list's; the caller may do it.
  // A prefix that means nothing here is EOPNOTSUPP, nothing behind one that does is EINVAL.
  // The size of the value, which is copied to TO if it fits; TO empty: only the size. ENODATA, ERANGE.
  result<std::size_t> (*getxattr)(const inode& i, std::string_view name, std::span<std::byte> to) = nullptr;
  // FLAGS: XATTR_CREATE (EEXIST), XATTR_REPLACE (ENODATA). Removing what is not there is ENODATA with XATTR_REPLACE only. ENOSPC.
  result<> (*setxattr)(inode& i, std::string_view name, xattr_value value, int flags) = nullptr;
  // Appends each name and a zero byte, access control lists' too; whether the caller may see trusted ones is the VFS's to know.
  result<> (*listxattr)(const inode& i, std::pmr::string& names) = nullptr;
  // For get_inode_acl, which remembers the answer; none: there is none.
  result<acl_ref> (*get_inode_acl)(const inode& i, acl_type type) = nullptr;
  // Makes ACL (none: no list) the list of I: an access list brings its mode (posix_acl_update_mode). The caller may, and the list is valid.
  result<> (*set_acl)(inode& i, acl_type type, acl_ref acl) = nullptr;
};

struct file_operations {
  result<loff_t> (*llseek)(file& f, loff_t offset,
                           int whence) = nullptr;  // SEEK_DATA, SEEK_HOLE, and of a directory SEEK_END; the VFS does the others
  result<std::size_t> (*read_iter)(kiocb& iocb, iov_iter& to) = nullptr;
  result<std::size_t> (*write_iter)(kiocb& iocb, iov_iter& from) = nullptr;
  // Up to BYTES bytes from ki_pos on to SINK, without a copy: fewer only at the end of the file. What was taken (0 at the end: the sink is called all the
  // same). EOPNOTSUPP: these bytes cannot be had so, and read_iter can bring them.
  result<std::size_t> (*splice_read)(kiocb& iocb, std::size_t bytes, splice_sink& sink) = nullptr;
  result<> (*iterate_shared)(file& f, dir_context& ctx) = nullptr;
  result<> (*open)(inode& i, file& f) = nullptr;
  void (*release)(inode& i, file& f) noexcept = nullptr;
  // DATASYNC: only what is needed to read the data back. [START, END) in bytes.
  result<> (*fsync)(file& f, loff_t start, loff_t end, bool datasync) = nullptr;
  result<> (*fallocate)(file& f, int mode, loff_t offset, loff_t length) = nullptr;
  // A new mapping of F: gives AREA its vm_ops, or refuses (ENODEV: there is nothing to map). mmap_lock held exclusive. EOPNOTSUPP: no MAP_SYNC.
  result<> (*mmap)(file& f, mm::vm_area_struct& area) = nullptr;
};

struct super_operations {
  // A new, empty inode of the file system's own type from the super block's memory; ENOMEM.
  result<inode*> (*alloc_inode)(super_block& sb, ino_t number) = nullptr;
  void (*free_inode)(inode* i) noexcept = nullptr;
  // The last reference is gone. nlink 0: free its blocks and its number. Runs with no lock held.
  void (*evict_inode)(inode& i) noexcept = nullptr;
  result<> (*sync_fs)(super_block& sb, bool wait) = nullptr;
  result<> (*statfs)(super_block& sb, kstatfs& out) = nullptr;
  // Flags and options of a remount; read-only <-> read-write.
  result<> (*remount)(super_block& sb, std::uint32_t flags, std::string_view options, std::string& message) = nullptr;
  // The file-system specific options as /proc/mounts shows them, each with a comma before it.
  void (*show_options)(const super_block& sb, std::string& out) = nullptr;
  // The VFS found out that the medium contradicts itself: WHAT is wrong with I. Null: it is only logged. I_rwsem may be held. bad_alloc.
  void (*corrupted)(const inode& i, std::string_view what) = nullptr;
  // Where LBLK of I lies, if it is written and that is known without a lock; for checkers. Null: nothing is known.
  std::optional<pblk_t> (*written_block)(const inode& i, lblk_t lblk) noexcept = nullptr;
};

void generic_fillattr(const inode& i, kstat& stat) noexcept;

// Both forms of the flags that both have, filled in from one of them. Linux: fileattr_fill_flags, fileattr_fill_xflags.
void fileattr_fill_flags(fileattr& fa, std::uint32_t flags) noexcept;
void fileattr_fill_xflags(fileattr& fa, std::uint32_t xflags) noexcept;
// For fileattr_set, i_rwsem held exclusive: may the caller change OLD into FA (EPERM), and does that make sense (EINVAL)? Completes FA from OLD.
// Linux: fileattr_set_prepare.
[[nodiscard]] result<> fileattr_set_prepare(const inode& i, const fileattr& old, fileattr& fa) noexcept;

// For create and its kin: type, permission bits, owner and group of the new inode I; a set-gid DIR hands on its group, and to directories the bit.
// Linux: inode_init_owner.
void inode_init_owner(inode& i, const inode& dir, std::uint32_t mode) noexcept;
// For setattr, i_rwsem held exclusive, no handle open: may the caller change what ATTR says (EPERM, EFBIG)? Completes ATTR: a new size brings
// mtime and ctime, set-id bits to take away become a new mode. Removes a security.capability that is to go. Linux: setattr_prepare, and what
// its notify_change does under the lock.
[[nodiscard]] result<> setattr_prepare(inode& i, iattr& attr);
// For setattr, i_rwsem held exclusive: mode, owner, group and times as ATTR says; not the size. Linux: setattr_copy.
void setattr_copy(inode& i, const iattr& attr) noexcept;
// May the file grow to SIZE (RLIMIT_FSIZE of the caller, s_maxbytes)? EFBIG. Linux: inode_newsize_ok.
[[nodiscard]] result<> inode_newsize_ok(const inode& i, loff_t size) noexcept;

}  // namespace xip::vfs
