// The order of lock classes as a graph: an edge from BEFORE to AFTER says that AFTER was taken while BEFORE was held.
// Not synchronised, but for find(): lockdep's spin guards it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <string>
#include <vector>

#include <xip/locks/lock_class.h>

#include "locks/stack_trace.h"

namespace xip {

// A class, or one of its subclasses: numbered in the order of first use, so that the same run numbers them the same.
using lock_node = std::uint16_t;

inline constexpr std::size_t max_lock_nodes = 512;

class lock_graph {
 public:
  using stack_id = std::uint16_t;
  struct edge {
    lock_node before, after;
    bool before_exclusive, after_exclusive;
    stack_id before_stack, after_stack;
    std::uint32_t next;  // the edge made before this one from the same class; none
  };
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  explicit lock_graph(std::pmr::memory_resource& memory);

  // Without a lock: what others add meanwhile may or may not be found.
  [[nodiscard]] std::optional<lock_node> find(const lock_class& cls, lock_subclass subclass) const noexcept {
    for (std::size_t slot = slot_of(cls, subclass);; slot = (slot + 1) % slots) {
      const std::uint16_t number = table_[slot].load(std::memory_order_acquire);
      if (number == 0) return std::nullopt;
      const auto n = static_cast<lock_node>(number - 1);
      if (nodes_[n].cls == &cls && nodes_[n].subclass == subclass) return n;
    }
  }
  // Nothing when there is no room for more.
  [[nodiscard]] std::optional<lock_node> find_or_add(const lock_class& cls, lock_subclass subclass) noexcept;
  [[nodiscard]] std::size_t node_count() const noexcept { return node_count_.load(std::memory_order_acquire); }
  [[nodiscard]] const lock_class& class_of(lock_node n) const noexcept { return *nodes_[n].cls; }
  // "i_rwsem", "i_rwsem/1"
  [[nodiscard]] std::string name_of(lock_node n) const;

  [[nodiscard]] bool has_edge(lock_node before, lock_node after) const noexcept;
  [[nodiscard]] bool has_edge(lock_node before, lock_node after, bool before_exclusive, bool after_exclusive) const noexcept;
  void add_edge(edge made);
  [[nodiscard]] const std::pmr::vector<edge>& edges() const noexcept { return edges_; }
  // The edges of a shortest way; empty if there is none, or if FROM is TO.
  [[nodiscard]] std::vector<edge> shortest_path(lock_node from, lock_node to) const;

  // 0, the empty stack, when there are too many.
  [[nodiscard]] stack_id add_stack(const stack_trace& stack);
  [[nodiscard]] const stack_trace& stack(stack_id id) const noexcept { return stacks_[id]; }

 private:
  struct node {
    const lock_class* cls = nullptr;
    lock_subclass subclass = 0;
    std::uint32_t first_edge = none;
  };
  static constexpr std::size_t slots = 2 * max_lock_nodes;  // a power of two
  [[nodiscard]] static std::size_t slot_of(const lock_class& cls, lock_subclass subclass) noexcept {
    const auto mixed = (static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&cls)) + subclass) * 0x9e3779b97f4a7c15u;
    return static_cast<std::size_t>(mixed >> 32) % slots;
  }

  std::array<node, max_lock_nodes> nodes_{};
  std::atomic<std::size_t> node_count_{0};
  // Open addressing by the class's address, only ever to look up: nothing is ordered by it. Zero: free; else the node's number plus one.
  std::array<std::atomic<std::uint16_t>, slots> table_{};
  std::pmr::vector<edge> edges_;
  std::pmr::vector<stack_trace> stacks_;
};

}  // namespace xip
