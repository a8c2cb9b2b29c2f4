#include "fuse/report.h"

#include <cstdarg>
#include <cstdio>
#include <exception>

#include <fmt/format.h>
#include <fuse3/fuse_log.h>
#include <syslog.h>

#include "common/printable.h"

namespace xip::fuse {
namespace {

// libfuse hands its messages to a function and nothing else.
std::atomic<reporter*> of_libfuse{nullptr};

[[nodiscard]] int syslog_priority(vfs::log_level level) noexcept {
  switch (level) {
    case vfs::log_level::error:
      return LOG_ERR;
    case vfs::log_level::warning:
      return LOG_WARNING;
    case vfs::log_level::notice:
      return LOG_NOTICE;
    default:
      return LOG_INFO;
  }
}

[[nodiscard]] vfs::log_level level_of(enum fuse_log_level level) noexcept {
  if (level <= FUSE_LOG_ERR) return vfs::log_level::error;
  if (level == FUSE_LOG_WARNING) return vfs::log_level::warning;
  return level == FUSE_LOG_NOTICE ? vfs::log_level::notice : vfs::log_level::info;
}

void forward(enum fuse_log_level level, const char* format, std::va_list arguments) {
  char text[512];
  std::vsnprintf(text, sizeof text, format, arguments);
  std::string_view line{text};
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (reporter* to = of_libfuse.load(); to != nullptr) to->say(level_of(level), line);
}

}  // namespace

reporter::reporter(std::string program, std::string image) : program_{std::move(program)}, image_{std::move(image)} {
  of_libfuse.store(this);
  fuse_set_log_func(forward);
}

reporter::~reporter() { of_libfuse.store(nullptr); }

void reporter::say(vfs::log_level level, std::string_view text) noexcept {
  try {
    const bool named = text.find(image_) != std::string_view::npos;
    const std::string line = tool::printable(named ? std::string{text} : fmt::format("{}: {}", image_, text));
    if (in_background_.load(std::memory_order_relaxed))
      ::syslog(LOG_DAEMON | syslog_priority(level), "%s", line.c_str());
    else
      fmt::print(stderr, "{}: {}\n", program_, line);
  } catch (const std::exception&) {
    // No memory for the message, or nobody to read it.
  }
}

void reporter::to_system_log() noexcept {
  ::openlog("xip-fuse", LOG_PID, LOG_DAEMON);
  in_background_.store(true, std::memory_order_relaxed);
}

}  // namespace xip::fuse
