// Writing through a mapping. Written blocks are overwritten in place; holes and unwritten blocks are filled slice by slice: get blocks that
// nobody can read yet, copy, drain, convert; or blocks that the file system has zeroed and made written, copy. Linux: dax_iomap_iter (fs/dax.c), and the
// convert callback of 4.0 made safe against faults.
//
// A slice opens the handle before it locks the entries, because the fault path nests them so; it copies with faults disabled, because the
// source may be a mapping of the very pages that it has locked; it looks the mapping up again under the entry locks, because a fault may have
// filled a block meanwhile. Drain before convert: a crash between the two leaves a hole or unwritten blocks, which read as zeros and
// never as what they held before. A zero page that a fault has mapped there is unmapped before the entries are unlocked: nobody loads
// zeros when the write has returned. What a fault has mapped of the device stays, and stays DIRTY: bytes may have been stored there
// that nobody has flushed. Size after convert, in the same handle: whatever a size on disk covers has been written.
//
// Lock chains:
//   i_rwsem -> jbd2_handle -> dax_entry -> i_mmap_rwsem
//   i_rwsem -> mmap_lock
#include <algorithm>
#include <array>
#include <atomic>
#include <optional>
#include <utility>

#include <xip/xip/entry.h>
#include <xip/xip/mapped.h>
#include <xip/xip/mapping.h>

#include "xip/mapping_cursor.h"
#include "xip/mover.h"

namespace xip {
namespace {

struct write_state {
  vfs::inode& inode;
  const xip_ops& ops;
  mapping_cursor cursor;
  loff_t pos;                   // everything before it is noted or done
  const loff_t start;           // where the request begins
  const loff_t end;             // and ends
  loff_t settled;               // everything before it has arrived: counted
  int failure = 0;              // an errno: ends the loop
  unsigned space_attempts = 0;  // waits for space since the last progress
  bool bounce = false;          // the next slice takes its bytes through a page of our own

