#include "crash/measures.h"

#include <cstring>
#include <exception>

#include "crash/follow.h"

namespace xip::crash {

measures::measures(const crashed_file_system& fs, std::span<const std::byte> start, const std::vector<task_call>& calls,
                   std::uint32_t tasks)
    : fs_{fs}, calls_{calls}, tasks_{tasks}, image_{start.size()} {
  fs_.exhibits = {};
  fs_.stand_in = nullptr;
  std::memcpy(image_.data(), start.data(), start.size());
}

const measure& measures::of(const call_order& order) {
  const auto [at, fresh] = known_.try_emplace(order);
  if (!fresh) return at->second;
  try {
    run(order, at->second);
  } catch (const std::exception& e) {
    at->second.wrong = e.what();
  }
  image_.undo();
  return at->second;
}

void measures::run(const call_order& order, measure& to) {
  image_device device{image_, true, nullptr};
  lone_kernel machine{memory_};
  mount_or_throw(machine, fs_, device);
  follower steps{machine, fs_, device, tasks_, to.may};
  steps.start(numbering::by_name);
  for (const std::uint32_t number : order) {
    const task_call& c = calls_[number];
    to.answers.push_back(steps.make(c.what, c.of % setup_number, [](bool) {}));
  }
  steps.close_all();
  must(machine.complaint());
  device.kill();
}

}  // namespace xip::crash
