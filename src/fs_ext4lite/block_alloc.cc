// Which blocks a file gets, and giving them back. Linux: fs/ext4/mballoc.c, balloc.c.
//
// A group is searched under its lock, then access to its bitmap and descriptor is asked for without it (that may block), then the run is taken
// under the lock again, if it is still there. No bit changes without the descriptor's count under the same lock.
//
// A freed block is clear in the bitmap at once, but its pending bit keeps it from being handed out until the commit that carries the free is
// durable: before that a crash may bring the old owner back, and its block must still hold what it held.
//
// A write fills blocks that are only reserved, which is kept in memory with the same bits, and takes them when its bytes are in place: the tree and the bitmap
// change once.
//
// Behind a file that grows a window of free blocks is kept for it. When a search finds nothing, the windows go, and it is made again.
//
// Lock chains:
//   jbd2_handle -> i_data_sem -> group_lock
//   jbd2_handle -> group_lock
//   i_data_sem -> jbd2_revoke
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <xip/base/points.h>
#include <xip/dev/block_observer.h>
#include <xip/vfs/kernel.h>

#include "fs_ext4lite/bitmap.h"
#include "fs_ext4lite/group.h"
#include "fs_ext4lite/journal.h"
#include "jbd2/journal.h"

namespace xip::ext4lite {
namespace {

inline constexpr std::uint32_t flex_dir_scheme = 4;  // groups per flex group from which directories and files keep apart
inline constexpr std::uint32_t good_at_goal = 8;     // so many blocks right at the goal are taken even if there is a longer run elsewhere
inline constexpr std::uint32_t least_window = 8, largest_window = 2048;  // blocks: as many as the file has, within these

// Root's reserve is for root, and for whom the super block names.
[[nodiscard]] bool may_use_reserve(const ext4_sb_info& sb) noexcept {
  return vfs::capable(CAP_SYS_RESOURCE) || vfs::current_fsuid() == sb.s_resuid || (sb.s_resgid != 0 && vfs::in_group(sb.s_resgid));
}

// What is looked for in one group: LEAST to WANT blocks, best at START. WINDOW: so many more are to be kept behind those, if they are there. STRIPE: all of them at a
// multiple of it would be better still; 0: it does not matter.
struct request {
  std::uint32_t start;
  std::uint32_t least;
  std::uint32_t want;
  std::uint32_t window;
  std::uint32_t stripe = 0;
};

// WANT clear bits from FROM on that begin at PHASE and a multiple of STRIPE, or at such a place before; count 0: there are none. Linux: ext4_mb_scan_aligned.
[[nodiscard]] bit_run find_aligned_run(const bitmap_view& bits, const request& r, std::uint32_t phase) noexcept {
  const auto rounded_up = [&](std::uint32_t at) { return at <= phase ? phase : phase + (at - phase + r.stripe - 1) / r.stripe * r.stripe; };
  for (const std::uint32_t from : {r.start, 0u})
    for (std::uint32_t at = rounded_up(from); at < bits.size() && bits.size() - at >= r.want;) {
      const std::uint32_t end = bits.next_set(at);
      if (end - at >= r.want) return {at, r.want};
      at = rounded_up(bits.next_clear(end));
    }
  return {};
}

// Memory for the maps of a group, made before its spin lock is taken; once a group has them, they stay.
[[nodiscard]] std::pmr::vector<std::uint64_t> spare_maps(ext4_sb_info& sb, const group_info& info) {
  const bool there = info.has_maps.load(std::memory_order_relaxed);
  return std::pmr::vector<std::uint64_t>(there ? 0 : (sb.s_blocks_per_group + 63) / 64 * 2, 0, &sb.memory());
}

void use_maps(group_info& info, std::pmr::vector<std::uint64_t>& spare) noexcept XIP_REQUIRES(info.lock) {
  if (info.maps.empty()) info.maps.swap(spare);
  info.has_maps.store(true, std::memory_order_relaxed);
}

[[nodiscard]] bit_run find_in(const bitmap_view& bits, const request& r, std::uint32_t& longest) noexcept {
  const auto grown = [&](std::uint32_t first) { return bit_run{first, std::min(r.want, bits.next_set(first) - first)}; };
  longest = 0;
  if (r.start < bits.size() && !bits.test(r.start)) {
    const bit_run at_goal = grown(r.start);
    if (at_goal.count >= std::min(r.least, good_at_goal)) return at_goal;
  }
  bit_run run = find_clear_run(bits, r.start, r.least);
  if (run.count < r.least && r.start != 0) run = find_clear_run(bits, 0, r.least);
  longest = run.count;
  return run.count >= r.least ? grown(run.first) : bit_run{};
}

void mark_in_use(ext4_sb_info& sb, group_info& info, std::span<std::byte> bits, ext4_group_desc& d, const bit_run& run) noexcept
    XIP_REQUIRES(info.lock) {
  fill_bits(bits, run.first, run.count, true);
  const std::uint32_t free = counts_of(sb, d).free_blocks - run.count;
  set_free_blocks(sb, d, free);
  info.free_blocks.store(free, std::memory_order_relaxed);
  mark_checksums_stale(sb, info);
}

class group_search {
 public:
  group_search(handle& h, ext4_inode_info& inode, group_t g, bool metadata)
      : h_{h}, inode_{inode}, sb_{h.sb()}, info_{*sb_.s_groups[g.value()]}, group_{g}, metadata_{metadata} {}

