// Blocks for files with a block map. Linux: ext4_ind_map_blocks, ext4_alloc_branch (fs/ext4/indirect.c).
//
// A crash before the commit finds the old map. After it the map names blocks that were zeroed and drained before they got into it.
#include <algorithm>

#include "fs_ext4lite/indirect.h"
#include "fs_ext4lite/indirect_table.h"
#include "fs_ext4lite/zero.h"

namespace xip::ext4lite {
namespace {

// Goes down from i_block to the table that names one block of the file, and makes the tables that are missing.
class branch {
 public:
  branch(handle& h, ext4_inode_info& inode) noexcept : h_{h}, inode_{inode}, goal_{goal_of_inode(inode)} {}

  [[nodiscard]] result<> descend(lblk_t lblk) {
    inode_.i_data_sem.assert_held();
    const root_slot slot = XIP_TRY(slot_of(inode_, lblk));
    index_ = slot.index;
    end_ = slot.levels == 0 ? ndir_blocks : slot.index + 1;
    std::uint64_t inside = lblk.value() - slot.first;
    for (std::uint32_t levels = slot.levels; levels != 0; --levels) {
      const std::uint32_t pointer = table().at(index_);
      buffer_ = pointer != 0 ? XIP_TRY(read_pointers(inode_, pointer, lblk.value())) : XIP_TRY(new_table());
      goal_ = buffer_->block() + 1;
      const std::uint64_t span = span_of(per_block(inode_), levels - 1);
      index_ = static_cast<std::uint32_t>(inside / span);
      inside %= span;
      end_ = per_block(inode_);
    }
    return {};
  }

  // Behind the nearest block before it in the same table, so that what grows stays in one piece.
  [[nodiscard]] pblk_t goal() const noexcept {
    for (std::uint32_t i = index_; i-- != 0;)
      if (const std::uint32_t before = table().at(i); before != 0) return pblk_t{before} + (index_ - i);
    return goal_;
  }
  [[nodiscard]] std::uint32_t holes(std::uint32_t at_most) const noexcept {
    return run_length(table(), index_, std::min(end_ - index_, at_most));
  }

  // COUNT entries name the blocks from FIRST on.
  [[nodiscard]] result<> set(pblk_t first, std::uint32_t count) {
    inode_.i_data_sem.assert_held();
    std::byte* bytes = reinterpret_cast<std::byte*>(inode_.i_data);
    if (buffer_) bytes = XIP_TRY(get_write_access(h_, *buffer_)).data();
    auto* const entries = reinterpret_cast<le32*>(bytes) + index_;
    for (std::uint32_t i = 0; i < count; ++i) entries[i] = static_cast<std::uint32_t>(first.value() + i);
    return buffer_ ? dirty_metadata(h_, *buffer_) : result<>{};
  }

 private:
  [[nodiscard]] pointers table() const noexcept { return buffer_ ? pointers{buffer_->data().data()} : root_of(inode_); }

  // An empty table, named by the entry that we stand at.
  [[nodiscard]] result<dev::buffer_ref> new_table() XIP_REQUIRES(inode_.i_data_sem) {
    const allocated got = XIP_TRY(alloc_blocks(h_, inode_, goal_, 1, alloc_metadata));
    auto made = got.first.value() <= UINT32_MAX ? sbi_of(inode_).s_buffers->get(got.first) : result<dev::buffer_ref>{fail(EFBIG)};
    result<> named = made.has_value() ? fill_table(**made) : result<>{fail(made.error())};
    if (named.has_value()) named = set(got.first, 1);
    if (named.has_value()) return made;
    XIP_TRY(free_blocks(h_, inode_, got.first, 1, true));
    return fail(named.error());
  }

  [[nodiscard]] result<> fill_table(dev::buffer& table) {
    std::ranges::fill(XIP_TRY(get_create_access(h_, table)), std::byte{0});
    return dirty_metadata(h_, table);
  }

  handle& h_;
  ext4_inode_info& inode_;
  pblk_t goal_;
  dev::buffer_ref buffer_;  // null: i_block
  std::uint32_t index_ = 0;
  std::uint32_t end_ = 0;  // of the entries that lie on one level
};

}  // namespace

result<extent_map> indirect_allocate(handle& h, ext4_inode_info& inode, const extent_map& hole, bool zeroed) {
  branch way{h, inode};
  XIP_TRY(way.descend(hole.lblk));
  const allocated got = XIP_TRY(alloc_blocks(h, inode, way.goal(), way.holes(hole.len), inode.is_reg() ? 0 : alloc_metadata));
  auto placed = got.first.value() + got.count - 1 > UINT32_MAX ? result<>{fail(EFBIG)} : result<>{};
  if (placed.has_value() && zeroed) placed = zero_blocks(inode, got.first, got.count);
  if (placed.has_value()) placed = way.set(got.first, got.count);
  if (!placed.has_value()) {
    XIP_TRY(free_blocks(h, inode, got.first, got.count, !inode.is_reg()));
    return fail(placed.error());
  }
  return extent_map{hole.lblk, got.count, got.first, extent_type::mapped, em_new};
}

}  // namespace xip::ext4lite
