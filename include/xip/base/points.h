// Named points: the places that matter, in one vocabulary. A point can be traced, can be where a scheduler switches tasks, and
// (XIP_FAIL_POINT) can be made to fail. With no sink installed a point costs one load and one predicted branch.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <xip/base/exhibits.h>
#include <xip/base/result.h>

// X(name): snake_case, room first. A new point is added here and nowhere else.
// clang-format off
#define XIP_POINTS(X)                                                                          \
  X(xip_read_block)            /* before a block's bytes move: pos, i_size loaded, inode */     \
  X(xip_before_mapping)        /* get_blocks is asked next: lblk, blocks */                      \
  X(xip_mapping_returned)      /* get_blocks answered: lblk, length, type */                    \
  X(xip_copy_piece)            /* in mid-copy, between two pieces: pos, bytes */                 \
  X(xip_read_done)             /* all bytes have moved, i_size is looked at once more: pos */    \
  X(xip_zero_piece)            /* before bytes are zeroed: device byte, bytes */                 \
  X(xip_slice_started)         /* write: the handle is open, before the entries are locked */    \
  X(xip_entries_locked)        /* write: the entries of the slice are locked */                  \
  X(xip_before_drain)          /* write: copied, not yet drained */                             \
  X(xip_before_convert)        /* write: drained, not yet converted */                          \
  X(xip_before_set_size)       /* write: converted, i_size not yet stored */                    \
  X(xip_slice_done)            /* write: entries unlocked, handle stopped */                    \
  X(xip_zero_tail)             /* the old EOF block is zeroed before i_size passes it */         \
  X(xip_zeros_unmapped)        /* write: zero pages of the slice are out of all page tables */   \
  X(xip_fault_locked)          /* fault: the entry is locked, no mapping looked up: page, pages */ \
  X(xip_before_entry)          /* fault: the mapping is known, entry and page table are not: page, type */ \
  X(xip_fault_unlocked)        /* fault of MAP_SYNC: the entry is unlocked, the commit is next: page */ \
  X(xip_write_protected)       /* fsync: no page table may write the entry: page */              \
  X(xip_before_clean)          /* fsync: the entry is durable and still DIRTY: page */            \
  X(xip_entries_dropped)       /* truncate, punch: entries are gone, page tables not looked at again: pages */ \
  X(xip_layout_busy)           /* truncate, punch: a page is pinned, invalidate_lock is dropped: pages */ \
  X(mm_fault)                  /* mmap_lock is held: address, store */                          \
  X(mm_before_pte)             /* a page table gets an entry: page of the file, pages */         \
  X(mm_before_zap)             /* page tables lose entries: first page, last page */             \
  X(mm_before_copy)            /* a private page is made, its contents come next: address */     \
  X(mm_pinned)                 /* address */                                                    \
  X(vfs_before_i_size)         /* i_size_write: inode, new size; the old one still stands */    \
  X(vfs_i_size_stored)         /* i_size_write: inode, new size */                              \
  X(ext4_handle_started)       /* credits */                                                   \
  X(ext4_handle_stopped)                                                                       \
  X(ext4_map_blocks)           /* before the tree is looked at: inode, lblk */                  \
  X(ext4_before_zeroing)       /* fault or zero=alloc: blocks were unwritten, they are zeroed and converted next: inode, lblk */ \
  X(ext4_extent_inserted)      /* inode, lblk, pblk, length */                                  \
  X(ext4_extent_converted)     /* inode, lblk, length */                                       \
  X(ext4_extent_removed)       /* inode, lblk, length */                                       \
  X(ext4_block_allocated)      /* pblk, length */                                              \
  X(ext4_before_free)          /* pblk, length: bitmap not yet changed */                        \
  X(ext4_block_freed)          /* pblk, length */                                              \
  X(ext4_orphan_add)           /* inode */                                                     \
  X(ext4_orphan_del)           /* inode */                                                     \
  X(ext4_alloc_inode)          /* may fail: ENOSPC */                                           \
  X(ext4_alloc_blocks)         /* may fail: ENOSPC */                                           \
  X(ext4_commit_start)         /* metadata write-back begins, new handles wait */                \
  X(ext4_before_reuse)         /* frees are durable, their blocks not yet to be had again */    \
  X(ext4_commit_done)          /* everything dirtied before is durable */                        \
  X(jbd2_freeze)               /* new handles wait: transaction, blocks; they go to the log next */ \
  X(jbd2_before_flush)         /* the transaction's blocks are in the log, not yet flushed */    \
  X(jbd2_before_commit_block)  /* they are on the medium, the commit block is not */             \
  X(jbd2_commit_block_written) /* the commit block is in the log, not yet flushed */             \
  X(jbd2_committed)            /* the transaction is durable */                                  \
  X(jbd2_checkpoint)           /* what is committed goes home next */                            \
  X(jbd2_before_tail)          /* it is home and flushed, the log does not say so yet */         \
  X(jbd2_aborted)              /* errno */                                                       \
  X(dev_fence)                 /* stores before this are durable after it */                     \
  X(dev_flush)                 /* block device flush */                                        \
  X(buffer_read)               /* may fail: EIO; block */                                       \
  X(buffer_write)              /* may fail: EIO; block */                                       \
  X(alloc_memory)              /* may fail: ENOMEM */                                           \
  X(user_point)                /* of a program outside of libxip: whatever it likes to tell */
