#include "fs_ext4lite/block_claims.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "fs_ext4lite/bitmap.h"
#include "fs_ext4lite/group.h"

namespace xip::ext4lite {
namespace {

// CALL(group, first block, count) for each group's part of COUNT blocks from FIRST.
template <class Call>
[[nodiscard]] result<> for_each_group(const ext4_sb_info& sb, pblk_t first, std::uint32_t count, Call&& call) {
  while (count != 0) {
    const group_t g = group_of(sb, first);
    const auto offset = static_cast<std::uint32_t>(first - first_block_of(sb, g));
    const std::uint32_t part = std::min(count, blocks_in_group(sb, g) - offset);
    XIP_TRY(call(g, first, part));
    first += part;
    count -= part;
  }
  return {};
}

}  // namespace

result<> block_claims::check_in_use(const ext4_inode_info& inode, pblk_t first, std::uint32_t count) {
  if (!data_blocks_valid(sb_, first, count, inode.i_ino))
    return corrupted(inode, fmt::format("blocks {} to {} are no file's", first.value(), first.value() + count - 1));
  return for_each_group(sb_, first, count, [&](group_t g, pblk_t from, std::uint32_t part) -> result<> {
    const dev::buffer_ref bits = XIP_TRY(load_block_bitmap(sb_, g));
    const auto offset = static_cast<std::uint32_t>(from - first_block_of(sb_, g));
    const bitmap_view view{bits->data(), blocks_in_group(sb_, g)};
    if (view.next_clear(offset) >= offset + part) return {};
    return corrupted(inode, fmt::format("not all of its blocks {} to {} are in use (block bitmap {})", from.value(),
                                        from.value() + part - 1, bits->block().value()));
  });
}

result<> block_claims::claim_in_group(const ext4_inode_info& inode, group_t g, pblk_t first, std::uint32_t count) {
  group_bits& bits = claimed_.try_emplace(g.value(), sb_.s_blocksize, std::byte{0}).first->second;
  const auto offset = static_cast<std::uint32_t>(first - first_block_of(sb_, g));
  if (bitmap_view{bits, blocks_in_group(sb_, g)}.next_set(offset) < offset + count)
    return corrupted(inode, fmt::format("one of its blocks {} to {} is another orphan's too, or its own twice", first.value(),
                                        first.value() + count - 1));
  fill_bits(bits, offset, count, true);
  return {};
}

result<> block_claims::claim(const ext4_inode_info& inode, pblk_t first, std::uint32_t count) {
  XIP_TRY(check_in_use(inode, first, count));
  return for_each_group(sb_, first, count,
                        [&](group_t g, pblk_t from, std::uint32_t part) { return claim_in_group(inode, g, from, part); });
}

// Only an inode without links gives its attributes up.
result<> block_claims::share(const ext4_inode_info& inode, pblk_t block) {
  XIP_TRY(check_in_use(inode, block, 1));
  attributes_[block.value()] += inode.i_nlink.load(std::memory_order_relaxed) == 0 ? 1 : 0;
  return {};
}

bool block_claims::is_claimed(pblk_t block) const {
  const group_t g = group_of(sb_, block);
  const auto found = claimed_.find(g.value());
  if (found == claimed_.end()) return false;
  return bitmap_view{found->second, blocks_in_group(sb_, g)}.test(static_cast<std::uint32_t>(block - first_block_of(sb_, g)));
}

result<> block_claims::settle() {
  for (const auto& [block, owners] : attributes_) {
    if (is_claimed(pblk_t{block})) return corrupted(sb_, fmt::format("attribute block {} of an orphan is another one's data too", block));
    const dev::buffer_ref buffer = XIP_TRY(sb_.s_buffers->read(pblk_t{block}));
    ext4_xattr_header header;
    std::memcpy(&header, buffer->data().data(), sizeof header);
    if (header.h_refcount < owners)
      return corrupted(sb_, fmt::format("attribute block {} says that {} inodes share it, and {} orphans give it up", block,
                                        header.h_refcount.load(), owners));
  }
  return {};
}

}  // namespace xip::ext4lite
