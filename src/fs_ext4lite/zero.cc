// Zeroing blocks on the medium. Linux: ext4_issue_zeroout, EXT4_GET_BLOCKS_CREATE_ZERO (fs/ext4/inode.c).
#include "fs_ext4lite/zero.h"

#include <algorithm>
#include <array>

#include <xip/dev/block_observer.h>

#include "xip/mover.h"

namespace xip::ext4lite {
namespace {

// Zeros over whole pages heal a bad block.
[[nodiscard]] result<> zero_through_window(dev::device& device, std::uint64_t offset, std::uint64_t bytes) {
  while (bytes != 0) {
    const dev::window window = XIP_TRY(window_for_write(device, offset, bytes));
    device.zero(window.data, window.bytes);
    offset += window.bytes;
    bytes -= window.bytes;
  }
  device.drain();
  return {};
}

alignas(page_size) constexpr std::array<std::byte, std::size_t{64} << 10> zeros{};

[[nodiscard]] result<> zero_through_requests(dev::device& device, std::uint64_t offset, std::uint64_t bytes) {
  while (bytes != 0) {
    const std::size_t piece = std::min<std::uint64_t>(bytes, zeros.size());
    XIP_TRY(device.write(offset, std::span{zeros}.first(piece)));
    offset += piece;
    bytes -= piece;
  }
  return {};
}

}  // namespace

result<> zero_blocks(ext4_inode_info& inode, pblk_t first, std::uint32_t count) {
  dev::device& device = inode.i_sb.s_bdev;
  const unsigned bits = inode.i_sb.s_blocksize_bits;
  const std::uint64_t bytes = std::uint64_t{count} << bits;
  if (bytes == 0) return {};
  if (dev::block_observer* observer = device.observer(); observer != nullptr)
    observer->on_access(first, count, inode.i_ino, inode.i_generation, true);
  return inode.is_dax() ? zero_through_window(device, bytes_of(first, bits), bytes)
                        : zero_through_requests(device, bytes_of(first, bits), bytes);
}

// Who would write the blocks waits for their entries, but a slice elsewhere may make them written together with others: they are zeroed only if they are
// unwritten still.
result<extent_map> map_zeroed_blocks(handle& h, ext4_inode_info& inode, lblk_t lblk, std::uint32_t max) {
  const extent_map em = XIP_TRY(map_blocks(&h, inode, lblk, max, map_create_unwritten));
  if (em.type == extent_type::mapped) return em;
  XIP_POINT(ext4_before_zeroing, inode.i_ino.value(), lblk.value());
  extent_map written = XIP_TRY(map_blocks(&h, inode, lblk, em.len, map_convert | map_convert_zeroed));
  if (written.type != extent_type::mapped) return corrupted(inode, "a block that was being zeroed has become a hole");
  written.flags |= em.flags & em_new;
  return written;
}

}  // namespace xip::ext4lite
