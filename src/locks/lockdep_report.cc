// What lockdep tells people, and the list of edges that tools read.
#include <xip/locks/lockdep.h>

#include <algorithm>
#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

#include "locks/lockdep_impl.h"

namespace xip {
namespace {

// The innermost of the functions FIRST to LAST that is not a lock's own. In front of the locks there may be what took the stack.
template <class Iterator>
Iterator outside_locks(Iterator first, Iterator last) {
  const auto machinery = std::find_if(first, last, is_lock_machinery);
  return std::find_if_not(machinery == last ? first : machinery, last, is_lock_machinery);
}

// Names of the functions of STACK, who took the lock first.
std::vector<std::string> callers(const stack_trace& stack) {
  std::vector<std::string> names = function_names(stack.addresses());
  names.erase(names.begin(), outside_locks(names.begin(), names.end()));
  return names;
}

std::string list(const std::vector<std::string>& functions) {
  std::string text;
  for (const std::string& function : functions)
    if (function != "?") text += "      " + function + "\n";
  return text.empty() ? "      (no symbols)\n" : text;
}

const char* how(bool exclusive) { return exclusive ? "exclusive" : "shared"; }

}  // namespace

std::string lockdep::impl::describe_held(const thread_context& me) {
  if (muted) return {};
  if (me.held_count == 0) return "  nothing\n";
  std::string text;
  for (std::uint32_t i = 0; i < me.held_count; ++i) {
    const held_lock& h = me.held[i];
    stack_trace stack;
    {
      const raw_spin_guard guard{spin};
      stack = graph.stack(h.stack);
    }
    const auto functions = callers(stack);
    text +=
        "  " + graph.name_of(h.class_id) + " (" + how(h.exclusive) + "), taken in " + (functions.empty() ? "?" : functions.front()) + "\n";
  }
  return text;
}

// CYCLE ends with the edge that closes it, which is happening now; the others were seen before.
std::string lockdep::impl::describe_cycle(const std::vector<lock_graph::edge>& cycle) {
  if (muted) return {};
  std::string text = "  " + graph.name_of(cycle.front().before);
  for (const auto& e : cycle) text += " -> " + graph.name_of(e.after);
  text += "\n";
  for (const auto& e : cycle) {
    stack_trace before, after;
    {
      const raw_spin_guard guard{spin};
      before = graph.stack(e.before_stack);
      after = graph.stack(e.after_stack);
    }
    text += graph.name_of(e.before) + " -> " + graph.name_of(e.after) + (&e == &cycle.back() ? ", now:\n" : ", seen before:\n");
    text += "    " + graph.name_of(e.before) + " (" + how(e.before_exclusive) + ") taken in\n" + list(callers(before));
    text += "    then " + graph.name_of(e.after) + " (" + how(e.after_exclusive) + ") in\n" + list(callers(after));
  }
  return text;
}

std::vector<lock_edge> lockdep::impl::edges() {
  std::vector<lock_graph::edge> seen;
  std::vector<stack_trace> stacks;
  {
    const raw_spin_guard guard{spin};
    seen.assign(graph.edges().begin(), graph.edges().end());
    for (const auto& e : seen) stacks.push_back(graph.stack(e.after_stack));
  }
  std::vector<void*> addresses;  // of all stacks, since names are looked up together
  for (const auto& stack : stacks) addresses.insert(addresses.end(), stack.addresses().begin(), stack.addresses().end());
  const std::vector<std::string> names = function_names(addresses);
  std::vector<lock_edge> all;
  auto first = names.begin();
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const auto last = first + stacks[i].depth;
    const auto outside = outside_locks(first, last);
    all.push_back({graph.name_of(seen[i].before), graph.name_of(seen[i].after), seen[i].before_exclusive, seen[i].after_exclusive,
                   outside == last ? "?" : *outside});
    first = last;
  }
  return all;
}

// One write, so that the lines of processes that end together do not mix.
void lockdep::impl::append_edges_to(const char* path) {
  std::string lines;
  for (const lock_edge& e : edges())
    lines += e.before + " " + e.after + (e.before_exclusive ? " x" : " s") + (e.after_exclusive ? " x " : " s ") + e.function + "\n";
  if (lines.empty()) return;
  const int fd = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0 || ::write(fd, lines.data(), lines.size()) != static_cast<ssize_t>(lines.size())) std::perror(path);
  if (fd >= 0) ::close(fd);
}

}  // namespace xip
