// Lock chains:
//   dax_entry -> i_pages
#include <xip/xip/entry.h>

#include <algorithm>
#include <atomic>
#include <memory_resource>
#include <new>

#include <xip/vfs/super_block.h>
#include <xip/xip/mapping.h>

namespace xip {

entry_range_lock::entry_range_lock(vfs::inode& inode, pgoff_t first, pgoff_t last) noexcept
    : table_{&entry_table::of(inode)}, wanted_first_{first}, wanted_last_{last}, first_{first}, last_{last} {
  pseudo_acquire(dax_entry_class, this, true);
  mutex_guard guard{table_->lock_};
  table_->unlocked_.wait(table_->lock_, [this]() XIP_NO_THREAD_SAFETY_ANALYSIS {
    table_->widen(*this);  // anew: entries come and go while we wait
    return !table_->overlaps_locked(*this);
  });
  next_ = table_->locked_;
  table_->locked_ = this;
}

void entry_range_lock::shrink_to(pgoff_t last) noexcept {
  mutex_guard guard{table_->lock_};
  wanted_last_ = last;
  const auto there = table_->holding(last);
  last_ = there ? there->last() : last;
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

std::optional<dax_entry> entry_range_lock::get(pgoff_t index) const noexcept {
  mutex_guard guard{table_->lock_};
  return table_->holding(index);
}

std::optional<dax_entry> entry_range_lock::next(pgoff_t index) const noexcept {
  mutex_guard guard{table_->lock_};
  const auto at = table_->at_or_behind(index);
  if (at == table_->entries_.end() || at->second.index > last_) return std::nullopt;
  return at->second;
}

result<> entry_range_lock::put(const dax_entry& e) noexcept {
  mutex_guard guard{table_->lock_};
  try {
    dax_entry& there = table_->entries_[e.index.value()];
    const dax_entry was = there;
    there = e;
    there.dirty = e.dirty || (was.dirty && was.same_place(e));
    table_->count(was, there);
    return {};
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

void entry_range_lock::remove(pgoff_t index) noexcept {
  mutex_guard guard{table_->lock_};
  const auto at = table_->entries_.find(index.value());
  if (at == table_->entries_.end()) return;
  table_->count(at->second, {});
  table_->entries_.erase(at);
}

void entry_range_lock::clean(pgoff_t index) noexcept {
  mutex_guard guard{table_->lock_};
  const auto at = table_->entries_.find(index.value());
  if (at == table_->entries_.end()) return;
  const dax_entry was = at->second;
  at->second.dirty = false;
  table_->count(was, at->second);
}

entry_table::entry_table(vfs::inode& inode) noexcept : inode_{inode}, entries_{&inode.i_sb.memory()} {}

entry_table::~entry_table() {
  if (has_dirty()) inode_.i_sb.s_dirty_mappings.fetch_sub(1, std::memory_order_relaxed);
}

bool entry_table::overlaps_locked(const entry_range_lock& range) const noexcept {
  for (const entry_range_lock* other = locked_; other != nullptr; other = other->next_)
    if (range.first_ <= other->last_ && other->first_ <= range.last_) return true;
  return false;
}

bool entry_table::is_locked(pgoff_t index) const noexcept XIP_NO_THREAD_SAFETY_ANALYSIS {
  for (const entry_range_lock* range = locked_; range != nullptr; range = range->next_)
    if (index >= range->first_ && index <= range->last_) return true;
  return false;
}

entry_table::map::iterator entry_table::at_or_behind(pgoff_t index) noexcept {
  auto at = entries_.lower_bound(index.value());
  if (at == entries_.begin()) return at;
  const auto before = std::prev(at);
  return before->second.last() >= index ? before : at;
}

std::optional<dax_entry> entry_table::holding(pgoff_t index) noexcept {
  const auto at = at_or_behind(index);
  if (at == entries_.end() || at->second.index > index) return std::nullopt;
  return at->second;
}

void entry_table::widen(entry_range_lock& range) noexcept {
  const auto low = holding(range.wanted_first_), high = holding(range.wanted_last_);
  range.first_ = low ? low->index : range.wanted_first_;
  range.last_ = high ? high->last() : range.wanted_last_;
}

// A sync that looks for what was stored before it began finds it here: the store came back after its entry was DIRTY.
void entry_table::count(const dax_entry& was, const dax_entry& now) noexcept {
  const auto add = [](std::atomic<std::uint64_t>& counter, bool before, bool after) {
    counter.store(counter.load(std::memory_order_relaxed) + std::uint64_t{after} - std::uint64_t{before}, std::memory_order_release);
  };
  const bool had_dirty = has_dirty();
  add(dirty_, was.dirty, now.dirty);
  add(zeros_, was.kind == entry_kind::zero, now.kind == entry_kind::zero);
  if (!had_dirty && has_dirty()) inode_.i_sb.s_dirty_mappings.fetch_add(1, std::memory_order_relaxed);
  if (had_dirty && !has_dirty()) inode_.i_sb.s_dirty_mappings.fetch_sub(1, std::memory_order_relaxed);
}

std::optional<dax_entry> entry_table::next_dirty(pgoff_t index) noexcept {
  mutex_guard guard{lock_};
  for (auto at = at_or_behind(index); at != entries_.end(); ++at)
    if (at->second.dirty) return at->second;
  return std::nullopt;
}

std::size_t entry_table::size() noexcept {
  mutex_guard guard{lock_};
  return entries_.size();
}

std::optional<dax_entry> entry_table::peek(pgoff_t index) noexcept {
  mutex_guard guard{lock_};
  return holding(index);
}

result<> entry_table::make(vfs::inode& inode) noexcept {
  std::atomic_ref<void*> slot{inode.i_mapping.i_pages};
  if (slot.load(std::memory_order_acquire) != nullptr) return {};
  std::pmr::polymorphic_allocator<> allocator{&inode.i_sb.memory()};
  entry_table* made = nullptr;
  try {
    made = allocator.new_object<entry_table>(inode);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
  void* nothing = nullptr;
  if (!slot.compare_exchange_strong(nothing, made, std::memory_order_acq_rel)) allocator.delete_object(made);  // another was faster
  return {};
}

entry_table* entry_table::find(const vfs::inode& inode) noexcept {
  return static_cast<entry_table*>(std::atomic_ref<void*>{const_cast<void*&>(inode.i_mapping.i_pages)}.load(std::memory_order_acquire));
}

entry_table& entry_table::of(vfs::inode& inode) noexcept { return *find(inode); }

void entry_table::release(vfs::inode& inode) noexcept {
  auto* table = static_cast<entry_table*>(inode.i_mapping.i_pages);
  if (table == nullptr) return;
  std::pmr::polymorphic_allocator<>{&inode.i_sb.memory()}.delete_object(table);
  inode.i_mapping.i_pages = nullptr;
}

void xip_release_mapping(vfs::inode& inode) noexcept { entry_table::release(inode); }

}  // namespace xip
