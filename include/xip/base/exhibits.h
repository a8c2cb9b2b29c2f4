// Planted bugs. The product names the place of each and does there what the bug did; what is shown with it, and what must catch it, is said by
// the museum (src/exhibits). Where XIP_EXHIBITS is 0 (release) a place is the constant false, and nothing of it is compiled.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <xip/base/config.h>

// X(name): what goes wrong there. A new one is added here and at its place.
// clang-format off
#define XIP_EXHIBIT_PLACES(X)                                                                  \
  X(read_without_lock)          /* read_iter takes no i_rwsem */                               \
  X(read_size_once)             /* the core loads i_size before its loop only */               \
  X(write_lock_shared)          /* write_iter takes i_rwsem shared */                          \
  X(append_place_unlocked)      /* the place of an append is chosen before i_rwsem is taken */ \
  X(position_unlocked)          /* two calls use one file position at the same time */         \
  X(conversion_missing)         /* what was written stays unwritten */                         \
  X(conversion_before_drain)    /* converted while the bytes may still be in a cache */        \
  X(conversion_deferred)        /* converted by the next fsync */                              \
  X(conversion_unlocked)        /* converted after i_rwsem was released */                     \
  X(conversion_not_datasync)    /* fdatasync does not wait for the conversion */               \
  X(fresh_block_not_zeroed)     /* head and tail of a new block keep what they held */         \
  X(size_before_data)           /* i_size moves before the bytes are there */                  \
  X(old_tail_not_zeroed)        /* growth shows what lay behind the old end of file */         \
  X(extension_not_recorded)     /* an extending write is not on the orphan list */             \
  X(extension_not_cleaned_up)   /* a failed extending write leaves its blocks */               \
  X(sync_write_ignored)         /* O_SYNC and O_DSYNC mean nothing */                          \
  X(drain_missing)              /* a write returns with its bytes on their way */              \
  X(commit_before_data)         /* metadata is written before the device has flushed the data */\
  X(truncate_frees_first)       /* blocks are freed before i_size moves */                     \
  X(truncate_keeps_cache)       /* the extent cache still knows what was freed */              \
  X(truncate_tail_kept)         /* the bytes behind the new end of file stay in their block */ \
  X(freed_block_reused)         /* a freed block is handed out before the commit */            \
  X(unlink_frees_open_file)     /* the last name frees the blocks, not the last close */       \
  X(seek_without_lock)          /* SEEK_DATA and SEEK_HOLE take no i_rwsem */                  \
  X(rename_order_by_call)       /* two directories are locked in the order they were given */  \
  X(wakeup_lost)                /* the last reader leaves without waking the waiting writer */ \
  X(handle_before_lock)         /* a write opens its handle before it takes i_rwsem */          \
  X(hook_bypassed)              /* reads go past the file system's hook (stand-in: file_operations) */ \
  X(core_replaced)              /* another core moves the bytes (stand-in: xip_core) */         \
  X(short_copy_not_counted)     /* bytes that arrived before a fault in user memory are not counted */ \
  X(one_mutex_for_all_files)    /* whoever allocates for a file waits for all who do */         \
  X(fsync_without_commit)       /* fsync flushes the device and commits nothing */             \
  X(directory_sync_ignored)     /* fsync of a directory does nothing */                        \
  X(commit_not_flushed)         /* a commit does not wait for its commit block */              \
  X(revoke_missing)             /* what was freed is replayed all the same */                  \
  X(freed_brought_home)         /* a checkpoint writes freed blocks home */                    \
  X(tail_before_home)           /* the log is emptied before its blocks are surely home */     \
  X(recovery_flag_late)         /* the log is written without needs_recovery */                \
  X(recovery_flag_early)        /* needs_recovery goes before the log is empty */              \
  X(orphan_forgotten)           /* the last name goes and no list knows the inode */           \
  X(orphans_not_cleaned_up)     /* a mount leaves the orphan list alone */                     \
  X(replay_stops_early)         /* recovery brings home the first transaction only */          \
  X(replay_without_revokes)     /* recovery looks at no revoke block */                        \
  X(link_not_counted)           /* a new name is logged, its link count is not */              \
  X(commit_trusted_early)       /* a commit that another task has begun is taken for done */   \
  X(commit_number_early)        /* which commit carries a change is noted before its handle is open */ \
  X(freed_at_freeze)            /* freed blocks may be had when their transaction ends, not when it is durable */ \
  X(move_not_committed)         /* a collapse or insertion returns before it is durable where its blocks lie */ \
  X(slice_unlocked)             /* a slice of a write gives its entries back before it copies */ \
  X(slice_looked_up_early)      /* what a slice has found before it locked its entries counts */ \
  X(slice_copies_with_faults)   /* a slice copies with faults allowed, entries locked */        \
  X(zeros_kept_by_write)        /* zero pages stay mapped where a write has filled a hole */    \
  X(entries_dropped_by_write)   /* all entries of a slice go, also DIRTY ones */                \
  X(fault_looked_up_early)      /* a fault looks for its block before it locks the entry */     \
  X(zeros_kept_by_fault)        /* zero pages stay mapped where a store got a block */          \
  X(sync_fault_ignored)         /* MAP_SYNC maps what no commit leads to */                     \
  X(not_write_protected)        /* fsync leaves what it flushes open for stores */              \
  X(cleaned_before_flush)       /* fsync marks an entry clean, then flushes it */               \
  X(pages_kept_mapped)          /* blocks go and page tables keep them */                       \
  X(pins_ignored)               /* blocks go though a page of them is pinned */                 \
  X(entries_before_handle)      /* a slice locks its entries, then opens its handle */          \
  X(slice_unlocked_early)       /* a slice gives its entries back before its blocks are the file's */ \
  X(slice_not_shortened)        /* a slice copies all its bytes into fewer blocks than they need */ \
  X(zeros_dropped_late)         /* zero pages go when others may read what was written */        \
  X(space_waited_for_in_slice)  /* who finds no block waits for a commit with its handle open */ \
  X(fault_without_lock)         /* a fault takes no invalidate_lock */                          \
  X(fault_takes_inode_lock)     /* a fault takes i_rwsem */                                     \
  X(pages_overlooked)           /* 2 MiB are mapped whatever entries single pages of them have */ \
  X(checksum_of_old_block)      /* a tag's checksum is that of the block before its own was filled in */ \
  X(stock_tail_update)          /* the log's tail and its checksum are two lines, and who finds them torn throws the log away */ \
  X(dax_flag_at_once)           /* the flag for DAX counts at once, also for a file that is open */ \
  X(handle_for_copy)            /* a store into a private page opens a handle, as one that changes the file */
