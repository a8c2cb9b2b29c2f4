// ext4lite's own state and the calls between its files. Linux: fs/ext4/ext4.h.
//
// Lock classes of this room, inside i_rwsem and invalidate_lock, outer first: jbd2_handle (an open handle, shared; a commit, exclusive),
// i_data_sem or xattr_sem, then s_orphan_lock, s_xattr_lock, s_bitmap_lock, and the spin locks: group_lock, i_raw_lock, extent cache (with a sequence counter).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <xip/base/annotations.h>
#include <xip/base/endian.h>
#include <xip/base/result.h>
#include <xip/base/units.h>
#include <xip/dev/buffer_cache.h>
#include <xip/locks/mutex.h>
#include <xip/locks/pseudo_lock.h>
#include <xip/locks/rw_semaphore.h>
#include <xip/locks/spin_lock.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/ops.h>
#include <xip/xip/extent_map.h>

#include "fs_ext4lite/block_window.h"
#include "fs_ext4lite/extent_cache.h"
#include "fs_ext4lite/format.h"
#include "fs_ext4lite/orphan_file.h"
#include "fs_ext4lite/xattr_index.h"
#include "jbd2/handle_lock.h"

namespace xip::jbd2 {
class journal;
struct journal_operations;
}  // namespace xip::jbd2

namespace xip::ext4lite {

inline constexpr lock_class i_data_sem_class{"i_data_sem"};
inline constexpr lock_class xattr_sem_class{"xattr_sem"};
inline constexpr lock_class s_orphan_lock_class{"s_orphan_lock"};
inline constexpr lock_class s_xattr_lock_class{"s_xattr_lock"};
inline constexpr lock_class s_bitmap_lock_class{"s_bitmap_lock"};
inline constexpr lock_class group_lock_class{"group_lock", lock_kind::spinning};
inline constexpr lock_class i_raw_lock_class{"i_raw_lock", lock_kind::spinning};
inline constexpr lock_class s_error_lock_class{"s_error_lock"};
inline constexpr lock_class s_first_change_lock_class{"s_first_change_lock"};
#if XIP_EXHIBITS
inline constexpr lock_class xip_sparse_mutex_class{"xip_sparse_mutex"};
#endif

enum class dax_mode : std::uint8_t { inode, always, never };
enum class errors_mode : std::uint8_t { continue_, remount_ro, panic };
// What a write does with a block that is new or unwritten: it makes it written when its bytes are there, or zeroes it and makes it written before they come.
enum class zero_mode : std::uint8_t { convert, alloc };

struct mount_options {
  dax_mode dax = dax_mode::inode;
  std::optional<errors_mode> errors;  // none: what the super block says
  zero_mode zero = zero_mode::convert;
  bool noload = false;
  bool user_xattr = true;
  bool acl = true;
  std::optional<bool> grpid;  // a new file's group is its directory's; none: what the super block says
  std::uint32_t commit = 0;   // seconds between two commits at the most; 0: the default
};

inline constexpr std::uint32_t default_commit_seconds = 5;  // Linux: JBD2_DEFAULT_MAX_COMMIT_AGE

inline constexpr std::uint32_t no_group = ~0u;

// One block group in memory. The atomic members mirror the descriptor, so that a search can pass over a group without its lock.
struct group_info {
  spin_lock<group_lock_class> lock;           // contents of the group's bitmaps and descriptor, and what is guarded below
  std::atomic<std::uint32_t> free_blocks{0};  // pending ones too
  std::atomic<std::uint32_t> free_inodes{0};
  std::atomic<std::uint32_t> used_dirs{0};
  std::atomic<std::uint32_t> longest_run{~0u};  // an upper bound of the longest run of blocks that may be allocated
  std::atomic<bool> block_bitmap_checked{false};
  std::atomic<bool> inode_bitmap_checked{false};
  std::atomic<bool> corrupt{false};          // allocate nothing here
  std::atomic<bool> checksums_stale{false};  // bitmap or descriptor changed since the last commit: its checksums are filled in there
  group_info* next_stale = nullptr;          // in s_stale_groups: written by who puts it there, under lock, read by the commit
  group_t number;
  // Two maps of the group, one behind the other, one bit a block; empty: neither is there.
  std::pmr::vector<std::uint64_t> maps XIP_GUARDED_BY(lock);
  block_windows windows XIP_GUARDED_BY(lock);
  std::atomic<std::uint32_t> pending_count{0};  // blocks freed, not yet durable
  std::uint32_t committing_count XIP_GUARDED_BY(lock) = 0;
  std::atomic<bool> has_maps{false};
  group_info(group_t n, std::pmr::memory_resource& m) : number{n}, maps{&m} {}

