// Block maps. A map's depth is fixed by where a block lies in the file, so no loop on the medium can hold a walk; every pointer is checked
// before it is followed, and a block that is freed twice is found in the bitmap.
#include "fs_ext4lite/indirect.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include <fmt/format.h>

#include <xip/base/points.h>

#include "fs_ext4lite/block_claims.h"
#include "fs_ext4lite/indirect_table.h"

namespace xip::ext4lite {
result<root_slot> slot_of(const ext4_inode_info& inode, lblk_t lblk) noexcept {
  for (std::uint32_t i = lblk.value() < ndir_blocks ? lblk.value() : ind_block; i < n_blocks; ++i) {
    const root_slot slot = slot_at(per_block(inode), i);
    if (lblk.value() < slot.first + slot.span) return slot;
  }
  return fail(EFBIG);
}

result<> check_pointer(const ext4_inode_info& inode, std::uint64_t block, std::uint32_t count, std::uint64_t lblk) {
  if (data_blocks_valid(sbi_of(inode), pblk_t{block}, count, inode.i_ino)) return {};
  return corrupted(inode, fmt::format("block map: {} blocks from {}, for block {} of the file, are no file's", count, block, lblk));
}

result<dev::buffer_ref> read_pointers(const ext4_inode_info& inode, std::uint32_t block, std::uint64_t lblk) {
  XIP_TRY(check_pointer(inode, block, 1, lblk));
  return sbi_of(inode).s_buffers->read(pblk_t{block});
}

std::uint32_t run_length(const pointers& table, std::uint32_t i, std::uint32_t limit) noexcept {
  const std::uint32_t first = table.at(i);
  std::uint32_t count = 1;
  while (count < limit && (first == 0 ? table.at(i + count) == 0 : table.at(i + count) == first + count)) ++count;
  return count;
}

std::uint64_t indirect_max_blocks(unsigned bits) noexcept {
  const root_slot last = slot_at((std::uint64_t{1} << bits) / sizeof(le32), tind_block);
  return std::min<std::uint64_t>(last.first + last.span, extent_max_block);
}

loff_t indirect_max_bytes(unsigned bits) noexcept {
  const std::uint64_t pointers_per_block = (std::uint64_t{1} << bits) / sizeof(le32);
  // i_blocks counts in 32 bits of 512 bytes unless huge_file is set; Linux leaves room for the indirect blocks, so do we.
  const std::uint64_t countable = (std::uint64_t{UINT32_MAX} << 9) - ((std::uint64_t{3} + pointers_per_block * 2) << bits);
  return static_cast<loff_t>(std::min(indirect_max_blocks(bits) << bits, countable));
}

result<extent_map> indirect_find(ext4_inode_info& inode, lblk_t lblk, std::uint32_t max) {
  const root_slot slot = XIP_TRY(slot_of(inode, lblk));
  pointers table = root_of(inode);
  std::uint32_t i = slot.index;
  std::uint32_t end = slot.levels == 0 ? ndir_blocks : slot.index + 1;
  std::uint64_t inside = lblk.value() - slot.first;
  dev::buffer_ref buffer;
  for (std::uint32_t levels = slot.levels; levels != 0; --levels) {
    if (table.at(i) == 0) {
      const std::uint64_t rest = span_of(per_block(inode), levels) - inside;
      return extent_map{lblk, static_cast<std::uint32_t>(std::min<std::uint64_t>(rest, max)), pblk_t{0}, extent_type::hole, 0};
    }
    buffer = XIP_TRY(read_pointers(inode, table.at(i), lblk.value()));
    table = pointers{buffer->data().data()};
    const std::uint64_t span = span_of(per_block(inode), levels - 1);
    i = static_cast<std::uint32_t>(inside / span);
    inside %= span;
    end = per_block(inode);
  }
  const std::uint32_t count = run_length(table, i, std::min(end - i, max));
  const std::uint32_t first = table.at(i);
  if (first == 0) return extent_map{lblk, count, pblk_t{0}, extent_type::hole, 0};
  XIP_TRY(check_pointer(inode, first, count, lblk.value()));
  return extent_map{lblk, count, pblk_t{first}, extent_type::mapped, 0};
}

namespace {

// The last tables, whose entries are data, are counted and not read. CLAIMS, if there are any, hear of each.
class table_census {
 public:
  explicit table_census(const ext4_inode_info& inode, block_claims* claims = nullptr)
      : inode_{inode}, claims_{claims}, seen_{&inode.i_sb.memory()} {}

