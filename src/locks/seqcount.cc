#include <xip/locks/seqcount.h>

#include <xip/locks/raw_spin.h>
#include <xip/locks/sched_hook.h>
#include <xip/locks/thread_context.h>

namespace xip {
namespace {

constexpr lock_class seqcount_class{"seqcount", lock_kind::spinning};

}  // namespace

std::uint32_t seqcount::wait_for_writer() const noexcept {
  sched_hook* const sched = current().sched;
  for (unsigned turn = 0;; ++turn) {
    const std::uint32_t start = sequence_.load(std::memory_order_acquire);
    if ((start & 1) == 0) return start;
    if (sched != nullptr)
      sched->on_lock(sched_event::yield, seqcount_class, this, false);
    else
      spin_turn(turn);
  }
}

}  // namespace xip
