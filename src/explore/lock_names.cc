#include "explore/lock_names.h"

#include <utility>

namespace xip::explore {

std::uint32_t lock_names::class_index(const lock_class& cls) {
  for (std::uint32_t i = 0; i < classes_.size(); ++i)
    if (classes_[i].cls == &cls) return i;
  classes_.push_back({&cls, hash_text(cls.name), 0, 0});
  return static_cast<std::uint32_t>(classes_.size() - 1);
}

lock_names::lock_name lock_names::add(slot& s, const lock_class& cls, const void* instance) {
  const std::uint32_t index = class_index(cls);
  class_entry& entry = classes_[index];
  if (std::exchange(entry.schedule, schedule_) != schedule_) entry.instances = 0;
  const lock_name name{index, ++entry.instances};
  s = {instance, &cls, schedule_, name};
  if (++used_ > slots_.size() / 2) grow();
  return name;
}

void lock_names::grow() {
  const std::vector<slot> old = std::exchange(slots_, std::vector<slot>(slots_.size() * 2));
  for (const slot& s : old) {
    if (s.schedule != schedule_) continue;
    std::size_t at = place_of(*s.cls, s.instance);
    while (slots_[at].schedule == schedule_) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = s;
  }
}

}  // namespace xip::explore
