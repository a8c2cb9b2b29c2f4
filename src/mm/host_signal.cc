// A signal belongs to the process, and so does what its handler has to know: the one place where this library keeps something outside of any instance.
#include "mm/host_signal.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <new>

#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <xip/locks/raw_spin.h>
#include <xip/locks/wait_for.h>

#include "mm/host_traps.h"

namespace xip::mm {
namespace {

constexpr std::size_t most_spaces = 64;

struct space_slot {
  std::atomic<mm_struct*> mm{nullptr};
  std::atomic<unsigned> users{0};
  std::atomic<user_address> bottom{0}, top{0};
};

struct process_state {
  raw_spin lock;  // of who changes it
  std::array<space_slot, most_spaces> spaces;
  std::atomic<std::size_t> used{0};  // slots behind it never had one
  std::atomic<int> process{0};       // a forked child has none of these mappings
  struct sigaction before{};         // before ours
};
constinit process_state process_spaces;

void on_segv(int signal, siginfo_t* info, void* context) noexcept;

void install() noexcept {
  struct sigaction ours{};
  ours.sa_sigaction = on_segv;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  // A handler of the program's must not come in while we hold locks, and touch a mapping.
  ::sigfillset(&ours.sa_mask);
  for (const int synchronous : {SIGFPE, SIGILL, SIGABRT, SIGTRAP}) ::sigdelset(&ours.sa_mask, synchronous);
  ::sigaction(SIGSEGV, &ours, &process_spaces.before);
}

// x86-64: the error code of the page fault. arm64: the exception syndrome, a record behind the registers (ESR_EL1: class in bits 26 to 31, WnR is bit 6,
// and CM, bit 8, says that a cache line was flushed, which changes nothing).
[[nodiscard]] host_access kind_of([[maybe_unused]] const ucontext_t& context) noexcept {
#if defined(__x86_64__)
  const auto error = context.uc_mcontext.gregs[REG_ERR];
  if ((error & 16) != 0) return host_access::fetch;
  return (error & 2) != 0 ? host_access::store : host_access::load;
#elif defined(__aarch64__)
  struct record {
    std::uint32_t magic, size;
    std::uint64_t syndrome;
  };
  const auto* at = reinterpret_cast<const std::byte*>(context.uc_mcontext.__reserved);
  for (record r; std::memcpy(&r, at, sizeof r), r.magic != 0 && r.size != 0; at += r.size) {
    if (r.magic != ESR_MAGIC) continue;
    const auto exception = static_cast<unsigned>(r.syndrome >> 26) & 0x3f;
    if (exception == 0x20 || exception == 0x21) return host_access::fetch;
    return (r.syndrome & 0x140) == 0x40 ? host_access::store : host_access::load;
  }
  return host_access::load;
#else
  return host_access::load;
#endif
}

// Of the stack of signals that we run on little is left; none: we are on the thread's own. What the thread has registered now does not say so where the
// host forgets it for the time of the handler (SS_AUTODISARM).
[[nodiscard]] bool has_small_stack(const ucontext_t& context) noexcept {
  constexpr std::size_t enough = 256 << 10;
  const auto* const here = static_cast<const std::byte*>(__builtin_frame_address(0));
  const auto* const lowest = static_cast<const std::byte*>(context.uc_stack.ss_sp);
  return std::less_equal{}(lowest, here) && std::less{}(here, lowest + context.uc_stack.ss_size) &&
         here - lowest < static_cast<std::ptrdiff_t>(enough);
}

// It comes when the handler has returned, at the instruction that made the access, as the host's own does. As there, one that is blocked or ignored ends the program.
void send_sigbus(user_address address, ucontext_t& context) noexcept {
  struct sigaction now{};
  ::sigaction(SIGBUS, nullptr, &now);
  if (now.sa_handler == SIG_IGN || ::sigismember(&context.uc_sigmask, SIGBUS) == 1) {
    now.sa_handler = SIG_DFL;
    ::sigaction(SIGBUS, &now, nullptr);
    ::sigdelset(&context.uc_sigmask, SIGBUS);
  }
  siginfo_t info{};
  info.si_signo = SIGBUS;
  info.si_code = BUS_ADRERR;
  info.si_addr = user_pointer(address);
  ::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), ::gettid(), SIGBUS, &info);
}

