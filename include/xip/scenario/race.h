// A race: a few tasks that make a handful of system calls at once, and what must hold whatever their order. One file each:
//
//   // What: ... Why: ... Operations: ... Invariant: ...
//   // Groups: auto rw. Needs: nothing.
//   #include <xip/scenario/race.h>
//
//   namespace xip::scenario {
//   namespace {
//   struct scene : race {
//     observed_file file;
//     void setup() { file = observe("file", 1); file.write(task(), 0, 8192, 1); }
//     void reader(vfs::task& me) { file.read(me, 0, 8192); }
//     void cutter(vfs::task& me) { file.truncate(me, 100); }
//   };
//   }  // namespace
//   }  // namespace xip::scenario
//   XIP_RACE(scene, "auto rw", "a read against a truncate", {"reader", &scene::reader}, {"cutter", &scene::cutter})
//
// `xip explore` runs it in many schedules, one after the other, each of them reproducible; as a scenario of `xip check` it runs on threads,
// round after round. In both, each schedule or round begins with setup() on an empty directory and ends with check().
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include <xip/explore/linearize.h>
#include <xip/scenario/expectations.h>
#include <xip/scenario/scenario.h>

namespace xip::scenario {

class race;
class run;
struct race_parts;  // of whoever runs it

// A file whose calls are recorded. When all tasks have ended, some order of the calls must explain every answer: what was read, each size, each
// place that was sought; and no read may touch its buffer behind the bytes that it counts. Words that are written name the file, their
// offset and GENERATION (xip/scenario/pattern.h). PIECES: of user memory that a call copies between, one after the other; tasks may be
// switched between two of them. Every call that fails for want of space is right; where a call may not fail, the scenario fails.
class observed_file {
 public:
  observed_file() = default;

  void read(vfs::task& me, loff_t pos, std::size_t bytes, unsigned pieces = 2) const;
  void write(vfs::task& me, loff_t pos, std::size_t bytes, std::uint32_t generation, unsigned pieces = 2) const;
  void append(vfs::task& me, std::size_t bytes, std::uint32_t generation, unsigned pieces = 2) const;
  void truncate(vfs::task& me, loff_t size) const;
  void allocate(vfs::task& me, loff_t pos, loff_t bytes, bool keep_size = false) const;
  void ask_size(vfs::task& me) const;
  void seek_data(vfs::task& me, loff_t from) const;
  void seek_hole(vfs::task& me, loff_t from) const;

  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  friend class race;
  observed_file(const race& owner, std::uint32_t index, std::uint32_t file, int fd, int append_fd) noexcept
      : race_{&owner}, index_{index}, file_{file}, fd_{fd}, append_fd_{append_fd} {}
  [[nodiscard]] explore::file_operation& invoke(vfs::task& me, explore::file_call call, std::uint64_t offset, std::uint64_t length) const;
  template <class T>
  void answer(explore::file_operation& o, const result<T>& found) const;
  void store(vfs::task& me, explore::file_operation& o, int fd, loff_t pos, unsigned pieces) const;

  const race* race_ = nullptr;
  std::uint32_t index_ = 0;  // of the histories
  std::uint32_t file_ = 0;   // stamp::file
  int fd_ = -1;
  int append_fd_ = -1;
};

struct race_options {
  std::string_view mount = {};  // of `xip explore`; dax=always is added where nothing is said about dax
  bool share_files = false;     // the tasks are threads of one process: one table of descriptors. Else each has a copy
  unsigned rounds = 100;        // on threads
};

// What scenes are derived from. A scene has members for what its tasks tell each other and the check; they are plain values, since what
// they are is put back byte by byte before each schedule. Tasks inherit the descriptors that setup() opened and its working directory.
class race : public expectations {
 public:
  static constexpr race_options options{};
  static constexpr requirements needs{};

  // A scene hides those it needs.
  void setup() {}
  void check() {}
  // A scene that has `void prepare(vfs::task& me, std::size_t task)` goes on there with its setup when the tasks are there, as each of them in turn: with address
  // spaces of their own, say. No task runs yet. What setup() made is durable then, and what this makes need not be.
  // A scene that has `void recovered(vfs::task& me)` says what a loss of power may leave. `xip explore` then asks about each state that a
  // medium could have been found in: whenever the power may fail, with nothing, everything or only the metadata of what was on its way. ME is a
  // task of another machine that has mounted the state; the scene is as it was at that moment. No task of its own may be used any more.