  [[nodiscard]] unsigned bits() const noexcept { return inode.i_sb.s_blocksize_bits; }
  void stop(error why) noexcept { failure = why.number(); }
};

// Notes or moves up to BYTES bytes in the blocks of EM. Fewer: user memory ended (error EFAULT only if nothing at all moved), or the device refused.
template <class Mover>
result<std::size_t> copy_to_blocks(vfs::iov_iter& from, const extent_map& em, loff_t pos, std::size_t bytes, unsigned bits,
                                   Mover& mover) noexcept {
  std::size_t done = 0;
  while (done < bytes) {
    const auto moved = mover.write(from, device_byte(em, pos + static_cast<loff_t>(done), bits), bytes - done);
    if (!moved.has_value()) {
      if (done == 0) return fail(moved.error());
      break;
    }
    if (*moved == 0) break;
    done += *moved;
  }
  return done;
}

// What was noted until now arrives. Windows: it has.
template <class Mover>
void settle(write_state& state, vfs::iov_iter& from, Mover& mover) noexcept {
  if constexpr (!Mover::moves_at_once) {
    const completed done = mover.complete();
    const loff_t arrived = state.settled + static_cast<loff_t>(done.bytes);
    if (arrived < state.pos) from.revert(static_cast<std::size_t>(state.pos - arrived));
    state.pos = arrived;
    if (done.error != 0) state.failure = done.error;
  }
  state.settled = state.pos;
}

// A zero page that is mapped where a block was written all along, since the file system has zeroed it together with others, shows the same bytes only until now.
void drop_late_zeros(vfs::inode& inode, loff_t pos, loff_t end) noexcept {
  const entry_table* const table = entry_table::find(inode);
  if (table == nullptr || pos == end) return;
  std::atomic_thread_fence(std::memory_order_seq_cst);  // a load that finds blocks unwritten puts its entry first, and then looks again
  if (!table->has_zeros()) return;
  entry_range_lock entries{inode, pgoff_of(pos), pgoff_of(end - 1)};
  xip_drop_zero_entries(inode, entries);
}

// Blocks that are written already: in place, with faults allowed, no handle and no entry lock.
template <class Mover>
void overwrite(write_state& state, vfs::iov_iter& from, const extent_map& em, Mover& mover) noexcept {
  const loff_t mapped_end = pos_of(em.lblk, state.bits()) + static_cast<loff_t>(std::uint64_t{em.len} << state.bits());
  const auto bytes = static_cast<std::size_t>(std::min(state.end, mapped_end) - state.pos);
  const auto moved = copy_to_blocks(from, em, state.pos, bytes, state.bits(), mover);
  if (!moved.has_value()) return state.stop(moved.error());
  drop_late_zeros(state.inode, state.pos, state.pos + static_cast<loff_t>(*moved));
  state.pos += static_cast<loff_t>(*moved);
  if (*moved == 0) state.failure = EFAULT;
}

// Copies into the slice's blocks with faults disabled; zeros what a fresh block has before and behind the bytes. The blocks are drained.
template <class Mover>
result<std::size_t> fill_blocks(write_state& state, vfs::iov_iter& from, const extent_map& em, std::size_t bytes, Mover& mover) noexcept {
  const unsigned bits = state.bits();
  const bool fresh = em.type == extent_type::unwritten;
  const bool zeroed = !XIP_EXHIBIT(fresh_block_not_zeroed);
  if (const loff_t head = state.pos - pos_of(em.lblk, bits); fresh && zeroed && head != 0)
    XIP_TRY(mover.write_zeros(bytes_of(em.pblk, bits), static_cast<std::size_t>(head)));
  from.set_nofault(!XIP_EXHIBIT(slice_copies_with_faults));
  const auto copied = copy_to_blocks(from, em, state.pos, bytes, bits, mover);
  from.set_nofault(false);
  if (!copied.has_value()) return copied;
  const loff_t reached = state.pos + static_cast<loff_t>(*copied);
  const loff_t block_mask = loff_t{state.inode.i_sb.s_blocksize} - 1;
  if (const loff_t tail = -reached & block_mask; fresh && zeroed && *copied != 0 && tail != 0)
    XIP_TRY(mover.write_zeros(device_byte(em, reached, bits), static_cast<std::size_t>(tail)));
  if (const completed done = mover.complete(); done.error != 0) return fail(done.error);
  if (!XIP_EXHIBIT(conversion_before_drain)) mover.drain();
  return copied;
}

// The file system is to convert what a slice has written.
bool converts_in_slice() noexcept {
  return !XIP_EXHIBIT(conversion_missing) && !XIP_EXHIBIT(conversion_deferred) && !XIP_EXHIBIT(conversion_unlocked);
}

// The blocks of a slice, which may be fewer than it wants.
result<extent_map> look_up_slice(const write_state& state, write_slice& slice) noexcept {
  const lblk_t first = lblk_of(slice.pos, state.bits());
  const std::uint32_t wanted = blocks_touched(slice.pos, slice.bytes, state.bits());
  XIP_POINT(xip_before_mapping, first.value(), wanted);
  auto found = state.ops.get_blocks(state.inode, first, wanted, &slice);
  if (XIP_EXHIBIT(space_waited_for_in_slice) && !found.has_value() && found.error() == ENOSPC && state.ops.wait_for_space(state.inode, 0))
    found = state.ops.get_blocks(state.inode, first, wanted, &slice);
  const extent_map em = XIP_TRY(found);
  XIP_TRY(check_extent_map(state.inode, em, first, wanted));
  if (em.type == extent_type::hole) return fail(EIO);
  XIP_POINT(xip_mapping_returned, first.value(), em.len, static_cast<std::uint64_t>(em.type));
  return em;
}

// The part of a slice under its entry locks; EM was looked up under them.
template <class Mover>
result<std::size_t> fill_locked(write_state& state, vfs::iov_iter& from, write_slice& slice, const extent_map& em,
                                std::optional<entry_range_lock>& entries, Mover& mover) noexcept {
  const lblk_t first = em.lblk;
  const std::size_t wanted = slice.bytes;
  if (em.len < blocks_touched(slice.pos, slice.bytes, state.bits())) {
    slice.bytes = static_cast<std::size_t>(pos_of(first + em.len, state.bits()) - slice.pos);
    entries->shrink_to(pgoff_of(slice.pos + static_cast<loff_t>(slice.bytes) - 1));
  }
  if (XIP_EXHIBIT(slice_unlocked)) entries.reset();

  const std::size_t copied = XIP_TRY(fill_blocks(state, from, em, XIP_EXHIBIT(slice_not_shortened) ? wanted : slice.bytes, mover));
  if (copied == 0) return 0;
  if (XIP_EXHIBIT(slice_unlocked_early)) entries.reset();
  const loff_t reached = slice.pos + static_cast<loff_t>(copied);
  XIP_POINT(xip_before_convert, first.value(), copied);
  std::uint32_t filled = blocks_touched(slice.pos, copied, state.bits());
  if (XIP_EXHIBIT(slice_not_shortened)) filled = std::min(em.len, filled);
  if (em.type == extent_type::unwritten && converts_in_slice()) XIP_TRY(state.ops.convert_unwritten(state.inode, first, filled, slice));
  const loff_t size = i_size_read(state.inode);
  if (reached == state.end && reached > size && !xip_has_tail(state.inode, size, state.start)) {
    XIP_POINT(xip_before_set_size, static_cast<std::uint64_t>(reached));
    XIP_TRY(state.ops.set_size(state.inode, reached, slice));
  }
  return copied;
}

// The entries of a slice's pages, unless they are locked already.
void lock_entries(const write_state& state, const write_slice& slice, std::optional<entry_range_lock>& entries) noexcept {
  if (!entries) entries.emplace(state.inode, pgoff_of(slice.pos), pgoff_of(slice.pos + static_cast<loff_t>(slice.bytes) - 1));
}

// Between start_slice and stop_slice. Bytes that are now written and, if they end the write, covered by i_size. What was looked up before the entries were
// locked does not count: a fault may have filled blocks meanwhile, which are simply overwritten. Zero pages go whatever came of it: an error may have come when
// some blocks were written already.
template <class Mover>
result<std::size_t> fill_slice(write_state& state, vfs::iov_iter& from, write_slice& slice, std::optional<entry_range_lock>& entries,
                               Mover& mover) noexcept {
  const result<extent_map> early = XIP_EXHIBIT(slice_looked_up_early) ? look_up_slice(state, slice) : extent_map{};
  lock_entries(state, slice, entries);
  XIP_POINT(xip_entries_locked, static_cast<std::uint64_t>(slice.pos), slice.bytes);
  const auto em = XIP_EXHIBIT(slice_looked_up_early) ? early : look_up_slice(state, slice);
  const auto done = em.has_value() ? fill_locked(state, from, slice, *em, entries, mover) : result<std::size_t>{fail(em.error())};
  if (XIP_EXHIBIT(slice_unlocked_early)) lock_entries(state, slice, entries);
  if (entries && !XIP_EXHIBIT(zeros_kept_by_write) && !XIP_EXHIBIT(zeros_dropped_late)) xip_drop_zero_entries(state.inode, *entries);
  entries.reset();
  return done;
}

template <class Mover>
result<std::size_t> run_slice(write_state& state, vfs::iov_iter& from, write_slice& slice, Mover& mover) noexcept {
  XIP_TRY(entry_table::make(state.inode));
  std::optional<entry_range_lock> entries;
  if (XIP_EXHIBIT(entries_before_handle)) lock_entries(state, slice, entries);
  XIP_TRY(state.ops.start_slice(state.inode, slice));
  XIP_POINT(xip_slice_started, static_cast<std::uint64_t>(slice.pos), slice.bytes);
  const auto done = fill_slice(state, from, slice, entries, mover);
  // The blocks of a slice that failed are the file's no more, or were never.
  if (!done.has_value()) mover.discard();
  state.ops.stop_slice(state.inode, slice);
  XIP_POINT(xip_slice_done, static_cast<std::uint64_t>(slice.pos));
  return done;
}

// A slice whose source is a page of our own: filled with faults allowed, before anything is locked.
template <class Mover>
result<std::size_t> run_bounced_slice(write_state& state, vfs::iov_iter& from, write_slice& slice, Mover& mover) noexcept {
  std::array<std::byte, page_size> page;
  slice.bytes = from.copy_from_iter(page.data(), std::min(slice.bytes, page.size()));
  if (slice.bytes == 0) return fail(EFAULT);
  const iovec segment{page.data(), slice.bytes};
  const std::size_t taken = slice.bytes;
  vfs::iov_iter source{vfs::iter_direction::source, {&segment, 1}, taken, nullptr};
  const auto done = run_slice(state, source, slice, mover);
  from.revert(taken - done.value_or(0));
  return done;
}

// One slice: at most slice_pages pages, all of the one mapping EM, only bytes that are there.
template <class Mover>
void write_one_slice(write_state& state, vfs::iov_iter& from, const extent_map& em, Mover& mover) noexcept {
  const loff_t mapping_end = pos_of(em.lblk, state.bits()) + static_cast<loff_t>(std::uint64_t{em.len} << state.bits());
  const loff_t pages_end = (state.pos & -loff_t{page_size}) + loff_t{slice_pages} * loff_t{page_size};
  write_slice slice{state.pos, static_cast<std::size_t>(std::min({state.end, mapping_end, pages_end}) - state.pos)};
  const bool bounced = std::exchange(state.bounce, false);
  const std::size_t before = from.count();
  if (!bounced) {
    slice.bytes = from.fault_in(slice.bytes);
    if (slice.bytes == 0) return state.stop(error{EFAULT});
  }
  const auto done = bounced ? run_bounced_slice(state, from, slice, mover) : run_slice(state, from, slice, mover);
  if (!done.has_value()) {
    const bool again =
        done.error() == ENOSPC && state.ops.wait_for_space != nullptr && state.ops.wait_for_space(state.inode, state.space_attempts++);
    if (!again) return state.stop(done.error());
    // It may have failed behind the copy, on a device that gives out its room late: the same bytes are to come again.
    from.revert(before - from.count());
    state.bounce = bounced;
    return;
  }
  state.space_attempts = 0;
  state.bounce = *done < slice.bytes;
  state.pos += static_cast<loff_t>(*done);
  state.settled = state.pos;
}

template <class Mover>
result<std::size_t> write_blocks(vfs::kiocb& iocb, vfs::iov_iter& from, const xip_ops& ops) noexcept {
  vfs::inode& inode = *iocb.ki_filp.f_inode;
  Mover mover{inode};
  const loff_t start = iocb.ki_pos;
  write_state state{inode, ops, mapping_cursor{inode, ops}, start, start, start + static_cast<loff_t>(from.count()), start};
  while (from.count() != 0 && state.failure == 0) {
    const auto em = state.cursor.at(lblk_of(state.pos, state.bits()), blocks_touched(state.pos, from.count(), state.bits()));
    if (!em.has_value()) {
      state.stop(em.error());
    } else if (em->type == extent_type::mapped) {
      overwrite(state, from, *em, mover);
    } else {
      settle(state, from, mover);
      if (state.failure == 0) write_one_slice(state, from, *em, mover);
      state.cursor.forget();
    }
  }
  const int why = state.failure;
  settle(state, from, mover);
  if (!XIP_EXHIBIT(drain_missing)) mover.drain();
  const auto written = static_cast<std::size_t>(state.settled - start);
  if (written == 0 && (why != 0 || state.failure != 0)) return fail(why != 0 ? why : state.failure);
  iocb.ki_pos = state.settled;
  return written;
}

}  // namespace

result<std::size_t> xip_mapping_write(vfs::kiocb& iocb, vfs::iov_iter& from, const xip_ops& ops) noexcept {
  if (XIP_EXHIBIT(core_replaced)) return static_cast<const xip_core*>(exhibit_stand_in())->mapping_write(iocb, from, ops);
  vfs::inode& inode = *iocb.ki_filp.f_inode;
  inode.i_rwsem.assert_held();
  if (from.count() == 0) return 0;
  vfs::might_fault();
  if (inode.is_dax()) return write_blocks<window_mover>(iocb, from, ops);
  return write_blocks<batch_mover>(iocb, from, ops);
}

}  // namespace xip
