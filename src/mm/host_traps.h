// How accesses to pages of the host that are not there come to their address space: the process's SIGSEGV, and a userfaultfd.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include <xip/mm/mm.h>
#include <xip/vfs/task.h>

#include "mm/host_workers.h"

namespace xip::mm {

// An address space of the host that cannot go as long as this lives. Signal handlers may use it.
class host_ref {
 public:
  // Null: no address space of the host has ADDRESS.
  explicit host_ref(user_address address) noexcept;
  ~host_ref();
  host_ref(const host_ref&) = delete;
  host_ref& operator=(const host_ref&) = delete;
  [[nodiscard]] mm_struct* get() const noexcept { return mm_; }

 private:
  mm_struct* mm_ = nullptr;
  std::size_t slot_ = 0;
};

class host_traps {
 public:
  // Of MM, whose pages SPACE has. Faults are made for whom TASK is now. EPERM, ENOSYS: a userfaultfd was asked for and is denied. EMFILE: as many address
  // spaces of the host as there may be.
  [[nodiscard]] static result<host_traps*> make(mm_struct& mm, host_space& space, vfs::task& task, trap_by by);
  ~host_traps();  // nobody is in it any more, and nobody can come in
  host_traps(const host_traps&) = delete;
  host_traps& operator=(const host_traps&) = delete;

  [[nodiscard]] trap_by by() const noexcept { return userfaultfd_ >= 0 ? trap_by::userfaultfd : trap_by::sigsegv; }
  // The fault of the running thread, in a handler of a signal.
  [[nodiscard]] access_result fault(user_address address, host_access kind, bool small_stack) noexcept;

 private:
  host_traps(mm_struct& mm, host_space& space, vfs::task& task);
  [[nodiscard]] result<> open_userfaultfd();
  void read_faults() noexcept;
  void take_fault(user_address address, bool write) noexcept;
  void finish(host_workers::request& r) noexcept;
  void wake(user_address address) const noexcept;

  mm_struct& mm_;
  host_space& space_;
  vfs::task identity_;
  int userfaultfd_ = -1, stop_ = -1;
  // Faults that the userfaultfd has told of. No memory is asked for: where the host makes no more mappings a thread's first malloc can fail for ever.
  std::array<host_workers::request, 64> requests_{};
  std::atomic<std::uint64_t> free_requests_{~std::uint64_t{0}};
  std::optional<std::size_t> slot_;
  std::optional<host_workers> workers_;
  std::optional<kthread> reader_;
};

}  // namespace xip::mm