// clang-format on

namespace xip {

enum class point : std::uint16_t {
#define XIP_POINT_NAME(name) name,
  XIP_POINTS(XIP_POINT_NAME)
#undef XIP_POINT_NAME
      count
};

inline constexpr std::size_t point_count = static_cast<std::size_t>(point::count);

[[nodiscard]] std::string_view point_name(point p) noexcept;

// What listens at points. Installed for a thread by the kernel instance whose code runs there.
class point_sink {
 public:
  virtual void on_point(point p, std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept = 0;
  // Asked at points that may fail: zero, or the errno to fail with.
  virtual int inject(point p, std::uint64_t a, std::uint64_t b) noexcept = 0;
#if XIP_EXHIBITS
  // Which planted bugs are there for the threads that report here: set while none of them runs.
  exhibit_set exhibits;
  // What is called at such a place instead of the product's own. The place knows what it is.
  const void* stand_in = nullptr;
#endif

 protected:
  ~point_sink() = default;
};

// The sink of the running thread, or null. Thread state in the sense of Linux's `current`, not shared between threads.
inline constinit thread_local point_sink* current_point_sink = nullptr;

inline void hit_point(point p, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0) noexcept {
  if (point_sink* sink = current_point_sink; sink != nullptr) [[unlikely]]
    sink->on_point(p, a, b, c);
}
[[nodiscard]] inline result<> fail_point(point p, std::uint64_t a = 0, std::uint64_t b = 0) noexcept {
  if (point_sink* sink = current_point_sink; sink != nullptr) [[unlikely]] {
    sink->on_point(p, a, b, 0);
    if (int number = sink->inject(p, a, b); number != 0) return fail(number);
  }
  return {};
}

#if XIP_EXHIBITS
[[nodiscard]] inline bool exhibit_is_on(exhibit_place p) noexcept {
  const point_sink* sink = current_point_sink;
  return sink != nullptr && sink->exhibits.has(p);
}
[[nodiscard]] inline const void* exhibit_stand_in() noexcept { return current_point_sink->stand_in; }
#define XIP_EXHIBIT(PLACE) ::xip::exhibit_is_on(::xip::exhibit_place::PLACE)
#else
[[nodiscard]] constexpr const void* exhibit_stand_in() noexcept { return nullptr; }
#define XIP_EXHIBIT(PLACE) false
#endif

}  // namespace xip

#define XIP_POINT(NAME, ...) ::xip::hit_point(::xip::point::NAME __VA_OPT__(, ) __VA_ARGS__)
#define XIP_FAIL_POINT(NAME, ...) ::xip::fail_point(::xip::point::NAME __VA_OPT__(, ) __VA_ARGS__)
