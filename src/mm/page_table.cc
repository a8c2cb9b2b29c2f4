#include <xip/mm/page_table.h>

#include <new>
#include <utility>

namespace xip::mm {

page* allocate_page(std::pmr::memory_resource& memory) noexcept {
  try {
    return std::pmr::polymorphic_allocator<>{&memory}.new_object<page>(memory);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void put_page(page* p) noexcept {
  if (p->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) std::pmr::polymorphic_allocator<>{&p->memory}.delete_object(p);
}

page_table::~page_table() {
  for (auto& [place, s] : slots_)
    if (s.entries != nullptr) std::pmr::polymorphic_allocator<>{&memory_}.delete_object(s.entries);
}

page_table::spare_slot page_table::make_slot(std::pmr::memory_resource& memory, user_address address, fault_order order) {
  slots one{&memory};
  const auto at = one.try_emplace(address >> pmd_shift).first;
  if (order == fault_order::pte) at->second.entries = std::pmr::polymorphic_allocator<>{&memory}.new_object<table>();
  return one.extract(at);
}

void page_table::free_tables(std::pmr::memory_resource& memory, const spare_slot& spare) noexcept {
  if (spare.empty() || spare.mapped().entries == nullptr) return;
  std::pmr::polymorphic_allocator<>{&memory}.delete_object(spare.mapped().entries);
}

page_table::slot* page_table::find(user_address address) noexcept {
  const auto at = slots_.find(address >> pmd_shift);
  return at == slots_.end() ? nullptr : &at->second;
}

void page_table::insert(spare_slot& spare) noexcept {
  auto inserted = slots_.insert(std::move(spare));
  if (inserted.inserted) return;
  spare = std::move(inserted.node);
  slot& there = inserted.position->second;
  if (there.entries == nullptr && !there.huge.present()) std::swap(there.entries, spare.mapped().entries);
}

page_table::spare_slot page_table::take_slot(user_address start, user_address end) noexcept {
  const auto at = slots_.lower_bound((start + pmd_size - 1) >> pmd_shift);
  if (at == slots_.end() || (at->first + 1) << pmd_shift > end) return {};
  return slots_.extract(at);
}

pte page_table::translate(user_address address) const noexcept {
  const auto at = slots_.find(address >> pmd_shift);
  if (at == slots_.end()) return {};
  const std::size_t index = (address & (pmd_size - 1)) >> page_shift;
  if (!at->second.huge.present()) return at->second.entries == nullptr ? pte{} : at->second.entries->entries[index];
  pte page_of_it = at->second.huge;
  if (page_of_it.kind == pte_kind::pfn) {
    page_of_it.memory += index << page_shift;
    page_of_it.pfn += index;
  }
  return page_of_it;
}

pte* page_table::entry(user_address address) noexcept {
  slot* s = find(address);
  if (s == nullptr || s->entries == nullptr) return nullptr;
  return &s->entries->entries[(address & (pmd_size - 1)) >> page_shift];
}

}  // namespace xip::mm
