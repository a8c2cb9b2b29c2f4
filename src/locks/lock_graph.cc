#include "locks/lock_graph.h"

#include <algorithm>

namespace xip {

namespace {

// Far more than there are orders to see; when they run out, chains go without.
constexpr std::size_t max_stacks = 8192;

}  // namespace

lock_graph::lock_graph(std::pmr::memory_resource& memory) : edges_{&memory}, stacks_{&memory} {
  stacks_.emplace_back();  // number 0: nobody knows
}

std::optional<lock_node> lock_graph::find_or_add(const lock_class& cls, lock_subclass subclass) noexcept {
  if (const auto found = find(cls, subclass)) return found;
  const std::size_t count = node_count_.load(std::memory_order_relaxed);
  if (count == max_lock_nodes) return std::nullopt;
  const auto n = static_cast<lock_node>(count);
  nodes_[n].cls = &cls;
  nodes_[n].subclass = subclass;
  node_count_.store(count + 1, std::memory_order_release);
  std::size_t slot = slot_of(cls, subclass);
  while (table_[slot].load(std::memory_order_relaxed) != 0) slot = (slot + 1) % slots;
  table_[slot].store(static_cast<std::uint16_t>(n + 1), std::memory_order_release);
  return n;
}

std::string lock_graph::name_of(lock_node n) const {
  std::string name = nodes_[n].cls->name;
  if (nodes_[n].subclass != subclass_normal) name += "/" + std::to_string(nodes_[n].subclass);
  return name;
}

bool lock_graph::has_edge(lock_node before, lock_node after) const noexcept {
  for (std::uint32_t i = nodes_[before].first_edge; i != none; i = edges_[i].next)
    if (edges_[i].after == after) return true;
  return false;
}

bool lock_graph::has_edge(lock_node before, lock_node after, bool before_exclusive, bool after_exclusive) const noexcept {
  for (std::uint32_t i = nodes_[before].first_edge; i != none; i = edges_[i].next) {
    const edge& e = edges_[i];
    if (e.after == after && e.before_exclusive == before_exclusive && e.after_exclusive == after_exclusive) return true;
  }
  return false;
}

void lock_graph::add_edge(edge made) {
  made.next = nodes_[made.before].first_edge;
  edges_.push_back(made);
  nodes_[made.before].first_edge = static_cast<std::uint32_t>(edges_.size() - 1);
}

// Breadth first, so that the first way found is a shortest one.
std::vector<lock_graph::edge> lock_graph::shortest_path(lock_node from, lock_node to) const {
  if (from == to) return {};
  std::vector<std::uint32_t> reached_by(node_count(), none);
  std::vector<lock_node> queue{from};
  for (std::size_t head = 0; head < queue.size() && reached_by[to] == none; ++head) {
    for (std::uint32_t i = nodes_[queue[head]].first_edge; i != none; i = edges_[i].next) {
      const lock_node next = edges_[i].after;
      if (next == from || reached_by[next] != none) continue;
      reached_by[next] = i;
      queue.push_back(next);
    }
  }
  std::vector<edge> path;
  if (reached_by[to] == none) return path;
  for (lock_node at = to; at != from; at = path.back().before) path.push_back(edges_[reached_by[at]]);
  std::ranges::reverse(path);
  return path;
}

lock_graph::stack_id lock_graph::add_stack(const stack_trace& stack) {
  if (stacks_.size() == max_stacks) return 0;
  stacks_.push_back(stack);
  return static_cast<stack_id>(stacks_.size() - 1);
}

}  // namespace xip
