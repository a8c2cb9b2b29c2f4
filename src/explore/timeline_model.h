// timeline_model: what lasts, worked out from events that are single moments. All places in time are indices of events; an end is the index
// behind the last event of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <xip/explore/explore.h>

namespace xip::explore {

struct timeline_model {
  struct running {
    std::uint32_t task;
    std::size_t from, to;
  };
  struct task_switch {
    std::size_t at;  // the first event of the next task
    std::uint32_t from, to;
    bool preemption;  // the first one could have gone on
  };
  struct hold {
    std::uint32_t task;
    std::size_t from, to;
    bool exclusive;
  };
  struct lock_lane {
    std::string name;  // "i_rwsem#1"
    std::vector<hold> holds;
    std::vector<hold> waits;
    bool contended = false;  // somebody waits for it, or more than one task takes it
  };
  struct size_lane {
    std::uint64_t inode;
    struct step {
      std::size_t from, to;
      std::uint64_t bytes;
    };
    std::vector<step> steps;
  };
  enum class block_use : std::uint8_t { free, pending, metadata, file, in_use };  // in_use: nothing told by whom
  struct block_lane {
    std::uint64_t first, last;
    struct span {
      std::size_t from, to;
      block_use use;
      std::uint64_t inode;  // 0: none
    };
    std::vector<span> spans;
    struct access {
      std::size_t at;
      bool write;
    };
    std::vector<access> accesses;
  };

  std::vector<running> runs;
  std::vector<task_switch> switches;
  std::vector<lock_lane> locks;    // in the order of first use
  std::vector<size_lane> sizes;    // likewise
  std::vector<block_lane> blocks;  // ascending; neighbours with one history are one
};

[[nodiscard]] timeline_model model_of(const schedule_report& r);

// What an event says, as a sentence without its subject: "takes i_rwsem#1, exclusive".
[[nodiscard]] std::string sentence(const event& e, const std::vector<std::string>& tasks);
// "i_rwsem#1"; empty if it is of no lock.
[[nodiscard]] std::string lock_of(const event& e);

}  // namespace xip::explore