  [[nodiscard]] result<> look_at_all() {
    inode_.i_data_sem.assert_held_shared();
    for (std::uint32_t i = ind_block; i < n_blocks; ++i) {
      const root_slot slot = slot_at(per_block(inode_), i);
      XIP_TRY(look_at(root_of(inode_).at(i), slot.levels, slot.first));
    }
    return {};
  }

 private:
  [[nodiscard]] result<> look_at(std::uint32_t block, std::uint32_t levels, std::uint64_t lblk) {
    if (block == 0 || levels == 0) return {};
    if (!seen_.insert(block).second) return corrupted(inode_, fmt::format("block map: table {} is there twice", block));
    if (claims_ != nullptr) XIP_TRY(claims_->claim(inode_, pblk_t{block}, 1));
    if (levels == 1) return {};
    const dev::buffer_ref buffer = XIP_TRY(read_pointers(inode_, block, lblk));
    const pointers table{buffer->data().data()};
    const std::uint64_t span = span_of(per_block(inode_), levels - 1);
    for (std::uint32_t i = 0; i < per_block(inode_); ++i) XIP_TRY(look_at(table.at(i), levels - 1, lblk + i * span));
    return {};
  }

  const ext4_inode_info& inode_;
  block_claims* const claims_;
  std::pmr::unordered_set<std::uint32_t> seen_;
};

}  // namespace

result<> indirect_check_tables(ext4_inode_info& inode) { return table_census{inode}.look_at_all(); }

result<> indirect_claim_tables(ext4_inode_info& inode, block_claims& claims) { return table_census{inode, &claims}.look_at_all(); }

bool indirect_has_blocks_from(const ext4_inode_info& inode, lblk_t first) noexcept {
  for (std::uint32_t i = 0; i < n_blocks; ++i) {
    const root_slot slot = slot_at(per_block(inode), i);
    if (slot.first + slot.span > first.value() && root_of(inode).at(i) != 0) return true;
  }
  return false;
}

namespace {

// A table of pointers that can be written, and what it covers.
struct table_place {
  dev::buffer_ref buffer;  // null: i_block
  std::uint32_t index = 0;
};

class run_remover {
 public:
  run_remover(handle& h, ext4_inode_info& inode, lblk_t first, std::uint64_t& end) noexcept
      : h_{h}, inode_{inode}, first_{first.value()}, end_{end} {}

  // In what SLOT covers; it holds a pointer.
  [[nodiscard]] result<bool> remove_in(const root_slot& slot) {
    inode_.i_data_sem.assert_held();
    table_place parent{{}, slot.index};
    std::uint64_t base = slot.first;
    std::uint32_t pointer = root_of(inode_).at(slot.index);
    for (std::uint32_t levels = slot.levels; levels != 0; --levels) {
      dev::buffer_ref buffer = XIP_TRY(read_pointers(inode_, pointer, base));
      const pointers table{buffer->data().data()};
      const std::uint64_t span = span_of(per_block(inode_), levels - 1);
      const std::int64_t last = last_used(table, base, span);
      if (last < 0) {
        // A table with other blocks stays; what may be left lies before it.
        if (!is_empty(table)) {
          end_ = base;
          return base > first_;
        }
        buffer.reset();
        return free_indirect(parent, pointer);
      }
      base += static_cast<std::uint64_t>(last) * span;
      parent = {std::move(buffer), static_cast<std::uint32_t>(last)};
      pointer = table.at(parent.index);
    }
    return free_run(parent, base, pointer);
  }

