#include "scenario/page_tables.h"

#include <fmt/format.h>

#include <xip/vfs/super_block.h>

namespace xip::scenario {

// Tasks that were forked share an address space unless they have made one of their own.
void page_table_checker::check() noexcept {
  const auto look = [this](const mm::pte& e, mm::user_address at, mm::fault_order order) { check(e, at, order); };
  mm::mm_struct* const shared = mm::mm_struct::of(*parts_.main);
  if (shared != nullptr) shared->for_each_entry(look);
  for (const vfs::task* t : parts_.tasks)
    if (mm::mm_struct* own = mm::mm_struct::of(*t); own != nullptr && own != shared) own->for_each_entry(look);
}

void page_table_checker::check(const mm::pte& e, mm::user_address address, mm::fault_order order) noexcept {
  if (e.kind != mm::pte_kind::pfn) return;
  for (std::uint32_t i = 0; i < mm::pages_of(order); ++i) {
    const explore::block_owner_state owner = owners_.owner_of(pblk_t{e.pfn + i});
    if (owner.state == explore::block_state::unknown) continue;
    if (owner.state == explore::block_state::file && owner.ino == e.inode->i_ino && owner.generation == e.inode->i_generation) continue;
    watching_ = false;
    text_ = fmt::format("page tables: {:#x} maps block {} of inode {}, which is {}", address, e.pfn + i, e.inode->i_ino.value(),
                        owner.state == explore::block_state::file       ? fmt::format("of inode {}", owner.ino.value())
                        : owner.state == explore::block_state::metadata ? "metadata"
                                                                        : "free");
    scheduler_->fail(text_);
  }
}

}  // namespace xip::scenario
