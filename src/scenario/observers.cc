// Lock-free ears for log lines and points.
#include "scenario/observers.h"

#include <algorithm>

namespace xip::scenario {

line_list::~line_list() {
  for (node* n = last_.load(); n != nullptr;) {
    node* before = n->before;
    delete n;
    n = before;
  }
}

void line_list::push(std::string text) {
  node* n = new node{std::move(text), last_.load(std::memory_order_relaxed)};
  while (!last_.compare_exchange_weak(n->before, n, std::memory_order_release, std::memory_order_relaxed)) {
  }
}

std::vector<std::string> line_list::all() const {
  std::vector<std::string> lines;
  for (const node* n = last_.load(std::memory_order_acquire); n != nullptr; n = n->before) lines.push_back(n->text);
  std::ranges::reverse(lines);
  return lines;
}

int point_counter::inject(point p, std::uint64_t, std::uint64_t) noexcept {
  if (failing_.load(std::memory_order_acquire) != static_cast<std::uint16_t>(p)) return 0;
  const std::int64_t pass = passes_.fetch_add(1, std::memory_order_relaxed);
  return pass >= first_.load(std::memory_order_relaxed) && pass < end_.load(std::memory_order_relaxed)
             ? number_.load(std::memory_order_relaxed)
             : 0;
}

void point_counter::set_rule(point p, int number, std::uint32_t skip, std::uint32_t times) noexcept {
  failing_.store(static_cast<std::uint16_t>(point::count), std::memory_order_release);
  number_.store(number, std::memory_order_relaxed);
  passes_.store(0, std::memory_order_relaxed);
  first_.store(skip, std::memory_order_relaxed);
  end_.store(std::int64_t{skip} + times, std::memory_order_relaxed);
  failing_.store(static_cast<std::uint16_t>(p), std::memory_order_release);
}

}  // namespace xip::scenario
