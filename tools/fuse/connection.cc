#include "fuse/connection.h"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/run_program.h"

namespace xip::fuse {
namespace {

// What this libfuse does not pass on is read from the request itself, and set in the one answer where it counts.
struct raw_request {
  fuse_in_header* header;
  const std::byte* body;
  std::size_t bytes;  // of the body

  // The 32 bits at OFFSET of the body; 0 if it is shorter.
  [[nodiscard]] std::uint32_t word(std::size_t offset) const noexcept {
    std::uint32_t value = 0;
    if (offset + sizeof value <= bytes) std::memcpy(&value, body + offset, sizeof value);
    return value;
  }
  [[nodiscard]] bool kills_privileges() const noexcept {
    switch (header->opcode) {
      case FUSE_OPEN:
        return (word(offsetof(fuse_open_in, open_flags)) & FUSE_OPEN_KILL_SUIDGID) != 0;
      case FUSE_CREATE:
        return (word(offsetof(fuse_create_in, open_flags)) & FUSE_OPEN_KILL_SUIDGID) != 0;
      case FUSE_SETATTR:
        return (word(offsetof(fuse_setattr_in, valid)) & FATTR_KILL_SUIDGID) != 0;
      default:
        return false;
    }
  }
};

// FUSE_DIRECT_IO_ALLOW_MMAP of Linux 6.6, which headers may not know yet, in the second word of flags.
constexpr std::uint32_t direct_io_allow_mmap = 1u << 4;

// What this thread is answering, if nobody asks again for it: what the kernel gives back. libfuse may lack memory for that.
struct gift_in_progress {
  std::uint64_t unique = 0;  // 0: something else
  bool refused = false;
};
thread_local gift_in_progress gift_here;

[[nodiscard]] bool gives_back(std::uint32_t opcode) noexcept {
  return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_RELEASE || opcode == FUSE_RELEASEDIR;
}

[[nodiscard]] bool refuses_gift(const struct iovec* pieces, int count) noexcept {
  if (gift_here.unique == 0 || count != 1 || pieces[0].iov_len != sizeof(fuse_out_header)) return false;
  const auto* header = static_cast<const fuse_out_header*>(pieces[0].iov_base);
  return header->unique == gift_here.unique && header->error == -ENOMEM;
}

// The request of INIT that this thread is answering, and what the answer says besides, of what the kernel offers.
struct init_in_progress {
  std::uint64_t unique = 0;
  std::uint32_t flags = 0, flags2 = 0;
};
thread_local init_in_progress init_here;

void note_init(const raw_request& r, bool mapped_direct_io) noexcept {
  const std::uint32_t flags = r.word(offsetof(fuse_init_in, flags));
  const std::uint32_t flags2 = (flags & FUSE_INIT_EXT) != 0 ? r.word(offsetof(fuse_init_in, flags2)) : 0;
  init_here = {r.header->unique, flags & FUSE_HANDLE_KILLPRIV_V2, mapped_direct_io ? flags2 & direct_io_allow_mmap : 0};
  if (init_here.flags2 != 0) init_here.flags |= FUSE_INIT_EXT;
}

[[nodiscard]] bool answers_init(const struct iovec* pieces, int count) noexcept {
  if (init_here.unique == 0 || count < 2 || pieces[0].iov_len != sizeof(fuse_out_header)) return false;
  const auto* header = static_cast<const fuse_out_header*>(pieces[0].iov_base);
  return header->unique == init_here.unique && header->error == 0 && pieces[1].iov_len >= offsetof(fuse_init_out, max_background);
}

// The device of what is mounted on DIRECTORY, without a request to it: nobody may be there to answer. 0: none can be told.
[[nodiscard]] dev_t device_on(const std::string& directory) noexcept {
  struct ::statx there{};
  if (::statx(AT_FDCWD, directory.c_str(), AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW, 0, &there) != 0) return 0;
  return gnu_dev_makedev(there.stx_dev_major, there.stx_dev_minor);
}

// Takes in what mappings of the file system DEVICE have stored, if it is what DIRECTORY leads to.
[[nodiscard]] bool sync_mount(const std::string& directory, dev_t device) noexcept {
  if (device_on(directory) != device) return false;
  const int fd = ::open(directory.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  struct ::stat there{};
  const bool synced = ::fstat(fd, &there) == 0 && there.st_dev == device && ::syncfs(fd) == 0;
  ::close(fd);
  return synced;
}

// The kernel writes blanks and backslashes of a path as three octal digits.
[[nodiscard]] std::string unescaped(std::string_view text) {
  std::string path;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    if (text[i] == '\\' && i + 3 < text.size() && std::from_chars(&text[i] + 1, &text[i] + 4, code, 8).ec == std::errc{}) {
      path += static_cast<char>(code);
      i += 3;
    } else {
      path += text[i];
    }
  }
  return path;
}

// Wherever the file system DEVICE can be reached: somebody may have moved its mount, bound it elsewhere, or mounted something over it.
void sync_anywhere(dev_t device) {
  const std::string wanted = fmt::format("{}:{}", gnu_dev_major(device), gnu_dev_minor(device));
  std::ifstream mounts{"/proc/self/mountinfo"};
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words{line};
    std::string id, parent, number, root, place;
    if (words >> id >> parent >> number >> root >> place && number == wanted && sync_mount(unescaped(place), device)) return;
  }
}

// The kernel reads ahead 128 KiB of a FUSE file, in requests of that size; one of 1 MiB costs one round trip in place of eight. Only root may say so, and
// without it all is as well, but slower.
void widen_readahead(const std::string& directory) noexcept {
  struct ::stat root{};
  if (::stat(directory.c_str(), &root) != 0) return;
  char path[64];
  std::snprintf(path, sizeof path, "/sys/class/bdi/%u:%u/read_ahead_kb", gnu_dev_major(root.st_dev), gnu_dev_minor(root.st_dev));
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  constexpr std::string_view kilobytes = "1024";
  static_cast<void>(::write(fd, kilobytes.data(), kilobytes.size()));
  ::close(fd);
}

// Ends the connection FD for whoever still uses the mount. fuse_session_unmount would unmount whatever is on the directory, were it not for an error on its
// descriptor, which tells it that there is nothing left to do: a pipe that nobody reads has one, too.
[[nodiscard]] bool cut_off(int fd) noexcept {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  const bool cut = ::dup3(ends[1], fd, O_CLOEXEC) == fd;
  for (const int end : ends) ::close(end);
  return cut;
}

extern "C" void wake_up(int) {}

constexpr int wake_signal = SIGUSR1;

}  // namespace

