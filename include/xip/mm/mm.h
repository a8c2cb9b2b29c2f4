// Address spaces. In a model, accesses are calls, which are checked, translated and made one by one. In one of the host, an address is a pointer, and whatever
// code of the process uses it reaches the device's own memory. Linux: mm_struct, mm/mmap.c.
//
// A task has none until its first mmap; a forked one shares its parent's, as a thread does. Model addresses and plain pointers of the process may both be
// given to read and write as buffers: to a task with an address space, those from mmap_base on are model addresses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory_resource>
#include <optional>
#include <vector>

#include <signal.h>
#include <sys/mman.h>

#include <xip/base/result.h>
#include <xip/locks/rw_semaphore.h>
#include <xip/locks/spin_lock.h>
#include <xip/mm/fault.h>
#include <xip/mm/page_table.h>
#include <xip/mm/rmap.h>
#include <xip/vfs/task.h>
#include <xip/vfs/user_access.h>

namespace xip::mm {

class removed_areas;
class host_space;
class host_traps;

// What a program would get for an access.
enum class access_signal : std::uint8_t {
  segv_maperr,  // SIGSEGV: nothing is mapped there
  segv_accerr,  // SIGSEGV: the mapping does not allow it
  bus_adrerr,   // SIGBUS: behind the end of the file, no space, or an error of the device
  killed,       // out of memory
};
struct access_fault {
  access_signal signal;
  user_address address;
  friend constexpr bool operator==(const access_fault&, const access_fault&) noexcept = default;
};
using access_result = std::expected<void, access_fault>;

// A buffer for read and write.
[[nodiscard]] inline void* user_pointer(user_address address) noexcept { return reinterpret_cast<void*>(address); }

// ---- calls of a task. Errors are those of man section 2.

// PROT_, MAP_ and MREMAP_ as in <sys/mman.h>. Of FLAGS: MAP_SHARED, MAP_SHARED_VALIDATE, MAP_PRIVATE, MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE,
// MAP_POPULATE, MAP_SYNC. A file that cannot be mapped: ENODEV.
[[nodiscard]] result<user_address> mmap(vfs::task& me, user_address address, std::size_t length, int prot, int flags, int fd,
                                        loff_t offset);
result<> munmap(vfs::task& me, user_address address, std::size_t length);
result<> mprotect(vfs::task& me, user_address address, std::size_t length, int prot);
// MREMAP_MAYMOVE, MREMAP_FIXED. The old range is of one mapping.
[[nodiscard]] result<user_address> mremap(vfs::task& me, user_address old_address, std::size_t old_size, std::size_t new_size, int flags,
                                          user_address new_address = 0);
result<> msync(vfs::task& me, user_address address, std::size_t length, int flags);
// MADV_DONTNEED; MADV_NORMAL, _RANDOM, _SEQUENTIAL and _WILLNEED change nothing. EINVAL: any other.
result<> madvise(vfs::task& me, user_address address, std::size_t length, int advice);
// Loads and stores, page by page: what lies before a page that faults in vain has been moved.
access_result load(vfs::task& me, user_address address, void* to, std::size_t bytes);
access_result store(vfs::task& me, user_address address, const void* from, std::size_t bytes);
// What was stored there has left the CPU's caches: clwb and sfence. With MAP_SYNC it is durable then. Loads what is not there.
access_result persist(vfs::task& me, user_address address, std::size_t bytes);
// PIN gets the page at ADDRESS, for reading, or for writing too. EFAULT. Linux: pin_user_pages.
result<> pin_user_page(vfs::task& me, user_address address, bool write, page_pin& pin);

// How often a fault found its page there or to be mapped, and how often a block was allocated. Linux: ru_minflt, ru_majflt.
struct fault_counts {
  std::uint64_t minor = 0, major = 0;
};

// How a thread that touches a page of the host that is not there comes to us. A userfaultfd also serves accesses that the host's kernel makes in a system call, which fail
// with EFAULT where only SIGSEGV tells; but the host has to allow it. Stores into pages that may only be read are told by SIGSEGV in any case.
enum class trap_by : std::uint8_t {
  any,  // a userfaultfd where the host allows it
  userfaultfd,
  sigsegv,
};

enum class host_access : std::uint8_t { load, store, fetch };

// For a program with a SIGSEGV handler of its own that was installed behind the first host address space: calls this first, and does nothing where it answers true.
bool handle_host_fault(int signal, siginfo_t* info, void* context) noexcept;

class mm_struct {
 public:
  explicit mm_struct(vfs::kernel& owner) noexcept;
  ~mm_struct();  // unmaps everything
  mm_struct(const mm_struct&) = delete;
  mm_struct& operator=(const mm_struct&) = delete;

