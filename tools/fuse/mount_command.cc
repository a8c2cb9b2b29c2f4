#include "fuse/mount_command.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xip/base/config.h>

#include "common/printable.h"
#include "fuse/background.h"
#include "fuse/command_line.h"
#include "fuse/connection.h"
#include "fuse/flusher.h"
#include "fuse/lost_memory.h"
#include "fuse/remount.h"
#include "fuse/report.h"
#include "fuse/warmer.h"

namespace xip::fuse {
namespace {

using namespace std::chrono_literals;

[[nodiscard]] std::string session_options(const mount_request& request) {
  std::string options = fmt::format("fsname={},subtype=xip,default_permissions", escaped(request.image));
  if (request.allow_other) options += ",allow_other";
  if (!request.kernel.empty()) (options += ',') += request.kernel;
  return options;
}

// 0, or the errno that says what keeps this process from FUSE.
[[nodiscard]] int look_for_fuse() noexcept {
  const int fd = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd < 0) return errno;
  ::close(fd);
  return 0;
}

// Signals that ask to stop, as a descriptor; no thread made later is interrupted by them. Those that would only kill are ignored: whoever reads our
// messages may go away.
class stop_requests {
 public:
  stop_requests() noexcept {
    sigemptyset(&signals_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals_, number);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    for (const int number : {SIGPIPE, SIGUSR1, SIGUSR2}) std::signal(number, SIG_IGN);
    fd_ = ::signalfd(-1, &signals_, SFD_CLOEXEC);
  }
  ~stop_requests() { ::close(fd_); }
  stop_requests(const stop_requests&) = delete;
  stop_requests& operator=(const stop_requests&) = delete;

  // Returns when one has come, or ENDED is readable.
  void wait_for_one_or(int ended) const noexcept {
    pollfd either[2] = {{.fd = fd_, .events = POLLIN, .revents = 0}, {.fd = ended, .events = POLLIN, .revents = 0}};
    while (::poll(either, 2, -1) < 0 && errno == EINTR) continue;
  }

 private:
  sigset_t signals_{};
  int fd_ = -1;
};

[[nodiscard]] unsigned fitting_threads() noexcept {
  const long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
  return static_cast<unsigned>(std::clamp(processors * 2, 4L, 16L));
}

// A mount from its start to its end, in the process that serves it.
class mount_service {
 public:
  mount_service(const mount_request& request, const mount_program& program, reporter& messages) noexcept
      : request_{request}, program_{program}, messages_{messages} {}

  // The exit code. START: told when the mount is there.
  [[nodiscard]] int run(background& start) {
    const stop_requests stop;
    if (const int code = open(); code != 0) return code;
    if (!request_.foreground) messages_.to_system_log();
    start.ready();
    stop.wait_for_one_or(connection_->ended());
    if (!connection_->unmount())
      messages_.fail(
          fmt::format("{} has something else mounted on it, or is gone; whoever used this mount is cut off", request_.directory));
    return close();
  }

 private:
  [[nodiscard]] int open();
  [[nodiscard]] result<> start_workers();
  [[nodiscard]] int close();
  [[nodiscard]] int failed(std::string_view why) const noexcept {
    messages_.fail(why);
    return program_.failed;
  }

