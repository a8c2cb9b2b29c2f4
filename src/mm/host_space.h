// The page tables of an address space of the host: runs of pages that the process has mapped where the file's memory is, and everywhere else pages that
// trap. Linux: what mm/memory.c does to page tables and TLBs, made of mmap and mprotect.
//
// Who maps, zaps or protects holds page_table_lock and calls the host under it. The host has taken a page from all threads when its call returns, so what
// holds for the model holds here: behind a zap nobody can reach the block.
#pragma once

#include <atomic>
#include <map>
#include <memory_resource>

#include <xip/dev/host_mapping.h>
#include <xip/mm/mm.h>

namespace xip::mm {

class host_space {
 public:
  // Pages of the host are as large as ours, and it says what an access was.
  [[nodiscard]] static bool is_possible() noexcept;
  // ENODEV: its memory is in no file of the host. What else the host has against such a mapping: EACCES and EPERM above all.
  [[nodiscard]] static result<> check_device(const dev::device& d, std::uint32_t vm_flags) noexcept;
  // ENOMEM: the host has no room for the range.
  [[nodiscard]] static result<host_space*> make(vfs::kernel& owner) noexcept;
  ~host_space();
  host_space(const host_space&) = delete;
  host_space& operator=(const host_space&) = delete;

  [[nodiscard]] user_address bottom() const noexcept { return bottom_; }
  [[nodiscard]] user_address top() const noexcept { return top_; }
  // Pages that trap are told to this userfaultfd; before any area is armed. -1: SIGSEGV tells.
  void set_userfaultfd(int fd) noexcept { userfaultfd_ = fd; }

  // ---- under mmap_lock exclusive, where nothing is mapped: pages of an area trap, those of none are nobody's
  [[nodiscard]] result<> arm(user_address start, user_address end) noexcept;
  void disarm(user_address start, user_address end) noexcept;
  // Nobody is served any more: no page is there, and each access ends with SIGSEGV.
  void withdraw() noexcept;

  // ---- under page_table_lock
  [[nodiscard]] pte translate(user_address address) const noexcept;
  // Pages [START, END) get E, of which the first is E's page, where they have nothing. E to be written makes writable what is the same page already. Where
  // the host has no room for all of them, PAGE is there all the same, if it is among them, and other pages of files are not any more.
  [[nodiscard]] vm_fault_t set(user_address start, user_address end, user_address page, const pte& e, std::uint32_t vm_flags) noexcept;
  // The page at ADDRESS becomes a private one with these bytes, in one step for whoever looks.
  [[nodiscard]] vm_fault_t set_copy(user_address address, const std::byte* bytes, std::uint32_t vm_flags) noexcept;
  void zap(user_address start, user_address end, bool even_cows) noexcept;
  void write_protect(user_address start, user_address end) noexcept;
  [[nodiscard]] vm_fault_t make_writable(user_address page) noexcept;  // which is a private one
  void protect(user_address start, user_address end, std::uint32_t vm_flags) noexcept;
  // Private pages go along; others fault again. ENOMEM: the host has no more mappings, and none has moved.
  [[nodiscard]] result<> move(user_address from, user_address to, std::size_t bytes) noexcept;
  // A page that could not be had: who waits for it is told by SIGSEGV.
  void refuse(user_address page) noexcept;

  // Says once that the host allows no more mappings, if one was wanted; under no lock.
  void warn_of_limit() noexcept;
  [[nodiscard]] std::size_t runs() const noexcept { return runs_.size(); }
  template <class Visit>
  void for_each_page(Visit&& visit) const {
    for (const auto& [start, r] : runs_)
      for (user_address at = start; at < r.end; at += page_size) visit(r.at(start, at), at);
  }

 private:
  struct run {
    user_address end;
    pte what;  // of the first page
    bool exec;
    dev::host_file file;  // pfn: of the first page

    [[nodiscard]] pte at(user_address start, user_address address) const noexcept;
    [[nodiscard]] int protection() const noexcept;
  };
  using map = std::pmr::map<user_address, run>;

  host_space(vfs::kernel& owner, user_address reserved, std::size_t reserved_bytes) noexcept;
  [[nodiscard]] map::const_iterator find(user_address address) const noexcept;
  [[nodiscard]] map::iterator find(user_address address) noexcept;
  [[nodiscard]] map::iterator first_in(user_address start) noexcept;  // with the rest of one that begins before
  // No run lies on both sides of ADDRESS. False: no memory.
  [[nodiscard]] bool cut(user_address address) noexcept;
  [[nodiscard]] bool is_there(user_address page, bool write) const noexcept;
  [[nodiscard]] bool try_set_copy(user_address address, const std::byte* bytes, std::uint32_t vm_flags) noexcept;
  // Pages of files are taken out of all that is mapped: they fault again. So others find room.
  void evict() noexcept;
  [[nodiscard]] bool move_page(map::iterator r, user_address to) noexcept;
  // [FROM, TO) becomes a run of its own, or as much more of R as memory makes it. The run.
  map::iterator cut_out(map::iterator r, user_address from, user_address to) noexcept;
  void join_around(user_address start, user_address end) noexcept;
  // In place of pages that trap. 0, or the host's errno.
  [[nodiscard]] int map_on_host(user_address start, const run& r) noexcept;
  [[nodiscard]] int insert(user_address start, const run& r) noexcept;  // the same, and among the runs; EAGAIN: no memory
  // As R says. What the host refuses is taken out, but for a private page: false, and it has the rights that it had.
  bool protect_on_host(map::iterator r) noexcept;
  // Pages trap from now on, in one step. False: the host has no more mappings.
  [[nodiscard]] bool trap(user_address start, user_address end) noexcept;
  // A mapping of nothing. When the host has one more than it allows, as cutting can make it, it replaces none before this one goes. False: it is gone already.
  void take_ballast() noexcept;
  [[nodiscard]] bool drop_ballast() noexcept;
  // Where the host cannot cut a mapping, all of what it has mapped there as one. Iterators of other runs may be gone.
  void trap_for_sure(user_address start, user_address end) noexcept;

  vfs::kernel& kernel_;
  const user_address reserved_;
  const std::size_t reserved_bytes_;
  const user_address bottom_, top_;
  // A third of what the host allows: each may have a mapping of its own behind it, and the program has others.
  const std::size_t most_runs_;
  int userfaultfd_ = -1;
  void* ballast_ = nullptr;
  std::atomic<bool> is_at_limit_{false}, has_warned_{false};
  map runs_;
};

}  // namespace xip::mm
