// measures: what a file system shows when a workload's calls are made one after the other, for each order that is asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <xip/crash/file_system.h>

#include "crash/calls.h"
#include "crash/image.h"
#include "crash/lone_kernel.h"
#include "crash/oracle.h"
#include "crash/orders.h"

namespace xip::crash {

struct measure {
  oracle may;                // what may be found
  std::vector<int> answers;  // of the calls, in their order
  std::string wrong;         // not empty: it is none, for this reason
};

class measures {
 public:
  // FS without its planted bugs, on an image that is START at first. CALLS outlive it.
  measures(const crashed_file_system& fs, std::span<const std::byte> start, const std::vector<task_call>& calls, std::uint32_t tasks);

  // Kept.
  [[nodiscard]] const measure& of(const call_order& order);
  [[nodiscard]] std::size_t count() const noexcept { return known_.size(); }

 private:
  void run(const call_order& order, measure& to);

  crashed_file_system fs_;
  const std::vector<task_call>& calls_;
  const std::uint32_t tasks_;
  image image_;
  lone_kernel::arena memory_;
  std::map<call_order, measure> known_;
};

}  // namespace xip::crash