  // Blocks of this group for R, taken; count 0: there are none.
  [[nodiscard]] result<bit_run> take(const request& r) {
    auto bitmap = load_block_bitmap(sb_, group_);
    if (!bitmap) return bitmap.error() == ENOMEM ? result<bit_run>{fail(ENOMEM)} : bit_run{};
    if (look(**bitmap, r).count == 0) return bit_run{};
    const std::span<std::byte> bits = XIP_TRY(get_write_access(h_, **bitmap));
    dev::buffer& desc = desc_buffer(sb_, group_);
    const std::span<std::byte> block = XIP_TRY(get_write_access(h_, desc));
    auto spare = r.window != 0 ? spare_maps(sb_, info_) : std::pmr::vector<std::uint64_t>(&sb_.memory());
    const bit_run run = claim(bits, desc_within(sb_, group_, block), r, spare);
    if (run.count == 0) return run;
    XIP_TRY(dirty_metadata(h_, **bitmap));
    XIP_TRY(dirty_metadata(h_, desc));
    if (metadata_) XIP_TRY(check_not_cached(run));
    return run;
  }

  // The same, but in memory only. A group that was never written has no bitmap to find them in.
  [[nodiscard]] bit_run reserve(const dev::buffer& bitmap, const request& r) {
    if (const bit_run run = reserve_from_window(r); run.count != 0) return run;
    auto spare = spare_maps(sb_, info_);
    spin_guard guard{info_.lock};
    if ((flags_of(sb_, group_desc(sb_, group_)) & bg_block_uninit) != 0) return {};
    if (!spare.empty()) use_maps(info_, spare);
    const bit_run run = find_or_take_from_window(bitmap.data(), r);
    if (run.count == 0) return run;
    fill_words(info_.withheld(), run.first, run.count, true);
    keep_behind(bitmap.data(), run, r);
    return run;
  }

 private:
  // A block of metadata leaves the cache when it is freed. One that is still there is in use, whatever the bitmap says, and somebody on the way
  // to this allocation may hold it. It keeps the bit that RUN has just set.
  [[nodiscard]] result<> check_not_cached(const bit_run& run) {
    for (std::uint32_t i = 0; i < run.count; ++i) {
      const pblk_t block = first_block_of(sb_, group_) + (run.first + i);
      if (!sb_.s_buffers->find(block)) continue;
      sb_.s_freeblocks.fetch_sub(run.count, std::memory_order_relaxed);
      info_.corrupt.store(true, std::memory_order_relaxed);
      return corrupted(
          sb_, fmt::format("block {} was free in the bitmap of group {}, but holds metadata in use", block.value(), group_.value()));
    }
    return {};
  }

