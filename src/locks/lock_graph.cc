#include "locks/lock_graph.h"

#include <algorithm>
#include <limits>

#include <execinfo.h>

namespace xip {

stack_trace stack_trace::here() noexcept {
  stack_trace s;
  s.depth = ::backtrace(s.frames.data(), static_cast<int>(s.frames.size()));
  return s;
}

node_id lock_graph::node_of(const lock_class& cls, lock_subclass subclass) {
  const auto found = std::ranges::find_if(nodes_, [&](const node& n) { return n.cls == &cls && n.subclass == subclass; });
  if (found != nodes_.end()) return static_cast<node_id>(found - nodes_.begin());
  nodes_.push_back({&cls, subclass});
  outgoing_.emplace_back();
  return static_cast<node_id>(nodes_.size() - 1);
}

std::pair<lock_graph::edge*, bool> lock_graph::connect(node_id from, node_id to, bool from_exclusive, bool to_exclusive) {
  const auto kind = static_cast<std::uint8_t>(1u << (2 * from_exclusive + to_exclusive));
  for (const std::size_t i : outgoing_[from]) {
    if (edges_[i].to != to) continue;
    edges_[i].kinds |= kind;
    return {&edges_[i], false};
  }
  outgoing_[from].push_back(edges_.size());
  edges_.push_back({from, to, kind, stack_trace::here()});
  return {&edges_.back(), true};
}

std::vector<std::size_t> lock_graph::shortest_path(node_id from, node_id to) const {
  constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> reached_by(nodes_.size(), none);
  std::vector<node_id> queue{from};
  for (std::size_t next = 0; next < queue.size(); ++next) {
    for (const std::size_t i : outgoing_[queue[next]]) {
      const node_id target = edges_[i].to;
      if (target == from || reached_by[target] != none) continue;
      reached_by[target] = i;
      if (target == to) {
        std::vector<std::size_t> path;
        for (node_id at = to; at != from; at = edges_[reached_by[at]].from) path.push_back(reached_by[at]);
        std::ranges::reverse(path);
        return path;
      }
      queue.push_back(target);
    }
  }
  return {};
}

}  // namespace xip