  // Clear in the bitmap, but not to be handed out: blocks freed by metadata that is not durable yet, and windows.
  [[nodiscard]] std::span<std::uint64_t> withheld() noexcept XIP_REQUIRES(lock) { return std::span{maps}.first(maps.size() / 2); }
  // Of these, what the transaction freed that is being committed: committing_count of the pending_count blocks.
  [[nodiscard]] std::span<std::uint64_t> committing() noexcept XIP_REQUIRES(lock) { return std::span{maps}.last(maps.size() / 2); }
};

// COUNT blocks from FIRST that are the file system's own.
struct system_zone {
  pblk_t first;
  std::uint64_t count;
  ino_t owner{};  // whose they are; 0: nobody's
};

// What corrupted() remembers until the super block is written next.
struct error_record {
  std::uint32_t count = 0;  // since the last write
  std::int64_t first_time = 0, last_time = 0;
  std::uint32_t first_ino = 0, last_ino = 0, first_line = 0, last_line = 0;
  char first_func[32] = {}, last_func[32] = {};
};

struct ext4_sb_info : vfs::super_block {
  ext4_sb_info(vfs::kernel& k, dev::device& d);
  ~ext4_sb_info() override;

  mount_options s_options;           // as shown; guarded by s_umount
  dax_mode s_dax = dax_mode::inode;  // constant after mount: a remount cannot change it
  std::atomic<errors_mode> s_errors{errors_mode::continue_};
  std::uint16_t s_errors_on_disk = 0;  // as found at mount
  std::optional<dev::buffer_cache> s_buffers;
  dev::buffer_ref s_sbh;          // the buffer that holds the super block
  std::uint32_t s_sb_offset = 0;  // of the super block within it

  // Geometry, checked at mount, constant afterwards.
  std::uint32_t s_inode_size = 256;
  std::uint32_t s_want_extra_isize = 32;
  std::uint32_t s_blocks_per_group = 0;
  std::uint32_t s_stripe = 0;  // large pieces had better begin at multiples of so many blocks; 0: anywhere
  std::uint32_t s_inodes_per_group = 0;
  std::uint32_t s_itb_per_group = 0;  // inode table blocks a group
  std::uint32_t s_desc_size = 64;
  std::uint32_t s_desc_per_block = 0;
  std::uint32_t s_groups_count = 0;
  std::uint32_t s_gdb_count = 0;
  std::uint32_t s_flex_bits = 0;     // log2 of groups per flex group
  std::uint32_t s_cluster_bits = 0;  // log2 of blocks per cluster: what a bit of a block bitmap stands for, read-only unless 0
  std::uint32_t s_first_meta_bg = 0;
  std::uint32_t s_reserved_gdt_blocks = 0;
  std::uint32_t s_backup_bgs[2] = {};  // with sparse_super2
  std::uint64_t s_blocks_count = 0;
  std::uint64_t s_r_blocks_count = 0;
  std::uint32_t s_inodes_count = 0;
  std::uint32_t s_first_ino = 11;
  std::uint32_t s_orphan_file_inum = 0;  // with orphan_file
  bool s_journal_protected = false;      // its blocks are among s_system_zones
  pblk_t s_first_data_block;
  std::uint32_t s_feature_compat = 0, s_feature_incompat = 0, s_feature_ro_compat = 0;
  std::uint32_t s_csum_seed = 0;  // metadata_csum
  std::uint8_t s_uuid[16] = {};
  std::uint32_t s_hash_seed[4] = {};
  std::uint8_t s_def_hash_version = 0;
  bool s_hash_unsigned = false;
  bool s_has_journal = false;
  bool s_grpid_on_disk = false;
  std::atomic<bool> s_grpid{false};          // new files belong to their directory's group
  std::atomic<bool> s_zero_at_alloc{false};  // zero=alloc
  std::atomic<bool> s_user_xattr{true};      // attributes of users' own making are looked at

