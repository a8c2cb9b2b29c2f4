#include <cstdlib>
#include <memory>

#include <cxxabi.h>
#include <dlfcn.h>

#include "locks/lockdep_impl.h"

namespace xip {
namespace {

std::string function_at(void* address) {
  Dl_info info{};
  if (::dladdr(address, &info) == 0 || info.dli_sname == nullptr) return {};
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name{abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &status), std::free};
  std::string text = status == 0 ? name.get() : info.dli_sname;
  return text.substr(0, text.find('('));
}

// Frames of the locks themselves say nothing to the reader.
bool is_machinery(const std::string& function) {
  for (const char* part : {"xip::lockdep", "xip::lock_graph", "xip::lock_core", "xip::spin_core", "xip::stack_trace", "xip::mutex<", "xip::rw_semaphore<",
                           "xip::spin_lock<", "_guard<", "xip::pseudo_", "xip::might_wait_for"})
    if (function.find(part) != std::string::npos) return true;
  return false;
}

}  // namespace

std::string class_name(const lock_class& cls, lock_subclass subclass) {
  return subclass == subclass_normal ? cls.name : std::string{cls.name} + "/" + std::to_string(subclass);
}

std::string describe_stack(const stack_trace& stack) {
  std::string text;
  for (int i = 0; i < stack.depth; ++i) {
    const std::string function = function_at(stack.frames[static_cast<std::size_t>(i)]);
    if (!function.empty() && !is_machinery(function)) text += "      " + function + "\n";
  }
  return text.empty() ? "      (no function names: link with exported symbols)\n" : text;
}

std::string first_function(const stack_trace& stack) {
  for (int i = 0; i < stack.depth; ++i) {
    std::string function = function_at(stack.frames[static_cast<std::size_t>(i)]);
    if (!function.empty() && !is_machinery(function)) return function;
  }
  return "?";
}

std::string describe_held() {
  const thread_context& c = current();
  std::string text = "  " + std::string{c.name} + " holds:";
  if (c.held_count == 0) text += " nothing";
  for (std::uint32_t i = 0; i < c.held_count; ++i) {
    const held_lock& h = c.held[i];
    text += (i == 0 ? " " : " -> ") + class_name(*h.cls, h.subclass) + (h.exclusive ? "(exclusive)" : "(shared)");
  }
  return text + "\n";
}

lockdep_report inversion_report(const lock_graph& graph, const lock_graph::edge& closing, const std::vector<std::size_t>& way_back) {
  const auto name = [&](node_id id) { return class_name(*graph.at(id).cls, graph.at(id).subclass); };
  std::string text = "lockdep: order inverted: " + name(closing.from) + " -> " + name(closing.to);
  for (const std::size_t i : way_back) text += " -> " + name(graph.edges()[i].to);
  text += "\n" + describe_held();
  const auto tell = [&](const lock_graph::edge& e) {
    text += "  " + name(e.from) + " -> " + name(e.to) + ", first seen in:\n" + describe_stack(e.first);
  };
  tell(closing);
  for (const std::size_t i : way_back) tell(graph.edges()[i]);
  return {lockdep_problem::inversion, std::move(text)};
}

lockdep_report simple_report(lockdep_problem problem, const std::string& what) {
  return {problem, "lockdep: " + what + "\n" + describe_held() + "  at:\n" + describe_stack(stack_trace::here())};
}

}  // namespace xip
