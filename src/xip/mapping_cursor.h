// A cursor over a file's mapping: one get_blocks answer serves every block that it covers, and every answer is checked before use.
// Linux: fs/iomap/iter.c (iomap_iter_done).
#pragma once

#include <atomic>

#include <xip/base/points.h>
#include <xip/vfs/super_block.h>
#include <xip/xip/xip_ops.h>

namespace xip {

// EIO unless EM begins at LBLK, covers 1 to MAX blocks without running past the last block number, and lies inside the device.
[[nodiscard]] inline result<> check_extent_map(const vfs::inode& inode, const extent_map& em, lblk_t lblk, std::uint32_t max) noexcept {
  if (em.lblk != lblk || em.len == 0 || em.len > max) return fail(EIO);
  if (em.type == extent_type::hole) return {};
  const std::uint64_t blocks = inode.i_sb.s_bdev.size() >> inode.i_sb.s_blocksize_bits;
  if (em.pblk.value() >= blocks || em.len > blocks - em.pblk.value()) return fail(EIO);
  return {};
}

// Nothing of [LBLK, LBLK + BLOCKS) is written yet; for who has put an entry of zeros there. Without the entry's lock a file system may make blocks written that
// it has zeroed, and an overwrite then looks for zeros that are mapped there. Either it sees the entry, or this look-up sees that they are written.
[[nodiscard]] inline bool stays_unwritten(vfs::inode& inode, const xip_ops& ops, lblk_t lblk, std::uint32_t blocks) noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const auto em = ops.get_blocks(inode, lblk, blocks, nullptr);
  return em.has_value() && check_extent_map(inode, *em, lblk, blocks).has_value() && em->type != extent_type::mapped && em->len == blocks;
}

class mapping_cursor {
 public:
  mapping_cursor(vfs::inode& inode, const xip_ops& ops) noexcept : inode_{inode}, ops_{ops} {}

  // The rest of the mapping from LBLK on, looked up without a handle. MAX is how many blocks the caller could use.
  [[nodiscard]] result<extent_map> at(lblk_t lblk, std::uint32_t max) noexcept {
    if (em_.len != 0 && lblk >= em_.lblk && lblk - em_.lblk < em_.len) return rest_from(lblk);
    em_.len = 0;
    XIP_POINT(xip_before_mapping, lblk.value(), max);
    const extent_map em = XIP_TRY(ops_.get_blocks(inode_, lblk, max, nullptr));
    XIP_TRY(check_extent_map(inode_, em, lblk, max));
    XIP_POINT(xip_mapping_returned, lblk.value(), em.len, static_cast<std::uint64_t>(em.type));
    em_ = em;
    return em;
  }

  // The file system has changed the mapping.
  void forget() noexcept { em_.len = 0; }

 private:
  [[nodiscard]] extent_map rest_from(lblk_t lblk) const noexcept {
    extent_map em = em_;
    const std::uint32_t skipped = lblk - em.lblk;
    em.lblk = lblk;
    em.len -= skipped;
    if (em.type != extent_type::hole) em.pblk += skipped;
    return em;
  }

  vfs::inode& inode_;
  const xip_ops& ops_;
  extent_map em_;  // len 0: nothing yet
};

// How many blocks the bytes [POS, POS + BYTES) touch; BYTES is not zero and at most 2 GiB.
[[nodiscard]] inline std::uint32_t blocks_touched(loff_t pos, std::size_t bytes, unsigned bits) noexcept {
  return lblk_of(pos + static_cast<loff_t>(bytes) - 1, bits) - lblk_of(pos, bits) + 1;
}

// The device byte of file byte POS, which lies in EM.
[[nodiscard]] inline std::uint64_t device_byte(const extent_map& em, loff_t pos, unsigned bits) noexcept {
  return bytes_of(em.pblk, bits) + static_cast<std::uint64_t>(pos - pos_of(em.lblk, bits));
}

}  // namespace xip