 private:
  [[nodiscard]] bool is_empty(const pointers& table) const noexcept {
    return table.at(0) == 0 && run_length(table, 0, per_block(inode_)) == per_block(inode_);
  }

  // The last pointer of TABLE that covers something of [FIRST, END); -1: none.
  [[nodiscard]] std::int64_t last_used(const pointers& table, std::uint64_t base, std::uint64_t span) const noexcept {
    if (base >= end_) return -1;
    for (auto i = static_cast<std::int64_t>(std::min<std::uint64_t>(per_block(inode_) - 1, (end_ - 1 - base) / span)); i >= 0; --i) {
      if (base + static_cast<std::uint64_t>(i + 1) * span <= first_) return -1;
      if (table.at(static_cast<std::uint32_t>(i)) != 0) return i;
    }
    return -1;
  }

  // COUNT pointers up to and with the one at PLACE become holes.
  [[nodiscard]] result<> clear(const table_place& place, std::uint32_t count) XIP_REQUIRES(inode_.i_data_sem) {
    const std::uint32_t from = place.index + 1 - count;
    if (!place.buffer) {
      std::fill_n(inode_.i_data + from, count, 0u);
      return {};
    }
    const std::span<std::byte> bytes = XIP_TRY(get_write_access(h_, *place.buffer));
    std::ranges::fill(bytes.subspan(from * sizeof(le32), count * sizeof(le32)), std::byte{0});
    return dirty_metadata(h_, *place.buffer);
  }

  [[nodiscard]] result<bool> free_indirect(const table_place& parent, std::uint32_t block) XIP_REQUIRES(inode_.i_data_sem) {
    const held_bitmaps held = XIP_TRY(prepare_to_free(h_, pblk_t{block}, 1));
    XIP_TRY(clear(parent, 1));
    XIP_TRY(free_blocks(h_, inode_, pblk_t{block}, 1, true));
    return true;
  }

  // The run of data blocks that ends with BLOCK, block LBLK of the file, at PLACE.
  [[nodiscard]] result<bool> free_run(const table_place& place, std::uint64_t lblk, std::uint32_t block) XIP_REQUIRES(inode_.i_data_sem) {
    const pointers table = place.buffer ? pointers{place.buffer->data().data()} : root_of(inode_);
    const std::uint64_t most = std::min<std::uint64_t>({lblk - first_ + 1, place.index + 1, sbi_of(inode_).s_blocks_per_group});
    std::uint32_t count = 1;
    while (count < most && count < block && table.at(place.index - count) == block - count) ++count;
    const pblk_t begin{std::uint64_t{block} - count + 1};
    const lblk_t from{static_cast<std::uint32_t>(lblk - count + 1)};
    XIP_TRY(check_pointer(inode_, begin.value(), count, from.value()));
    const held_bitmaps held = XIP_TRY(prepare_to_free(h_, begin, count));
    inode_.i_es.remove(from, count);
    XIP_TRY(clear(place, count));
    XIP_POINT(ext4_extent_removed, inode_.i_ino.value(), from.value(), count);
    XIP_TRY(free_blocks(h_, inode_, begin, count, !inode_.is_reg()));
    return true;
  }

  handle& h_;
  ext4_inode_info& inode_;
  const std::uint64_t first_;
  std::uint64_t& end_;
};

}  // namespace

result<bool> indirect_remove_last_run(handle& h, ext4_inode_info& inode, lblk_t first, std::uint64_t& end) {
  run_remover remover{h, inode, first, end};
  for (std::uint32_t i = n_blocks; i-- != 0;) {
    const root_slot slot = slot_at(per_block(inode), i);
    if (slot.first + slot.span <= first.value()) break;
    if (slot.first >= end) continue;
    if (root_of(inode).at(i) != 0 && XIP_TRY(remover.remove_in(slot))) return true;
  }
  return false;
}

}  // namespace xip::ext4lite
