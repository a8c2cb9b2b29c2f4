#include <xip/fs_ext4lite/layout.h>

#include <algorithm>
#include <new>

#include <fmt/format.h>

#include <xip/vfs/kernel.h>

#include "fs_ext4lite/ext4.h"
#include "fs_ext4lite/group.h"
#include "fs_ext4lite/journal_inode.h"
#include "fs_ext4lite/super.h"

namespace xip {
namespace {

using namespace ext4lite;

// As a mount does it, as far as the groups are known.
[[nodiscard]] result<> load(ext4_sb_info& sb, ext4_super_block& es, std::string& message) {
  XIP_TRY(sb.s_bdev.read(super_offset, std::as_writable_bytes(std::span{&es, 1})));
  XIP_TRY(check_super_block(es, sb.s_bdev.size(), message));
  take_geometry(sb, es);
  sb.s_buffers.emplace(sb.s_bdev, sb.s_blocksize_bits, sb.memory());
  const pblk_t at{super_offset >> sb.s_blocksize_bits};
  sb.s_sb_offset = static_cast<std::uint32_t>(super_offset & (sb.s_blocksize - 1));
  sb.s_sbh = XIP_TRY(sb.s_buffers->read(at));
  return load_groups(sb, message);
}

constexpr std::string_view part_names[] = {
    "super block", "group descriptors of group", "block bitmap of group", "inode bitmap of group", "inode", "journal block", "block"};

}  // namespace

std::expected<ext4_layout, std::string> ext4_layout::read(dev::device& device) {
  vfs::kernel machine;
  ext4_sb_info sb{machine, device};
  std::string message;
  ext4_layout found;
  try {
    ext4_super_block es;
    if (const auto loaded = load(sb, es, message); !loaded)
      return std::unexpected{message.empty() ? std::string{loaded.error().message()} : message};
    found.block_size_ = sb.s_blocksize;
    found.inode_size_ = sb.s_inode_size;
    found.checksums_ = sb.has_metadata_csum();
    for (const group_info* g : sb.s_groups) {
      const group_t number = g->number;
      if (const std::uint32_t base = base_meta_blocks(sb, number); base != 0)
        found.add(first_block_of(sb, number).value(), base, part::group_descriptors, number.value());
      found.add(block_bitmap_of(sb, number).value(), 1, part::block_bitmap, number.value());
      found.add(inode_bitmap_of(sb, number).value(), 1, part::inode_bitmap, number.value());
      found.add(inode_table_of(sb, number).value(), sb.s_itb_per_group, part::inode_table,
                std::uint64_t{number.value()} * sb.s_inodes_per_group + 1);
    }
    if (sb.s_has_journal)
      if (const auto log = find_journal(sb, es, message))
        for (const jbd2::log_extent& e : log->extents()) found.add(e.start.value(), e.count, part::journal, e.first);
  } catch (const std::bad_alloc&) {
    return std::unexpected{std::string{"out of memory"}};
  }
  std::ranges::sort(found.stretches_, {}, &stretch::first);
  return found;
}

ext4_layout::place ext4_layout::at(std::uint64_t offset) const noexcept {
  if (offset >= super_offset && offset - super_offset < sizeof(ext4_super_block))
    return {part::super_block, 0, static_cast<std::uint32_t>(offset - super_offset)};
  const std::uint64_t block = offset / block_size_;
  const auto byte = static_cast<std::uint32_t>(offset % block_size_);
  const auto behind = std::ranges::upper_bound(stretches_, block, {}, &stretch::first);
  if (behind == stretches_.begin() || block - (behind - 1)->first >= (behind - 1)->count) return {part::other, block, byte};
  const stretch& s = *(behind - 1);
  const std::uint64_t into = offset - s.first * block_size_;
  if (s.what == part::inode_table) return {s.what, s.number + into / inode_size_, static_cast<std::uint32_t>(into % inode_size_)};
  if (s.what == part::journal) return {s.what, s.number + into / block_size_, byte};
  return {s.what, s.number, static_cast<std::uint32_t>(std::min<std::uint64_t>(into, UINT32_MAX))};
}

std::string ext4_layout::name_of(std::uint64_t offset) const {
  const place p = at(offset);
  const std::string_view name = part_names[static_cast<std::size_t>(p.what)];
  return p.what == part::super_block ? fmt::format("{}, byte {}", name, p.offset) : fmt::format("{} {}, byte {}", name, p.number, p.offset);
}

}  // namespace xip