  // A group that was never written is taken at its descriptor's word: its bitmap does not exist yet.
  [[nodiscard]] bit_run look(const dev::buffer& bitmap, const request& r) {
    spin_guard guard{info_.lock};
    if ((flags_of(sb_, group_desc(sb_, group_)) & bg_block_uninit) != 0) {
      const std::uint32_t free = info_.free_blocks.load(std::memory_order_relaxed);
      return free >= r.least ? bit_run{0, free} : bit_run{};
    }
    if (const block_window* w = window_at(r.start)) return {w->first, w->count};
    return find(bitmap.data(), r);
  }

  // What was kept for the file, if that is where it goes on; only data has one.
  [[nodiscard]] block_window* window_at(std::uint32_t start) XIP_REQUIRES(info_.lock) {
    block_window* w = metadata_ ? nullptr : info_.windows.of(inode_.i_ino);
    return w != nullptr && w->first == start ? w : nullptr;
  }

  [[nodiscard]] bit_run take_from_window(const request& r) XIP_REQUIRES(info_.lock) {
    block_window* w = window_at(r.start);
    if (w == nullptr) return {};
    const bit_run run = info_.windows.take(*w, r.want, info_.withheld());
    if (w->count == 0) sb_.s_windows.fetch_sub(1, std::memory_order_relaxed);
    return run;
  }

  // The blocks of a window are withheld already.
  [[nodiscard]] bit_run reserve_from_window(const request& r) {
    spin_guard guard{info_.lock};
    block_window* w = window_at(r.start);
    if (w == nullptr) return {};
    const bit_run run{w->first, std::min(w->count, r.want)};
    w->first += run.count;
    w->count -= run.count;
    if (w->count == 0) sb_.s_windows.fetch_sub(1, std::memory_order_relaxed);
    return run;
  }

  [[nodiscard]] bit_run find_or_take_from_window(std::span<const std::byte> bits, const request& r) XIP_REQUIRES(info_.lock) {
    if (r.stripe != 0 && r.want % r.stripe == 0) {
      const auto phase = static_cast<std::uint32_t>((r.stripe - first_block_of(sb_, group_).value() % r.stripe) % r.stripe);
      if (const bit_run run = find_aligned_run(view_of(bits), r, phase); run.count != 0) return run;
    }
    const bit_run run = take_from_window(r);
    return run.count != 0 ? run : find(bits, r);
  }

  // RUN was just taken for a file that has blocks already: what is free behind it is kept.
  void keep_behind(std::span<const std::byte> bits, const bit_run& run, const request& r) XIP_REQUIRES(info_.lock) {
    if (r.window == 0 || info_.withheld().empty()) return;
    if (block_window* old = info_.windows.of(inode_.i_ino)) {
      if (old->first == run.first + run.count) return;
      info_.windows.drop(*old, info_.withheld());
      sb_.s_windows.fetch_sub(1, std::memory_order_relaxed);
    }
    const bitmap_view view{bits, blocks_in_group(sb_, group_), info_.withheld()};
    const std::uint32_t first = run.first + run.count;
    const std::uint32_t count = std::min(r.window, view.next_set(first) - std::min(first, view.next_set(first)));
    if (count == 0 || !data_blocks_valid(sb_, first_block_of(sb_, group_) + first, count)) return;
    sb_.s_windows.fetch_add(info_.windows.keep(inode_.i_ino, {first, count}, info_.withheld()), std::memory_order_relaxed);
    inode_.i_window_group.store(group_.value(), std::memory_order_relaxed);
  }

  // What nobody has, and nothing is kept for.
  [[nodiscard]] bitmap_view view_of(std::span<const std::byte> bits) const noexcept XIP_REQUIRES(info_.lock) {
    const std::span<const std::uint64_t> withheld = info_.withheld();
    return {bits, blocks_in_group(sb_, group_), XIP_EXHIBIT(freed_block_reused) ? withheld.first(0) : withheld};
  }

