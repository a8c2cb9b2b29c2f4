// lockdep's state, between its files.
#pragma once

#include <memory_resource>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include <xip/locks/lockdep.h>
#include <xip/locks/thread_context.h>
#include <xip/locks/waiter.h>

#include "locks/lock_graph.h"

namespace xip {

struct lockdep::impl {
  impl(std::pmr::memory_resource& memory, reporter r)
      : graph{memory}, seen_chains{&memory}, contended{&memory}, report{std::move(r)} {}

  // Everything below is under the guard; reports are made after it is released.
  mutable tiny_guard guard;
  lock_graph graph;
  std::pmr::unordered_set<std::uint64_t> seen_chains;  // hashes of (held classes, new class) that were found in order
  std::pmr::unordered_map<const lock_class*, std::uint64_t> contended;
  reporter report;

  // Checks taking a lock of CLS by the running thread. What is wrong, if anything.
  [[nodiscard]] std::optional<lockdep_report> check(const lock_class& cls, const void* instance, bool exclusive, lock_subclass subclass);
  void complain(const lockdep_report& r) const;

 private:
  [[nodiscard]] std::optional<lockdep_report> check_recursion(const lock_class& cls, const void* instance, lock_subclass subclass) const;
  [[nodiscard]] std::optional<lockdep_report> check_order(const held_lock& held, node_id id, bool exclusive);
};

// lockdep_report.cc: what people read.
[[nodiscard]] std::string class_name(const lock_class& cls, lock_subclass subclass);
[[nodiscard]] std::string describe_stack(const stack_trace& stack);
[[nodiscard]] std::string first_function(const stack_trace& stack);
[[nodiscard]] std::string describe_held();
[[nodiscard]] lockdep_report inversion_report(const lock_graph& graph, const lock_graph::edge& closing, const std::vector<std::size_t>& way_back);
[[nodiscard]] lockdep_report simple_report(lockdep_problem problem, const std::string& what);

}  // namespace xip
