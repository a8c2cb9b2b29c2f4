// A bug that can be switched on in the tasks of a race or in a workload that is crashed, as those know it. Which there are, and what each shows, is said elsewhere.
#pragma once

#include <string_view>

#include <xip/base/exhibits.h>

namespace xip::scenario {

struct planted_bug {
  unsigned number = 0;    // from 1
  std::string_view name;  // one word: "read-without-lock"
  exhibit_set places = {};
  const void* stand_in = nullptr;  // what is called at such a place instead (point_sink::stand_in)
  // The workload whose crash shows it (xip/crash/workload.h), with every recovered image before e2fsck; empty: a race does.
  std::string_view workload = {};
};

}  // namespace xip::scenario