  [[nodiscard]] bit_run find(std::span<const std::byte> bits, const request& r) XIP_REQUIRES(info_.lock) {
    std::uint32_t longest = 0;
    const bit_run run = find_in(view_of(bits), r, longest);
    if (run.count == 0) info_.longest_run.store(longest, std::memory_order_relaxed);
    return run;
  }

  [[nodiscard]] bit_run claim(std::span<std::byte> bits, ext4_group_desc& d, request r, std::pmr::vector<std::uint64_t>& spare) {
    spin_guard guard{info_.lock};
    if (!spare.empty()) use_maps(info_, spare);
    if ((flags_of(sb_, d) & bg_block_uninit) != 0) {
      init_block_bitmap(sb_, group_, bits);
      d.bg_flags = static_cast<std::uint16_t>(d.bg_flags & ~bg_block_uninit);
      info_.block_bitmap_checked.store(true, std::memory_order_release);
      r.least = 1;  // the group is changed now, whatever it has is taken
    }
    const bit_run run = find_or_take_from_window(bits, r);
    if (run.count == 0) return run;
    mark_in_use(sb_, info_, bits, d, run);
    keep_behind(bits, run, r);
    return run;
  }

  handle& h_;
  ext4_inode_info& inode_;
  ext4_sb_info& sb_;
  group_info& info_;
  group_t group_;
  bool metadata_;
};

[[nodiscard]] bool worth_a_look(const group_info& info, std::uint32_t least) noexcept {
  const std::uint32_t free = info.free_blocks.load(std::memory_order_relaxed) - info.pending_count.load(std::memory_order_relaxed);
  return free >= least && info.longest_run.load(std::memory_order_relaxed) >= least && !info.corrupt.load(std::memory_order_relaxed);
}

// The longest run any group can have, below LEAST; at least 1.
[[nodiscard]] std::uint32_t next_least(const ext4_sb_info& sb, std::uint32_t least) noexcept {
  std::uint32_t best = 1;
  for (const group_info* info : sb.s_groups) {
    const std::uint32_t bound =
        std::min(info->longest_run.load(std::memory_order_relaxed), info->free_blocks.load(std::memory_order_relaxed));
    if (bound < least) best = std::max(best, bound);
  }
  return std::min(best, least - 1);
}

// The file goes on where it ended: a window behind it is worth while. It grows with the file.
[[nodiscard]] std::uint32_t window_for(const ext4_inode_info& inode, bool metadata) noexcept {
  const std::uint64_t blocks = inode.i_blocks.load(std::memory_order_relaxed) >> (inode.i_sb.s_blocksize_bits - 9);
  if (metadata || blocks == 0) return 0;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(blocks, least_window, largest_window));
}

// Every window goes. False: there was none.
[[nodiscard]] bool drop_all_windows(ext4_sb_info& sb) noexcept {
  if (sb.s_windows.load(std::memory_order_relaxed) <= 0) return false;
  int dropped = 0;
  for (group_info* info : sb.s_groups) {
    spin_guard guard{info->lock};
    const int here = info->windows.drop_all(info->withheld());
    if (here != 0) info->longest_run.store(~0u, std::memory_order_relaxed);
    dropped += here;
  }
  sb.s_windows.fetch_sub(dropped, std::memory_order_relaxed);
  return dropped != 0;
}

[[nodiscard]] result<allocated> search_groups(handle& h, ext4_inode_info& inode, pblk_t goal, std::uint32_t want, bool metadata) {
  ext4_sb_info& sb = h.sb();
  const group_t home = group_of(sb, goal);
  const auto goal_offset = static_cast<std::uint32_t>(goal - first_block_of(sb, home));
  for (std::uint32_t least = want;; least = next_least(sb, least)) {
    for (std::uint32_t i = 0; i < sb.s_groups_count; ++i) {
      const group_t g{(home.value() + i) % sb.s_groups_count};
      if (i != 0 ? !worth_a_look(*sb.s_groups[g.value()], least) : !worth_a_look(*sb.s_groups[g.value()], 1)) continue;
      const request r{i == 0 ? goal_offset : 0, least, want, window_for(inode, metadata), metadata ? 0 : sb.s_stripe};
      const bit_run run = XIP_TRY(group_search(h, inode, g, metadata).take(r));
      if (run.count != 0) return allocated{first_block_of(sb, g) + run.first, run.count};
    }
    if (least == 1) return fail(ENOSPC);
  }
}

void account(ext4_sb_info& sb, ext4_inode_info& inode, std::int64_t blocks) noexcept {
  sb.s_freeblocks.fetch_sub(blocks, std::memory_order_relaxed);
  add_to_i_blocks(inode, blocks);
}

// A bitmap calls blocks of the file system's own free, of which COUNT from FIRST were found for INODE: nothing is taken by it any more.
[[nodiscard]] std::unexpected<error> found_own_blocks(ext4_inode_info& inode, pblk_t first, std::uint32_t count) {
  ext4_sb_info& sb = sbi_of(inode);
  sb.s_groups[group_of(sb, first).value()]->corrupt.store(true, std::memory_order_relaxed);
  return corrupted(inode,
                   fmt::format("was to get blocks {} to {}, which are the file system's own", first.value(), first.value() + count - 1));
}

// COUNT blocks from FIRST are INODE's now: whoever watches is told.
void note_allocated(ext4_inode_info& inode, pblk_t first, std::uint32_t count, bool metadata) {
  XIP_POINT(ext4_block_allocated, first.value(), count);
  ext4_sb_info& sb = sbi_of(inode);
  if (dev::block_observer* observer = sb.s_bdev.observer(); observer != nullptr) {
    const auto owner = metadata ? dev::block_owner::metadata : dev::block_owner::file;
    observer->on_alloc(first, count, owner, inode.i_ino, inode.i_generation);
  }
}

void give_back_reserved(ext4_sb_info& sb, const reserved_blocks& r) noexcept {
  const group_t g = group_of(sb, r.first);
  group_info& info = *sb.s_groups[g.value()];
  sb.s_freeblocks.fetch_add(r.count, std::memory_order_relaxed);
  spin_guard guard{info.lock};
  fill_words(info.withheld(), static_cast<std::uint32_t>(r.first - first_block_of(sb, g)), r.count, false);
  info.longest_run.store(~0u, std::memory_order_relaxed);
}

enum class free_outcome : std::uint8_t { freed, was_free, never_written };

// COUNT blocks of the group from FIRST on become free and pending; nothing changes unless all of them were in use.
[[nodiscard]] free_outcome release_in_group(ext4_sb_info& sb, group_t g, std::span<std::byte> bits, ext4_group_desc& d, std::uint32_t first,
                                            std::uint32_t count, std::pmr::vector<std::uint64_t>& spare) {
  group_info& info = *sb.s_groups[g.value()];
  spin_guard guard{info.lock};
  if ((flags_of(sb, d) & bg_block_uninit) != 0) return free_outcome::never_written;
  if (bitmap_view{bits, first + count}.next_clear(first) != first + count) return free_outcome::was_free;
  use_maps(info, spare);
  fill_words(info.withheld(), first, count, true);
  info.pending_count.fetch_add(count, std::memory_order_relaxed);
  fill_bits(bits, first, count, false);
  const std::uint32_t free = counts_of(sb, d).free_blocks + count;
  set_free_blocks(sb, d, free);
  info.free_blocks.store(free, std::memory_order_relaxed);
  mark_checksums_stale(sb, info);
  return free_outcome::freed;
}

[[nodiscard]] result<> free_in_group(handle& h, ext4_inode_info& inode, group_t g, pblk_t first, std::uint32_t count) {
  ext4_sb_info& sb = h.sb();
  const auto bitmap = load_block_bitmap(sb, g);
  if (!bitmap) {
    // A corrupt group was reported when it was found; its blocks stay as they are for e2fsck.
    return bitmap.error() == EUCLEAN ? result<>{} : fail(bitmap.error());
  }
  const std::span<std::byte> bits = XIP_TRY(get_write_access(h, **bitmap));
  dev::buffer& desc = desc_buffer(sb, g);
  const std::span<std::byte> block = XIP_TRY(get_write_access(h, desc));
  auto spare = spare_maps(sb, *sb.s_groups[g.value()]);
  const auto offset = static_cast<std::uint32_t>(first - first_block_of(sb, g));
  if (release_in_group(sb, g, bits, desc_within(sb, g, block), offset, count, spare) != free_outcome::freed)
    return corrupted(inode, fmt::format("frees blocks {} to {}, which are free already (block bitmap {})", first.value(),
                                        first.value() + count - 1, (*bitmap)->block().value()));
  sb.s_pending_blocks.fetch_add(count, std::memory_order_relaxed);
  account(sb, inode, -std::int64_t{count});
  XIP_TRY(dirty_metadata(h, **bitmap));
  return dirty_metadata(h, desc);
}

// What was metadata is never written again: not from the cache, nor from the journal when the blocks may be a file's. Linux: ext4_forget.
void forget_metadata(ext4_sb_info& sb, pblk_t first, std::uint32_t count) noexcept {
  for (std::uint32_t i = 0; i < count; ++i) {
    if (sb.s_journal != nullptr) sb.s_journal->revoke(first + i);
    sb.s_buffers->forget(first + i);
  }
}

}  // namespace

