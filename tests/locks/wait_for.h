// Waiting for a state that another thread brings about.
#pragma once

#include <thread>

namespace xip::test {

template <class Condition>
void wait_for(Condition&& condition) {
  while (!condition()) std::this_thread::yield();
}

}  // namespace xip::test
