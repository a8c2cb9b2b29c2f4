// lockdep's insides: lockdep.cc checks, lockdep_report.cc tells people.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <string>
#include <vector>

#include <xip/base/annotations.h>
#include <xip/locks/lockdep.h>
#include <xip/locks/raw_spin.h>
#include <xip/locks/thread_context.h>

#include "locks/chain_cache.h"
#include "locks/lock_graph.h"

namespace xip {

struct lockdep::impl {
  impl(std::pmr::memory_resource& memory, reporter r) : report{std::move(r)}, graph{memory} {}

  // Judges that ME takes CLS now; true: nothing is wrong with it. STACK becomes the number of a stack that took it like this.
  bool judge(thread_context& me, const lock_class& cls, lock_node taken, const void* instance, request how, lock_graph::stack_id& stack);
  // The number of (CLS, SUBCLASS), given at its first use; reports when there is no room.
  [[nodiscard]] std::optional<lock_node> number(thread_context& me, const lock_class& cls, lock_subclass subclass) {
    const auto known = graph.find(cls, subclass);
    return known ? known : new_number(me, cls, subclass);
  }
  // Hands PROBLEM to the reporter, with no lock of ours held and ME unchecked meanwhile: the reporter may take locks.
  void complain(thread_context& me, lockdep_problem problem, std::string text);

  // lockdep_report.cc: what people read. None of them is called under spin.
  [[nodiscard]] std::string describe_held(const thread_context& me);
  [[nodiscard]] std::string describe_cycle(const std::vector<lock_graph::edge>& cycle);
  void append_edges_to(const char* path);
  [[nodiscard]] std::vector<lock_edge> edges();

  const reporter report;
  bool muted = false;
  raw_spin spin;
  lock_graph graph;    // changed under spin
  chain_cache chains;  // changed under spin
  std::array<std::atomic<std::uint64_t>, max_lock_nodes> contended{};

 private:
  [[nodiscard]] std::optional<lock_node> new_number(thread_context& me, const lock_class& cls, lock_subclass subclass);
  [[nodiscard]] bool nests_properly(thread_context& me, const lock_class& cls, const void* instance, request how);
  [[nodiscard]] bool may_block_here(thread_context& me, const lock_class& cls);
  [[nodiscard]] bool extend_order(thread_context& me, lock_node taken, request how, std::uint64_t key, lock_graph::stack_id& stack);
  [[nodiscard]] std::vector<lock_graph::edge> add_edges(const thread_context& me, lock_node taken, bool exclusive,
                                                        lock_graph::stack_id stack) XIP_REQUIRES(spin);
};

}  // namespace xip
