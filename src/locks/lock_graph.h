// The graph of lock classes: which was taken while which was held, and where that was first seen. Not synchronised, knows no threads.
#pragma once

#include <array>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <unordered_map>
#include <vector>

#include <xip/locks/lock_class.h>

namespace xip {

using node_id = std::uint16_t;

struct stack_trace {
  std::array<void*, 24> frames{};
  int depth = 0;
  // Of the caller, our own machinery left out when it is printed.
  [[nodiscard]] static stack_trace here() noexcept;
};

class lock_graph {
 public:
  struct node {
    const lock_class* cls;
    lock_subclass subclass;
  };
  // FROM was held when TO was taken. KINDS has bit (2 * from_exclusive + to_exclusive) for every way it was seen.
  struct edge {
    node_id from, to;
    std::uint8_t kinds;
    stack_trace first;
  };

  explicit lock_graph(std::pmr::memory_resource& memory) : nodes_{&memory}, edges_{&memory}, outgoing_{&memory} {}

  [[nodiscard]] node_id node_of(const lock_class& cls, lock_subclass subclass);
  [[nodiscard]] const node& at(node_id id) const noexcept { return nodes_[id]; }
  // The edge, made if it is new (second: true).
  std::pair<edge*, bool> connect(node_id from, node_id to, bool from_exclusive, bool to_exclusive);
  // The shortest way from FROM to TO as indices of edges; empty if there is none.
  [[nodiscard]] std::vector<std::size_t> shortest_path(node_id from, node_id to) const;
  [[nodiscard]] const std::pmr::vector<edge>& edges() const noexcept { return edges_; }

 private:
  std::pmr::vector<node> nodes_;
  std::pmr::vector<edge> edges_;
  std::pmr::vector<std::pmr::vector<std::size_t>> outgoing_;  // by node: indices of edges
};

}  // namespace xip