  std::pmr::vector<dev::buffer_ref> s_group_desc;  // all descriptor blocks
  std::pmr::vector<group_info*> s_groups;
  std::pmr::vector<system_zone> s_system_zones;  // ascending, apart from each other
  std::uint64_t s_overhead = 0;                  // blocks that statfs leaves out
  std::uint64_t s_resv_blocks = 0;               // kept for extent tree blocks that a conversion needs (Linux: s_resv_clusters)
  std::uint32_t s_resuid = 0, s_resgid = 0;      // who may use the reserve, besides root
  std::uint16_t s_mount_state = 0;               // s_state as it was found

  // Free counts of the whole file system; the descriptors hold the truth per group.
  std::atomic<std::int64_t> s_freeblocks{0};
  std::atomic<std::int64_t> s_freeinodes{0};
  std::atomic<std::int64_t> s_dirs{0};
  std::atomic<std::int64_t> s_pending_blocks{0};  // freed, not yet durable
  std::atomic<std::int32_t> s_windows{0};         // of all groups
  std::atomic<std::uint32_t> s_next_generation{1};

  mutex<s_orphan_lock_class> s_orphan_lock;                                        // the orphan list and file, in memory and on disk
  struct ext4_inode_info* s_orphan_first XIP_GUARDED_BY(s_orphan_lock) = nullptr;  // in the order of the on-disk chain
  orphan_file s_orphan_file XIP_GUARDED_BY(s_orphan_lock);                         // of a mount for writing

  // An open handle holds it shared, a commit exclusive (journal.h).
  jbd2::handle_lock s_handle_barrier;
  // Of a mount for writing of an image that has one; else changes go home at each commit.
  jbd2::journal* s_journal = nullptr;
  mutex<s_first_change_lock_class> s_first_change_lock;
  // The medium says that it is being changed: EXT4_VALID_FS has been cleared or, with a journal, needs_recovery set. Set under s_first_change_lock.
  std::atomic<bool> s_written{false};
  mutable std::atomic<bool> s_warned_of_i_blocks{false};
  std::int64_t s_changed_since = 0;  // when the journal began, in seconds; set with s_written
  std::atomic<bool> s_error_seen{false};
  std::atomic<int> s_evict_error{0};    // why the last inode that could not be deleted was not
  std::atomic<bool> s_shutdown{false};  // errors=panic, or a commit failed and the mount is read-only: every fsync fails with EIO
  std::atomic<std::uint64_t> s_commit_sequence{0};  // commits that are durable
  std::atomic<std::uint64_t> s_running_tid{1};      // of what is changed now, without a journal
  mutex<s_error_lock_class> s_error_lock;
  error_record s_error_record XIP_GUARDED_BY(s_error_lock);
  mutex<s_xattr_lock_class> s_xattr_lock;  // the share counts of attribute blocks
  xattr_index s_xattr_index XIP_GUARDED_BY(s_xattr_lock);
  mutex<s_bitmap_lock_class> s_bitmap_lock;  // a bitmap is checked, or made for an uninitialised group
#if XIP_EXHIBITS
  mutex<xip_sparse_mutex_class> xip_sparse_mutex;  // of exhibit_place::one_mutex_for_all_files
#endif
  std::atomic<group_info*> s_stale_groups{nullptr};

  [[nodiscard]] bool has_compat(std::uint32_t f) const noexcept { return (s_feature_compat & f) != 0; }
  [[nodiscard]] bool has_incompat(std::uint32_t f) const noexcept { return (s_feature_incompat & f) != 0; }
  [[nodiscard]] bool has_ro_compat(std::uint32_t f) const noexcept { return (s_feature_ro_compat & f) != 0; }
  [[nodiscard]] bool has_metadata_csum() const noexcept { return has_ro_compat(ro_compat_metadata_csum); }
  // Whether anything may be changed. EROFS: read-only, or made so by an error. EIO: shut down (errors=panic).
  [[nodiscard]] result<> may_change() const noexcept {
    if (is_rdonly()) [[unlikely]]
      return fail(EROFS);
    if (s_shutdown.load(std::memory_order_relaxed)) [[unlikely]]
      return fail(EIO);
    return {};
  }
  // What a sync of a read-only mount answers. EIO, EROFS: an error has made it so, with changes that never became durable, and nobody may be told that they are.
  [[nodiscard]] result<> sync_read_only() const noexcept {
    static_cast<void>(s_flags.load(std::memory_order_acquire));  // what has made it read-only was said before
    if (s_shutdown.load(std::memory_order_relaxed)) return fail(EIO);
    if (s_error_seen.load(std::memory_order_relaxed) && s_written.load(std::memory_order_acquire)) return fail(EROFS);
    return {};
  }
};

// Where the inode lies in its table block: s_inode_size bytes at OFFSET.
struct inode_slot {
  dev::buffer_ref buffer;
  std::uint32_t offset = 0;
};

struct ext4_inode_info : vfs::inode {
  ext4_inode_info(vfs::super_block& sb, ino_t number) noexcept : vfs::inode{sb, number} {}

