// A program to explore: tasks on a state that can be put back, and what must hold when they are done.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <xip/explore/resettable.h>
#include <xip/explore/scheduler.h>
#include <xip/locks/lockdep.h>

namespace xip::explore {

struct task {
  std::string name;
  // Runs in each schedule, on a fiber's stack. Throws to fail; the locks it holds are then released by unwinding.
  std::function<void()> body;
};

// Everything the tasks can change is in STATE, or is not there: it would tell one schedule of another. They see time, threads and chance
// only through <xip/locks> and their own seeds. Between two switch points (scheduler.h) a task runs alone: where it shares data without
// a lock, it says XIP_POINT(user_point), with up to three numbers for the trace.
struct program {
  std::string name;                // one word, as it is asked for on a command line
  std::vector<resettable*> state;  // saved after the setup, restored before each schedule and at the end
  // Runs once, alone. What needs a scheduler (a kernel instance) gets this one. Throws to fail.
  std::function<void(scheduler&)> setup = {};
  std::vector<task> tasks = {};
  // After all tasks of a schedule have ended, spawned ones included, alone. Throws to fail.
  std::function<void()> check = {};
  // Checks the locks that tasks take outside of contexts with a lockdep of their own. Should be in the state.
  lockdep* deps = nullptr;
};

}  // namespace xip::explore