result<allocated> alloc_blocks(handle& h, ext4_inode_info& inode, pblk_t goal, std::uint32_t want, std::uint32_t flags) {
  ext4_sb_info& sb = h.sb();
  XIP_TRY(XIP_FAIL_POINT(ext4_alloc_blocks, inode.i_ino.value(), want));
  const std::uint64_t allowed = allowance(sb, flags);
  if (allowed == 0 || want == 0) return fail(ENOSPC);
  want = static_cast<std::uint32_t>(std::min<std::uint64_t>({want, allowed, sb.s_blocks_per_group, extent_unwritten_max_len}));
  if (goal < sb.s_first_data_block || goal.value() >= sb.s_blocks_count) goal = sb.s_first_data_block;
  const bool metadata = (flags & alloc_metadata) != 0 || !inode.is_reg();
  auto found = search_groups(h, inode, goal, want, metadata);
  if (!found && found.error() == ENOSPC && drop_all_windows(sb)) found = search_groups(h, inode, goal, want, metadata);
  const allocated got = XIP_TRY(found);
  account(sb, inode, got.count);
  if (!data_blocks_valid(sb, got.first, got.count)) return found_own_blocks(inode, got.first, got.count);
  note_allocated(inode, got.first, got.count, metadata);
  return got;
}