// Who had the signal before us gets it as if we were not there.
void pass_on(int signal, siginfo_t* info, void* context) noexcept {
  const struct sigaction& before = process_spaces.before;
  const bool has_info = (before.sa_flags & SA_SIGINFO) != 0;
  if (!has_info && (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN)) {
    if (before.sa_handler == SIG_IGN && info->si_code <= 0) return;
    struct sigaction end{};
    end.sa_handler = SIG_DFL;
    ::sigaction(signal, &end, nullptr);
    if (info->si_code <= 0) ::syscall(SYS_tgkill, ::getpid(), ::gettid(), signal);  // else the access is made again
    return;
  }
  sigset_t mask = static_cast<const ucontext_t*>(context)->uc_sigmask;
  ::sigorset(&mask, &mask, &before.sa_mask);
  if ((before.sa_flags & SA_NODEFER) == 0) ::sigaddset(&mask, signal);
  ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  if (has_info)
    before.sa_sigaction(signal, info, context);
  else
    before.sa_handler(signal);
}

// The parent's address spaces have nothing mapped in a child, whose own memory may lie where theirs was.
void leave_parent() noexcept {
  int known = process_spaces.process.load();
  if (known == 0 || known == ::getpid() || !process_spaces.process.compare_exchange_strong(known, ::getpid())) return;
  new (&process_spaces.lock) raw_spin{};  // another thread of the parent's may have held it
  for (space_slot& slot : process_spaces.spaces) {
    slot.mm.store(nullptr);
    slot.users.store(0);
    slot.bottom.store(0);
    slot.top.store(0);
  }
}

void on_segv(int signal, siginfo_t* info, void* context) noexcept {
  if (!handle_host_fault(signal, info, context)) pass_on(signal, info, context);
}

}  // namespace

bool handle_host_fault(int signal, siginfo_t* info, void* context) noexcept {
  if (signal != SIGSEGV || (info->si_code != SEGV_MAPERR && info->si_code != SEGV_ACCERR)) return false;
  const int error_before = errno;
  const auto address = reinterpret_cast<user_address>(info->si_addr);
  auto& interrupted = *static_cast<ucontext_t*>(context);
  access_result made;
  {
    const host_ref there{address};
    if (there.get() == nullptr) return false;
    made = there.get()->fault_of_thread(address, kind_of(interrupted), has_small_stack(interrupted));
  }
  if (!made && made.error().signal == access_signal::segv_maperr) info->si_code = SEGV_MAPERR;
  const bool is_program_error =
      !made && (made.error().signal == access_signal::segv_maperr || made.error().signal == access_signal::segv_accerr);
  if (!made && !is_program_error) send_sigbus(address, interrupted);
  errno = error_before;
  return !is_program_error;
}

bool tells_access() noexcept {
#if defined(__x86_64__) || defined(__aarch64__)
  return true;
#else
  return false;
#endif
}

result<std::size_t> register_host_space(mm_struct& mm, user_address bottom, user_address top) noexcept {
  leave_parent();
  const raw_spin_guard guard{process_spaces.lock};
  if (process_spaces.process.exchange(::getpid()) == 0) install();
  for (std::size_t i = 0; i < most_spaces; ++i) {
    space_slot& slot = process_spaces.spaces[i];
    if (slot.mm.load(std::memory_order_relaxed) != nullptr || slot.users.load() != 0) continue;
    slot.bottom.store(bottom);
    slot.top.store(top);
    slot.mm.store(&mm);
    if (process_spaces.used.load() <= i) process_spaces.used.store(i + 1);
    return i;
  }
  return fail(EMFILE);
}

void unregister_host_space(std::size_t i) noexcept {
  space_slot& slot = process_spaces.spaces[i];
  {
    const raw_spin_guard guard{process_spaces.lock};  // it is another's as soon as it is free
    slot.bottom.store(0);
    slot.top.store(0);
    slot.mm.store(nullptr);
  }
  wait_for([&slot] { return slot.users.load() == 0; });
}

// Counted first, asked then: who unregisters does it the other way round. The slot may have become another one's in between.
host_ref::host_ref(user_address address) noexcept {
  const std::size_t used = process_spaces.used.load();
  for (std::size_t i = 0; i < used; ++i) {
    space_slot& slot = process_spaces.spaces[i];
    const auto is_here = [&] { return address >= slot.bottom.load() && address < slot.top.load(); };
    if (!is_here()) continue;
    slot.users.fetch_add(1);
    mm_ = slot.mm.load();
    if (mm_ != nullptr && is_here() && process_spaces.process.load() == ::getpid()) {
      slot_ = i;
      return;
    }
    mm_ = nullptr;
    slot.users.fetch_sub(1);
  }
}

host_ref::~host_ref() {
  if (mm_ != nullptr) process_spaces.spaces[slot_].users.fetch_sub(1);
}

}  // namespace xip::mm