  // The task of setup() and check(). It is root.
  [[nodiscard]] vfs::task& task() const noexcept;
  [[nodiscard]] vfs::task* operator->() const noexcept { return &task(); }
  [[nodiscard]] vfs::kernel& kernel() const noexcept;
  [[nodiscard]] dev::device& device() const noexcept;
  [[nodiscard]] std::uint32_t block() const noexcept;  // bytes
  // The power may fail here. It may anyhow: before each fence and flush of the device, and when a call of an observed file has answered. Never
  // within a write-back of metadata, but at its own flushes: without a journal that leaves what only e2fsck can put right.
  void power_may_fail() const;
  // Makes PATH, which is not there yet, open for reading and writing.
  [[nodiscard]] int create(std::string_view path, location here = location::current()) const;
  // The same, recorded; FILE is that of its stamps. In setup() only.
  [[nodiscard]] observed_file observe(std::string_view path, std::uint32_t file, location here = location::current());

 private:
  friend class observed_file;
  friend struct race_parts;
  race_parts* parts_ = nullptr;
};

// A race without its type.
struct race_plan {
  std::span<const std::string_view> tasks;  // their names
  race_options options;
  std::size_t bytes, alignment;  // of the scene
  race& (*make)(void* at);
  void (*setup)(race& scene);
  void (*prepare)(race& scene, std::size_t task, vfs::task& me);  // null: there is nothing to prepare
  void (*run)(race& scene, std::size_t task, vfs::task& me);
  void (*check)(race& scene);
  void (*recovered)(race& scene, vfs::task& me);  // null: it does not say
};

template <class Scene>
struct race_member {
  std::string_view name;
  void (Scene::*body)(vfs::task& me);
};

template <class Scene, const auto& Members>
struct race_plan_of {
  static_assert(std::is_trivially_destructible_v<Scene> && std::is_trivially_copyable_v<Scene>, "a scene is put back byte by byte");
  static constexpr std::size_t count = std::size(Members);
  static_assert(count >= 2 && count <= 8);

  static constexpr auto prepare() -> void (*)(race&, std::size_t, vfs::task&) {
    if constexpr (requires(Scene& s, vfs::task& me) { s.prepare(me, std::size_t{}); })
      return [](race& scene, std::size_t task, vfs::task& me) { static_cast<Scene&>(scene).prepare(me, task); };
    else
      return nullptr;
  }
  static constexpr auto recovered() -> void (*)(race&, vfs::task&) {
    if constexpr (requires(Scene& s, vfs::task& me) { s.recovered(me); })
      return [](race& scene, vfs::task& me) { static_cast<Scene&>(scene).recovered(me); };
    else
      return nullptr;
  }
  struct names {
    std::string_view all[count];
    constexpr names() {
      for (std::size_t i = 0; i < count; ++i) all[i] = Members[i].name;
    }
  };
  static constexpr names task_names{};
  static constexpr race_plan plan{
      task_names.all,
      Scene::options,
      sizeof(Scene),
      alignof(Scene),
      [](void* at) -> race& { return *new (at) Scene{}; },
      [](race& scene) { static_cast<Scene&>(scene).setup(); },
      prepare(),
      [](race& scene, std::size_t task, vfs::task& me) { (static_cast<Scene&>(scene).*Members[task].body)(me); },
      [](race& scene) { static_cast<Scene&>(scene).check(); },
      recovered(),
  };
};

// The race as a scenario: on threads, one round after the other.
void run_race_rounds(run& t, const race_plan& plan);

}  // namespace xip::scenario

// XIP_RACE(SCENE, GROUPS, WHAT, {NAME, &SCENE::MEMBER}, ...): a task for each pair.
#define XIP_RACE(SCENE, GROUPS, WHAT, ...)                                                                                           \
  namespace xip::scenario {                                                                                                          \
  static constexpr race_member<SCENE> scenario_tasks[] = {__VA_ARGS__};                                                              \
  static void scenario_body(run& t) { run_race_rounds(t, race_plan_of<SCENE, scenario_tasks>::plan); }                               \
  extern const scenario XIP_SCENARIO_SYMBOL;                                                                                         \
  constinit const scenario XIP_SCENARIO_SYMBOL{XIP_SCENARIO_DIR "/" XIP_SCENARIO_NUMBER,  GROUPS, WHAT, SCENE::needs, scenario_body, \
                                               &race_plan_of<SCENE, scenario_tasks>::plan};                                          \
  }