result<reserved_blocks> reserve_blocks(handle& h, ext4_inode_info& inode, pblk_t goal, std::uint32_t want) {
  ext4_sb_info& sb = h.sb();
  XIP_TRY(XIP_FAIL_POINT(ext4_alloc_blocks, inode.i_ino.value(), want));
  if (goal < sb.s_first_data_block || goal.value() >= sb.s_blocks_count || allowance(sb) < want) return reserved_blocks{};
  const group_t g = group_of(sb, goal);
  if (!worth_a_look(*sb.s_groups[g.value()], 1)) return reserved_blocks{};
  dev::buffer_ref& bitmap = inode.i_bitmap;
  if (!bitmap || inode.i_bitmap_group != g) {
    auto loaded = load_block_bitmap(sb, g);
    if (!loaded) return loaded.error() == ENOMEM ? result<reserved_blocks>{fail(ENOMEM)} : reserved_blocks{};
    bitmap = std::move(*loaded);
    inode.i_bitmap_group = g;
  }
  const request r{static_cast<std::uint32_t>(goal - first_block_of(sb, g)), want, want, window_for(inode, false)};
  const bit_run run = group_search(h, inode, g, false).reserve(*bitmap, r);
  if (run.count == 0) return reserved_blocks{};
  reserved_blocks got{first_block_of(sb, g) + run.first, run.count};
  sb.s_freeblocks.fetch_sub(got.count, std::memory_order_relaxed);
  if (!data_blocks_valid(sb, got.first, got.count)) {
    give_back_reserved(sb, got);
    return found_own_blocks(inode, got.first, got.count);
  }
  note_allocated(inode, got.first, got.count, false);
  return got;
}

