#include "exhibits/museum.h"

#include <algorithm>
#include <charconv>

#include <xip/base/exhibits.h>

#include "exhibits/core_2013.h"

namespace xip::exhibits {
namespace {

#if XIP_EXHIBITS
using enum exhibit_place;

// Numbers stay: they are cited. A new exhibit gets the next one.
constinit const exhibit all[] = {
    // The core of 2013, and each of its mistakes alone.
    {{1, "core-2013",
      exhibit_bit(core_replaced) | exhibit_bit(read_without_lock) | exhibit_bit(one_mutex_for_all_files) | exhibit_bit(sync_write_ignored) |
          exhibit_bit(extension_not_cleaned_up),
      &core_2013},
     "the whole XIP core of 2013",
     "mm/filemap_xip.c of 3.x",
     "race/023"},
    {{2, "read-size-once", exhibit_bit(read_size_once) | exhibit_bit(read_without_lock)},
     "i_size is looked at once, before the loop, and no lock keeps it true",
     "do_xip_mapping_read",
     "race/023"},
    {{3, "read-without-lock", exhibit_bit(read_without_lock)},
     "a read takes no lock: the copy goes on in blocks that a truncate has freed",
     "xip_file_read",
     "race/024"},
    {{4, "short-copy-not-counted", exhibit_bit(short_copy_not_counted)},
     "bytes that arrived before a fault in user memory are not counted",
     "do_xip_mapping_read",
     "race/048"},
    {{5, "conversion-missing", exhibit_bit(conversion_missing)},
     "what is written into preallocated blocks is never made visible",
     "__xip_file_write",
     "race/029"},
    {{6, "one-mutex-for-all-files", exhibit_bit(one_mutex_for_all_files)},
     "whoever allocates waits for whoever does so in any other file",
     "xip_sparse_mutex",
     "race/049"},
    {{7, "fresh-block-not-zeroed", exhibit_bit(fresh_block_not_zeroed)},
     "around the bytes of a write a new block shows what it held before",
     "__xip_file_write",
     "race/050"},
    {{8, "extension-not-recorded", exhibit_bit(extension_not_recorded)},
     "a crash in an extending write leaves blocks behind the end of file",
     "ext4_handle_inode_extension",
     "race/054"},
    {{9, "extension-not-cleaned-up", exhibit_bit(extension_not_cleaned_up)},
     "a failed extending write leaves blocks behind the end of file",
     "ext4_inode_extension_cleanup",
     "race/053"},
    {{10, "sync-write-ignored", exhibit_bit(sync_write_ignored)}, "O_SYNC and O_DSYNC mean nothing", "xip_file_write", "race/055"},
    {{11, "drain-missing", exhibit_bit(drain_missing)}, "a write returns while its bytes may still be lost", "xip_file_write", "race/056"},
    // Locks around reads, writes and what asks about them.
    {{12, "hook-bypassed", exhibit_bit(hook_bypassed), &hookless_file_operations},
     "the VFS calls the core, past the file system and its locks",
     ".read = xip_file_read of ext2",
     "race/024"},
    {{13, "write-lock-shared", exhibit_bit(write_lock_shared)}, "writes share i_rwsem", "ext4_dax_write_iter", "race/044"},
    {{14, "append-place-unlocked", exhibit_bit(append_place_unlocked)},
     "where an append goes is decided before the file is locked",
     "generic_write_checks",
     "race/030"},
    {{15, "position-unlocked", exhibit_bit(position_unlocked)},
     "two calls use one file position at the same time",
     "9c225f2655e3",
     "race/046"},
    {{16, "seek-without-lock", exhibit_bit(seek_without_lock)}, "SEEK_DATA and SEEK_HOLE take no lock", "ext4_llseek", "race/040"},
    // When unwritten blocks become written.
    {{17, "conversion-before-drain", exhibit_bit(conversion_before_drain)},
     "blocks are made visible while their bytes may still be lost",
     "dax_io of 4.0",
     "race/057"},
    {{18, "conversion-deferred", exhibit_bit(conversion_deferred)},
     "preallocated blocks that were written stay zeros until fsync",
     "dccaf33fa37a",
     "race/026"},
    {{19, "conversion-unlocked", exhibit_bit(conversion_unlocked)},
     "blocks are made visible after the file was unlocked",
     "ext4_end_io_unwritten",
     "race/034"},
    {{20, "conversion-not-datasync", exhibit_bit(conversion_not_datasync)},
     "fdatasync does not wait until written blocks are visible",
     "0929d8580071",
     "race/055"},
    // Sizes.
    {{21, "size-before-data", exhibit_bit(size_before_data)},
     "i_size covers bytes that are not there yet",
     "ext4_handle_inode_extension",
     "race/054"},
    {{22, "old-tail-not-zeroed", exhibit_bit(old_tail_not_zeroed)},
     "a file that grows shows what lay behind its end",
     "c7fc0366c656",
     "race/051"},
    {{23, "truncate-frees-first", exhibit_bit(truncate_frees_first)},
     "blocks are freed while i_size still covers them",
     "ext4_setattr",
     "race/058"},
    {{24, "truncate-keeps-cache", exhibit_bit(truncate_keeps_cache)},
     "after a truncate the extent cache still names the freed blocks",
     "ext4_es_remove_extent",
     "race/025"},
    {{25, "truncate-tail-kept", exhibit_bit(truncate_tail_kept)},
     "what a truncate cut off comes back when the file grows",
     "ext4_block_truncate_page",
     "race/032"},
    // Blocks, names and commits.
    {{26, "freed-block-reused", exhibit_bit(freed_block_reused)},
     "a freed block is another file's before that is durable",
     "ext4_free_data_in_buddy",
     "race/041"},
    {{27, "commit-before-data", exhibit_bit(commit_before_data)},
     "metadata is on the medium before the data that it makes visible",
     "06bd3c36a733",
     "race/059"},
    {{28, "unlink-frees-open-file", exhibit_bit(unlink_frees_open_file)},
     "the last name takes the blocks with it though the file is open",
     "ext4_unlink, ext4_orphan_add",
     "race/035"},
    // Who waits for whom.
    {{29, "rename-order-by-call", exhibit_bit(rename_order_by_call)},
     "AB-BA: a rename locks two directories in the order they were named",
     "lock_rename",
     "race/047"},
    {{30, "wakeup-lost", exhibit_bit(wakeup_lost)},
     "the last reader leaves without waking the writer that waits",
     "rwsem_wake",
     "race/023"},
    {{31, "handle-before-lock", exhibit_bit(handle_before_lock)},
     "a write opens its handle before it locks the file: a commit waits for both",
     "ext4_dax_write_iter",
     "race/052"},
};
#else
constexpr std::span<const exhibit> all{};
#endif

}  // namespace

std::span<const exhibit> all_exhibits() noexcept { return all; }

const exhibit* find_exhibit(std::string_view id) noexcept {
  unsigned number = 0;
  const auto [end, bad] = std::from_chars(id.data(), id.data() + id.size(), number);
  const bool is_number = bad == std::errc{} && end == id.data() + id.size();
  const auto found =
      std::ranges::find_if(all_exhibits(), [&](const exhibit& e) { return is_number ? e.bug.number == number : e.bug.name == id; });
  return found == all_exhibits().end() ? nullptr : &*found;
}

const scenario::planted_bug* find_bug(std::string_view id) noexcept {
  const exhibit* const found = find_exhibit(id);
  return found == nullptr ? nullptr : &found->bug;
}

}  // namespace xip::exhibits