  // Of TASK; null: it has none.
  [[nodiscard]] static mm_struct* of(const vfs::task& task) noexcept;
  // A new one for TASK, which leaves the one that it has: a model, or what its kernel instance was told to make (kernel_options::make_mm). ENOMEM. Linux:
  // exec_mmap.
  [[nodiscard]] static result<mm_struct*> make_for(vfs::task& task);

  // The same of the host: mmap answers pointers. Mappings and calls are those above; load, store and persist work on it, too. Threads without a task may use the
  // pointers, and faults are the file system's affair on behalf of the user that TASK has now. EOPNOTSUPP: under a scheduler. ENOMEM: the host has no room.
  [[nodiscard]] static result<mm_struct*> make_host_for(vfs::task& task, trap_by by = trap_by::any);
  // How pages that are not there are noticed; null: it is a model.
  [[nodiscard]] std::optional<trap_by> traps() const noexcept;

  [[nodiscard]] fault_counts faults() const noexcept;
  // Mappings, lowest first, joined where they can be; for tests.
  struct area {
    user_address start, end;
    std::uint32_t flags;
    pgoff_t pgoff;
  };
  [[nodiscard]] std::vector<area> areas();
  // Calls VISIT for each entry of the tables, for checkers: alone, or under a scheduler.
  template <class Visit>
  void for_each_entry(Visit&& visit) XIP_NO_THREAD_SAFETY_ANALYSIS {
    if (host_ != nullptr) return for_each_host_page(visit);
    page_table_.for_each(mmap_base, task_size, [&](const pte& e, user_address at, fault_order order) { visit(e, at, order); });
  }

  // In how many runs the host has its pages; for tests.
  [[nodiscard]] std::size_t host_runs() noexcept;

  [[nodiscard]] bool holds(user_address start, user_address end) const noexcept { return start >= bottom_ && end <= top_; }
  [[nodiscard]] bool has_room_for(std::size_t length) const noexcept { return length <= top_ - bottom_; }
  // What the calls above do.
  [[nodiscard]] result<user_address> map(user_address address, std::size_t length, std::uint32_t vm_flags, int flags, vfs::file* f,
                                         pgoff_t pgoff);
  [[nodiscard]] result<> unmap(user_address start, user_address end);
  [[nodiscard]] result<> protect(user_address start, user_address end, std::uint32_t prot);
  [[nodiscard]] result<user_address> remap(user_address old_address, std::size_t old_size, std::size_t new_size, int flags,
                                           user_address new_address);
  [[nodiscard]] result<> sync(user_address start, user_address end, bool wait);
  [[nodiscard]] result<> check_mapped(user_address start, user_address end);  // ENOMEM: not all of it is
  [[nodiscard]] result<> drop_pages(user_address start, user_address end);
  void populate(user_address start, user_address end) noexcept;

  // BYTES bytes at ADDRESS to MEMORY, or from it if WRITE. How many were moved; fewer: ENDED says why. NOFAULT: what is not there is not brought in.
  struct access {
    user_address address;
    std::size_t bytes;
    bool write;
    bool nofault;
  };
  [[nodiscard]] std::size_t transfer(const access& what, std::byte* memory, access_result& ended) noexcept;
  [[nodiscard]] access_result persist_user(user_address address, std::size_t bytes) noexcept;
  // Brings in the page for the access; the signal if it cannot be.
  [[nodiscard]] access_result fault_in(user_address address, bool write) noexcept;
  // The same for a thread that nobody made a context for, in a handler of a signal; of the host only. SMALL_STACK: somebody else has to do it.
  [[nodiscard]] access_result fault_of_thread(user_address address, host_access kind, bool small_stack) noexcept;
  // Instructions may be fetched there.
  [[nodiscard]] bool may_execute(user_address address) noexcept;
  // The page is there for this kind of access.
  [[nodiscard]] bool is_there(user_address address, bool write) noexcept;
  [[nodiscard]] access_result pin(user_address address, bool write, page_pin& pin) noexcept;

 private:
  friend vm_fault_t insert_zero(const vm_fault& vmf, fault_order order) noexcept;
  friend vm_fault_t insert_pfn(const vm_fault& vmf, fault_order order, std::uint64_t pfn, std::byte* memory, bool write) noexcept;
  friend vm_fault_t insert_zeros(const vm_fault& vmf, page_run run) noexcept;
  friend vm_fault_t insert_pfns(const vm_fault& vmf, page_run run, std::uint64_t pfn, std::byte* memory, bool write) noexcept;
  friend vm_fault_t finish_cow_fault(vm_fault& vmf) noexcept;
  friend void unmap_mapping_range(vfs::inode& inode, pgoff_t first, pgoff_t last, bool even_cows) noexcept;
  friend void write_protect_mapping_range(vfs::inode& inode, pgoff_t first, pgoff_t last) noexcept;
  friend class fault_handler;
  friend class host_traps;
  friend class removed_areas;

