#include "mm/host_workers.h"

#include <new>
#include <utility>

#include <signal.h>

#include <xip/vfs/kernel.h>

namespace xip::mm {
namespace {

constexpr std::size_t most_workers = 64;

}  // namespace

host_workers::host_workers(std::pmr::memory_resource& memory, vfs::task& identity, function handle, function finish) noexcept
    : memory_{memory}, identity_{identity}, handle_{std::move(handle)}, finish_{std::move(finish)}, threads_{&memory} {}

host_workers::~host_workers() {
  {
    spin_guard guard{lock_};
    ends_ = true;
    posted_.wake_all();
    answered_.wait(lock_, [this]() XIP_NO_THREAD_SAFETY_ANALYSIS { return !is_growing_; });
  }
  threads_.clear();  // joined
}

result<kthread> run_without_signals(const char* name, std::pmr::memory_resource& memory, std::function<void()> body) {
  sigset_t all, before;
  ::sigfillset(&all);
  for (const int synchronous : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) ::sigdelset(&all, synchronous);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  auto made = kthread::run(name, memory, std::move(body));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return made;
}

result<> host_workers::start() {
  threads_.reserve(most_workers);
  threads_.push_back(XIP_TRY(run_without_signals("host_fault", memory_, [this] { work(); })));
  return {};
}

void host_workers::post(request& r) noexcept {
  spin_guard guard{lock_};
  *last_ = &r;
  last_ = &r.next;
  posted_.wake_one();
}

void host_workers::wait_for_answer(request& r) noexcept {
  spin_guard guard{lock_};
  answered_.wait(lock_, [&r] { return r.done; });
}

void host_workers::grow() noexcept {
  {
    spin_guard guard{lock_};
    if (idle_ != 0 || is_growing_ || ends_ || threads_.size() == most_workers) return;
    is_growing_ = true;
  }
  if (auto made = run_without_signals("host_fault", memory_, [this] { work(); })) threads_.push_back(std::move(*made));
  spin_guard guard{lock_};
  is_growing_ = false;
  answered_.wake_all();
}

void host_workers::work() noexcept {
  current().task = &identity_;
  while (true) {
    request* r = nullptr;
    {
      spin_guard guard{lock_};
      ++idle_;
      posted_.wait(lock_, [this]() XIP_NO_THREAD_SAFETY_ANALYSIS { return first_ != nullptr || ends_; });
      --idle_;
      if (first_ == nullptr) return;
      r = std::exchange(first_, first_->next);
      if (first_ == nullptr) last_ = &first_;
    }
    grow();
    handle_(*r);
    if (!r->waits) {
      finish_(*r);
      continue;
    }
    spin_guard guard{lock_};
    r->done = true;
    answered_.wake_all();
  }
}

}  // namespace xip::mm
