// Reading without a copy: the windows of device memory that hold a stretch of a file, for somebody who takes the bytes from there.
//
// The caller's i_rwsem keeps the blocks where they are, and in the file, until the sink has returned. Bytes may change meanwhile through a mapping of the
// file, as under any read. Nobody writes to what is handed out: it goes to the sink as memory to read.
#include <algorithm>
#include <array>

#include <xip/dev/block_observer.h>
#include <xip/xip/mapping.h>

#include "xip/mapping_cursor.h"

namespace xip {
namespace {

constexpr std::size_t max_pieces = 64;
alignas(page_size) constexpr std::array<std::byte, 16 * page_size> zeros{};

struct gathered {
  std::array<iovec, max_pieces> pieces;
  std::size_t count = 0;

  [[nodiscard]] result<> add(const std::byte* from, std::size_t bytes) noexcept {
    if (count == max_pieces) return fail(EOPNOTSUPP);
    pieces[count++] = {const_cast<void*>(static_cast<const void*>(from)), bytes};
    return {};
  }
  void keep_first(std::size_t bytes) noexcept {
    std::size_t kept = 0;
    for (; bytes != 0; ++kept) bytes -= pieces[kept].iov_len = std::min(pieces[kept].iov_len, bytes);
    count = kept;
  }
};

// The first of the BYTES bytes at POS, which lie in EM: as many as one piece has.
[[nodiscard]] result<std::size_t> gather_one(vfs::inode& inode, gathered& all, const extent_map& em, loff_t pos,
                                             std::size_t bytes) noexcept {
  if (em.type != extent_type::mapped) {
    const std::size_t n = std::min(bytes, zeros.size());
    XIP_TRY(all.add(zeros.data(), n));
    return n;
  }
  dev::device& device = inode.i_sb.s_bdev;
  const unsigned bits = inode.i_sb.s_blocksize_bits;
  const dev::window w = XIP_TRY(device.direct_access(device_byte(em, pos, bits), bytes, dev::access_intent::read));
  const std::size_t n = std::min(bytes, w.bytes);
  if (dev::block_observer* observer = device.observer(); observer != nullptr)
    observer->on_access(em.pblk + (lblk_of(pos, bits) - em.lblk), blocks_touched(pos, n, bits), inode.i_ino, inode.i_generation, false);
  XIP_TRY(all.add(w.data, n));
  return n;
}

}  // namespace

result<std::size_t> xip_mapping_splice(vfs::kiocb& iocb, std::size_t bytes, vfs::splice_sink& sink, const xip_ops& ops) noexcept {
  vfs::inode& inode = *iocb.ki_filp.f_inode;
  inode.i_rwsem.assert_held_shared();
  if (!inode.is_dax()) return fail(EOPNOTSUPP);
  const unsigned bits = inode.i_sb.s_blocksize_bits;
  const auto readable = [&] { return static_cast<std::size_t>(std::max(i_size_read(inode) - iocb.ki_pos, loff_t{0})); };
  mapping_cursor cursor{inode, ops};
  gathered all;
  for (std::size_t done = 0; done < (bytes = std::min(bytes, readable()));) {
    const loff_t pos = iocb.ki_pos + static_cast<loff_t>(done);
    const extent_map em = XIP_TRY(cursor.at(lblk_of(pos, bits), blocks_touched(pos, bytes - done, bits)));
    const loff_t end = pos_of(em.lblk + em.len, bits);
    done += XIP_TRY(gather_one(inode, all, em, pos, std::min(bytes - done, static_cast<std::size_t>(end - pos))));
  }
  all.keep_first(bytes);  // fewer than were gathered, where the size has fallen meanwhile
  XIP_TRY(sink.take(sink, {all.pieces.data(), all.count}, bytes));
  iocb.ki_pos += static_cast<loff_t>(bytes);
  return bytes;
}

}  // namespace xip
