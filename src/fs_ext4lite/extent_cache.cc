// The writers' side of the extent cache.
//
// Lock chains:
//   i_data_sem -> i_es_lock
#include "fs_ext4lite/extent_cache.h"

#include <algorithm>
#include <new>
#include <utility>

namespace xip::ext4lite {

struct extent_cache::large_table {
  explicit large_table(std::pmr::memory_resource& m) noexcept : memory{m} {}
  std::pmr::memory_resource& memory;
  std::array<entry, max_entries> entries{};
};

class extent_cache::change {
 public:
  explicit change(extent_cache& cache) noexcept : sequence_{cache.sequence_} { sequence_.write_begin(); }
  ~change() { sequence_.write_end(); }
  change(const change&) = delete;
  change& operator=(const change&) = delete;

 private:
  seqcount& sequence_;
};

extent_cache::~extent_cache() {
  large_table* table = large_.load(std::memory_order_relaxed);
  if (table != nullptr) std::pmr::polymorphic_allocator<>{&table->memory}.delete_object(table);
}

extent_cache::stretch extent_cache::at(std::uint32_t index) const noexcept {
  const entry& e = table_.load(std::memory_order_relaxed)[index];
  const std::uint64_t where = e.where.load(std::memory_order_relaxed);
  const std::uint64_t what = e.what.load(std::memory_order_relaxed);
  return {first_of(where), length_of(where), pblk_of(what), type_of(what)};
}

void extent_cache::put(std::uint32_t index, const stretch& s) noexcept {
  entry& e = table_.load(std::memory_order_relaxed)[index];
  e.where.store(std::uint64_t{s.first} << 32 | s.len, std::memory_order_release);
  e.what.store(static_cast<std::uint64_t>(s.type) << 56 | (s.type == extent_type::hole ? 0 : s.pblk.value()), std::memory_order_release);
}

void extent_cache::erase(std::uint32_t index, std::uint32_t count) noexcept {
  const std::uint32_t left = size() - count;
  for (std::uint32_t i = index; i < left; ++i) put(i, at(i + count));
  count_.store(left, std::memory_order_release);
}

// S becomes entry INDEX, the ones from there on move up. There is room.
void extent_cache::add(std::uint32_t index, const stretch& s) noexcept {
  const std::uint32_t count = size();
  for (std::uint32_t i = count; i > index; --i) put(i, at(i - 1));
  put(index, s);
  count_.store(count + 1, std::memory_order_release);
}

// Entries are forgotten in turn; INDEX goes on meaning the same place.
void extent_cache::forget_one(std::uint32_t& index) noexcept {
  victim_ = victim_ + 1 < size() ? victim_ + 1 : 0;
  erase(victim_, 1);
  if (victim_ < index) --index;
}

bool extent_cache::continues(const stretch& left, const stretch& right) noexcept {
  if (left.type != right.type || left.end() != right.first || std::uint64_t{left.len} + right.len > UINT32_MAX) return false;
  return left.type == extent_type::hole || left.pblk + left.len == right.pblk;
}

// Nothing is known of [FIRST, END) afterwards. Where the middle of an entry goes and there is no room for what is right of it, that is
// forgotten too.
void extent_cache::cut(std::uint32_t first, std::uint64_t end) noexcept {
  std::uint32_t index = upper_bound(table_.load(std::memory_order_relaxed), size(), lblk_t{first});
  if (index != 0 && at(index - 1).end() > first) --index;
  while (index < size()) {
    const stretch old = at(index);
    if (old.first >= end) break;
    const stretch left{old.first, first > old.first ? first - old.first : 0, old.pblk, old.type};
    const auto dropped = static_cast<std::uint32_t>(end - old.first);
    const stretch right{old.first + dropped, old.end() > end ? static_cast<std::uint32_t>(old.end() - end) : 0, old.pblk + dropped,
                        old.type};
    if (left.len != 0) {
      put(index++, left);
      if (right.len != 0 && size() < capacity_) add(index, right);
    } else if (right.len != 0) {
      put(index, right);
    } else {
      erase(index, 1);
      continue;
    }
    if (right.len != 0) break;
  }
}

void extent_cache::join_or_add(const stretch& s) noexcept {
  std::uint32_t index = upper_bound(table_.load(std::memory_order_relaxed), size(), lblk_t{s.first});
  stretch joined = s;
  const bool right = index < size() && continues(s, at(index));
  if (right) joined.len += at(index).len;
  if (index != 0 && continues(at(index - 1), joined)) {
    const stretch left = at(index - 1);
    put(index - 1, {left.first, left.len + joined.len, left.pblk, left.type});
    if (right) erase(index, 1);
  } else if (right) {
    put(index, joined);
  } else {
    if (size() == capacity_) forget_one(index);
    add(index, joined);
  }
}

// S is the beginning of an entry and continues the one before it, as in a file that grows: the border between the two moves. False: it is not so.
bool extent_cache::move_border(const stretch& s) noexcept {
  const std::uint32_t index = upper_bound(table_.load(std::memory_order_relaxed), size(), lblk_t{s.first});
  if (index < 2) return false;
  const stretch left = at(index - 2), right = at(index - 1);
  if (right.first != s.first || right.len <= s.len || !continues(left, s)) return false;
  change under_way{*this};
  put(index - 2, {left.first, left.len + s.len, left.pblk, left.type});
  put(index - 1, {right.first + s.len, right.len - s.len, right.pblk + s.len, right.type});
  return true;
}

// Memory is asked for outside of the spin lock.
extent_cache::large_table* extent_cache::larger(std::pmr::memory_resource& memory) noexcept {
  if (size() + 1 < inline_entries || large_.load(std::memory_order_acquire) != nullptr) return nullptr;
  try {
    return std::pmr::polymorphic_allocator<>{&memory}.new_object<large_table>(memory);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void extent_cache::use_larger(large_table* table) noexcept {
  for (std::uint32_t i = 0; i < size(); ++i) {
    const stretch s = at(i);
    entry& e = table->entries[i];
    e.where.store(std::uint64_t{s.first} << 32 | s.len, std::memory_order_relaxed);
    e.what.store(static_cast<std::uint64_t>(s.type) << 56 | s.pblk.value(), std::memory_order_relaxed);
  }
  large_.store(table, std::memory_order_release);
  table_.store(table->entries.data(), std::memory_order_release);
  capacity_ = max_entries;
}

void extent_cache::insert(const extent_map& em, std::pmr::memory_resource& memory) noexcept {
  if (em.len == 0) return;
  const stretch s{em.lblk.value(), em.len, em.pblk, em.type};
  if (extent_map known;
      lookup(em.lblk, known) && known.len >= em.len && known.type == em.type && (em.type == extent_type::hole || known.pblk == em.pblk))
    return;
  {
    spin_guard guard{lock_};
    if (move_border(s)) return;
  }
  large_table* table = larger(memory);
  {
    spin_guard guard{lock_};
    change under_way{*this};
    if (table != nullptr && large_.load(std::memory_order_relaxed) == nullptr) use_larger(std::exchange(table, nullptr));
    cut(s.first, s.end());
    join_or_add(s);
  }
  if (table != nullptr) std::pmr::polymorphic_allocator<>{&memory}.delete_object(table);
}

void extent_cache::remove(lblk_t lblk, std::uint32_t len) noexcept {
  spin_guard guard{lock_};
  change under_way{*this};
  cut(lblk.value(), std::uint64_t{lblk.value()} + len);
}

}  // namespace xip::ext4lite
