// Mounting, unmounting, remounting. Linux: fs/ext4/super.c.
//
// Lock chains:
//   s_umount -> jbd2_handle
#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include <fmt/format.h>

#include <xip/base/assert.h>
#include <xip/base/crc.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/locks/clock.h>
#include <xip/locks/thread_context.h>
#include <xip/vfs/ops.h>
#include <xip/xip/entry.h>
#include <xip/xip/mapped.h>

#include "fs_ext4lite/block_validity.h"
#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/group.h"
#include "fs_ext4lite/indirect.h"
#include "fs_ext4lite/inode.h"
#include "fs_ext4lite/journal.h"
#include "fs_ext4lite/journal_inode.h"
#include "fs_ext4lite/message.h"
#include "fs_ext4lite/statfs.h"
#include "fs_ext4lite/super.h"
#include "fs_ext4lite/without_exceptions.h"
#include "jbd2/journal.h"
#include "jbd2/recovery.h"
#include "jbd2/superblock.h"

namespace xip::ext4lite {
namespace {

[[nodiscard]] std::pmr::polymorphic_allocator<> allocator_of(const vfs::super_block& sb) noexcept { return {&sb.memory()}; }

// ---- inodes of this file system ------------------------------------------------------------------------------------------------------------

[[nodiscard]] result<vfs::inode*> alloc_inode(vfs::super_block& sb, ino_t number) {
  try {
    return allocator_of(sb).new_object<ext4_inode_info>(sb, number);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

void free_inode(vfs::inode* i) noexcept { allocator_of(i->i_sb).delete_object(&info_of(*i)); }

// ---- the super block comes in -----------------------------------------------------------------------------------------------------------------

[[nodiscard]] result<ext4_super_block> read_super_block(vfs::fs_context& fc) {
  if (fc.source.size() < super_offset + super_size)
    return fc.errorf(EINVAL, fmt::format("the device has {} bytes, too few for a file system", fc.source.size()));
  ext4_super_block es;
  if (auto read = fc.source.read(super_offset, std::as_writable_bytes(std::span{&es, 1})); !read)
    return fc.errorf(read.error().number(), fmt::format("cannot read the super block: {}", read.error().message()));
  return es;
}

[[nodiscard]] result<> check_dax(const mount_options& options, const dev::device& device, std::uint32_t block_size, std::string& message) {
  if (options.dax != dax_mode::always) return {};
  if (!device.has_direct_access()) {
    message = "dax=always: the device has no direct access";
    return fail(EINVAL);
  }
  if (block_size != page_size) {
    message = fmt::format("dax=always needs blocks of {} bytes, these have {}", page_size, block_size);
    return fail(EINVAL);
  }
  return {};
}

[[nodiscard]] errors_mode errors_of(const mount_options& options, std::uint16_t on_disk) noexcept {
  if (options.errors) return *options.errors;
  if (on_disk == errors_panic) return errors_mode::panic;
  return on_disk == errors_ro ? errors_mode::remount_ro : errors_mode::continue_;
}

// What hooks look at without s_umount.
void take_options(ext4_sb_info& sb, const mount_options& options) {
  sb.s_options = options;
  sb.s_user_xattr.store(options.user_xattr, std::memory_order_relaxed);
  sb.s_zero_at_alloc.store(options.zero == zero_mode::alloc, std::memory_order_relaxed);
  sb.s_grpid.store(options.grpid.value_or(sb.s_grpid_on_disk), std::memory_order_relaxed);
  if (options.acl)
    sb.s_flags.fetch_or(vfs::sb_posixacl, std::memory_order_relaxed);
  else
    sb.s_flags.fetch_and(~vfs::sb_posixacl, std::memory_order_relaxed);
}

void take_hash(ext4_sb_info& sb, const ext4_super_block& es) noexcept {
  std::ranges::copy(es.s_hash_seed, sb.s_hash_seed);
  sb.s_def_hash_version = es.s_def_hash_version;
  // Without either flag the hash was made where char is signed.
  sb.s_hash_unsigned = (es.s_flags & flags_unsigned_hash) != 0;
}

void take_features(ext4_sb_info& sb, const ext4_super_block& es) noexcept {
  if (es.s_rev_level == good_old_rev) {
    sb.s_inode_size = good_old_inode_size;
    sb.s_first_ino = good_old_first_ino;
    return;
  }
  sb.s_feature_compat = es.s_feature_compat;
  sb.s_feature_incompat = es.s_feature_incompat;
  sb.s_feature_ro_compat = es.s_feature_ro_compat;
  sb.s_inode_size = es.s_inode_size;
  sb.s_first_ino = es.s_first_ino;
}

void take_seed(ext4_sb_info& sb, const ext4_super_block& es) noexcept {
  std::ranges::copy(es.s_uuid, sb.s_uuid);
  sb.s_csum_seed = sb.has_incompat(incompat_csum_seed) ? es.s_checksum_seed.load() : crc32c(~0u, std::as_bytes(std::span{es.s_uuid}));
}

// Linux: ext4_max_size. A file has at most 2^32 - 1 blocks; without huge_file its sectors must fit 32 bits, without large_file its size 31. Without
// extents every file has a block map: Linux's s_bitmap_maxbytes is then the limit of all.
[[nodiscard]] loff_t largest_file(const ext4_sb_info& sb) noexcept {
  const unsigned bits = sb.s_blocksize_bits;
  std::uint64_t bytes = std::uint64_t{UINT32_MAX} << bits;
  if (!sb.has_ro_compat(ro_compat_huge_file)) bytes = std::min(bytes, std::uint64_t{UINT32_MAX} >> (bits - 9) << bits);
  if (!sb.has_ro_compat(ro_compat_large_file)) bytes = std::min<std::uint64_t>(bytes, INT32_MAX);
  if (!sb.has_incompat(incompat_extents)) bytes = std::min(bytes, static_cast<std::uint64_t>(indirect_max_bytes(bits)));
  return static_cast<loff_t>(bytes);
}

// Blocks that conversions may still take when others get ENOSPC: 2 %, at most 4096. Linux: ext4_set_resv_clusters.
[[nodiscard]] std::uint64_t reserved_for_conversions(const ext4_sb_info& sb) noexcept {
  return sb.has_incompat(incompat_extents) ? std::min<std::uint64_t>(sb.s_blocks_count / 50, 4096) : 0;
}

// mke2fs -E stripe_width, or stride, as far as a group has room for it. Linux: ext4_get_stripe_size.
[[nodiscard]] std::uint32_t stripe_of(const ext4_super_block& es) noexcept {
  for (const std::uint32_t blocks : {es.s_raid_stripe_width.load(), std::uint32_t{es.s_raid_stride.load()}})
    if (blocks > 1 && blocks <= es.s_blocks_per_group) return blocks;
  return 0;
}

void take_blocks(ext4_sb_info& sb, const ext4_super_block& es) noexcept {
  const bool has_64bit = sb.has_incompat(incompat_64bit);
  sb.s_blocks_count = es.s_blocks_count_lo | std::uint64_t{es.s_blocks_count_hi} << 32;
  sb.s_r_blocks_count = es.s_r_blocks_count_lo | (has_64bit ? std::uint64_t{es.s_r_blocks_count_hi} << 32 : 0);
  sb.s_first_data_block = pblk_t{es.s_first_data_block};
  sb.s_blocks_per_group = es.s_blocks_per_group;
  sb.s_stripe = stripe_of(es);
  sb.s_desc_size = has_64bit ? es.s_desc_size.load() : desc_size_32;
  sb.s_desc_per_block = sb.s_blocksize / sb.s_desc_size;
  const std::uint64_t data_blocks = sb.s_blocks_count - sb.s_first_data_block.value();
  sb.s_groups_count = static_cast<std::uint32_t>((data_blocks + sb.s_blocks_per_group - 1) / sb.s_blocks_per_group);
  sb.s_gdb_count = (sb.s_groups_count + sb.s_desc_per_block - 1) / sb.s_desc_per_block;
  if (sb.has_ro_compat(ro_compat_bigalloc)) sb.s_cluster_bits = es.s_log_cluster_size - es.s_log_block_size;
  sb.s_first_meta_bg = es.s_first_meta_bg;
  sb.s_reserved_gdt_blocks = es.s_reserved_gdt_blocks;
  std::ranges::copy(es.s_backup_bgs, sb.s_backup_bgs);
  if (sb.has_incompat(incompat_flex_bg) && es.s_log_groups_per_flex < 32) sb.s_flex_bits = es.s_log_groups_per_flex;
}

[[nodiscard]] bool needs_recovery(const ext4_super_block& es) noexcept { return (es.s_feature_incompat & incompat_recover) != 0; }

// DONE is what became of the journal. Where it refuses the mount, MESSAGE says as well how the files can be had all the same.
template <class T>
[[nodiscard]] result<T> or_offer_to_read(result<T> done, std::string& message) {
  if (!done && !message.empty()) message += "; the files can be read as the medium has them (ro,noload)";
  return done;
}

// What lies at the head of each group follows from the geometry alone: where the journal is not, before its first block is believed. Where the descriptors say that it
// must not be is known when it has brought them home.
[[nodiscard]] result<> check_heads_of_groups(const ext4_sb_info& sb, const jbd2::log_map& log, std::string& message) {
  const auto overlaps = [&](const jbd2::log_extent& e, group_t g) {
    const std::uint32_t base = base_meta_blocks(sb, g);  // 0: the group begins with blocks like others
    const pblk_t head = first_block_of(sb, g);
    return base != 0 && e.start < head + base && head < e.start + e.count;
  };
  for (const jbd2::log_extent& e : log.extents()) {
    bool clear = e.start > sb.s_first_data_block;
    const group_t last = clear ? group_of(sb, e.start + (e.count - 1)) : group_t{0};
    for (group_t g = clear ? group_of(sb, e.start) : last; clear && g <= last; g = group_t{g.value() + 1}) clear = !overlaps(e, g);
    if (clear) continue;
    message = fmt::format("the journal has blocks {}+{}, and a super block or group descriptors are among them; run e2fsck",
                          e.start.value(), e.count);
    return fail(EUCLEAN);
  }
  return {};
}

// Replays the journal, which may change anything. The super block as it is then, without needs_recovery. SB has its geometry, no more.
// Linux: ext4_load_and_init_journal, ext4_clear_journal_err, ext4_mark_recovery_complete.
[[nodiscard]] result<ext4_super_block> recover_journal(ext4_sb_info& sb, const ext4_super_block& before, std::string& message) {
  const jbd2::log_map log = XIP_TRY(find_journal(sb, before, message));
  const jbd2::recovered done = XIP_TRY(or_offer_to_read(jbd2::recover(recovery_of(sb, log), message), message));
  ext4_super_block es;
  const auto bytes = std::as_writable_bytes(std::span{&es, 1});
  XIP_TRY(sb.s_bdev.read(super_offset, bytes));
  XIP_TRY(check_super_block(es, sb.s_bdev.size(), message));
  const auto write = [&]() -> result<> {
    if ((es.s_feature_ro_compat & ro_compat_metadata_csum) != 0) es.s_checksum = super_block_checksum(es);
    XIP_TRY(sb.s_bdev.write(super_offset, bytes));
    return sb.s_bdev.flush_cache();
  };
  // One after the other: each can be told where a crash has torn it.
  if (done.aborted != 0) {
    es.s_state = es.s_state | error_fs;
    XIP_TRY(write());
  }
  es.s_feature_incompat = es.s_feature_incompat & ~incompat_recover;
  XIP_TRY(write());
  ext4_msg(sb, vfs::log_level::notice, "the journal was recovered: {} transactions, {} blocks{}", done.transactions, done.written,
           done.aborted != 0 ? "; it had been aborted, run e2fsck" : "");
  return es;
}

[[nodiscard]] nanoseconds commit_interval(const ext4_sb_info& sb) noexcept {
  const std::uint32_t asked = sb.s_options.commit;
  // A scheduler that owns every thread gets none that it was not asked for.
  if (asked == 0 && current().sched != nullptr) return nanoseconds::zero();
  return std::chrono::seconds{asked != 0 ? asked : default_commit_seconds};
}

void drop_journal(ext4_sb_info& sb) noexcept {
  if (sb.s_journal != nullptr) allocator_of(sb).delete_object(std::exchange(sb.s_journal, nullptr));
}

// A mount for writing writes the journal, unless it was told not to look at it. Linux: ext4_load_and_init_journal.
[[nodiscard]] result<> open_journal(ext4_sb_info& sb, const ext4_super_block& es, std::string& message) {
  if (sb.s_journal != nullptr || !sb.s_has_journal || sb.s_options.noload) return {};
  jbd2::log_map log = XIP_TRY(or_offer_to_read(find_journal(sb, es, message), message));
  if (!sb.s_journal_protected) {
    message = "the journal could not be found when it was mounted: unmount it first";
    return fail(EUCLEAN);
  }
  sb.s_journal = allocator_of(sb).new_object<jbd2::journal>(jbd2::journal_request{.buffers = *sb.s_buffers,
                                                                                  .log = std::move(log),
                                                                                  .memory = sb.memory(),
                                                                                  .handles = sb.s_handle_barrier,
                                                                                  .operations = ext4_journal_operations,
                                                                                  .context = &sb,
                                                                                  .carried = sb.s_sbh->block(),
                                                                                  .checksums = sb.has_metadata_csum(),
                                                                                  .wide = sb.has_incompat(incompat_64bit),
                                                                                  .commit_interval = commit_interval(sb)});
  auto loaded = or_offer_to_read(sb.s_journal->load(message), message);
  if (!loaded) drop_journal(sb);
  return loaded;
}

// The super block as it was before a crash tore it.
[[nodiscard]] result<ext4_super_block> mend(ext4_sb_info& sb, ext4_super_block es, super_tear tear, std::string& message) {
  if (tear == super_tear::unknown) {
    const auto logged = super_block_in_log(sb, es);
    if (!logged && logged.error() != EUCLEAN && logged.error() != EOPNOTSUPP && logged.error() != EINVAL) return fail(logged.error());
    if (!logged) {
      XIP_TRY(sb.s_bdev.read(super_offset, std::as_writable_bytes(std::span{&es, 1})));
      XIP_TRY(check_super_block(es, sb.s_bdev.size(), message));
      return fail(EUCLEAN);
    }
    es = *logged;
    take_geometry(sb, es);
  }
  return es;
}

// A mount that only reads goes on without what it cannot find.
[[nodiscard]] result<> protect_reserved_inodes(ext4_sb_info& sb, const ext4_super_block& es, std::string& message) {
  if (sb.s_has_journal) {
    const auto done = protect_journal(sb, es, message);
    sb.s_journal_protected = done.has_value();
    if (!done && !sb.is_rdonly() && !sb.s_options.noload) return or_offer_to_read(done, message);
    message.clear();
  }
  if (sb.s_orphan_file_inum != 0 && sb.is_rdonly()) protect_orphan_file(sb);
  return {};
}

// Descriptors and root, from a device that nobody changes. The root is held.
[[nodiscard]] result<vfs::inode_ref> read_structures(ext4_sb_info& sb, const ext4_super_block& es, std::string& message) {
  sb.s_buffers.emplace(sb.s_bdev, sb.s_blocksize_bits, sb.memory());
  const pblk_t at{super_offset >> sb.s_blocksize_bits};
  sb.s_sb_offset = static_cast<std::uint32_t>(super_offset & (sb.s_blocksize - 1));
  sb.s_sbh = XIP_TRY(sb.s_buffers->read(at));
  sb.s_sbh->set_trigger(super_block_trigger, &sb);
  XIP_TRY(load_groups(sb, message));
  sb.s_overhead = overhead_of(sb, es);
  XIP_TRY(protect_reserved_inodes(sb, es, message));
  auto root = ext4_iget(sb, ino_t{root_ino});
  if (!root) message = fmt::format("cannot read the root directory: {}; run e2fsck", root.error().message());
  return root;
}

using owned_sb = std::unique_ptr<ext4_sb_info, decltype([](ext4_sb_info* sb) { (void)ext4lite_fs_type_table.kill_sb(sb); })>;

// What a mount for writing would be refused for behind the first change of the medium, looked at before it: on DEVICE, which has what the medium will have, with the
// super block ES.
[[nodiscard]] result<> check_structures(ext4_sb_info& sb, dev::device& device, const ext4_super_block& es, std::string& message) {
  const owned_sb then{allocator_of(sb).new_object<ext4_sb_info>(sb.s_kernel, device)};
  then->s_flags.store(vfs::sb_rdonly, std::memory_order_relaxed);
  then->s_id = sb.s_id;
  take_geometry(*then, es);
  const vfs::inode_ref root = XIP_TRY(read_structures(*then, es, message));
  if (then->s_has_journal && !then->s_journal_protected && !sb.s_options.noload) return protect_journal(*then, es, message);
  return orphan_check(*then, message);
}

// What the log brings is looked at before any of it goes home: a mount that it makes impossible is refused, and the medium stays as it is. ES is the super block if
// the log has none.
[[nodiscard]] result<> check_recovered(ext4_sb_info& sb, ext4_super_block es, std::string& message) {
  const jbd2::log_map log = XIP_TRY(or_offer_to_read(find_journal(sb, es, message), message));
  XIP_TRY(or_offer_to_read(check_heads_of_groups(sb, log, message), message));
  XIP_TRY(or_offer_to_read(jbd2::check_writable({sb.s_bdev, log, sb.s_blocksize_bits}, message), message));
  const auto device = XIP_TRY(or_offer_to_read(jbd2::as_recovered(recovery_of(sb, log), message), message));
  ext4_super_block now;
  XIP_TRY(device->read(super_offset, std::as_writable_bytes(std::span{&now, 1})));
  if (look_for_tear(now) == super_tear::none) es = now;
  XIP_TRY(check_super_block(es, device->size(), message));
  XIP_TRY(check_writable(es, message));
  return check_structures(sb, *device, es, message);
}

// The same of a torn super block that is to be made whole, where no log is brought home.
[[nodiscard]] result<> check_mended(ext4_sb_info& sb, const ext4_super_block& es, std::string& message) {
  XIP_TRY(check_structures(sb, sb.s_bdev, es, message));
  if (!sb.s_has_journal || sb.s_options.noload) return {};
  const jbd2::log_map log = XIP_TRY(or_offer_to_read(find_journal(sb, es, message), message));
  return or_offer_to_read(jbd2::check_writable({sb.s_bdev, log, sb.s_blocksize_bits}, message), message);
}

// The geometry is known; descriptors, root, and what is left over from a crash.
[[nodiscard]] result<> bring_up(ext4_sb_info& sb, ext4_super_block es, super_tear tear, std::string& message) {
  take_geometry(sb, es);
  if (tear != super_tear::none) es = XIP_TRY(mend(sb, es, tear, message));
  if (needs_recovery(es) && !sb.is_rdonly()) XIP_TRY(check_recovered(sb, es, message));
  if (tear != super_tear::none && !needs_recovery(es) && !sb.is_rdonly()) XIP_TRY(check_mended(sb, es, message));
  if (tear != super_tear::none && !sb.is_rdonly()) XIP_TRY(write_mended(sb, es));
  if (needs_recovery(es) && !sb.is_rdonly()) {
    es = XIP_TRY(recover_journal(sb, es, message));
    XIP_TRY(check_writable(es, message));
    take_geometry(sb, es);
  }
  take_options(sb, sb.s_options);
  sb.s_errors_on_disk = es.s_errors;
  sb.s_errors = errors_of(sb.s_options, es.s_errors);
  if (const std::string warning = super_block_warning(es, sb.is_rdonly()); !warning.empty())
    ext4_msg(sb, vfs::log_level::warning, "{}", warning);
  vfs::inode_ref root = XIP_TRY(read_structures(sb, es, message));
  if (!sb.is_rdonly()) XIP_TRY(open_journal(sb, es, message));
  // But for the replay of a journal, the first thing that changes the medium: whatever refuses the mount has been looked at before.
  if (!sb.is_rdonly()) XIP_TRY(orphan_cleanup(sb, message));
  sb.s_root = root.release();
  return {};
}

[[nodiscard]] result<vfs::super_block*> mount_checked(vfs::fs_context& fc) {
  mount_options options;
  XIP_TRY(parse_options(fc.options, options, fc.message));
  ext4_super_block es = XIP_TRY(read_super_block(fc));
  const super_tear tear = look_for_tear(es);
  XIP_TRY(check_super_block(es, fc.source.size(), fc.message));
  const bool read_only = (fc.sb_flags & vfs::sb_rdonly) != 0;
  if (!read_only && fc.source.read_only()) return fc.errorf(EROFS, "the device is read-only: it can only be read (ro)");
  if (!read_only) XIP_TRY(check_writable(es, fc.message));
  if (!read_only && options.noload && needs_recovery(es))
    return fc.errorf(EROFS, "the journal needs recovery: without it (noload) the file system can only be read (ro)");
  XIP_TRY(check_dax(options, fc.source, 1024u << es.s_log_block_size, fc.message));
  std::pmr::polymorphic_allocator<> memory{&fc.owner.memory()};
  auto* sb = memory.new_object<ext4_sb_info>(fc.owner, fc.source);
  sb->s_flags.store(fc.sb_flags, std::memory_order_relaxed);
  sb->s_options = options;
  sb->s_dax = options.dax;
  result<> up = fail(ENOMEM);
  try {
    up = bring_up(*sb, es, tear, fc.message);
  } catch (const std::bad_alloc&) {
  }
  if (up) return sb;
  (void)ext4lite_fs_type_table.kill_sb(sb);
  return fail(up.error());
}

// ---- the tables ------------------------------------------------------------------------------------------------------------------------------

[[nodiscard]] result<vfs::super_block*> mount(vfs::fs_context& fc) {
  try {
    return mount_checked(fc);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

[[nodiscard]] result<> kill_sb(vfs::super_block* s) {
  auto* sb = static_cast<ext4_sb_info*>(s);
  result<> done = fail(ENOMEM);
  try {
    done = mark_clean(*sb);
  } catch (const std::bad_alloc&) {
  }
  if (!done) ext4_msg(*sb, vfs::log_level::error, "unmounted with changes lost: {}", done.error().message());
  // Every change was made under a handle, or its buffer would be clean and yet not what the medium holds.
  XIP_DEBUG_ASSERT(!sb->s_buffers || !sb->s_buffers->changed_while_clean());
  std::pmr::polymorphic_allocator<> memory{&sb->s_kernel.memory()};
  memory.delete_object(sb);
  return done;
}

// What was stored through mappings, of all files.
[[nodiscard]] result<> write_back_mapped(ext4_sb_info& sb) {
  if (sb.s_dirty_mappings.load(std::memory_order_acquire) == 0) return {};
  const auto has_dirty = [](const vfs::inode& i) {
    const entry_table* table = entry_table::find(i);
    return table != nullptr && table->has_dirty();
  };
  return vfs::for_each_inode(sb, has_dirty, [](vfs::inode& i) { return xip_writeback_range(i, 0, INT64_MAX); });
}

[[nodiscard]] result<> sync_fs(vfs::super_block& s, bool) {
  auto& sb = static_cast<ext4_sb_info&>(s);
  if (sb.s_shutdown.load(std::memory_order_relaxed)) return fail(EIO);
  if (sb.is_rdonly()) return sb.sync_read_only();
  const auto written = write_back_mapped(sb);
  const auto committed = force_commit(sb);
  return written.has_value() ? committed : written;
}

void vfs_found_corruption(const vfs::inode& i, std::string_view what) { (void)corrupted(i, what); }

[[nodiscard]] result<> become_writable(ext4_sb_info& sb, std::string& message) {
  if (sb.s_shutdown.load(std::memory_order_relaxed)) {
    message = "a change could not be made: unmount it, and mount it anew";
    return fail(EROFS);
  }
  if (sb.s_error_seen.load(std::memory_order_relaxed)) {
    message = "errors were found: unmount it and run e2fsck";
    return fail(EROFS);
  }
  if (sb.s_bdev.read_only()) {
    message = "the device is read-only";
    return fail(EROFS);
  }
  const ext4_super_block es = super_block_copy(sb);
  if (needs_recovery(es)) {
    message = "the journal needs recovery: unmount it and mount it for writing";
    return fail(EROFS);
  }
  XIP_TRY(check_writable(es, message));
  XIP_TRY(open_journal(sb, es, message));
  sb.s_flags.fetch_and(~vfs::sb_rdonly, std::memory_order_relaxed);
  if (auto cleaned = without_exceptions([&] { return orphan_cleanup(sb, message); }); !cleaned) {
    sb.s_flags.fetch_or(vfs::sb_rdonly, std::memory_order_relaxed);
    static_cast<void>(mark_clean(sb));  // some may have been cleaned up
    return cleaned;
  }
  if (!sb.is_rdonly() && !sb.s_shutdown.load(std::memory_order_relaxed)) return {};
  message = "errors were found: unmount it and run e2fsck";
  return fail(EROFS);
}

[[nodiscard]] result<> become_readonly(ext4_sb_info& sb) {
  const bool shut_down = sb.s_shutdown.load(std::memory_order_relaxed);
  sb.s_flags.fetch_or(vfs::sb_rdonly, std::memory_order_relaxed);
  auto done = without_exceptions([&] { return write_back_mapped(sb); });
  if (done) done = mark_clean(sb);
  // Where that was the change that could not be made, it stays so.
  if (!done && sb.s_shutdown.load(std::memory_order_relaxed) == shut_down) sb.s_flags.fetch_and(~vfs::sb_rdonly, std::memory_order_relaxed);
  return done;
}

[[nodiscard]] result<> remount(vfs::super_block& s, std::uint32_t flags, std::string_view text, std::string& message) {
  auto& sb = static_cast<ext4_sb_info&>(s);
  mount_options options = sb.s_options;
  XIP_TRY(parse_options(text, options, message));
  if (options.dax != sb.s_dax) {
    message = "dax= cannot be changed by a remount: unmount it first";
    return fail(EINVAL);
  }
  const bool read_only = (flags & vfs::sb_rdonly) != 0;
  if (read_only && !sb.is_rdonly()) XIP_TRY(become_readonly(sb));
  const errors_mode errors = errors_of(options, sb.s_errors_on_disk), before = sb.s_errors.exchange(errors, std::memory_order_relaxed);
  if (!read_only && sb.is_rdonly())
    if (auto writable = become_writable(sb, message); !writable) {
      sb.s_errors.store(before, std::memory_order_relaxed);
      return writable;
    }
  take_options(sb, options);
  if (sb.s_journal != nullptr && commit_interval(sb) != nanoseconds::zero()) sb.s_journal->set_commit_interval(commit_interval(sb));
  return {};
}

}  // namespace

ext4_sb_info::ext4_sb_info(vfs::kernel& k, dev::device& d)
    : vfs::super_block{k, d},
      s_group_desc{&k.memory()},
      s_groups{&k.memory()},
      s_system_zones{&k.memory()},
      s_orphan_file{k.memory()},
      s_xattr_index{k.memory()} {
  s_op = &ext4_sops;
  s_type = &ext4lite_fs_type_table;
  s_id = d.name();
}

ext4_sb_info::~ext4_sb_info() {
  drop_journal(*this);  // before anything else goes: its timer may be at work
  for (group_info* g : s_groups)
    if (g != nullptr) allocator_of(*this).delete_object(g);
}

void take_geometry(ext4_sb_info& sb, const ext4_super_block& es) {
  sb.s_blocksize_bits = 10 + es.s_log_block_size;
  sb.s_blocksize = 1u << sb.s_blocksize_bits;
  take_features(sb, es);
  take_blocks(sb, es);
  take_seed(sb, es);
  take_hash(sb, es);
  sb.s_inodes_per_group = es.s_inodes_per_group;
  sb.s_inodes_count = es.s_inodes_count;
  sb.s_itb_per_group = sb.s_inodes_per_group / (sb.s_blocksize / sb.s_inode_size);
  const std::uint32_t room = sb.s_inode_size - good_old_inode_size;
  // What mke2fs wrote, or all that we know of; without the feature nobody promised room for it.
  sb.s_want_extra_isize =
      std::min<std::uint32_t>(room, es.s_want_extra_isize != 0 ? es.s_want_extra_isize.load() : sizeof(ext4_inode) - good_old_inode_size);
  sb.s_has_journal = sb.has_compat(compat_has_journal);
  sb.s_orphan_file_inum = sb.has_compat(compat_orphan_file) ? es.s_orphan_file_inum.load() : 0;
  sb.s_mount_state = es.s_state;
  sb.s_grpid_on_disk = (es.s_default_mount_opts & default_bsdgroups) != 0;
  sb.s_resuid = es.s_def_resuid;
  sb.s_resgid = es.s_def_resgid;
  sb.s_maxbytes = largest_file(sb);
  sb.s_time_gran = sb.s_inode_size > good_old_inode_size ? 1 : 1'000'000'000;
  sb.s_time_min = time_min;
  sb.s_time_max = sb.s_inode_size > good_old_inode_size ? time_max : std::int64_t{INT32_MAX};
  sb.s_resv_blocks = reserved_for_conversions(sb);
  // Two lives of one inode number must differ: the counter starts where no mount before can have been.
  const std::int64_t now = realtime_now_coarse().count();
  sb.s_next_generation.store(crc32c(crc32c(~0u, std::as_bytes(std::span{&now, 1})), std::as_bytes(std::span{&es, 1})),
                             std::memory_order_relaxed);
}

const vfs::super_operations ext4_sops{
    .alloc_inode = alloc_inode,
    .free_inode = free_inode,
    .evict_inode = evict_inode,
    .sync_fs = sync_fs,
    .statfs = ext4_statfs,
    .remount = remount,
    .show_options = show_options,
    .corrupted = vfs_found_corruption,
    .written_block = written_block,
};

const vfs::file_system_type ext4lite_fs_type_table{.name = "ext4", .mount = mount, .kill_sb = kill_sb};

}  // namespace xip::ext4lite

namespace xip {

const vfs::file_system_type& ext4lite_file_system() noexcept { return ext4lite::ext4lite_fs_type_table; }

}  // namespace xip
