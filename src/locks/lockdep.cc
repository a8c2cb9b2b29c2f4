#include <xip/locks/lockdep.h>

#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

#include <xip/locks/lockdep_hooks.h>

#include "locks/lockdep_impl.h"

namespace xip {
namespace {

class guard_scope {
 public:
  explicit guard_scope(tiny_guard& g) noexcept : guard_{g} { guard_.lock(); }
  ~guard_scope() { guard_.unlock(); }
  guard_scope(const guard_scope&) = delete;
  guard_scope& operator=(const guard_scope&) = delete;

 private:
  tiny_guard& guard_;
};

void print_and_abort(const lockdep_report& r) {
  std::fputs(r.text.c_str(), stderr);
  std::abort();
}

// FNV-1a over the classes held and the one to be taken, each with how.
std::uint64_t chain_hash(const thread_context& c, node_id id, bool exclusive) noexcept {
  std::uint64_t h = 0xcbf29ce484222325;
  const auto mix = [&](std::uint64_t v) { h = (h ^ v) * 0x100000001b3; };
  for (std::uint32_t i = 0; i < c.held_count; ++i) mix(c.held[i].class_id * 2u + (c.held[i].exclusive ? 1 : 0));
  mix(id * 2u + (exclusive ? 1 : 0));
  return h;
}

// The lock of INSTANCE that was taken last; null: not held.
held_lock* find_held(thread_context& c, const lock_class& cls, const void* instance) noexcept {
  for (std::uint32_t i = c.held_count; i-- != 0;)
    if (c.held[i].instance == instance && c.held[i].cls == &cls) return &c.held[i];
  return nullptr;
}

const held_lock* find_spinning(const thread_context& c) noexcept {
  for (std::uint32_t i = 0; i < c.held_count; ++i)
    if (c.held[i].cls->kind == lock_kind::spinning) return &c.held[i];
  return nullptr;
}

}  // namespace

std::optional<lockdep_report> lockdep::impl::check_recursion(const lock_class& cls, const void* instance, lock_subclass subclass) const {
  const thread_context& c = current();
  for (std::uint32_t i = 0; i < c.held_count; ++i) {
    const held_lock& h = c.held[i];
    if (h.cls != &cls) continue;
    const bool same_instance = instance != nullptr && h.instance == instance;
    if (same_instance || (h.subclass == subclass && !cls.nests))
      return simple_report(lockdep_problem::recursion, class_name(cls, subclass) + " taken while one is held");
  }
  return std::nullopt;
}

std::optional<lockdep_report> lockdep::impl::check_order(const held_lock& held, node_id id, bool exclusive) {
  if (held.class_id == id) return std::nullopt;  // a class that nests
  const auto [edge, is_new] = graph.connect(held.class_id, id, held.exclusive, exclusive);
  if (!is_new) return std::nullopt;
  const auto way_back = graph.shortest_path(id, held.class_id);
  if (way_back.empty()) return std::nullopt;
  return inversion_report(graph, *edge, way_back);
}

std::optional<lockdep_report> lockdep::impl::check(const lock_class& cls, const void* instance, bool exclusive, lock_subclass subclass) {
  const thread_context& c = current();
  if (cls.kind == lock_kind::sleeping)
    if (const held_lock* spinning = find_spinning(c); spinning != nullptr)
      return simple_report(lockdep_problem::blocked_spinning, std::string{cls.name} + " may sleep, and spin_lock " + spinning->cls->name + " is held");
  if (auto recursion = check_recursion(cls, instance, subclass)) return recursion;
  const guard_scope scope{guard};
  const node_id id = graph.node_of(cls, subclass);
  if (c.held_count == 0 || !seen_chains.insert(chain_hash(c, id, exclusive)).second) return std::nullopt;
  std::optional<lockdep_report> first;
  for (std::uint32_t i = 0; i < c.held_count; ++i)
    if (auto wrong = check_order(c.held[i], id, exclusive); wrong && !first) first = std::move(wrong);
  return first;
}

void lockdep::impl::complain(const lockdep_report& r) const { report ? report(r) : print_and_abort(r); }

lockdep::lockdep(std::pmr::memory_resource& memory, reporter report) : memory_{memory} {
  impl_ = std::pmr::polymorphic_allocator<>{&memory_}.new_object<impl>(memory, std::move(report));
}

lockdep::~lockdep() {
  if (const char* path = std::getenv("XIP_LOCKDEP_EDGES"); path != nullptr && lockdep_compiled_in) {
    std::string lines;
    for (const lock_edge& e : edges())
      lines += e.before + " " + e.after + " " + (e.before_exclusive ? "x " : "s ") + (e.after_exclusive ? "x " : "s ") + e.function + "\n";
    const int fd = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd >= 0) {
      if (::write(fd, lines.data(), lines.size()) < 0) std::perror(path);
      ::close(fd);
    }
  }
  std::pmr::polymorphic_allocator<>{&memory_}.delete_object(impl_);
}