result<> take_reserved(handle& h, ext4_inode_info& inode, reserved_blocks& r, std::uint32_t count) {
  ext4_sb_info& sb = h.sb();
  const group_t g = group_of(sb, r.first);
  const std::span<std::byte> bits = XIP_TRY(get_write_access(h, *inode.i_bitmap));
  dev::buffer& desc = desc_buffer(sb, g);
  const std::span<std::byte> block = XIP_TRY(get_write_access(h, desc));
  {
    group_info& info = *sb.s_groups[g.value()];
    const bit_run run{static_cast<std::uint32_t>(r.first - first_block_of(sb, g)), count};
    spin_guard guard{info.lock};
    mark_in_use(sb, info, bits, desc_within(sb, g, block), run);
    fill_words(info.withheld(), run.first, run.count, false);
  }
  r.first += count;
  r.count -= count;
  add_to_i_blocks(inode, count);
  XIP_TRY(dirty_metadata(h, *inode.i_bitmap));
  return dirty_metadata(h, desc);
}

void unreserve_blocks(ext4_sb_info& sb, reserved_blocks& r) noexcept {
  if (r.count == 0) return;
  if (dev::block_observer* observer = sb.s_bdev.observer(); observer != nullptr) observer->on_unused(r.first, r.count);
  give_back_reserved(sb, std::exchange(r, {}));
}

void add_to_i_blocks(ext4_inode_info& inode, std::int64_t blocks) noexcept {
  const std::int64_t sectors = blocks * (std::int64_t{1} << (inode.i_sb.s_blocksize_bits - 9));
  std::uint64_t now = inode.i_blocks.load(std::memory_order_relaxed);
  std::uint64_t next;
  do {
    // What a corrupt image says may be too little: never below zero.
    next = sectors < 0 ? now - std::min(now, static_cast<std::uint64_t>(-sectors)) : now + static_cast<std::uint64_t>(sectors);
  } while (!inode.i_blocks.compare_exchange_weak(now, next, std::memory_order_relaxed));
}

result<> free_blocks(handle& h, ext4_inode_info& inode, pblk_t first, std::uint32_t count, bool metadata) {
  ext4_sb_info& sb = h.sb();
  if (count == 0) return {};
  if (!data_blocks_valid(sb, first, count))
    return corrupted(inode,
                     fmt::format("frees {} blocks from {}, which are outside the file system or its own metadata", count, first.value()));
  XIP_POINT(ext4_before_free, first.value(), count);
  if (metadata) forget_metadata(sb, first, count);
  for (pblk_t at = first; at < first + count;) {
    const group_t g = group_of(sb, at);
    const std::uint64_t end = std::min((first + count).value(), first_block_of(sb, g).value() + sb.s_blocks_per_group);
    const auto here = static_cast<std::uint32_t>(end - at.value());
    XIP_TRY(free_in_group(h, inode, g, at, here));
    if (dev::block_observer* observer = sb.s_bdev.observer(); observer != nullptr) observer->on_free(at, here);
    at = pblk_t{end};
  }
  XIP_POINT(ext4_block_freed, first.value(), count);
  return {};
}

