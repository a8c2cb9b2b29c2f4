#include "scenario/page_tables.h"

#include <optional>

#include <fmt/format.h>

#include <xip/vfs/super_block.h>
#include <xip/xip/entry.h>

namespace xip::scenario {

// Tasks that were forked share an address space unless they have made one of their own.
void page_table_checker::check() noexcept {
  const auto look = [this](const mm::pte& e, mm::user_address at, mm::fault_order order) { check(e, at, order); };
  mm::mm_struct* const shared = mm::mm_struct::of(*main_);
  if (shared != nullptr) shared->for_each_entry(look);
  for (const vfs::task* t : tasks_)
    if (mm::mm_struct* own = mm::mm_struct::of(*t); own != nullptr && own != shared) own->for_each_entry(look);
}

void page_table_checker::check(const mm::pte& e, mm::user_address address, mm::fault_order order) noexcept {
  if (e.kind != mm::pte_kind::pfn || !watching_) return;
  const std::uint32_t pages = mm::pages_of(order);
  std::string wrong = wrong_entry(e, e.pfn, pages);
  std::uint64_t pfn = e.pfn;
  for (std::uint32_t i = 0; wrong.empty() && i < pages; ++i) {
    pfn = e.pfn + i;
    wrong = wrong_owner(e, pfn);
  }
  if (wrong.empty()) return;
  watching_ = false;
  text_ = fmt::format("page tables: {:#x} maps block {} of inode {}, {}", address, pfn, e.inode->i_ino.value(), wrong);
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
