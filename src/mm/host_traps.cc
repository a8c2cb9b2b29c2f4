// A fault of the host comes out of a program's own code, so nothing of ours is held: calls of ours that touch user memory translate addresses themselves and
// never trap. It is made in the thread that has it, or by a worker; either way with a context of its own.
#include "mm/host_traps.h"

#include <array>
#include <bit>
#include <cerrno>

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mm/host_signal.h"
#include "mm/host_space.h"
#include "vfs/kernel_impl.h"

namespace xip::mm {
namespace {

[[nodiscard]] int new_userfaultfd() noexcept {
  if (const auto fd = static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK)); fd >= 0) return fd;
  const int device = ::open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
  if (device < 0) return -1;
  const int fd = ::ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
  ::close(device);
  return fd;
}

}  // namespace

host_traps::host_traps(mm_struct& mm, host_space& space, vfs::task& task)
    : mm_{mm}, space_{space}, identity_{task.owner, task.who, "host_fault"} {}

result<host_traps*> host_traps::make(mm_struct& mm, host_space& space, vfs::task& task, trap_by by) {
  std::unique_ptr<host_traps> made{new host_traps{mm, space, task}};
  host_traps& t = *made;
  t.workers_.emplace(
      task.owner.memory(), t.identity_, [&t](host_workers::request& r) { r.answer = t.mm_.fault_in(r.address, r.write); },
      [&t](host_workers::request& r) { t.finish(r); });
  XIP_TRY(t.workers_->start());
  if (by != trap_by::sigsegv)
    if (const auto opened = t.open_userfaultfd(); !opened && by == trap_by::userfaultfd) return fail(opened.error());
  t.slot_ = XIP_TRY(register_host_space(mm, space.bottom(), space.top()));
  return made.release();
}

// Who still touches a page gets a SIGSEGV: it must not find memory of nobody's there when the userfaultfd has gone.
host_traps::~host_traps() {
  if (slot_) unregister_host_space(*slot_);
  if (reader_) {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(stop_, &one, sizeof one));
    reader_.reset();
  }
  workers_.reset();
  space_.withdraw();
  if (stop_ >= 0) ::close(stop_);
  if (userfaultfd_ >= 0) ::close(userfaultfd_);
}

access_result host_traps::fault(user_address address, host_access kind, bool small_stack) noexcept {
  thread_context context = identity_.context;
  context.id = static_cast<std::uint32_t>(::gettid());
  const current_scope scope{context};
  if (kind == host_access::fetch && !mm_.may_execute(address)) return std::unexpected{access_fault{access_signal::segv_accerr, address}};
  const bool write = kind == host_access::store;
  if (!small_stack) return mm_.fault_in(address, write);
  host_workers::request r{.address = address, .write = write, .waits = true};
  workers_->post(r);
  workers_->wait_for_answer(r);
  return r.answer;
}

// ---- userfaultfd

result<> host_traps::open_userfaultfd() {
  userfaultfd_ = new_userfaultfd();
  if (userfaultfd_ < 0) return fail(errno);
  uffdio_api api{};
  api.api = UFFD_API;
  stop_ = ::eventfd(0, EFD_CLOEXEC);
  const auto ready = [&]() -> result<> {
    if (stop_ < 0 || ::ioctl(userfaultfd_, UFFDIO_API, &api) != 0) return fail(errno);
    reader_.emplace(XIP_TRY(run_without_signals("host_faults", identity_.owner.memory(), [this] { read_faults(); })));
    return {};
  }();
  if (!ready) {
    ::close(userfaultfd_);
    userfaultfd_ = -1;
    return ready;
  }
  space_.set_userfaultfd(userfaultfd_);
  return {};
}

// Takes no lock but the workers', which nobody holds for longer than a few instructions: whoever it waited for might wait for a fault.
void host_traps::read_faults() noexcept {
  std::array<pollfd, 2> sources{pollfd{userfaultfd_, POLLIN, 0}, pollfd{stop_, POLLIN, 0}};
  while (true) {
    if (::poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) return;
    if (sources[1].revents != 0) return;
    std::array<uffd_msg, 16> messages;
    const ssize_t got = ::read(userfaultfd_, messages.data(), sizeof messages);
    for (ssize_t i = 0; got > 0 && i < got / static_cast<ssize_t>(sizeof(uffd_msg)); ++i) {
      const uffd_msg& m = messages[static_cast<std::size_t>(i)];
      if (m.event == UFFD_EVENT_PAGEFAULT) take_fault(m.arg.pagefault.address, (m.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WRITE) != 0);
    }
  }
}

// While all are in use the access is made again, and faults again.
void host_traps::take_fault(user_address address, bool write) noexcept {
  std::uint64_t free = free_requests_.load();
  while (free != 0 && !free_requests_.compare_exchange_weak(free, free & (free - 1))) continue;
  if (free == 0) return wake(address);
  host_workers::request& r = requests_[static_cast<std::size_t>(std::countr_zero(free))];
  r = {.address = address, .write = write, .waits = false};
  workers_->post(r);
}

// What could not be had becomes a SIGSEGV in the thread that waits: there it is tried once more, and becomes the signal that it is.
void host_traps::finish(host_workers::request& r) noexcept {
  if (!r.answer) mm_.refuse(r.address);
  const user_address address = r.address;
  free_requests_.fetch_or(std::uint64_t{1} << (&r - requests_.data()));
  wake(address);
}

void host_traps::wake(user_address address) const noexcept {
  uffdio_range page{address & ~(user_address{page_size} - 1), page_size};
  static_cast<void>(::ioctl(userfaultfd_, UFFDIO_WAKE, &page));
}

}  // namespace xip::mm
