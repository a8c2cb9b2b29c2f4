// What surrounds it is the hook of today, without what that does better: exhibit 1 turns those places off as well. One page at a time, no lock of
// its own, and nobody who would say what was forgotten. Each mistake is marked with the letter that
// docs/exhibits.md explains it under; the same mistakes one by one are exhibits of their own, in the core of today.
#include "exhibits/core_2013.h"

#include <algorithm>

#include <xip/base/points.h>
#include <xip/dev/block_observer.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/vfs/file.h>
#include <xip/vfs/ops.h>
#include <xip/vfs/super_block.h>

#if XIP_EXHIBITS

namespace xip::exhibits {
namespace {

// A page of the file as memory: the answer of get_xip_mem. Null: no contents there, be it a hole or an unwritten block (D4: nobody can tell).
struct xip_mem {
  std::byte* kmem = nullptr;
  std::uint64_t offset = 0;  // on the device, bytes
};

[[nodiscard]] dev::device& device_of(const vfs::inode& inode) noexcept { return inode.i_sb.s_bdev; }

[[nodiscard]] result<xip_mem> window_of(vfs::inode& inode, const extent_map& em) {
  const std::uint64_t offset = bytes_of(em.pblk, inode.i_sb.s_blocksize_bits);
  return xip_mem{XIP_TRY(device_of(inode).direct_access(offset, page_size, dev::access_intent::write)).data, offset};
}

// Looks a page up; for a write allocates it, in a transaction of its own, where there is none (D4: always one page).
[[nodiscard]] result<xip_mem> get_xip_mem(vfs::inode& inode, pgoff_t page, bool create, const xip_ops& ops) {
  const lblk_t lblk{static_cast<std::uint32_t>(page.value())};
  XIP_POINT(xip_before_mapping, lblk.value(), 1);
  const extent_map em = XIP_TRY(ops.get_blocks(inode, lblk, 1, nullptr));
  XIP_POINT(xip_mapping_returned, lblk.value(), em.len, static_cast<std::uint64_t>(em.type));
  if (em.type == extent_type::mapped || (create && em.type == extent_type::unwritten)) return window_of(inode, em);
  if (!create) return xip_mem{};
  write_slice slice{pos_of(lblk, inode.i_sb.s_blocksize_bits), page_size};
  XIP_TRY(ops.start_slice(inode, slice));
  const auto allocated = ops.get_blocks(inode, lblk, 1, &slice);
  ops.stop_slice(inode, slice);
  return window_of(inode, XIP_TRY(allocated));
}

// Tells whose page moves, as the core of today does: a bug may not hide from those who look on.
void moves(const vfs::inode& inode, const xip_mem& mem, std::size_t at, std::size_t bytes, bool write) noexcept {
  XIP_POINT(xip_copy_piece, mem.offset + at, bytes);
  if (dev::block_observer* const observer = device_of(inode).observer(); observer != nullptr)
    observer->on_access(pblk_t{mem.offset >> inode.i_sb.s_blocksize_bits}, 1, inode.i_ino, inode.i_generation, write);
}

// do_xip_mapping_read.
result<std::size_t> mapping_read(vfs::kiocb& iocb, vfs::iov_iter& to, const xip_ops& ops) {
  vfs::inode& inode = *iocb.ki_filp.f_inode;
  const loff_t isize = i_size_read(inode);  // D1: the only time that it is looked at. D2: no lock keeps it true
  std::size_t copied = 0;
  while (to.count() != 0 && iocb.ki_pos < isize) {
    const auto offset = static_cast<std::size_t>(iocb.ki_pos) & (page_size - 1);
    const std::size_t nr = std::min({page_size - offset, to.count(), static_cast<std::size_t>(isize - iocb.ki_pos)});
    XIP_POINT(xip_read_block, static_cast<std::uint64_t>(iocb.ki_pos), static_cast<std::uint64_t>(isize), inode.i_ino.value());
    const auto found = get_xip_mem(inode, pgoff_of(iocb.ki_pos), false, ops);
    if (!found) return copied != 0 ? result<std::size_t>{copied} : fail(found.error());
    const xip_mem& mem = *found;
    const std::size_t moved = mem.kmem == nullptr ? to.zero(nr) : to.copy(nr, [&](std::byte* user, std::size_t at, std::size_t n) {
      moves(inode, mem, offset + at, n, false);
      device_of(inode).copy_out(user, mem.kmem + offset + at, n);
    });
    if (moved != nr) return copied != 0 ? result<std::size_t>{copied} : fail(EFAULT);  // D3: what did arrive is not counted
    copied += moved;
    iocb.ki_pos += static_cast<loff_t>(moved);
  }
  return copied;
}

// Raises i_size and nothing else of what an extension needs (D7).
[[nodiscard]] result<> raise_size(vfs::inode& inode, loff_t size, const xip_ops& ops) {
  write_slice slice{};
  XIP_TRY(ops.start_slice(inode, slice));
  const auto set = ops.set_size(inode, size, slice);
  ops.stop_slice(inode, slice);
  return set;
}

// __xip_file_write. The head and tail of a new page keep what the block held before, and a failure leaves pages past i_size (D7). A page
// that was preallocated stays unwritten for ever (D5), and the bytes stay where the processor left them (D8).
result<std::size_t> mapping_write(vfs::kiocb& iocb, vfs::iov_iter& from, const xip_ops& ops) {
  vfs::inode& inode = *iocb.ki_filp.f_inode;
  std::size_t written = 0;
  while (from.count() != 0) {
    const auto offset = static_cast<std::size_t>(iocb.ki_pos) & (page_size - 1);
    const std::size_t bytes = std::min(page_size - offset, from.count());
    const auto mem = get_xip_mem(inode, pgoff_of(iocb.ki_pos), true, ops);
    if (!mem && written == 0) return fail(mem.error());
    if (!mem) break;
    const std::size_t copied = from.copy(bytes, [&](const std::byte* user, std::size_t at, std::size_t n) {
      moves(inode, *mem, offset + at, n, true);
      device_of(inode).copy_in(mem->kmem + offset + at, user, n);
    });
    written += copied;
    iocb.ki_pos += static_cast<loff_t>(copied);
    if (copied != bytes) break;
  }
  if (written == 0) return fail(EFAULT);
  if (iocb.ki_pos > i_size_read(inode)) XIP_TRY(raise_size(inode, iocb.ki_pos, ops));
  return written;
}

result<std::size_t> read_without_hook(vfs::kiocb& iocb, vfs::iov_iter& to) { return xip_mapping_read(iocb, to, ext4lite_xip_ops()); }

}  // namespace

constinit const xip_core core_2013{.mapping_read = mapping_read, .mapping_write = mapping_write};
constinit const vfs::file_operations hookless_file_operations{.read_iter = read_without_hook};

}  // namespace xip::exhibits

#endif