  const mount_request& request_;
  const mount_program& program_;
  reporter& messages_;
  std::unique_ptr<mounted_image> image_;
  std::optional<lost_memory_guard> lost_memory_;
  std::unique_ptr<server> server_;
  std::unique_ptr<flusher> flusher_;
  std::unique_ptr<warmer> warmer_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::unique_ptr<connection> connection_;  // its threads end before what they use
};

int mount_service::open() {
  auto image = mounted_image::open(request_, messages_);
  if (!image.has_value()) return failed(image.error());
  image_ = std::move(*image);
  lost_memory_.emplace(image_->device());
  auto root = image_->init().lookup_node(AT_FDCWD, "/", 0);
  if (!root.has_value()) return failed(fmt::format("its root directory: {}", root.error().message()));
  server_ = std::make_unique<server>(*image_, std::move(*root));
  server_->direct_io = request_.direct_io;
  auto opened = connection::open({.directory = request_.directory,
                                  .options = session_options(request_),
                                  .debug = request_.debug,
                                  .mapped_direct_io = request_.direct_io},
                                 operations(), server_.get());
  if (!opened.has_value()) return failed(opened.error());
  connection_ = std::move(*opened);
  server_->session = connection_->session();
  auto started = start_workers();
  if (started.has_value() && !request_.read_only) {
    flusher_ = std::make_unique<flusher>(image_->kernel(), std::chrono::seconds{request_.commit_seconds}, messages_);
    started = flusher_->start();
  }
  if (started.has_value() && image_->device().has_direct_access()) {
    warmer_ = std::make_unique<warmer>(image_->device());
    started = warmer_->start();
  }
  if (!started.has_value()) return failed(started.error().message());
  if (const auto flagged = set_kernel_flags(request_); !flagged.has_value()) return failed(flagged.error());
  return 0;
}

result<> mount_service::start_workers() {
  const unsigned count = request_.threads != 0 ? request_.threads : fitting_threads();
  for (unsigned i = 0; i < count; ++i)
    workers_.push_back(
        std::make_unique<worker>(*server_, vfs::task_ptr{XIP_TRY(image_->kernel().fork_task(image_->init(), "fuse", true))}));
  return connection_->start(count, [this](unsigned number) { this_worker() = workers_[number].get(); });
}

int mount_service::close() {
  connection_.reset();
  flusher_.reset();
  warmer_.reset();
  workers_.clear();
  server_.reset();
  const auto closed = image_->close();
  if (!closed.has_value()) return failed(fmt::format("not everything could be written: {}", closed.error().message()));
  return 0;
}

[[nodiscard]] bool make_absolute(std::string& path) {
  char* const resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return false;
  path = resolved;
  std::free(resolved);
  return true;
}

// What is wrong with the two paths; empty: nothing.
[[nodiscard]] std::string check_paths(mount_request& request) {
  if (!make_absolute(request.image)) return fmt::format("{}: {}", request.image, std::strerror(errno));
  if (!make_absolute(request.directory)) return fmt::format("{}: {}", request.directory, std::strerror(errno));
  struct ::stat there{};
  if (::stat(request.directory.c_str(), &there) == 0 && !S_ISDIR(there.st_mode))
    return fmt::format("{}: not a directory", request.directory);
  return {};
}

[[nodiscard]] int mount_image(mount_request& request, const mount_program& program) {
  reporter messages{program.name, request.image};
  if (const std::string wrong = check_paths(request); !wrong.empty()) {
    messages.fail(wrong);
    return program.failed;
  }
  if (const int why = look_for_fuse(); why != 0) {
    messages.fail(fmt::format("/dev/fuse: {}; FUSE is missing here, or not allowed (modprobe fuse)", std::strerror(why)));
    return program.environment;
  }
  background start;
  if (!request.foreground)
    if (const auto code = start.begin(messages, program.failed)) return *code;
  reporter own{program.name, request.image};
  return mount_service{request, program, own}.run(start);
}

}  // namespace

int run_mount(int argc, char** argv, const mount_program& program) {
  auto line = parse_command_line(argc, argv, program);
  if (!line.has_value()) {
    fmt::print(stderr, "{}: {}; see {} --help\n", program.name, tool::printable(line.error()), program.name);
    return program.usage;
  }
  if (line->help) print_mount_help(program);
  if (line->version) fmt::print("{} {}\n", program.name, XIP_VERSION);
  if (line->help || line->version || line->dry_run) return 0;
  if (!line->request.remount) return mount_image(line->request, program);
  reporter messages{program.name, line->request.image};
  if (!make_absolute(line->request.directory)) {
    messages.fail(fmt::format("{}: {}", line->request.directory, std::strerror(errno)));
    return program.failed;
  }
  if (const auto done = remount(line->request); !done.has_value()) {
    messages.fail(done.error());
    return program.failed;
  }
  return 0;
}

}  // namespace xip::fuse
