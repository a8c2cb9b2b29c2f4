// Reading through a mapping. Linux: dax_iomap_iter of fs/dax.c, and what became of do_xip_mapping_read.
//
// The caller's i_rwsem keeps truncate out. i_size is loaded again for every block all the same, and once more when all has arrived, so that no byte is
// counted which lies beyond it then: that is what still holds for a caller who came without the lock, and it costs one load a block.
// Neighbouring blocks of one mapping, each admitted by its own load, are moved by one copy: a copy block by block stalls at every page end, and takes
// half as long again for 1 MiB.
#include <algorithm>

#include <xip/xip/mapping.h>

#include "xip/mapping_cursor.h"
#include "xip/mover.h"

namespace xip {
namespace {

struct read_state {
  vfs::inode& inode;
  mapping_cursor cursor;
  loff_t pos;
  loff_t first_size;  // i_size before the loop: only a planted bug looks at it
  int error = 0;

  [[nodiscard]] loff_t size() const noexcept { return XIP_EXHIBIT(read_size_once) ? first_size : i_size_read(inode); }
};

// Bytes of the block that holds POS which a read of COUNT bytes may take now: up to the block's end, up to i_size. 0: at the end.
std::size_t readable_in_block(const read_state& state, loff_t pos, std::size_t count) noexcept {
  const loff_t size = state.size();
  XIP_POINT(xip_read_block, static_cast<std::uint64_t>(pos), static_cast<std::uint64_t>(size), state.inode.i_ino.value());
  if (pos >= size) return 0;
  const loff_t block_end = (pos | (loff_t{state.inode.i_sb.s_blocksize} - 1)) + 1;
  return std::min(count, static_cast<std::size_t>(std::min(size, block_end) - pos));
}

// The blocks that follow the first BYTES of a run within EM, admitted one by one. Memory that may fault goes block by block.
std::size_t extend_run(const read_state& state, const vfs::iov_iter& to, const extent_map& em, std::size_t bytes) noexcept {
  if (!to.is_plain()) return bytes;
  const loff_t mapping_end = pos_of(em.lblk + em.len, state.inode.i_sb.s_blocksize_bits);
  while (state.pos + static_cast<loff_t>(bytes) < mapping_end) {
    const std::size_t more = readable_in_block(state, state.pos + static_cast<loff_t>(bytes), to.count() - bytes);
    if (more == 0) break;
    bytes += more;
  }
  return bytes;
}

// One block or a run of them. Bytes taken on; 0 ends the read, with state.error set unless it is the end of the file.
template <class Mover>
std::size_t read_run(read_state& state, vfs::iov_iter& to, Mover& mover) noexcept {
  const unsigned bits = state.inode.i_sb.s_blocksize_bits;
  const std::size_t bytes = readable_in_block(state, state.pos, to.count());
  if (bytes == 0) return 0;
  const auto em = state.cursor.at(lblk_of(state.pos, bits), blocks_touched(state.pos, to.count(), bits));
  if (!em.has_value()) {
    state.error = em.error().number();
    return 0;
  }
  if (em->type != extent_type::mapped) {
    const std::size_t zeroed = mover.read_zeros(to, bytes);
    if (zeroed == 0) state.error = EFAULT;
    return zeroed;
  }
  const std::size_t wanted = extend_run(state, to, *em, bytes);
  const auto moved = mover.read(to, device_byte(*em, state.pos, bits), wanted);
  if (!moved.has_value()) {
    state.error = moved.error().number();
    return 0;
  }
  if (*moved == 0 || (XIP_EXHIBIT(short_copy_not_counted) && *moved < wanted)) {
    state.error = EFAULT;
    return 0;
  }
  return *moved;
}

template <class Mover>
result<std::size_t> read_blocks(vfs::kiocb& iocb, vfs::iov_iter& to, const xip_ops& ops) noexcept {
  vfs::inode& inode = *iocb.ki_filp.f_inode;
  Mover mover{inode};
  read_state state{inode, mapping_cursor{inode, ops}, iocb.ki_pos, i_size_read(inode)};
  while (to.count() != 0) {
    const std::size_t moved = read_run(state, to, mover);
    if (moved == 0) break;
    state.pos += static_cast<loff_t>(moved);
  }
  auto taken = static_cast<std::size_t>(state.pos - iocb.ki_pos);
  const std::size_t seen = taken;
  if constexpr (!Mover::moves_at_once) {
    const completed done = mover.complete();
    if (done.error != 0) state.error = done.error;
    taken = std::min(taken, done.bytes);
  }
  XIP_POINT(xip_read_done, static_cast<std::uint64_t>(state.pos));
  taken = std::min(taken, static_cast<std::size_t>(std::max(state.size() - iocb.ki_pos, loff_t{0})));
  if (taken < seen) [[unlikely]]
    to.revert(seen - taken);
  if (taken == 0 && state.error != 0) return fail(state.error);
  iocb.ki_pos += static_cast<loff_t>(taken);
  return taken;
}

}  // namespace

result<std::size_t> xip_mapping_read(vfs::kiocb& iocb, vfs::iov_iter& to, const xip_ops& ops) noexcept {
  if (XIP_EXHIBIT(core_replaced)) return static_cast<const xip_core*>(exhibit_stand_in())->mapping_read(iocb, to, ops);
  vfs::inode& inode = *iocb.ki_filp.f_inode;
  inode.i_rwsem.assert_held_shared();
  if (to.count() == 0) return 0;
  vfs::might_fault();
  if (inode.is_dax()) return read_blocks<window_mover>(iocb, to, ops);
  return read_blocks<batch_mover>(iocb, to, ops);
}

}  // namespace xip
