// Lock chains:
//   dax_entry -> i_pages

#include <atomic>
#include <memory_resource>
#include <new>

#include <xip/vfs/super_block.h>
#include <xip/xip/entry.h>
#include <xip/xip/mapping.h>

namespace xip {

entry_range_lock::entry_range_lock(vfs::inode& inode, pgoff_t first, pgoff_t last) noexcept
    : table_{&entry_table::of(inode)}, first_{first}, last_{last} {
  pseudo_acquire(dax_entry_class, this, true);
  mutex_guard guard{table_->lock_};
  table_->unlocked_.wait(table_->lock_, [this]() XIP_NO_THREAD_SAFETY_ANALYSIS { return !table_->overlaps_locked(*this); });
  next_ = table_->locked_;
  table_->locked_ = this;
}

void entry_range_lock::shrink_to(pgoff_t last) noexcept {
  mutex_guard guard{table_->lock_};
  last_ = last;
  table_->unlocked_.wake_all();
}

void entry_range_lock::unlock() noexcept {
  if (table_ == nullptr) return;
  {
    mutex_guard guard{table_->lock_};
    entry_range_lock** link = &table_->locked_;
    while (*link != this) link = &(*link)->next_;
    *link = next_;
    table_->unlocked_.wake_all();
  }
  pseudo_release(dax_entry_class, this);
  table_ = nullptr;
}

bool entry_table::overlaps_locked(const entry_range_lock& range) const noexcept {
  for (const entry_range_lock* other = locked_; other != nullptr; other = other->next_)
    if (range.first_ <= other->last_ && other->first_ <= range.last_) return true;
  return false;
}

result<> entry_table::make(vfs::inode& inode) noexcept {
  std::atomic_ref<void*> slot{inode.i_mapping.i_pages};
  if (slot.load(std::memory_order_acquire) != nullptr) return {};
  std::pmr::polymorphic_allocator<> allocator{&inode.i_sb.memory()};
  entry_table* made = nullptr;
  try {
    made = allocator.new_object<entry_table>();
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
  void* nothing = nullptr;
  if (!slot.compare_exchange_strong(nothing, made, std::memory_order_acq_rel)) allocator.delete_object(made);  // another was faster
  return {};
}

entry_table& entry_table::of(vfs::inode& inode) noexcept {
  return *static_cast<entry_table*>(std::atomic_ref<void*>{inode.i_mapping.i_pages}.load(std::memory_order_acquire));
}

void entry_table::release(vfs::inode& inode) noexcept {
  auto* table = static_cast<entry_table*>(inode.i_mapping.i_pages);
  if (table == nullptr) return;
  std::pmr::polymorphic_allocator<>{&inode.i_sb.memory()}.delete_object(table);
  inode.i_mapping.i_pages = nullptr;
}

void xip_release_mapping(vfs::inode& inode) noexcept { entry_table::release(inode); }

}  // namespace xip