  static void share(void* context) noexcept;
  static void release(void* context) noexcept;
  [[nodiscard]] std::pmr::memory_resource& memory() const noexcept;

  // ---- areas.cc
  [[nodiscard]] std::size_t index_of(user_address address) const noexcept XIP_REQUIRES_SHARED(mmap_lock_);
  [[nodiscard]] vm_area_struct* find_area(user_address address) const noexcept XIP_REQUIRES_SHARED(mmap_lock_);
  [[nodiscard]] bool is_free(user_address start, user_address end) const noexcept XIP_REQUIRES_SHARED(mmap_lock_);
  [[nodiscard]] bool is_mapped(user_address start, user_address end) const noexcept XIP_REQUIRES_SHARED(mmap_lock_);
  [[nodiscard]] result<user_address> find_room(std::size_t length, user_address alignment, user_address colour) const noexcept
      XIP_REQUIRES_SHARED(mmap_lock_);
  [[nodiscard]] result<user_address> place(user_address address, std::size_t length, int flags, const vm_area_struct& area) const noexcept
      XIP_REQUIRES_SHARED(mmap_lock_);
  void insert_area(vm_area_struct& area) noexcept XIP_REQUIRES(mmap_lock_);
  [[nodiscard]] result<> split_at(user_address address) XIP_REQUIRES(mmap_lock_);
  void merge_around(user_address start, user_address end, removed_areas& removed) noexcept XIP_REQUIRES(mmap_lock_);
  void remove_range(user_address start, user_address end, removed_areas& removed) noexcept XIP_REQUIRES(mmap_lock_);
  void release_tables(user_address start, user_address end) noexcept XIP_REQUIRES(mmap_lock_);
  void map_written(user_address start, user_address end) noexcept;

  // ---- remap.cc
  [[nodiscard]] result<> grow_in_place(vm_area_struct& area, user_address end) noexcept XIP_REQUIRES(mmap_lock_);
  [[nodiscard]] result<> move_entries(const vm_area_struct& area, user_address from, user_address to, std::size_t bytes) noexcept;

  // ---- entries.cc
  [[nodiscard]] result<> ensure_slot(user_address address, fault_order order) noexcept;
  void zap(user_address start, user_address end, bool even_cows) noexcept;
  void set_protection(user_address start, user_address end, std::uint32_t vm_flags) noexcept;
  vm_fault_t set_entry(user_address address, fault_order order, const pte& e) noexcept;
  [[nodiscard]] pte translate(user_address address) noexcept;
  [[nodiscard]] pte look_up(user_address address) const noexcept XIP_REQUIRES(page_table_lock_);
  vm_fault_t set_run(const vm_fault& vmf, page_run run, const pte& e) noexcept;
  void write_protect(user_address start, user_address end) noexcept;
  void for_each_host_page(const std::function<void(const pte&, user_address, fault_order)>& visit);
  void refuse(user_address address) noexcept;
  [[nodiscard]] access_result fault_locked(user_address address, bool write) noexcept;
  [[nodiscard]] bool copy_within_page(const access& what, std::byte* memory) noexcept;

  void enter_host(host_space& space) noexcept;
  void become_of(vfs::task& task) noexcept;

  vfs::kernel& kernel_;
  host_space* host_ = nullptr;  // null: a model
  host_traps* traps_ = nullptr;
  user_address bottom_ = mmap_base, top_ = task_size;
  std::atomic<std::uint32_t> users_{1};  // tasks that have it
  const vfs::user_access uaccess_;

  rw_semaphore<vfs::mmap_lock_class> mmap_lock_;
  std::pmr::vector<vm_area_struct*> areas_ XIP_GUARDED_BY(mmap_lock_);  // lowest first

  spin_lock<pte_lock_class> page_table_lock_;
  page_table page_table_ XIP_GUARDED_BY(page_table_lock_);

  std::atomic<std::uint64_t> minor_faults_{0}, major_faults_{0};
};

// For kernel_options::make_mm: what tasks map are pointers. As make_host_for.
template <trap_by by>
[[nodiscard]] result<> make_host_mm(vfs::task& task) {
  XIP_TRY(mm_struct::make_host_for(task, by));
  return {};
}

}  // namespace xip::mm
