// What happened in one schedule, event by event.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <xip/locks/sched_hook.h>

namespace xip::explore {

enum class event_kind : std::uint8_t {
  acquire,   // a lock is about to be taken; NAME is its class
  acquired,  // it is held
  release,   // it is given back next
  wait,      // about to sleep in a wait queue or completion
  wake,      // about to wake the sleepers of one
  yield,     // cannot go on until somebody else has run
  point,     // a named point; NAME is its name, A, B and C what it tells
  block,     // sleeps
  timeout,   // goes on because its timer fired
  resume,    // runs from here on, another did before
  spawn,     // starts task A
  join,      // waits for the end of task A
  exit,      // its body is done
  fail,      // the schedule failed here
  access,    // B blocks from A on are read, or written (EXCLUSIVE), as inode C's, or as metadata (C is 0); told by a listener, as are these
  alloc,     // B blocks from A on now belong to inode C, as data (EXCLUSIVE) or for its metadata
  free,      // B blocks from A on are given back; from the next commit on they may be allocated
  commit,    // all changes so far are durable
};

[[nodiscard]] std::string_view event_name(event_kind kind) noexcept;

struct event {
  std::uint64_t step;  // of the schedule: counted at each switch point, as in a token
  std::uint32_t task;  // in the order of program::tasks, then as they were spawned
  event_kind kind;
  bool exclusive;          // of a lock; see also access, alloc
  std::uint32_t instance;  // of its class, counted from 1 by first use in this schedule; 0: none
  std::string_view name;   // static storage
  std::uint64_t a, b, c;
  nanoseconds time;  // virtual
};

// One line, without its end: "   12 writer   acquire i_rwsem#1 exclusive". TASKS: their names.
[[nodiscard]] std::string format_event(const event& e, const std::vector<std::string>& tasks);

}  // namespace xip::explore
