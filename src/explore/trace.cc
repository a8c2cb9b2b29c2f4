#include <xip/explore/trace.h>

#include <array>

#include <fmt/format.h>

#include <xip/explore/failure.h>

namespace xip::explore {

std::string_view failure_name(failure_kind kind) noexcept {
  static constexpr std::array<std::string_view, 9> names{
      "none", "setup", "body", "check", "reported", "deadlock", "lost wake-up", "livelock", "non-determinism",
  };
  return names.at(static_cast<std::size_t>(kind));
}

std::string_view event_name(event_kind kind) noexcept {
  static constexpr std::array<std::string_view, 18> names{
      "acquire", "acquired", "release", "wait", "wake", "yield",  "point", "block", "timeout",
      "resume",  "spawn",    "join",    "exit", "fail", "access", "alloc", "free",  "commit",
  };
  return names.at(static_cast<std::size_t>(kind));
}

std::string format_event(const event& e, const std::vector<std::string>& tasks) {
  const std::string_view task = e.task < tasks.size() ? std::string_view{tasks[e.task]} : "alone";
  std::string line = fmt::format("{:5} {:<10} {}", e.step, task, event_name(e.kind));
  if (e.kind == event_kind::point) return line + fmt::format(" {} {} {} {}", e.name, e.a, e.b, e.c);
  if (e.kind == event_kind::spawn || e.kind == event_kind::join) return line + fmt::format(" {}", e.a < tasks.size() ? tasks[e.a] : "?");
  if (e.kind == event_kind::free) return line + fmt::format(" {}+{}", e.a, e.b);
  if (e.kind == event_kind::alloc) return line + fmt::format(" {}+{} inode {} {}", e.a, e.b, e.c, e.exclusive ? "data" : "metadata");
  if (e.kind == event_kind::access)
    return line +
           fmt::format(" {}+{} {} {}", e.a, e.b, e.exclusive ? "write" : "read", e.c != 0 ? fmt::format("inode {}", e.c) : "metadata");
  if (e.instance != 0) line += fmt::format(" {}#{}{}", e.name, e.instance, e.exclusive ? " exclusive" : "");
  return line;
}

}  // namespace xip::explore
