// Threads that make faults for those who cannot make them themselves: whoever waits in a userfaultfd, and whoever's signal stack is too small.
#pragma once

#include <functional>
#include <memory_resource>
#include <vector>

#include <xip/locks/kthread.h>
#include <xip/locks/spin_lock.h>
#include <xip/locks/wait_queue.h>
#include <xip/mm/mm.h>

namespace xip::mm {

inline constexpr lock_class host_faults_class{"host_faults", lock_kind::spinning};

// A thread that a program's asynchronous signals do not reach: a handler of one could touch a page that this very thread has to bring.
[[nodiscard]] result<kthread> run_without_signals(const char* name, std::pmr::memory_resource& memory, std::function<void()> body);

class host_workers {
 public:
  struct request {
    user_address address;
    bool write;
    bool waits;  // somebody waits for the answer here; else the request is the worker's, and FINISH is called
    access_result answer{};
    bool done = false;
    request* next = nullptr;
  };
  using function = std::function<void(request&)>;

  // HANDLE makes a fault, FINISH ends one for which nobody waits here.
  host_workers(std::pmr::memory_resource& memory, vfs::task& identity, function handle, function finish) noexcept;
  ~host_workers();  // when all that was posted is done
  host_workers(const host_workers&) = delete;
  host_workers& operator=(const host_workers&) = delete;

  // The first of them. EAGAIN, ENOMEM.
  [[nodiscard]] result<> start();
  void post(request& r) noexcept;
  void wait_for_answer(request& r) noexcept;

 private:
  void work() noexcept;
  // One that has something to do sees to it that another is idle, so nobody waits for a fault but his own. As many as there may be: then he does.
  void grow() noexcept;

  std::pmr::memory_resource& memory_;
  vfs::task& identity_;
  const function handle_, finish_;
  spin_lock<host_faults_class> lock_;
  wait_queue posted_, answered_;
  request* first_ XIP_GUARDED_BY(lock_) = nullptr;
  request** last_ XIP_GUARDED_BY(lock_) = &first_;
  unsigned idle_ XIP_GUARDED_BY(lock_) = 0;
  bool is_growing_ XIP_GUARDED_BY(lock_) = false;
  bool ends_ XIP_GUARDED_BY(lock_) = false;
  std::pmr::vector<kthread> threads_;  // changed by one at a time: who starts, who grows
};

}  // namespace xip::mm
