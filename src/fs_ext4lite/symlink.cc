// Symlinks. Linux: fs/ext4/symlink.c, ext4_symlink, ext4_init_symlink_block (fs/ext4/namei.c).
//
// A target of less than 60 bytes lies in the inode, where others keep their tree; a longer one has a block, which is metadata: it is
// written under the handle that makes the symlink, so that a crash never leaves one without its text.
#include <cstring>

#include <fmt/format.h>

#include "fs_ext4lite/name_hooks.h"

namespace xip::ext4lite {
namespace {

// SIZE bytes of text at the start of AREA, if that is what a symlink can hold.
[[nodiscard]] result<std::string_view> text_in(const ext4_inode_info& inode, std::span<const std::byte> area) {
  const auto size = static_cast<std::uint64_t>(vfs::i_size_read(inode));
  if (size == 0 || size >= area.size())
    return corrupted(inode, fmt::format("a symlink cannot have {} bytes here, only 1 to {}", size, area.size() - 1));
  const std::string_view text{reinterpret_cast<const char*>(area.data()), static_cast<std::size_t>(size)};
  const std::size_t zero = text.find('\0');
  if (zero != std::string_view::npos) return corrupted(inode, fmt::format("the symlink of {} bytes has a zero byte at {}", size, zero));
  return text;
}

[[nodiscard]] result<std::pmr::string> read_block(ext4_inode_info& inode) {
  ext4_sb_info& sb = sbi_of(inode);
  const extent_map em = XIP_TRY(map_blocks(nullptr, inode, lblk_t{0}, 1, 0));
  if (em.type != extent_type::mapped) return corrupted(inode, "the symlink has no block for its text");
  const dev::buffer_ref b = XIP_TRY(sb.s_buffers->read(em.pblk));
  return std::pmr::string{XIP_TRY(text_in(inode, b->data())), &sb.memory()};
}

// Which of its blocks are the target's follows from what its attributes have: they must not change meanwhile.
[[nodiscard]] bool is_slow(const ext4_inode_info& inode) {
  shared_guard guard{inode.xattr_sem};
  return has_tree(inode);
}

}  // namespace

result<std::pmr::string> ext4_get_link(vfs::inode& i) {
  return without_exceptions([&]() -> result<std::pmr::string> {
    ext4_inode_info& inode = info_of(i);
    if (is_slow(inode)) return read_block(inode);
    shared_guard guard{inode.i_data_sem};
    return std::pmr::string{XIP_TRY(text_in(inode, std::as_bytes(std::span{inode.i_data}))), &i.i_sb.memory()};
  });
}

result<> symlink_store(handle& h, ext4_inode_info& inode, std::string_view target) {
  ext4_sb_info& sb = h.sb();
  vfs::i_size_write(inode, static_cast<loff_t>(target.size()));
  if (target.size() < fast_symlink_bytes) {
    inode.i_flags_disk.fetch_and(~extents_fl, std::memory_order_relaxed);
    std::memset(inode.i_data, 0, sizeof inode.i_data);
    std::memcpy(inode.i_data, target.data(), target.size());
    return mark_inode_dirty(h, inode);
  }
  const extent_map em = XIP_TRY(map_blocks(&h, inode, lblk_t{0}, 1, map_create_written));
  const dev::buffer_ref b = XIP_TRY(sb.s_buffers->get(em.pblk));
  const std::span<std::byte> block = XIP_TRY(get_create_access(h, *b));
  std::memset(block.data(), 0, block.size());
  std::memcpy(block.data(), target.data(), target.size());
  XIP_TRY(dirty_metadata(h, *b));
  return mark_inode_dirty(h, inode);
}

}  // namespace xip::ext4lite
