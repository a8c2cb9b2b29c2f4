#include <xip/locks/kthread.h>

#include <new>
#include <utility>

#include <pthread.h>
#include <unistd.h>

#include <xip/locks/lockdep.h>
#include <xip/locks/sched_hook.h>

namespace xip {

struct kthread::state {
  std::pmr::memory_resource& memory;
  thread_context context;
  std::function<void()> body;
  sched_hook* sched;            // null: a thread of the host
  std::uint64_t scheduled = 0;  // the scheduler's name for it
  pthread_t host{};

  static void run_body(void* argument) {
    auto& self = *static_cast<state*>(argument);
    const current_scope scope{self.context};
    self.body();
    if (self.context.deps != nullptr) self.context.deps->assert_none_held();
  }
  static void* run_on_host(void* argument) {
    static_cast<state*>(argument)->context.id = static_cast<std::uint32_t>(::gettid());
    run_body(argument);
    return nullptr;
  }
};

result<kthread> kthread::run(const char* name, std::pmr::memory_resource& memory, std::function<void()> body) {
  const thread_context& maker = current();
  std::pmr::polymorphic_allocator<> allocator{&memory};
  state* made = nullptr;
  try {
    made = allocator.new_object<state>(memory, thread_context{}, std::move(body), maker.sched);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
  made->context.name = name;
  made->context.sched = maker.sched;
  made->context.deps = maker.deps;
  made->context.points = maker.points;
  if (maker.sched != nullptr) {
    made->scheduled = maker.sched->spawn(made->context, state::run_body, made);
  } else if (const int refused = ::pthread_create(&made->host, nullptr, state::run_on_host, made); refused != 0) {
    allocator.delete_object(made);
    return fail(refused);
  }
  return kthread{made};
}

kthread::kthread(kthread&& other) noexcept : state_{std::exchange(other.state_, nullptr)} {}

kthread& kthread::operator=(kthread&& other) noexcept {
  if (this != &other) {
    join();
    state_ = std::exchange(other.state_, nullptr);
  }
  return *this;
}

kthread::~kthread() { join(); }

void kthread::join() noexcept {
  if (state_ == nullptr) return;
  if constexpr (lockdep_compiled_in) {
    thread_context& me = current();
    if (me.deps != nullptr) (void)me.deps->might_wait(me, nullptr);
  }
  if (state_->sched != nullptr)
    state_->sched->join(state_->scheduled);
  else
    ::pthread_join(state_->host, nullptr);
  std::pmr::polymorphic_allocator<>{&state_->memory}.delete_object(std::exchange(state_, nullptr));
}

}  // namespace xip