result<held_bitmaps> prepare_to_free(handle& h, pblk_t first, std::uint32_t count) {
  ext4_sb_info& sb = h.sb();
  held_bitmaps held;
  if (!data_blocks_valid(sb, first, count)) return held;  // free_blocks says so
  std::size_t groups = 0;
  for (std::uint32_t g = group_of(sb, first).value(); g <= group_of(sb, first + (count - 1)).value() && groups < std::size(held.of); ++g) {
    auto bitmap = load_block_bitmap(sb, group_t{g});
    if (!bitmap && bitmap.error() != EUCLEAN) return fail(bitmap.error());
    if (bitmap) {
      static_cast<void>(XIP_TRY(get_write_access(h, **bitmap)));
      static_cast<void>(XIP_TRY(get_write_access(h, desc_buffer(sb, group_t{g}))));
      held.of[groups] = std::move(*bitmap);
    }
    ++groups;
    auto spare = spare_maps(sb, *sb.s_groups[g]);
    spin_guard guard{sb.s_groups[g]->lock};
    use_maps(*sb.s_groups[g], spare);
  }
  return held;
}

pblk_t goal_of_inode(const ext4_inode_info& inode) noexcept {
  const ext4_sb_info& sb = sbi_of(inode);
  std::uint32_t group = inode.i_block_group.value();
  const std::uint32_t flex = 1u << sb.s_flex_bits;
  if (flex >= flex_dir_scheme) {
    group &= ~(flex - 1);  // directories in the first group of a flex group, files after it
    if (inode.is_reg() && group + 1 < sb.s_groups_count) ++group;
  }
  return first_block_of(sb, group_t{group});
}

void drop_window(ext4_inode_info& inode) noexcept {
  ext4_sb_info& sb = sbi_of(inode);
  const std::uint32_t g = inode.i_window_group.exchange(no_group, std::memory_order_relaxed);
  if (g == no_group) return;
  group_info& info = *sb.s_groups[g];
  spin_guard guard{info.lock};
  block_window* w = info.windows.of(inode.i_ino);
  if (w == nullptr) return;
  info.windows.drop(*w, info.withheld());
  info.longest_run.store(~0u, std::memory_order_relaxed);
  sb.s_windows.fetch_sub(1, std::memory_order_relaxed);
}

void freeze_pending_frees(ext4_sb_info& sb) noexcept {
  if (sb.s_pending_blocks.load(std::memory_order_relaxed) == 0) return;
  for (group_info* info : sb.s_groups) {
    if (info->pending_count.load(std::memory_order_relaxed) == 0) continue;
    spin_guard guard{info->lock};
    info->committing_count = info->pending_count.load(std::memory_order_relaxed);
    std::ranges::copy(info->withheld(), info->committing().begin());
    info->windows.clear_in(info->committing());
  }
}

void release_pending_frees(ext4_sb_info& sb) noexcept {
  if (sb.s_pending_blocks.load(std::memory_order_relaxed) == 0) return;
  for (group_info* info : sb.s_groups) {
    if (info->pending_count.load(std::memory_order_relaxed) == 0) continue;
    spin_guard guard{info->lock};
    const std::uint32_t count = std::exchange(info->committing_count, 0);
    if (count == 0) continue;
    sb.s_pending_blocks.fetch_sub(count, std::memory_order_relaxed);
    info->pending_count.fetch_sub(count, std::memory_order_relaxed);
    const std::span<std::uint64_t> withheld = info->withheld(), committing = info->committing();
    for (std::size_t i = 0; i < withheld.size(); ++i) withheld[i] &= ~committing[i];
    info->longest_run.store(~0u, std::memory_order_relaxed);
  }
}

std::uint64_t allowance(const ext4_sb_info& sb, std::uint32_t flags) noexcept {
  const std::int64_t free = sb.s_freeblocks.load(std::memory_order_relaxed) - sb.s_pending_blocks.load(std::memory_order_relaxed);
  std::uint64_t kept = (flags & alloc_use_reserved) != 0 ? 0 : sb.s_resv_blocks;
  if (!may_use_reserve(sb)) kept += sb.s_r_blocks_count;
  return free <= 0 || static_cast<std::uint64_t>(free) <= kept ? 0 : static_cast<std::uint64_t>(free) - kept;
}

}  // namespace xip::ext4lite
