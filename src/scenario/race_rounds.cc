// A race as a scenario: on threads, in a directory of its own each round.
#include <algorithm>
#include <memory>
#include <new>

#include <xip/scenario/run.h>

#include "scenario/race_parts.h"

namespace xip::scenario {
namespace {

constexpr std::string_view round_directory = "round";

void remove_tree(run& t, const std::string& directory) {
  for (const std::string& name : t.names_in(directory)) {
    const std::string path = directory + "/" + name;
    if (S_ISDIR(t.must(t->lstat(path)).mode))
      remove_tree(t, path);
    else
      t.must(t->unlink(path));
  }
  t.must(t->rmdir(directory));
}

// The tasks of a round end with it, however it ends.
class round {
 public:
  round(run& t, race_parts& parts) : parts_{parts} {
    parts.kernel = &t.kernel();
    parts.device = &t.device();
    parts.block = t.block_size();
    parts.tasks.clear();
    parts.main = t.new_task({}, "setup").release();
  }
  ~round() { parts_.end_tasks(); }
  round(const round&) = delete;
  round& operator=(const round&) = delete;

 private:
  race_parts& parts_;
};

void run_round(run& t, race_parts& parts, void* memory) {
  t.must(t->mkdir(round_directory, 0755));
  {
    const round now{t, parts};
    t.must(parts.main->chdir(round_directory));
    parts.set_up(memory);
    parts.prepare();
    std::vector<run::thread_body> bodies;
    for (std::size_t i = 0; i < parts.tasks.size(); ++i) bodies.emplace_back([&parts, i](vfs::task&) { parts.run(i); });
    t.parallel(bodies);
    parts.judge();
  }
  remove_tree(t, std::string{round_directory});
}

}  // namespace

void run_race_rounds(run& t, const race_plan& plan) {
  race_parts parts{plan};
  const scene_memory memory{plan};
  for (unsigned i = 0; i < plan.options.rounds; ++i) run_round(t, parts, memory.at);
}

}  // namespace xip::scenario