  mutable rw_semaphore<i_data_sem_class> i_data_sem;  // the extent tree, i_disksize
  // i_block as it lies on disk (little endian): extent root, block map, or fast symlink.
  std::uint32_t i_data[15] XIP_GUARDED_BY(i_data_sem) = {};
  std::atomic<loff_t> i_disksize{0};                // the size on disk; changed under i_rwsem and a handle
  extent_cache i_es;                                // what is known of the tree
  std::atomic<std::uint8_t> i_depth{0};             // of the tree, as its root says; changed under i_data_sem exclusive
  std::atomic<std::uint32_t> i_flags_disk{0};       // EXT4_*_FL
  std::atomic<std::uint32_t> i_dtime{0};            // deleted at; on the orphan list's chain the next number, changed under s_orphan_lock
  spin_lock<i_raw_lock_class> i_raw_lock;           // the inode's slot in its table block
  std::atomic<std::uint64_t> i_file_acl{0};         // xattr block; changed under xattr_sem exclusive
  mutable rw_semaphore<xattr_sem_class> xattr_sem;  // attributes, in the slot and in the block
  std::uint16_t i_extra_isize = 0;
  std::uint32_t i_csum_seed = 0;
  std::uint32_t i_projid = 0;
  group_t i_block_group;
  std::atomic<std::uint32_t> i_window_group{no_group};  // where a window was kept for it last
  // The orphan list, under s_orphan_lock. Where it has a slot of the orphan file it is on no chain.
  ext4_inode_info* i_orphan_next = nullptr;
  ext4_inode_info* i_orphan_prev = nullptr;
  std::uint32_t i_orphan_slot = no_orphan_slot;
  bool i_on_orphan_list = false;
  // Commit sequence that will carry the last change (all, and what a datasync needs). Compared with s_commit_sequence.
  std::atomic<std::uint64_t> i_sync_tid{0};
  std::atomic<std::uint64_t> i_datasync_tid{0};
  std::atomic<std::uint32_t> i_dir_start_lookup{0};
  std::atomic<std::uint32_t> i_dir_version{0};  // rises with each change of a directory's blocks
  // What one write after the other needs, held until a writer closes: the inode's slot, and the block bitmap where the last blocks were found, of i_bitmap_group.
  inode_slot i_slot XIP_GUARDED_BY(i_rwsem);
  dev::buffer_ref i_bitmap XIP_GUARDED_BY(i_rwsem);
  group_t i_bitmap_group XIP_GUARDED_BY(i_rwsem);
  struct open_write* i_write XIP_GUARDED_BY(i_rwsem) = nullptr;  // the write_iter under way (file_hooks.h)
};

[[nodiscard]] inline ext4_sb_info& sbi_of(const vfs::inode& i) noexcept { return static_cast<ext4_sb_info&>(i.i_sb); }
[[nodiscard]] inline ext4_inode_info& info_of(vfs::inode& i) noexcept { return static_cast<ext4_inode_info&>(i); }
[[nodiscard]] inline const ext4_inode_info& info_of(const vfs::inode& i) noexcept { return static_cast<const ext4_inode_info&>(i); }

extern const vfs::file_system_type ext4lite_fs_type_table;  // behind xip/fs_ext4lite/ext4lite.h

// ---- super.cc: errors found at run time -------------------------------------------------------------------------------------------

// Corruption was found: logs WHAT (names the block or inode, what was there and what was expected), records it in the super block, follows errors=.
// Returns EUCLEAN, so that callers write: return corrupted(sb, ...).
// Not under a spin lock.
[[nodiscard]] std::unexpected<error> corrupted(ext4_sb_info& sb, std::string_view what,
                                               std::source_location where = std::source_location::current());
[[nodiscard]] std::unexpected<error> corrupted(const vfs::inode& inode, std::string_view what,
                                               std::source_location where = std::source_location::current());

// ---- group.cc --------------------------------------------------------------------------------------------------------------------

// The descriptor of GROUP; reading needs its group_lock unless the field is constant.
[[nodiscard]] const ext4_group_desc& group_desc(const ext4_sb_info& sb, group_t group) noexcept;
// Descriptor fields, 64-bit aware.
[[nodiscard]] pblk_t block_bitmap_of(const ext4_sb_info& sb, group_t g) noexcept;
[[nodiscard]] pblk_t inode_bitmap_of(const ext4_sb_info& sb, group_t g) noexcept;
[[nodiscard]] pblk_t inode_table_of(const ext4_sb_info& sb, group_t g) noexcept;
[[nodiscard]] bool has_super_backup(const ext4_sb_info& sb, group_t g) noexcept;
[[nodiscard]] group_t group_of(const ext4_sb_info& sb, pblk_t block) noexcept;
[[nodiscard]] pblk_t first_block_of(const ext4_sb_info& sb, group_t g) noexcept;
[[nodiscard]] std::uint32_t blocks_in_group(const ext4_sb_info& sb, group_t g) noexcept;
// COUNT blocks from FIRST lie inside the file system and hold nothing of its own: no super blocks, descriptors, bitmaps or inode tables, no journal and orphan file,
// but for what is inode OWNER's. Linux: ext4_inode_block_valid.
[[nodiscard]] bool data_blocks_valid(const ext4_sb_info& sb, pblk_t first, std::uint32_t count, ino_t owner = {}) noexcept;

// ---- block_alloc.cc ---------------------------------------------------------------------------------------------------------------

class handle;

struct allocated {
  pblk_t first;
  std::uint32_t count;
};
// alloc_blocks: FLAGS
inline constexpr std::uint32_t alloc_metadata = 1u << 0;  // not file data (what a block observer is told)
inline constexpr std::uint32_t alloc_use_reserved =
    1u << 1;  // may take the last blocks (s_resv_blocks): a conversion must not fail for lack of space
// Up to WANT contiguous blocks (at least one) as near GOAL as can be, for INODE; ENOSPC counts root's reserve unless the task may use it.
// The bitmap, descriptor, counts, and INODE's i_blocks (in memory: mark_inode_dirty is the caller's) are changed under H; credits: 2.
[[nodiscard]] result<allocated> alloc_blocks(handle& h, ext4_inode_info& inode, pblk_t goal, std::uint32_t want, std::uint32_t flags = 0);
// Blocks that are kept for one write while it fills them: free on the medium, and nobody else's. Only between the start and the stop of a handle, so that
// no commit ever meets one. Their bits are withheld, as a window's are.
struct reserved_blocks {
  pblk_t first;
  std::uint32_t count = 0;  // 0: none
};
// Up to WANT blocks right at GOAL, or in one run of WANT elsewhere in its group, for the file INODE. None: who needs them asks alloc_blocks, which looks further
// and says ENOSPC. EUCLEAN, ENOMEM.
[[nodiscard]] result<reserved_blocks> reserve_blocks(handle& h, ext4_inode_info& inode, pblk_t goal, std::uint32_t want)
    XIP_REQUIRES(inode.i_rwsem);
// The first COUNT blocks of R are in use now, as if alloc_blocks had found them, and no longer part of R. credits: 2.
[[nodiscard]] result<> take_reserved(handle& h, ext4_inode_info& inode, reserved_blocks& r, std::uint32_t count)
    XIP_REQUIRES(inode.i_rwsem);
// What is left of R is everybody's.
void unreserve_blocks(ext4_sb_info& sb, reserved_blocks& r) noexcept;
// Gives them back, i_blocks too; they are not handed out again before the commit of this change is durable. Blocks that held METADATA are forgotten in the
// buffer cache. A block that is free already, or fixed metadata, is corruption. credits: 2 for each group touched.
[[nodiscard]] result<> free_blocks(handle& h, ext4_inode_info& inode, pblk_t first, std::uint32_t count, bool metadata);
// The bitmaps of at most two groups, read and held.
struct held_bitmaps {
  dev::buffer_ref of[2];
};
// Whatever free_blocks of COUNT blocks from FIRST, at most a group's length, reads or needs memory for is there as long as the answer lives: who takes
// them out of a tree first does not lose them then. A corrupt group keeps its blocks, as it does in free_blocks.
[[nodiscard]] result<held_bitmaps> prepare_to_free(handle& h, pblk_t first, std::uint32_t count);
// INODE has so many blocks more (or fewer) than before, in memory.
void add_to_i_blocks(ext4_inode_info& inode, std::int64_t blocks) noexcept;
// Where the first block of INODE should go.
[[nodiscard]] pblk_t goal_of_inode(const ext4_inode_info& inode) noexcept;
// What is kept for INODE is everybody's again. No lock of a group is held.
void drop_window(ext4_inode_info& inode) noexcept;
// What is freed from here on belongs to the next transaction. Nobody has a handle.
void freeze_pending_frees(ext4_sb_info& sb) noexcept;
// The transaction that ended there is durable: what it freed may be allocated again.
void release_pending_frees(ext4_sb_info& sb) noexcept;
// Blocks that the running task may take now.
[[nodiscard]] std::uint64_t allowance(const ext4_sb_info& sb, std::uint32_t flags = 0) noexcept;

// ---- inode_alloc.cc ---------------------------------------------------------------------------------------------------------------

// A fresh inode in DIR (owner, group, flags inherited as Linux does), in the cache, new, link count 1 (directories: 2), size 0, no blocks. With the
// extent feature it has extents_fl and an empty root (a fast symlink must clear the flag; devices have none: set i_rdev and mark it dirty). Access control
// lists that it inherits are in memory only: store_inherited_acls.
// credits: 6.
[[nodiscard]] result<ext4_inode_info*> new_inode(handle& h, ext4_inode_info& dir, std::uint32_t mode, std::string_view name);
// Clears its bit. credits: 2.
[[nodiscard]] result<> free_inode_number(handle& h, ext4_inode_info& inode);

// ---- inode.cc ---------------------------------------------------------------------------------------------------------------------

[[nodiscard]] result<vfs::inode_ref> ext4_iget(ext4_sb_info& sb, ino_t number);
// Writes what is in memory into the inode's slot in its table block, under H. credits: 1. Records H as the inode's sync tid.
// Of a regular file and a directory it leaves i_block as it lies there, of a regular file the size too: those are mark_inode_dirty_data's.
[[nodiscard]] result<> mark_inode_dirty(handle& h, ext4_inode_info& inode);
// As above where the change is one that fdatasync needs too: i_data and i_disksize are written as well. Under i_data_sem wherever
// somebody else may change those now.
[[nodiscard]] result<> mark_inode_dirty_data(handle& h, ext4_inode_info& inode);
// i_disksize becomes SIZE, and the slot says so, or it stays what it was. i_size is the caller's.
[[nodiscard]] result<> store_disksize(handle& h, ext4_inode_info& inode, loff_t size);
[[nodiscard]] result<inode_slot> inode_slot_of(ext4_sb_info& sb, ino_t number);
// mark_inode_dirty_data where SLOT, which is the inode's, was looked up before.
[[nodiscard]] result<> mark_inode_dirty_data(handle& h, ext4_inode_info& inode, const inode_slot& slot);
void set_aops_and_ops(ext4_inode_info& inode) noexcept;  // i_op, i_fop, S_DAX, S_ flags from mode and EXT4_*_FL
void set_inode_flags(ext4_inode_info& inode) noexcept;   // S_ flags from EXT4_*_FL, but S_DAX: that stays as long as the inode is in memory
void evict_inode(vfs::inode& i) noexcept;
[[nodiscard]] std::optional<pblk_t> written_block(const vfs::inode& i, lblk_t lblk) noexcept;  // as the cache of extents has it
// i_block holds a tree or a map of blocks. A fast symlink keeps its target there (it has no block but that of its attributes), a device its number.
// Linux: ext4_can_truncate, ext4_inode_is_fast_symlink.
[[nodiscard]] bool has_tree(const ext4_inode_info& inode) noexcept;
[[nodiscard]] result<> ext4_setattr(vfs::inode& i, vfs::iattr attr);
[[nodiscard]] result<> ext4_getattr(const vfs::inode& i, vfs::kstat& stat);
[[nodiscard]] result<> ext4_update_time(vfs::inode& i);
[[nodiscard]] result<> ext4_fileattr_get(vfs::inode& i, vfs::fileattr& fa);
[[nodiscard]] result<> ext4_fileattr_set(vfs::inode& i, vfs::fileattr fa);
inline constexpr std::uint32_t credits_inode = 1;

// ---- orphan.cc --------------------------------------------------------------------------------------------------------------------

// The orphan list: what is said of it goes for the orphan file of an image that has one, too; the list then takes what the file has no room for.
[[nodiscard]] result<> orphan_add(handle& h, ext4_inode_info& inode);  // credits: 3 (super block, this inode, a block of the file)
[[nodiscard]] result<> orphan_del(handle& h, ext4_inode_info& inode);  // credits: 4
// The same, but the caller writes INODE. False: it was not on the list.
[[nodiscard]] result<bool> orphan_unlink(handle& h, ext4_inode_info& inode);
// The inode leaves memory, and the disk's list keeps it for the next mount or e2fsck. Nobody may find it again in this one.
void orphan_forget(ext4_inode_info& inode) noexcept;
[[nodiscard]] bool on_orphan_list(const ext4_inode_info& inode) noexcept;
// What orphan_cleanup would refuse, of a mount that does not write: the same errors, and nothing is changed.
[[nodiscard]] result<> orphan_check(ext4_sb_info& sb, std::string& message);
// At mount, read-write: ends truncates, deletes the unlinked. A list or file that makes no sense is refused (EUCLEAN, MESSAGE) before anything is changed.
[[nodiscard]] result<> orphan_cleanup(ext4_sb_info& sb, std::string& message);
inline constexpr std::uint32_t credits_orphan = 4;

// ---- map_blocks.cc ----------------------------------------------------------------------------------------------------------------

inline constexpr std::uint32_t map_create_unwritten = 1u << 0;  // allocate holes as unwritten
inline constexpr std::uint32_t map_convert = 1u << 1;           // unwritten becomes written
inline constexpr std::uint32_t map_create_written = 1u << 2;    // allocate holes as written (directories, slow symlinks)
inline constexpr std::uint32_t map_make_unwritten = 1u << 3;    // written becomes unwritten (or, if the tree has no room to say so, zeros)
inline constexpr std::uint32_t map_convert_zeroed = 1u
                                                    << 4;  // with map_convert: they are zeroed before; ENOSPC rather than the whole extent
// Linux: ext4_map_blocks. At most MAX blocks from LBLK. With H null it only looks up; the extent cache answers first, then the tree under i_data_sem
// shared. With a flag it changes the tree under H and i_data_sem exclusive. ENOSPC, EFBIG, EUCLEAN, EIO.
[[nodiscard]] result<extent_map> map_blocks(handle* h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t max, std::uint32_t flags);
// Up to MAX blocks for the hole at LBLK, which the file keeps until write_reserved: mapped to R, unwritten. None (len 0): as reserve_blocks says.
// Nobody else may fill the hole meanwhile: i_rwsem exclusive, and the entries of its pages are locked.
[[nodiscard]] result<extent_map> reserve_hole(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t max, reserved_blocks& r)
    XIP_REQUIRES(inode.i_rwsem);
// LEN blocks from LBLK, whose bytes are in place in the first of R, become a part of the file, as written ones. ENOSPC: the tree has no room, and they are a hole
// as before.
[[nodiscard]] result<> write_reserved(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t len, reserved_blocks& r)
    XIP_REQUIRES(inode.i_rwsem);
// Credits for allocating or converting one extent of up to MAX blocks.
[[nodiscard]] std::uint32_t credits_for_one_extent(const ext4_inode_info& inode) noexcept;

// ---- truncate.cc ------------------------------------------------------------------------------------------------------------------

// Removes every block past i_size, restarting its own handle as needed; zeros the tail of the last block. i_rwsem (or a dead inode), and
// invalidate_lock exclusive. The inode is on the orphan list while it runs. Linux: ext4_truncate.
[[nodiscard]] result<> truncate_blocks(ext4_inode_info& inode);
// The two halves of it. The bytes behind SIZE in its block become zeros on the medium, drained, if they are written: they are what a later growth shows. EIO.
[[nodiscard]] result<> zero_behind(ext4_inode_info& inode, loff_t size);
[[nodiscard]] result<> remove_blocks_past_size(ext4_inode_info& inode);
// The inode is about to leave memory with a truncate that failed: once more, and off the orphan list in any case.
[[nodiscard]] result<> retry_truncate(ext4_inode_info& inode);

// ---- dir.cc, htree.cc: as name_hooks and orphan need them ---------------------------------------------------------------------------

[[nodiscard]] result<ino_t> dir_find(ext4_inode_info& dir, std::string_view name);  // ENOENT
[[nodiscard]] result<> dir_add(handle& h, ext4_inode_info& dir, std::string_view name, ino_t ino,
                               std::uint32_t mode);  // EEXIST is not checked
[[nodiscard]] result<> dir_remove(handle& h, ext4_inode_info& dir, std::string_view name, ino_t ino);
[[nodiscard]] result<bool> dir_is_empty(ext4_inode_info& dir);
[[nodiscard]] result<> dir_init(handle& h, ext4_inode_info& dir, ino_t parent);  // the first block with . and ..
[[nodiscard]] result<> dir_iterate(vfs::file& f, vfs::dir_context& ctx);
[[nodiscard]] result<loff_t> dir_llseek(vfs::file& f, loff_t offset, int whence);
void dir_release(vfs::inode& dir, vfs::file& f) noexcept;
// Block LBLK of directory DIR, checksum verified, or EUCLEAN. Null for a hole.
[[nodiscard]] result<dev::buffer_ref> dir_read_block(ext4_inode_info& dir, lblk_t lblk);
// Allocates and returns block LBLK (i_size grows to hold it), with the directory-leaf trigger set.
[[nodiscard]] result<dev::buffer_ref> dir_append_block(handle& h, ext4_inode_info& dir, lblk_t& lblk);
[[nodiscard]] std::uint32_t credits_dir_add(const ext4_inode_info& dir) noexcept;
[[nodiscard]] std::uint32_t credits_dir_remove(const ext4_inode_info& dir) noexcept;

// ---- xattr.cc and acl.cc (xattr.h has what they share) --------------------------------------------------------------------------------

[[nodiscard]] result<std::size_t> ext4_getxattr(const vfs::inode& i, std::string_view name, std::span<std::byte> to);
[[nodiscard]] result<> ext4_setxattr(vfs::inode& i, std::string_view name, vfs::xattr_value value, int flags);
[[nodiscard]] result<> ext4_listxattr(const vfs::inode& i, std::pmr::string& names);
[[nodiscard]] result<vfs::acl_ref> ext4_get_inode_acl(const vfs::inode& i, vfs::acl_type type);
[[nodiscard]] result<> ext4_set_acl(vfs::inode& i, vfs::acl_type type, vfs::acl_ref acl);
// The inode goes: drop its share of the xattr block, free the block with the last share. credits: credits_xattr_release.
[[nodiscard]] result<> xattr_release(handle& h, ext4_inode_info& inode);
inline constexpr std::uint32_t credits_xattr_release = 4;
// Of a new inode in DIR, for the lists that it inherits: to set two attributes.
[[nodiscard]] std::uint32_t credits_inherit(const ext4_inode_info& dir) noexcept;

// ---- the tables --------------------------------------------------------------------------------------------------------------------

extern const vfs::super_operations ext4_sops;
extern const vfs::inode_operations ext4_file_inode_operations;     // file_hooks.cc
extern const vfs::file_operations ext4_file_operations;            // file_hooks.cc
extern const vfs::inode_operations ext4_dir_inode_operations;      // name_hooks.cc
extern const vfs::file_operations ext4_dir_operations;             // name_hooks.cc
extern const vfs::inode_operations ext4_symlink_inode_operations;  // name_hooks.cc
extern const vfs::inode_operations ext4_special_inode_operations;  // name_hooks.cc

// range_hooks.cc
[[nodiscard]] result<> ext4_fallocate(vfs::file& f, int mode, loff_t offset, loff_t length);
[[nodiscard]] result<> ext4_fiemap(vfs::inode& i, vfs::fiemap_context& ctx, loff_t start, std::uint64_t length);

}  // namespace xip::ext4lite
