// What is known of an inode's tree: stretches that are mapped, unwritten or holes, found without a sleeping lock. Linux: the extent status
// tree (fs/ext4/extents_status.c), with Linux's name for its lock.
//
// Why an answer is never stale. The tree changes under i_data_sem exclusive only. Who fills the cache has read the tree under i_data_sem,
// shared at least, and inserts before dropping it: what is inserted is true then, and two fillers insert the same truth. Who changes the
// tree holds i_data_sem exclusive and brings the cache to the new truth before dropping it: blocks that will be freed are removed here
// first; a conversion or an allocation is entered after the tree has it. So at each moment the cache knows the tree as it is or, inside a
// change, as it was before: a lookup in between answers like one made just before the change. What must not see the old answer (a read
// against a truncate, a fault against a punch) is kept out by i_rwsem or invalidate_lock, as it would have to be with any lookup.
//
// Readers take no lock: entries are atomic words in a sorted array, and a sequence counter tells a reader that a writer came between. Such
// a reader answers "not known", and the caller looks at the tree: nobody spins. Writers exclude each other by i_es_lock. The array moves
// once, from the inode to a larger one on the heap; a reader may still look at the old one, so both stay until the inode goes. A full array
// forgets an entry.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory_resource>

#include <xip/base/units.h>
#include <xip/locks/seqcount.h>
#include <xip/locks/spin_lock.h>
#include <xip/xip/extent_map.h>

namespace xip::ext4lite {

inline constexpr lock_class i_es_lock_class{"i_es_lock", lock_kind::spinning};

class extent_cache {
 public:
  static constexpr std::uint32_t inline_entries = 4;
  static constexpr std::uint32_t max_entries = 128;

  extent_cache() noexcept = default;
  ~extent_cache();
  extent_cache(const extent_cache&) = delete;
  extent_cache& operator=(const extent_cache&) = delete;

  // What is known from LBLK on, to the end of its stretch; false: nothing, look at the tree.
  [[nodiscard]] bool lookup(lblk_t lblk, extent_map& out) const noexcept {
    std::uint32_t start;
    if (!sequence_.read_try(start)) return false;
    const std::uint32_t count = count_.load(std::memory_order_acquire);  // before the table: a table is never shorter than an older count
    const entry* table = table_.load(std::memory_order_acquire);
    const std::uint32_t index = upper_bound(table, count, lblk);
    if (index == 0) return false;
    const std::uint64_t where = table[index - 1].where.load(std::memory_order_acquire);
    const std::uint64_t what = table[index - 1].what.load(std::memory_order_acquire);
    if (sequence_.read_retry(start)) return false;
    const std::uint32_t skipped = lblk.value() - first_of(where);
    if (skipped >= length_of(where)) return false;
    out = {lblk, length_of(where) - skipped, pblk_of(what) + (type_of(what) == extent_type::hole ? 0 : skipped), type_of(what), 0};
    return true;
  }

  // EM (flags ignored) is how it is; whatever was known of its blocks is replaced, neighbours that continue it are joined. i_data_sem,
  // shared at least. Memory for a larger table comes from MEMORY; none left: an entry is forgotten instead.
  void insert(const extent_map& em, std::pmr::memory_resource& memory) noexcept;
  // Nothing is known of LEN blocks from LBLK any more. i_data_sem exclusive.
  void remove(lblk_t lblk, std::uint32_t len) noexcept;
  void clear() noexcept { remove(lblk_t{0}, UINT32_MAX); }
  [[nodiscard]] std::uint32_t size() const noexcept { return count_.load(std::memory_order_acquire); }

 private:
  // where: first block << 32 | length; sorted, and never overlapping. what: type << 56 | device block (48 bits).
  struct entry {
    std::atomic<std::uint64_t> where{0};
    std::atomic<std::uint64_t> what{0};
  };
  struct large_table;
  // One entry taken apart.
  struct stretch {
    std::uint32_t first;
    std::uint32_t len;
    pblk_t pblk;
    extent_type type;
    [[nodiscard]] std::uint64_t end() const noexcept { return std::uint64_t{first} + len; }
  };
  // Readers turn away while one exists.
  class change;

  [[nodiscard]] stretch at(std::uint32_t index) const noexcept XIP_REQUIRES(lock_);
  void put(std::uint32_t index, const stretch& s) noexcept XIP_REQUIRES(lock_);
  void erase(std::uint32_t index, std::uint32_t count) noexcept XIP_REQUIRES(lock_);
  void add(std::uint32_t index, const stretch& s) noexcept XIP_REQUIRES(lock_);
  void cut(std::uint32_t first, std::uint64_t end) noexcept XIP_REQUIRES(lock_);
  void forget_one(std::uint32_t& index) noexcept XIP_REQUIRES(lock_);
  void join_or_add(const stretch& s) noexcept XIP_REQUIRES(lock_);
  [[nodiscard]] bool move_border(const stretch& s) noexcept XIP_REQUIRES(lock_);
  [[nodiscard]] large_table* larger(std::pmr::memory_resource& memory) noexcept;
  void use_larger(large_table* table) noexcept XIP_REQUIRES(lock_);
  [[nodiscard]] static bool continues(const stretch& left, const stretch& right) noexcept;

  [[nodiscard]] static std::uint32_t first_of(std::uint64_t where) noexcept { return static_cast<std::uint32_t>(where >> 32); }
  [[nodiscard]] static std::uint32_t length_of(std::uint64_t where) noexcept { return static_cast<std::uint32_t>(where); }
  [[nodiscard]] static extent_type type_of(std::uint64_t what) noexcept { return static_cast<extent_type>(what >> 56); }
  [[nodiscard]] static pblk_t pblk_of(std::uint64_t what) noexcept { return pblk_t{what & ((std::uint64_t{1} << 56) - 1)}; }
  // How many of the COUNT entries begin at or before LBLK.
  [[nodiscard]] static std::uint32_t upper_bound(const entry* table, std::uint32_t count, lblk_t lblk) noexcept {
    const std::uint64_t key = std::uint64_t{lblk.value()} << 32 | UINT32_MAX;
    std::uint32_t low = 0;
    while (count != 0) {
      const std::uint32_t half = count / 2;
      const bool right = table[low + half].where.load(std::memory_order_acquire) <= key;
      low = right ? low + half + 1 : low;
      count = right ? count - half - 1 : half;
    }
    return low;
  }

  // A reader's loads of entries are acquires and a writer's stores releases, so a reader that met one new word sees the writer's number
  // too.
  seqcount sequence_;
  std::atomic<std::uint32_t> count_{0};
  std::array<entry, inline_entries> inline_{};
  std::atomic<entry*> table_{inline_.data()};
  std::uint32_t capacity_ XIP_GUARDED_BY(lock_) = inline_entries;
  std::uint32_t victim_ XIP_GUARDED_BY(lock_) = 0;  // where the search for something to forget goes on
  std::atomic<large_table*> large_{nullptr};        // made once
  spin_lock<i_es_lock_class> lock_;
};

}  // namespace xip::ext4lite
