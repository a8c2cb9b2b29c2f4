#include "fuse/lost_memory.h"

#include <atomic>
#include <csignal>
#include <cstdint>

#include <sys/mman.h>
#include <unistd.h>

namespace xip::fuse {
namespace {

// What a handler of signals can reach. Set while no other thread runs.
struct watched {
  std::atomic<std::uintptr_t> base{0};
  std::atomic<std::size_t> bytes{0};
  std::atomic<dev::device*> device{nullptr};
};
watched memory;
thread_local volatile std::sig_atomic_t met = 0;

void map_zeros(int number, siginfo_t* info, void*) {
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const auto base = memory.base.load(std::memory_order_relaxed);
  if (at < base || at - base >= memory.bytes.load(std::memory_order_relaxed)) {
    std::signal(number, SIG_DFL);  // none of ours: the access is made again, and ends the process
    return;
  }
  // First of all, so that whoever reads zeros there finds the device dead behind that, on any thread.
  memory.device.load(std::memory_order_relaxed)->kill();
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  void* const wanted = reinterpret_cast<void*>(at / page * page);
  if (::mmap(wanted, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
    std::signal(number, SIG_DFL);
    return;
  }
  met = 1;
}

}  // namespace

lost_memory_guard::lost_memory_guard(dev::device& device) noexcept {
  if (!device.has_direct_access()) return;
  const auto window = device.direct_access(0, device.size(), dev::access_intent::read);
  if (!window.has_value()) return;
  memory.base.store(reinterpret_cast<std::uintptr_t>(window->data));
  memory.bytes.store(window->bytes);
  memory.device.store(&device);
  struct sigaction ours{};
  ours.sa_sigaction = map_zeros;
  ours.sa_flags = SA_SIGINFO;
  sigemptyset(&ours.sa_mask);
  ::sigaction(SIGBUS, &ours, nullptr);
}

lost_memory_guard::~lost_memory_guard() {
  std::signal(SIGBUS, SIG_DFL);
  memory.bytes.store(0);
  memory.device.store(nullptr);
}

bool met_lost_memory() noexcept {
  const dev::device* const device = memory.device.load(std::memory_order_relaxed);
  const bool answer = met != 0 || (device != nullptr && device->killed());
  met = 0;
  return answer;
}

}  // namespace xip::fuse
