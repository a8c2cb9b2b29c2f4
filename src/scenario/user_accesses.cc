// An access through a pointer, and the way out of it.
#include <xip/scenario/user_accesses.h>

#include <atomic>
#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <expected>

#include <signal.h>

#include <xip/locks/raw_spin.h>

namespace xip::scenario {
namespace {

using word = std::uint64_t;

// Where the thread goes on when its access is signalled, and what it was signalled.
struct attempt {
  sigjmp_buf out;
  volatile sig_atomic_t under_way;
  mm::access_fault ended;
};
constinit thread_local attempt current{};

// A handler belongs to the process. Who was there before ours.
struct process_state {
  raw_spin lock;  // of who installs them
  std::atomic<bool> installed{false};
  struct sigaction segv{}, bus{};
};
constinit process_state process_handlers;

// The access is made again, and whoever was there before us gets its signal.
void hand_on(int signal) noexcept { ::sigaction(signal, signal == SIGSEGV ? &process_handlers.segv : &process_handlers.bus, nullptr); }

void caught(int signal, siginfo_t* info, void* context) noexcept {
  if (mm::handle_host_fault(signal, info, context)) return;  // when we were installed behind the first address space
  if (current.under_way == 0) return hand_on(signal);
  const auto what = signal == SIGBUS               ? mm::access_signal::bus_adrerr
                    : info->si_code == SEGV_ACCERR ? mm::access_signal::segv_accerr
                                                   : mm::access_signal::segv_maperr;
  current.ended = {what, reinterpret_cast<mm::user_address>(info->si_addr)};
  ::siglongjmp(current.out, 1);
}

void install() noexcept {
  const raw_spin_guard guard{process_handlers.lock};
  if (process_handlers.installed.load(std::memory_order_relaxed)) return;
  struct sigaction ours{};
  ours.sa_sigaction = caught;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigfillset(&ours.sa_mask);
  for (const int synchronous : {SIGFPE, SIGILL, SIGABRT, SIGTRAP}) ::sigdelset(&ours.sa_mask, synchronous);
  ::sigaction(SIGSEGV, &ours, &process_handlers.segv);
  ::sigaction(SIGBUS, &ours, &process_handlers.bus);
  process_handlers.installed.store(true, std::memory_order_release);
}

template <class Access>
mm::access_result guarded(const Access& access) noexcept {
  if (!process_handlers.installed.load(std::memory_order_acquire)) install();
  if (sigsetjmp(current.out, 1) != 0) {
    current.under_way = 0;
    return std::unexpected{current.ended};
  }
  current.under_way = 1;
  access();
  current.under_way = 0;
  return {};
}

// Others load and store the same words meanwhile: each is moved as a whole.
template <class Unit, class Move>
void move_units(std::byte* user, std::size_t bytes, const Move& move) noexcept {
  for (std::size_t at = 0; at < bytes; at += sizeof(Unit)) move(std::atomic_ref{*reinterpret_cast<Unit*>(user + at)}, at);
}

template <class Move>
mm::access_result move_through(mm::user_address address, std::size_t bytes, const Move& move) noexcept {
  auto* const user = static_cast<std::byte*>(mm::user_pointer(address));
  return guarded([&] {
    const std::size_t words = address % sizeof(word) == 0 ? bytes / sizeof(word) * sizeof(word) : 0;
    move_units<word>(user, words, [&](std::atomic_ref<word> unit, std::size_t at) { move(unit, at); });
    move_units<unsigned char>(user + words, bytes - words,
                              [&](std::atomic_ref<unsigned char> unit, std::size_t at) { move(unit, words + at); });
  });
}

}  // namespace

bool maps_pointers(const vfs::task& task) noexcept {
  const mm::mm_struct* space = mm::mm_struct::of(task);
  return space != nullptr && space->traps().has_value();
}

mm::access_result load_user(vfs::task& me, mm::user_address address, void* to, std::size_t bytes) {
  if (!maps_pointers(me)) return mm::load(me, address, to, bytes);
  return move_through(address, bytes, [to = static_cast<std::byte*>(to)](auto unit, std::size_t at) {
    const auto value = unit.load(std::memory_order_acquire);
    std::memcpy(to + at, &value, sizeof value);
  });
}

mm::access_result store_user(vfs::task& me, mm::user_address address, const void* from, std::size_t bytes) {
  if (!maps_pointers(me)) return mm::store(me, address, from, bytes);
  return move_through(address, bytes, [from = static_cast<const std::byte*>(from)](auto unit, std::size_t at) {
    typename decltype(unit)::value_type value;
    std::memcpy(&value, from + at, sizeof value);
    unit.store(value, std::memory_order_release);
  });
}

}  // namespace xip::scenario
