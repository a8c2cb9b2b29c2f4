// A fiber is started once and takes one job after the other: starting one costs a switch, nothing is set up anew.
#include "explore/fiber.h"

#include <cxxabi.h>

#include <boost/context/detail/fcontext.hpp>

#include <xip/base/assert.h>

namespace xip::explore {
namespace {

namespace fcontext = boost::context::detail;

// The Itanium C++ ABI's __cxa_eh_globals, which its header leaves incomplete.
struct exception_globals {
  void* caught_exceptions;
  unsigned int uncaught_exceptions;
};

exception_globals& host_exception_globals() noexcept { return *reinterpret_cast<exception_globals*>(abi::__cxa_get_globals()); }

}  // namespace

// The first function on a fiber's stack. It never returns.
struct fiber_entry {
  static void run(fcontext::transfer_t came) {
    fiber& from = *static_cast<fiber*>(came.data);
    fiber& self = *from.to_;
    fiber::land(self, came.fctx, from);
    while (self.body_ != nullptr) {
      fiber& next = self.body_(self.argument_);
      self.jump(next, false);
    }
    self.jump(*static_cast<fiber*>(self.argument_), true);
  }
};

fiber::fiber() noexcept { adopt_host_stack(sanitizer_); }

fiber::fiber(std::size_t stack_bytes) : stack_{std::in_place, stack_bytes} { start(); }

fiber::~fiber() {
  if (stack_) stop();
}

void fiber::start() noexcept {
  at_ = fcontext::make_fcontext(stack_->top(), stack_->bytes(), fiber_entry::run);
  begin_stack(sanitizer_, stack_->bottom(), stack_->bytes());
  state_ = {};
}

// Lets it leave its stack, so that no sanitizer waits for it.
void fiber::stop() noexcept {
  fiber host;
  body_ = nullptr;
  argument_ = &host;
  host.jump(*this, false);
  end_stack(sanitizer_);
}

void fiber::prepare(job body, void* argument, thread_context& context) noexcept {
  body_ = body;
  argument_ = argument;
  state_ = {.context = &context, .points = context.points};
}

void fiber::abandon() {
  end_stack(sanitizer_);
  stack_->abandon();
  start();
}

// A fiber may be inside of a catch block, or of a destructor that an exception runs: what the runtime knows of that is switched too.
void fiber::swap_thread_state(thread_state& from, const thread_state& to) noexcept {
  exception_globals& host = host_exception_globals();
  from = {current_context, current_point_sink, host.caught_exceptions, host.uncaught_exceptions};
  current_context = to.context;
  current_point_sink = to.points;
  host = {to.caught_exceptions, to.uncaught_exceptions};
}

void fiber::land(fiber& self, void* left_at, fiber& came_from) noexcept {
  came_from.at_ = left_at;
  after_switch(self.sanitizer_, came_from.sanitizer_);
}

void fiber::jump(fiber& to, bool last) noexcept {
  to_ = &to;
  swap_thread_state(state_, to.state_);
  before_switch(sanitizer_, to.sanitizer_, last);
  const fcontext::transfer_t came = fcontext::jump_fcontext(to.at_, this);
  land(*this, came.fctx, *static_cast<fiber*>(came.data));
}

}  // namespace xip::explore
