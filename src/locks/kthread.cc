#include <xip/locks/kthread.h>

#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include <xip/locks/sched_hook.h>

namespace xip {

struct kthread::state {
  std::pmr::memory_resource& memory;
  thread_context context;
  std::function<void()> body;
  std::thread host;              // without a scheduler
  std::uint64_t scheduled = 0;   // with one
  bool joined = false;

  static void run(void* argument) {
    auto& s = *static_cast<state*>(argument);
    const current_scope scope{s.context};
    s.body();
  }
};

result<kthread> kthread::run(const char* name, std::pmr::memory_resource& memory, std::function<void()> body) {
  std::pmr::polymorphic_allocator<> allocator{&memory};
  state* s = nullptr;
  try {
    s = allocator.new_object<state>(memory, thread_context{}, std::move(body));
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
  const thread_context& maker = current();
  s->context.name = name;
  s->context.sched = maker.sched;
  s->context.deps = maker.deps;
  s->context.points = maker.points;
  if (maker.sched != nullptr) {
    s->scheduled = maker.sched->spawn(s->context, state::run, s);
    return kthread{s};
  }
  try {
    s->host = std::thread{state::run, s};
  } catch (const std::system_error&) {
    allocator.delete_object(s);
    return fail(EAGAIN);
  }
  return kthread{s};
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
  if (state_->host.joinable())
    state_->host.join();
  else
    current().sched->join(state_->scheduled);
  std::pmr::polymorphic_allocator<>{&state_->memory}.delete_object(std::exchange(state_, nullptr));
}

}  // namespace xip
