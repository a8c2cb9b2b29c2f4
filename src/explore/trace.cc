#include <xip/explore/trace.h>

#include <fmt/format.h>

#include <xip/explore/failure.h>

namespace xip::explore {

std::string_view failure_name(failure_kind kind) noexcept {
  switch (kind) {
    case failure_kind::none: return "none";
    case failure_kind::setup: return "setup";
    case failure_kind::body: return "body";
    case failure_kind::check: return "check";
    case failure_kind::reported: return "reported";
    case failure_kind::deadlock: return "deadlock";
    case failure_kind::lost_wakeup: return "lost wake-up";
    case failure_kind::livelock: return "livelock";
    case failure_kind::nondeterminism: return "non-determinism";
  }
  return "?";
}

std::string_view event_name(event_kind kind) noexcept {
  switch (kind) {
    case event_kind::acquire: return "acquire";
    case event_kind::acquired: return "acquired";
    case event_kind::release: return "release";
    case event_kind::wait: return "wait";
    case event_kind::wake: return "wake";
    case event_kind::yield: return "yield";
    case event_kind::point: return "point";
    case event_kind::block: return "block";
    case event_kind::timeout: return "timeout";
    case event_kind::resume: return "resume";
    case event_kind::spawn: return "spawn";
    case event_kind::join: return "join";
    case event_kind::exit: return "exit";
    case event_kind::fail: return "fail";
  }
  return "?";
}

std::string format_event(const event& e, const std::vector<std::string>& tasks) {
  const std::string_view task = e.task < tasks.size() ? std::string_view{tasks[e.task]} : "alone";
  std::string line = fmt::format("{:5} {:<10} {}", e.step, task, event_name(e.kind));
  if (e.kind == event_kind::point) return line + fmt::format(" {} {} {} {}", e.name, e.a, e.b, e.c);
  if (e.kind == event_kind::spawn || e.kind == event_kind::join) return line + fmt::format(" {}", e.a < tasks.size() ? tasks[e.a] : "?");
  if (e.instance != 0) line += fmt::format(" {}#{}{}", e.name, e.instance, e.exclusive ? " exclusive" : "");
  return line;
}

}  // namespace xip::explore
