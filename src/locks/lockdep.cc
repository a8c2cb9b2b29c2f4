// What is checked when a lock is taken, given back or asserted.
//
// Order: while A is held, taking B by a call that can wait adds the edge A -> B. If B already leads to A, some schedule deadlocks, whether
// or not this one does. Shared counts like exclusive, since a writer in between makes readers wait for each other. A try-lock cannot wait:
// nothing leads to it, but what is taken while it is held comes after it.
// Cost: a chain of classes that was in order once is found in the cache, without a lock; only new chains look at the graph.
#include <xip/locks/lockdep.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <utility>

#include "locks/lockdep_impl.h"

namespace xip {
namespace {

held_lock* find_held(thread_context& me, const lock_class& cls, const void* instance) noexcept {
  for (std::uint32_t i = me.held_count; i-- > 0;)
    if (me.held[i].instance == instance && me.held[i].cls == &cls) return &me.held[i];
  return nullptr;
}

const held_lock* find_spinning(const thread_context& me, const void* except) noexcept {
  for (std::uint32_t i = 0; i < me.held_count; ++i)
    if (me.held[i].cls->kind == lock_kind::spinning && me.held[i].instance != except) return &me.held[i];
  return nullptr;
}

void print_and_abort(const lockdep_report& report) {
  std::fprintf(stderr, "%s", report.text.c_str());
  std::abort();
}

}  // namespace

void lockdep::impl::complain(thread_context& me, lockdep_problem problem, std::string text) {
  if (muted) return;
  lockdep* const deps = std::exchange(me.deps, nullptr);
  const lockdep_report made{problem, "lockdep: thread " + std::string{me.name} + " " + std::move(text)};
  if (report)
    report(made);
  else
    print_and_abort(made);
  me.deps = deps;
}

std::optional<lock_node> lockdep::impl::new_number(thread_context& me, const lock_class& cls, lock_subclass subclass) {
  std::optional<lock_node> n;
  {
    const raw_spin_guard guard{spin};
    n = graph.find_or_add(cls, subclass);
  }
  if (!n) complain(me, lockdep_problem::too_many, "takes " + std::string{cls.name} + ", one lock class more than there is room for\n");
  return n;
}

// Within one class: an instance never twice; two instances only in subclasses of their own or in a class that nests, there ascending.
bool lockdep::impl::nests_properly(thread_context& me, const lock_class& cls, const void* instance, request how) {
  for (std::uint32_t i = 0; i < me.held_count; ++i) {
    const held_lock& h = me.held[i];
    if (h.cls != &cls) continue;
    const bool again = instance != nullptr && h.instance == instance;
    if (again || (!cls.nests && h.subclass == how.subclass)) {
      const char* const which =
          again ? " again, the same one, and holds\n" : " and holds another of its class, with no order between them:\n";
      complain(me, lockdep_problem::recursion, "takes " + std::string{cls.name} + which + describe_held(me));
      return false;
    }
    if (cls.nests && h.subclass > how.subclass) {
      complain(me, lockdep_problem::inversion,
               "takes " + std::string{cls.name} + " of subclass " + std::to_string(how.subclass) +
                   " within a higher one, and they ascend:\n" + describe_held(me));
      return false;
    }
  }
  return true;
}

bool lockdep::impl::may_block_here(thread_context& me, const lock_class& cls) {
  if (cls.kind == lock_kind::spinning) return true;
  const held_lock* const spinning = find_spinning(me, nullptr);
  if (spinning == nullptr) return true;
  complain(me, lockdep_problem::blocked_spinning,
           "may sleep on " + std::string{cls.name} + " under spin_lock " + spinning->cls->name + ", and holds\n" + describe_held(me));
  return false;
}

// The edges that the new chain adds. Not empty: the cycle that the first wrong one closes, itself last; that one is not added, so that the
// graph stays without cycles and the same mistake is found again.
std::vector<lock_graph::edge> lockdep::impl::add_edges(const thread_context& me, lock_node taken, bool exclusive,
                                                       lock_graph::stack_id stack) {
  for (std::uint32_t i = 0; i < me.held_count; ++i) {
    const held_lock& h = me.held[i];
    if (graph.has_edge(h.class_id, taken, h.exclusive, exclusive)) continue;
    const lock_graph::edge made{h.class_id, taken, h.exclusive, exclusive, h.stack, stack, lock_graph::none};
    if (!graph.has_edge(h.class_id, taken)) {
      std::vector<lock_graph::edge> cycle = graph.shortest_path(taken, h.class_id);
      if (!cycle.empty()) {
        cycle.push_back(made);
        return cycle;
      }
    }
    graph.add_edge(made);
  }
  return {};
}

bool lockdep::impl::extend_order(thread_context& me, lock_node taken, request how, std::uint64_t key, lock_graph::stack_id& stack) {
  const stack_trace here = stack_trace::here();
  std::vector<lock_graph::edge> cycle;
  {
    const raw_spin_guard guard{spin};
    stack = graph.add_stack(here);
    if (!how.is_try) cycle = add_edges(me, taken, how.exclusive, stack);
    if (cycle.empty()) chains.add(key, stack);
  }
  if (cycle.empty()) return true;
  complain(me, lockdep_problem::inversion,
           "takes " + graph.name_of(taken) + ", and that closes a cycle\n" + describe_cycle(cycle) + "It holds\n" + describe_held(me));
  return false;
}

bool lockdep::impl::judge(thread_context& me, const lock_class& cls, lock_node taken, const void* instance, request how,
                          lock_graph::stack_id& stack) {
  if (!how.is_try && me.held_count != 0 && (!nests_properly(me, cls, instance, how) || !may_block_here(me, cls))) return false;
  const std::uint64_t key = chain_key{me}.with(taken, (how.exclusive ? 1u : 0u) | (how.is_try ? 2u : 0u));
  if (const auto known = chains.find(key)) {
    stack = *known;
    return true;
  }
  return extend_order(me, taken, how, key, stack);
}

lockdep::lockdep(std::pmr::memory_resource& memory, reporter report) : memory_{memory}, impl_{nullptr} {
  if constexpr (lockdep_compiled_in) impl_ = std::pmr::polymorphic_allocator<>{&memory_}.new_object<impl>(memory, std::move(report));
}

lockdep::~lockdep() {
  if (impl_ == nullptr) return;
  if (const char* path = std::getenv("XIP_LOCKDEP_EDGES"); path != nullptr && *path != '\0') impl_->append_edges_to(path);
  std::pmr::polymorphic_allocator<>{&memory_}.delete_object(impl_);
}

void lockdep::mute() noexcept {
  if (impl_ != nullptr) impl_->muted = true;
}

void lockdep::acquire(thread_context& me, const lock_class& cls, const void* instance, request how) noexcept {
  if (impl_ == nullptr) return;
  try {
    const auto taken = impl_->number(me, cls, how.subclass);
    if (!taken) return;
    lock_graph::stack_id stack = 0;
    (void)impl_->judge(me, cls, *taken, instance, how, stack);
    if (me.held_count == max_held_locks)
      return impl_->complain(me, lockdep_problem::too_many, "holds more locks than there is room for:\n" + impl_->describe_held(me));
    me.held[me.held_count++] = {instance, &cls, *taken, how.subclass, how.exclusive, stack};
  } catch (const std::bad_alloc&) {
    impl_->complain(me, lockdep_problem::too_many, "takes a lock, and lockdep has no memory left\n");
  }
}

bool lockdep::release(thread_context& me, const lock_class& cls, const void* instance) noexcept {
  if (impl_ == nullptr) return true;
  held_lock* const h = find_held(me, cls, instance);
  if (h == nullptr) {
    impl_->complain(me, lockdep_problem::not_held,
                    "gives back " + std::string{cls.name} + ", which it does not hold. It holds\n" + impl_->describe_held(me));
    return false;
  }
  held_lock* const end = me.held.data() + me.held_count--;
  for (held_lock* at = h; at + 1 != end; ++at) *at = at[1];
  return true;
}

void lockdep::downgrade(thread_context& me, const lock_class& cls, const void* instance) noexcept {
  if (impl_ == nullptr) return;
  held_lock* const h = find_held(me, cls, instance);
  if (h != nullptr && h->exclusive)
    h->exclusive = false;
  else
    impl_->complain(me, lockdep_problem::not_held,
                    "downgrades " + std::string{cls.name} + ", which it does not hold exclusive. It holds\n" + impl_->describe_held(me));
}

void lockdep::assert_held(thread_context& me, const lock_class& cls, const void* instance, bool exclusive) noexcept {
  if (impl_ == nullptr) return;
  const held_lock* const h = find_held(me, cls, instance);
  if (h != nullptr && (h->exclusive || !exclusive)) return;
  impl_->complain(
      me, lockdep_problem::not_held,
      "must hold " + std::string{cls.name} + (exclusive ? " exclusive" : "") + " here and does not. It holds\n" + impl_->describe_held(me));
}

bool lockdep::holds(const thread_context& me, const lock_class& cls, const void* instance) const noexcept {
  return find_held(const_cast<thread_context&>(me), cls, instance) != nullptr;
}

void lockdep::might_wait_for(thread_context& me, const lock_class& cls) noexcept {
  if (impl_ == nullptr) return;
  try {
    const auto taken = impl_->number(me, cls, subclass_normal);
    lock_graph::stack_id stack = 0;
    if (taken) (void)impl_->judge(me, cls, *taken, nullptr, {}, stack);
  } catch (const std::bad_alloc&) {
    impl_->complain(me, lockdep_problem::too_many, "may wait, and lockdep has no memory left\n");
  }
}

lock_subclass lockdep::might_wait(thread_context& me, const void* dropped) noexcept {
  if (impl_ == nullptr || me.held_count == 0) return subclass_normal;
  if (const held_lock* spinning = find_spinning(me, dropped); spinning != nullptr)
    impl_->complain(me, lockdep_problem::blocked_spinning,
                    "may sleep under spin_lock " + std::string{spinning->cls->name} + ", and holds\n" + impl_->describe_held(me));
  for (std::uint32_t i = 0; i < me.held_count; ++i)
    if (me.held[i].instance == dropped) return me.held[i].subclass;
  return subclass_normal;
}

void lockdep::count_contention(const lock_class& cls) noexcept {
  if (impl_ == nullptr) return;
  std::optional<lock_node> n = impl_->graph.find(cls, subclass_normal);
  if (!n) {
    const raw_spin_guard guard{impl_->spin};
    n = impl_->graph.find_or_add(cls, subclass_normal);
  }
  if (n) impl_->contended[*n].fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t lockdep::contentions(const std::string& name) const {
  if (impl_ == nullptr) return 0;
  std::uint64_t sum = 0;
  const std::size_t count = impl_->graph.node_count();
  for (std::size_t n = 0; n < count; ++n) {
    const lock_class& cls = impl_->graph.class_of(static_cast<lock_node>(n));
    if (name.empty() ? cls.kind != lock_kind::spinning : name == cls.name) sum += impl_->contended[n].load(std::memory_order_relaxed);
  }
  return sum;
}

void lockdep::assert_none_held() noexcept {
  thread_context& me = current();
  if (impl_ == nullptr || me.held_count == 0) return;
  impl_->complain(me, lockdep_problem::held_at_return, "returns from a system call, or ends, and still holds\n" + impl_->describe_held(me));
  me.held_count = 0;
}

std::vector<lock_edge> lockdep::edges() const {
  if (impl_ == nullptr) return {};
  return impl_->edges();
}

}  // namespace xip
