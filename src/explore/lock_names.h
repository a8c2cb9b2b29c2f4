// lock_names: what stands for a lock in traces and reports. Never its address: its class, and a number by first use in the schedule.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <xip/locks/lock_class.h>

namespace xip::explore {

// FNV-1a. Of names, since addresses differ from run to run.
[[nodiscard]] constexpr std::uint64_t hash_text(std::string_view text) noexcept {
  std::uint64_t h = 0xcbf29ce484222325;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return h;
}

class lock_names {
 public:
  struct class_entry {
    const lock_class* cls;
    std::uint64_t hash;       // of its name
    std::uint64_t schedule;   // when NEXT was last used
    std::uint32_t instances;  // seen in that schedule
  };
  struct lock_name {
    std::uint32_t cls;       // index of its class_entry
    std::uint32_t instance;  // from 1
  };

  lock_names() : slots_(first_slots) {}

  // A new schedule: numbers begin anew. Costs nothing: what is older counts as empty.
  void begin() noexcept {
    ++schedule_;
    used_ = 0;
  }
  [[nodiscard]] lock_name of(const lock_class& cls, const void* instance) {
    for (std::size_t at = place_of(cls, instance);; at = (at + 1) & (slots_.size() - 1)) {
      slot& s = slots_[at];
      if (s.schedule != schedule_) return add(s, cls, instance);
      if (s.instance == instance && s.cls == &cls) return s.name;
    }
  }
  [[nodiscard]] const std::vector<class_entry>& classes() const noexcept { return classes_; }

 private:
  static constexpr std::size_t first_slots = 256;
  struct slot {
    const void* instance = nullptr;
    const lock_class* cls = nullptr;
    std::uint64_t schedule = 0;
    lock_name name{};
  };

  [[nodiscard]] std::size_t place_of(const lock_class& cls, const void* instance) const noexcept {
    const auto key = reinterpret_cast<std::uintptr_t>(instance) ^ (reinterpret_cast<std::uintptr_t>(&cls) << 1);
    return static_cast<std::size_t>((key * 0x9e3779b97f4a7c15) >> 32) & (slots_.size() - 1);
  }
  [[nodiscard]] lock_name add(slot& s, const lock_class& cls, const void* instance);
  [[nodiscard]] std::uint32_t class_index(const lock_class& cls);
  void grow();

  std::vector<slot> slots_;
  std::size_t used_ = 0;
  std::uint64_t schedule_ = 0;
  std::vector<class_entry> classes_;  // of all schedules
};

}  // namespace xip::explore
