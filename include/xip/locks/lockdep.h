// lockdep: checks the order, recursion and held-ness of locks by class, from single runs. Linux: kernel/locking/lockdep.c.
#pragma once

#include <cstdint>
#include <functional>
#include <memory_resource>
#include <string>
#include <vector>

#include <xip/base/config.h>
#include <xip/locks/lock_class.h>

namespace xip {

struct thread_context;

// Compiled in when XIP_LOCKDEP is 1 (presets debug, asan, tsan); elsewhere an instance checks nothing and costs nothing.
#if XIP_LOCKDEP
inline constexpr bool lockdep_compiled_in = true;
#else
inline constexpr bool lockdep_compiled_in = false;
#endif

enum class lockdep_problem : std::uint8_t {
  inversion,         // a cycle in the order of classes
  recursion,         // the same class again, without a subclass or a nesting class
  not_held,          // an assertion, or an unlock, of a lock this thread does not hold
  held_at_return,    // a system call returns with a lock held
  blocked_spinning,  // blocking under a spin_lock
  too_many,          // more classes or held locks than there is room for
};

struct lockdep_report {
  lockdep_problem problem;
  std::string text;  // the shortest cycle, each edge with the stack that made it, as a person reads it
};

// BEFORE was held when AFTER was taken.
struct lock_edge {
  std::string before;  // class name, "/N" behind it for subclass N
  std::string after;
  bool before_exclusive;
  bool after_exclusive;
  std::string function;  // where it was first seen
};

class lockdep {
 public:
  using reporter = std::function<void(const lockdep_report&)>;

  // REPORT is called with no lock of ours held; the default prints to stderr and aborts.
  explicit lockdep(std::pmr::memory_resource& memory, reporter report = {});
  ~lockdep();  // appends its edges to the file $XIP_LOCKDEP_EDGES names, if set
  lockdep(const lockdep&) = delete;
  lockdep& operator=(const lockdep&) = delete;

  [[nodiscard]] std::vector<lock_edge> edges() const;
  // How often a thread had to wait for a lock of the class named NAME; when NAME is empty, of all classes together but the spinning ones.
  [[nodiscard]] std::uint64_t contentions(const std::string& name = {}) const;

  // Nothing is reported from now on. What is held, and who had to wait, is still known. While nobody else uses it.
  void mute() noexcept;

  // The running thread holds no lock at all (called where a system call returns).
  void assert_none_held() noexcept;

  // What the locks of this room call, for ME, which is current. An acquire of a kind that blocks is judged before it can block; a
  // try-lock cannot deadlock and is only recorded, once it succeeded.
  struct request {
    lock_subclass subclass = 0;
    bool exclusive = true;
    bool is_try = false;
  };
  void acquire(thread_context& me, const lock_class& cls, const void* instance, request how) noexcept;
  // False: not held, which was reported.
  [[nodiscard]] bool release(thread_context& me, const lock_class& cls, const void* instance) noexcept;
  void downgrade(thread_context& me, const lock_class& cls, const void* instance) noexcept;
  void assert_held(thread_context& me, const lock_class& cls, const void* instance, bool exclusive) noexcept;
  [[nodiscard]] bool holds(const thread_context& me, const lock_class& cls, const void* instance) const noexcept;
  void might_wait_for(thread_context& me, const lock_class& cls) noexcept;
  // ME may block here, having dropped DROPPED (or null); the subclass that DROPPED is held with.
  lock_subclass might_wait(thread_context& me, const void* dropped) noexcept;
  void count_contention(const lock_class& cls) noexcept;

 private:
  struct impl;
  std::pmr::memory_resource& memory_;
  impl* impl_;  // null where lockdep is not compiled in
};

}  // namespace xip