// clang-format on

namespace xip {

enum class exhibit_place : std::uint8_t {
#define XIP_EXHIBIT_NAME(name) name,
  XIP_EXHIBIT_PLACES(XIP_EXHIBIT_NAME)
#undef XIP_EXHIBIT_NAME
      count
};

// Some of the places.
class exhibit_set {
 public:
  constexpr exhibit_set() noexcept = default;
  constexpr exhibit_set(exhibit_place p) noexcept { words_[word_of(p)] = bit_of(p); }
  [[nodiscard]] constexpr bool has(exhibit_place p) const noexcept { return (words_[word_of(p)] & bit_of(p)) != 0; }
  [[nodiscard]] constexpr bool empty() const noexcept { return *this == exhibit_set{}; }
  constexpr exhibit_set& operator|=(const exhibit_set& o) noexcept {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= o.words_[i];
    return *this;
  }
  friend constexpr exhibit_set operator|(exhibit_set a, const exhibit_set& b) noexcept { return a |= b; }
  friend constexpr bool operator==(const exhibit_set&, const exhibit_set&) noexcept = default;

 private:
  static constexpr std::size_t bits = 64;
  [[nodiscard]] static constexpr std::size_t word_of(exhibit_place p) noexcept { return static_cast<std::size_t>(p) / bits; }
  [[nodiscard]] static constexpr std::uint64_t bit_of(exhibit_place p) noexcept {
    return std::uint64_t{1} << static_cast<std::size_t>(p) % bits;
  }

  std::array<std::uint64_t, (static_cast<std::size_t>(exhibit_place::count) + bits - 1) / bits> words_{};
};
[[nodiscard]] constexpr exhibit_set operator|(exhibit_place a, exhibit_place b) noexcept { return exhibit_set{a} | b; }

#if XIP_EXHIBITS
// "read_without_lock"
[[nodiscard]] std::string_view exhibit_place_name(exhibit_place p) noexcept;
#endif

}  // namespace xip
