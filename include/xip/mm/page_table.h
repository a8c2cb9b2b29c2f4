// The page tables of an address space: two levels, an entry of the upper one either 2 MiB as a whole or a table of 512 pages. Linux: pte_t, pmd_t.
//
// What a processor's memory unit does is done by who holds the lock of the tables: it translates and moves bytes in one go, so that an entry which was
// taken out is used by nobody any more when the lock is free again. Real hardware needs a shootdown of its TLBs for that.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory_resource>

#include <xip/base/units.h>
#include <xip/vfs/inode.h>

namespace xip::mm {

inline constexpr lock_class pte_lock_class{"pte_lock", lock_kind::spinning};

// A byte of a model address space. No pointer of the host is one: they lie below mmap_base.
using user_address = std::uint64_t;

inline constexpr user_address mmap_base = user_address{1} << 56;
inline constexpr user_address task_size = mmap_base + (user_address{1} << 46);  // the first byte behind

inline constexpr unsigned pmd_shift = 21;
inline constexpr std::size_t pmd_size = std::size_t{1} << pmd_shift;
inline constexpr std::uint32_t pages_per_pmd = 1u << (pmd_shift - page_shift);

// How much one entry maps, and one fault asks for. A run: as many pages around the address as lie in one piece, of which host page tables make what they like.
enum class fault_order : std::uint8_t { pte, pmd, run };

// Pages of a file, one behind the other.
struct page_run {
  pgoff_t first;
  std::uint64_t pages = 0;
  [[nodiscard]] pgoff_t end() const noexcept { return first + pages; }
};

// Of a run: the most that one entry of the file has.
[[nodiscard]] constexpr std::uint32_t pages_of(fault_order order) noexcept { return order == fault_order::pte ? 1 : pages_per_pmd; }

// A page that belongs to no file: anonymous memory, or a private copy. Page tables and pins count it.
struct page {
  explicit page(std::pmr::memory_resource& m) noexcept : memory{m} {}

  std::pmr::memory_resource& memory;  // that it came from
  std::atomic<std::uint32_t> refs{1};
  page* next = nullptr;  // of those that nobody has any more and that are to be freed
  alignas(64) std::array<std::byte, page_size> bytes{};
};

// Null: there is no memory. Zeros.
[[nodiscard]] page* allocate_page(std::pmr::memory_resource& memory) noexcept;
// Drops a reference.
void put_page(page* p) noexcept;

enum class pte_kind : std::uint8_t {
  none,
  zero,  // the page of zeros that all share; never writable
  pfn,   // memory of a device
  anon,  // a struct page
};

struct pte {
  pte_kind kind = pte_kind::none;
  bool read = false;
  bool write = false;
  std::byte* memory = nullptr;  // pfn: in a window of the device; anon: in the page
  vfs::inode* inode = nullptr;  // pfn: whose block it is; zero: what file has none there, for checkers
  struct page* page = nullptr;  // anon
  std::uint64_t pfn = 0;        // pfn: which page of the device; zero: of the file

  [[nodiscard]] bool present() const noexcept { return kind != pte_kind::none; }
};

// The tables. Every function is called under the lock of the tables, which none of them takes; the memory of what they take in is the caller's to bring.
class page_table {
 public:
  struct table {
    std::array<pte, pages_per_pmd> entries;
  };
  struct slot {
    pte huge;                  // present: the 2 MiB are one entry
    table* entries = nullptr;  // else
  };
  using slots = std::pmr::map<std::uint64_t, slot>;
  // A slot with an empty table, not in any page_table yet.
  using spare_slot = slots::node_type;

  explicit page_table(std::pmr::memory_resource& memory) noexcept : memory_{memory}, slots_{&memory} {}
  ~page_table();
  page_table(const page_table&) = delete;
  page_table& operator=(const page_table&) = delete;

  // With no lock held: a slot for ADDRESS in MEMORY, with a table unless it is to be one entry. bad_alloc.
  [[nodiscard]] static spare_slot make_slot(std::pmr::memory_resource& memory, user_address address, fault_order order);
  // What a slot has, which lies in no page_table, with no lock held. It may be empty.
  static void free_tables(std::pmr::memory_resource& memory, const spare_slot& spare) noexcept;

  // The slot of ADDRESS; null: nothing was ever mapped there.
  [[nodiscard]] slot* find(user_address address) noexcept;
  // SPARE becomes the slot of its address, or gives its table to the one that is there without; what is not needed stays in SPARE.
  void insert(spare_slot& spare) noexcept;
  // A slot within [START, END), which has no entries, for free_tables; empty: there is none.
  [[nodiscard]] spare_slot take_slot(user_address start, user_address end) noexcept;
  // What ADDRESS translates to, of whichever order: for a huge entry the page in it. Not present: no entry.
  [[nodiscard]] pte translate(user_address address) const noexcept;
  // The entry of a page itself; null where there is no table.
  [[nodiscard]] pte* entry(user_address address) noexcept;

  // Calls FUNCTION(pte&, address, order) for each entry that is present and overlaps [START, END).
  template <class Function>
  void for_each(user_address start, user_address end, Function&& function) {
    for (auto at = slots_.lower_bound(start >> pmd_shift); at != slots_.end() && at->first << pmd_shift < end; ++at) {
      const user_address base = at->first << pmd_shift;
      if (at->second.huge.present()) function(at->second.huge, base, fault_order::pmd);
      if (at->second.entries == nullptr) continue;
      const std::uint64_t first = start > base ? (start - base) >> page_shift : 0;
      const std::uint64_t last = end < base + pmd_size ? (end - base + page_size - 1) >> page_shift : pages_per_pmd;
      for (std::uint64_t i = first; i < last; ++i)
        if (pte& e = at->second.entries->entries[i]; e.present()) function(e, base + (i << page_shift), fault_order::pte);
    }
  }

 private:
  std::pmr::memory_resource& memory_;
  slots slots_;
};

}  // namespace xip::mm