bool unmount_directory(const std::string& directory, bool lazily) noexcept {
  if (::umount2(directory.c_str(), UMOUNT_NOFOLLOW | (lazily ? MNT_DETACH : 0)) == 0) return true;
  if (errno != EPERM) return false;
  try {
    return tool::run_program({"fusermount3", "-u", "-q", lazily ? "-z" : "-q", "--", directory}) == 0;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void negotiate(fuse_conn_info& conn) noexcept {
  constexpr unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_DONT_MASK |
                              FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_CACHE_SYMLINKS |
                              FUSE_CAP_IOCTL_DIR | FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_POSIX_ACL;
  conn.want = conn.capable & wanted;  // and none of libfuse's own wishes
  conn.max_background = 64;
  conn.congestion_threshold = 48;
  conn.time_gran = 1;
}

bool& kills_privileges() noexcept {
  static thread_local bool here = false;
  return here;
}

std::expected<std::unique_ptr<connection>, std::string> connection::open(session_settings settings, const fuse_lowlevel_ops& table,
                                                                         void* userdata) {
  std::unique_ptr<connection> c{new connection};
  c->settings_ = std::move(settings);
  c->ended_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (c->ended_ < 0) return std::unexpected{fmt::format("eventfd: {}", std::strerror(errno))};
  fuse_args arguments = FUSE_ARGS_INIT(0, nullptr);
  bool complete = fuse_opt_add_arg(&arguments, "xip-fuse") == 0 && fuse_opt_add_arg(&arguments, "-o") == 0 &&
                  fuse_opt_add_arg(&arguments, c->settings_.options.c_str()) == 0;
  if (c->settings_.debug) complete = complete && fuse_opt_add_arg(&arguments, "-d") == 0;
  if (complete) c->session_ = fuse_session_new(&arguments, &table, sizeof table, userdata);
  fuse_opt_free_args(&arguments);
  if (c->session_ == nullptr) return std::unexpected{std::string{"no session with FUSE could be made"}};
  if (fuse_session_mount(c->session_, c->settings_.directory.c_str()) != 0)
    return std::unexpected{fmt::format("cannot mount on {}", c->settings_.directory)};
  c->device_ = device_on(c->settings_.directory);
  const fuse_custom_io io{.writev = reply, .read = receive, .splice_receive = nullptr, .splice_send = nullptr};
  if (fuse_session_custom_io(c->session_, &io, fuse_session_fd(c->session_)) != 0) return std::unexpected{std::string{"out of memory"}};
  return c;
}

connection::~connection() {
  if (!threads_.empty()) static_cast<void>(unmount());
  join();
  if (session_ != nullptr) {
    if (is_on_top() || cut_off(fuse_session_fd(session_))) fuse_session_unmount(session_);
    fuse_session_destroy(session_);
  }
  if (ended_ >= 0) ::close(ended_);
}

// A failure half-way leaves the threads that run already; the destructor ends them.
result<> connection::start(unsigned count, std::function<void(unsigned)> prepare) {
  struct sigaction wake{};
  wake.sa_handler = wake_up;  // without SA_RESTART: a thread that waits for a request looks up
  sigemptyset(&wake.sa_mask);
  ::sigaction(wake_signal, &wake, nullptr);
  prepare_ = std::move(prepare);
  thread_ids_.resize(count);
  running_ = 1;  // this thread, until all have been started
  result<> started;
  for (unsigned i = 0; started.has_value() && i < count; ++i) {
    running_.fetch_add(1);
    auto thread = kthread::run("fuse", *std::pmr::get_default_resource(), [this, i] { serve(i); });
    if (thread.has_value()) {
      threads_.push_back(std::move(*thread));
    } else {
      running_.fetch_sub(1);
      started = fail(thread.error());
    }
  }
  if (running_.fetch_sub(1) == 1) static_cast<void>(::eventfd_write(ended_, 1));
  if (started.has_value()) widen_readahead(settings_.directory);
  return started;
}

ssize_t connection::receive(int fd, void* to, std::size_t bytes, void*) { return ::read(fd, to, bytes); }

// The answer to INIT also says that set-id bits are our affair (FUSE_HANDLE_KILLPRIV_V2): without it the kernel asks for security.capability before each
// write. This libfuse has no name for that, nor for direct_io_allow_mmap.
ssize_t connection::reply(int fd, struct iovec* pieces, int count, void*) {
  if (refuses_gift(pieces, count)) [[unlikely]] {
    gift_here.refused = true;
    return static_cast<ssize_t>(sizeof(fuse_out_header));
  }
  if (!answers_init(pieces, count)) return ::writev(fd, pieces, count);
  fuse_init_out out{};
  std::memcpy(&out, pieces[1].iov_base, std::min(pieces[1].iov_len, sizeof out));
  out.flags |= init_here.flags;
  out.flags2 |= init_here.flags2;
  init_here = {};
  struct iovec changed[2] = {pieces[0], {&out, std::min(pieces[1].iov_len, sizeof out)}};
  return ::writev(fd, changed, 2);
}

void connection::look_into(fuse_buf& buffer) noexcept {
  if ((buffer.flags & FUSE_BUF_IS_FD) != 0 || buffer.size < sizeof(fuse_in_header)) return;
  auto* start = static_cast<std::byte*>(buffer.mem);
  const raw_request r{static_cast<fuse_in_header*>(buffer.mem), start + sizeof(fuse_in_header), buffer.size - sizeof(fuse_in_header)};
  kills_privileges() = r.kills_privileges();
  gift_here = {.unique = gives_back(r.header->opcode) ? r.header->unique : 0};
  if (r.header->opcode == FUSE_INIT) note_init(r, settings_.mapped_direct_io);
  // Younger than this libfuse, and CREATE in all but its number: its name is "/".
  if (r.header->opcode == FUSE_TMPFILE) r.header->opcode = FUSE_CREATE;
}

void connection::serve(unsigned number) noexcept {
  constexpr int between_tries = 10;  // milliseconds: for memory, which its first request is received into, and which libfuse takes for each
  thread_ids_[number].store(::gettid());
  prepare_(number);
  fuse_buf buffer{};
  while (!stopping_.load(std::memory_order_relaxed) && fuse_session_exited(session_) == 0) {
    const int bytes = fuse_session_receive_buf(session_, &buffer);
    if (bytes == -EINTR || (bytes == -ENOMEM && !has_ended(between_tries))) continue;
    if (bytes <= 0) break;
    look_into(buffer);
    fuse_session_process_buf(session_, &buffer);
    while (std::exchange(gift_here.refused, false) && !has_ended(between_tries)) fuse_session_process_buf(session_, &buffer);
  }
  std::free(buffer.mem);
  thread_ids_[number].store(0);
  if (running_.fetch_sub(1) == 1) static_cast<void>(::eventfd_write(ended_, 1));
}

bool connection::has_ended(int milliseconds) const noexcept {
  pollfd wait{.fd = ended_, .events = POLLIN, .revents = 0};
  int ready;
  do ready = ::poll(&wait, 1, milliseconds);
  while (ready < 0 && errno == EINTR);
  return ready > 0;
}

// A signal that arrives just before a thread waits is lost: it gets another one.
void connection::interrupt_threads() noexcept {
  constexpr int between_signals = 10;  // milliseconds
  stopping_.store(true);
  do
    for (const auto& id : thread_ids_)
      if (const int thread = id.load(); thread != 0) static_cast<void>(::syscall(SYS_tgkill, ::getpid(), thread, wake_signal));
  while (!has_ended(between_signals));
}

bool connection::is_on_top() const noexcept { return device_ != 0 && device_on(settings_.directory) == device_; }

bool connection::unmount() noexcept {
  if (has_ended(0)) return true;
  constexpr int grace = 1000;  // milliseconds until those who still use a mount that left the tree are cut off
  try {
    sync_anywhere(device_);
  } catch (const std::bad_alloc&) {
    static_cast<void>(sync_mount(settings_.directory, device_));
  }
  const bool ours = is_on_top();
  if (ours && !unmount_directory(settings_.directory, false)) static_cast<void>(unmount_directory(settings_.directory, true));
  if (!has_ended(ours ? grace : 0)) interrupt_threads();
  return ours;
}

}  // namespace xip::fuse
