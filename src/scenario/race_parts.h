// What one run of a race is made of, between the race and whoever runs it: on threads, or under the explorer.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <xip/scenario/race.h>

namespace xip::scenario {

// Where a scene lies.
struct scene_memory {
  explicit scene_memory(const race_plan& plan) : alignment{plan.alignment}, at{::operator new(plan.bytes, alignment)} {}
  ~scene_memory() { ::operator delete(at, alignment); }
  scene_memory(const scene_memory&) = delete;
  scene_memory& operator=(const scene_memory&) = delete;
  std::align_val_t alignment;
  void* at;
};

// For a person, in a few lines.
[[nodiscard]] std::string text_of_failure(const failure& f);

struct race_parts {
  explicit race_parts(const race_plan& p);

  const race_plan& plan;
  std::vector<std::string> names;  // of the tasks in histories: "setup" first
  vfs::kernel* kernel = nullptr;
  dev::device* device = nullptr;
  vfs::task* main = nullptr;
  std::uint32_t block = 0;
  std::function<void()> power_may_fail;  // null: it does not
  race* scene = nullptr;
  std::vector<vfs::task*> tasks;                // in the order of the plan
  std::deque<explore::file_history> histories;  // of observed files
  std::vector<observed_file> files;

  // The scene at AT, its setup, and its tasks, made by MAIN. Throws what the setup throws.
  void set_up(void* at);
  // The rest of the setup, as its tasks. Throws.
  void prepare();
  // Runs the body of TASK. Throws.
  void run(std::size_t task) { plan.run(*scene, task, *tasks[task]); }
  // After the tasks: what must hold. Throws.
  void judge();
  // Ends the tasks, main last. They are gone then.
  void end_tasks() noexcept;
  [[nodiscard]] std::uint32_t number_of(const vfs::task& t) const noexcept;
};

}  // namespace xip::scenario
