#include "scenario/page_tables.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include <xip/dev/device.h>
#include <xip/vfs/ops.h>
#include <xip/vfs/super_block.h>
#include <xip/xip/entry.h>

namespace xip::scenario {
namespace {

// What cannot be looked at is not held against anybody.
[[nodiscard]] bool has_only_zeros(dev::device& device, pblk_t page) noexcept {
  const auto w = device.direct_access(bytes_of(page, page_shift), page_size, dev::access_intent::read);
  if (!w.has_value() || w->bytes < page_size) return true;
  return std::all_of(w->data, w->data + page_size, [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

// Tasks that were forked share an address space unless they have made one of their own.
void page_table_checker::check() noexcept {
  const auto look = [this](const mm::pte& e, mm::user_address at, mm::fault_order order) { check(e, at, order); };
  mm::mm_struct* const shared = mm::mm_struct::of(*main_);
  if (shared != nullptr) shared->for_each_entry(look);
  for (const vfs::task* t : tasks_)
    if (mm::mm_struct* own = mm::mm_struct::of(*t); own != nullptr && own != shared) own->for_each_entry(look);
}

void page_table_checker::check(const mm::pte& e, mm::user_address address, mm::fault_order order) noexcept {
  if (!watching_) return;
  if (e.kind == mm::pte_kind::pfn) check_block(e, address, mm::pages_of(order));
  if (e.kind == mm::pte_kind::zero && e.inode != nullptr) check_zeros(e, address, mm::pages_of(order));
}

void page_table_checker::check_block(const mm::pte& e, mm::user_address address, std::uint32_t pages) noexcept {
  std::string wrong = wrong_entry(e, e.pfn, pages);
  std::uint64_t pfn = e.pfn;
  for (std::uint32_t i = 0; wrong.empty() && i < pages; ++i) {
    pfn = e.pfn + i;
    wrong = wrong_owner(e, pfn);
  }
  if (!wrong.empty()) fail(fmt::format("page tables: {:#x} maps block {} of inode {}, {}", address, pfn, e.inode->i_ino.value(), wrong));
}

// Whoever puts bytes into a page that others map as zeros has its entry locked until the zeros are gone, or, where the block was written before and held
// zeros, has i_rwsem for himself; who moves or frees blocks has invalidate_lock. While nobody has any of these, zeros are mapped where there is no block, or
// one that reads the same. A block that is known only from the tree is not asked for: that would wait.
void page_table_checker::check_zeros(const mm::pte& e, mm::user_address address, std::uint32_t pages) noexcept {
  const vfs::inode& inode = *e.inode;
  const auto written_block = inode.i_sb.s_op->written_block;
  if (written_block == nullptr || inode.i_rwsem.is_held_exclusive() || inode.i_mapping.invalidate_lock.is_held_exclusive()) return;
  const entry_table* const table = entry_table::find(inode);
  for (std::uint64_t page = e.pfn; page < e.pfn + pages; ++page) {
    if (table != nullptr && table->is_locked(pgoff_t{page})) continue;
    const auto block = written_block(inode, lblk_t{static_cast<std::uint32_t>(page)});
    if (!block || has_only_zeros(inode.i_sb.s_bdev, *block)) continue;
    return fail(fmt::format("page tables: {:#x} maps zeros for page {} of inode {}, whose block {} holds something else", address, page,
                            inode.i_ino.value(), block->value()));
  }
}

void page_table_checker::fail(std::string text) noexcept {
  watching_ = false;
  text_ = std::move(text);
  scheduler_->fail(text_);
}

std::string page_table_checker::wrong_owner(const mm::pte& e, std::uint64_t pfn) const {
  const explore::block_owner_state owner = owners_.owner_of(pblk_t{pfn});
  if (owner.state == explore::block_state::unknown) return {};
  if (owner.state == explore::block_state::file && owner.ino == e.inode->i_ino && owner.generation == e.inode->i_generation) return {};
  if (owner.state == explore::block_state::file) return fmt::format("which is of inode {}", owner.ino.value());
  return owner.state == explore::block_state::metadata ? "which is metadata" : "which is free";
}

std::string page_table_checker::wrong_entry(const mm::pte& e, std::uint64_t pfn, std::uint32_t pages) {
  const entry_table* const table = entry_table::find(*e.inode);
  std::optional<dax_entry> known;
  if (table != nullptr)
    table->for_each([&](const dax_entry& there) {
      if (there.kind == entry_kind::pfn && pfn >= there.pfn && pfn - there.pfn + pages <= there.pages) known = there;
    });
  if (!known) return "which no entry knows";
  if (e.write && !known->dirty) return "to be stored to, and its entry is not DIRTY";
  const std::uint64_t page = known->index.value() + (pfn - known->pfn) + pages - 1;
  return page << page_shift < static_cast<std::uint64_t>(vfs::i_size_read(*e.inode)) ? "" : "which lies behind the end of the file";
}

}  // namespace xip::scenario
