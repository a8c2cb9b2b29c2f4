// What to say when nobody can run.
#include "explore/engine.h"

#include "explore/strategies.h"

namespace xip::explore {

// A lock that is waited for makes it a deadlock. Where all sleep in wait queues, completions and joins, somebody forgot to wake them.
void engine::report_dead_end() {
  bool lock_wanted = false;
  std::string text = "nobody can run";
  for (std::uint32_t number = 0; number < count_; ++number) {
    if ((ended_ & only(number)) != 0) continue;
    const want::what kind = tasks_[number]->wants.kind;
    lock_wanted = lock_wanted || kind == want::what::lock || kind == want::what::spin;
    text += "\n  " + task_text(number);
  }
  record_failure(lock_wanted ? failure_kind::deadlock : failure_kind::lost_wakeup, text);
}

std::string engine::lock_text(lock_names::lock_name name) const {
  return std::string{names_.classes()[name.cls].cls->name} + "#" + std::to_string(name.instance);
}

std::string engine::task_text(std::uint32_t number) const {
  const task_state& t = *tasks_[number];
  std::string text = "task " + std::to_string(number) + " '" + t.name + "' holds ";
  if (t.held_count == 0) text += "no lock";
  for (std::uint32_t i = 0; i < t.held_count; ++i)
    text += (i == 0 ? "" : ", ") + lock_text(t.held[i].name) + (t.held[i].exclusive ? "" : " shared");
  return text + ", " + want_text(t.wants);
}

std::string engine::want_text(const want& w) const {
  switch (w.kind) {
    case want::what::lock:
      return "waits for " + lock_text(w.name) + (w.exclusive ? "" : " shared") + holders_of(w.instance);
    case want::what::spin:
      return "spins for " + lock_text(w.name) + holders_of(w.instance);
    case want::what::sleep:
      return "sleeps in " + lock_text(w.name);
    case want::what::join:
      return "waits for the end of task " + std::to_string(w.task) + " '" + tasks_[w.task]->name + "'";
    case want::what::nothing:
      break;
  }
  return "waits for nothing we know of";
}

std::string engine::holders_of(const void* instance) const {
  std::string text;
  for (std::uint32_t number = 0; number < count_; ++number)
    for (std::uint32_t i = 0; i < tasks_[number]->held_count; ++i)
      if (tasks_[number]->held[i].instance == instance) text += (text.empty() ? " (held by '" : "', '") + tasks_[number]->name;
  return text.empty() ? text : text + "')";
}

std::uint32_t engine::site_count() const noexcept {
  const std::size_t count = coverage::first_lock + names_.classes().size() * coverage::operations;
  return static_cast<std::uint32_t>(count < coverage::max_sites ? count : coverage::max_sites);
}

std::string engine::site_name(site s) const {
  static constexpr std::string_view operations[] = {"acquire ", "wait ", "wake ", "spin "};
  if (s < point_count) return std::string{point_name(static_cast<point>(s))};
  switch (s) {
    case coverage::start:
      return "start";
    case coverage::spawned:
      return "spawn";
    case coverage::joins:
      return "join";
    case coverage::ended:
      return "end";
  }
  const std::size_t cls = (s - coverage::first_lock) / coverage::operations;
  if (s == coverage::max_sites - 1 || cls >= names_.classes().size()) return "elsewhere";
  return std::string{operations[(s - coverage::first_lock) % coverage::operations]} + names_.classes()[cls].cls->name;
}

}  // namespace xip::explore