std::vector<lock_edge> lockdep::edges() const {
  const guard_scope scope{impl_->guard};
  std::vector<lock_edge> all;
  for (const auto& e : impl_->graph.edges()) {
    const auto name = [&](node_id id) { return class_name(*impl_->graph.at(id).cls, impl_->graph.at(id).subclass); };
    for (unsigned kind = 0; kind < 4; ++kind)
      if ((e.kinds >> kind & 1) != 0) all.push_back({name(e.from), name(e.to), (kind & 2) != 0, (kind & 1) != 0, first_function(e.first)});
  }
  return all;
}

std::uint64_t lockdep::contentions(const std::string& name) const {
  const guard_scope scope{impl_->guard};
  std::uint64_t sum = 0;
  for (const auto& [cls, count] : impl_->contended)
    if (name.empty() || name == cls->name) sum += count;
  return sum;
}

void lockdep::assert_none_held() noexcept {
  thread_context& c = current();
  if (!lockdep_compiled_in || c.held_count == 0) return;
  impl_->complain(simple_report(lockdep_problem::held_at_return, "a system call returns with locks held"));
  c.held_count = 0;
}

void lockdep_before_acquire(const lock_class& cls, const void* instance, bool exclusive, lock_subclass subclass) noexcept {
  lockdep* deps = current().deps;
  if (deps == nullptr) return;
  if (const auto wrong = deps->internals().check(cls, instance, exclusive, subclass)) deps->internals().complain(*wrong);
}

void lockdep_acquired(const lock_class& cls, const void* instance, bool exclusive, lock_subclass subclass, bool) noexcept {
  thread_context& c = current();
  if (c.deps == nullptr) return;
  if (c.held_count == max_held_locks) return c.deps->internals().complain(simple_report(lockdep_problem::too_many, "more locks held than there is room for"));
  node_id id = 0;
  {
    const guard_scope scope{c.deps->internals().guard};
    id = c.deps->internals().graph.node_of(cls, subclass);
  }
  c.held[c.held_count++] = {instance, &cls, id, subclass, exclusive};
}

void lockdep_released(const lock_class& cls, const void* instance, bool) noexcept {
  thread_context& c = current();
  if (c.deps == nullptr) return;
  held_lock* h = find_held(c, cls, instance);
  if (h == nullptr) return c.deps->internals().complain(simple_report(lockdep_problem::not_held, std::string{cls.name} + " released, and not held"));
  const auto at = static_cast<std::uint32_t>(h - c.held.data());
  for (std::uint32_t i = at; i + 1 < c.held_count; ++i) c.held[i] = c.held[i + 1];
  --c.held_count;
}

void lockdep_downgraded(const lock_class& cls, const void* instance) noexcept {
  thread_context& c = current();
  if (c.deps == nullptr) return;
  held_lock* h = find_held(c, cls, instance);
  if (h == nullptr || !h->exclusive)
    return c.deps->internals().complain(simple_report(lockdep_problem::not_held, std::string{cls.name} + " downgraded, and not held exclusive"));
  h->exclusive = false;
}

void lockdep_contended(const lock_class& cls) noexcept {
  lockdep* deps = current().deps;
  if (deps == nullptr) return;
  const guard_scope scope{deps->internals().guard};
  ++deps->internals().contended[&cls];
}

void lockdep_assert_held(const lock_class& cls, const void* instance, bool exclusive) noexcept {
  thread_context& c = current();
  if (c.deps == nullptr) return;
  const held_lock* h = find_held(c, cls, instance);
  if (h != nullptr && (h->exclusive || !exclusive)) return;
  c.deps->internals().complain(
      simple_report(lockdep_problem::not_held, std::string{cls.name} + (exclusive ? " must be held exclusive here" : " must be held here")));
}

bool lockdep_is_held(const lock_class& cls, const void* instance) noexcept {
  thread_context& c = current();
  return c.deps == nullptr || find_held(c, cls, instance) != nullptr;
}

void lockdep_might_sleep() noexcept {
  const thread_context& c = current();
  if (c.deps == nullptr) return;
  if (const held_lock* spinning = find_spinning(c); spinning != nullptr)
    c.deps->internals().complain(simple_report(lockdep_problem::blocked_spinning, std::string{"sleeping, and spin_lock "} + spinning->cls->name + " is held"));
}

}  // namespace xip
