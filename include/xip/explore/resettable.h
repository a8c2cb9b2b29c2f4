// resettable: what must be, before each schedule, as it was when the setup was done.
#pragma once

#include <new>

#include <xip/base/result.h>

namespace xip::explore {

class resettable {
 public:
  // Remembers the state of now; called once, after the setup. ENOMEM: there is no room to remember it in.
  [[nodiscard]] virtual result<> save() = 0;
  // Puts it back, any number of times. Tasks may have been given up in the middle: nothing in the state can be relied on.
  virtual void restore() noexcept = 0;
  // The scheduler that the setup was given goes away. Called once, last, alone and in the saved state, for one state after the other: what
  // cannot be left lying is ended here. Not called where the setup failed.
  virtual void release() noexcept {}

 protected:
  ~resettable() = default;
};

// A small state that is cheaper made anew than copied: locks, counters, queues of their own.
template <class State>
class fresh final : public resettable {
 public:
  fresh() = default;
  fresh(const fresh&) = delete;
  fresh& operator=(const fresh&) = delete;

  [[nodiscard]] State* operator->() noexcept { return &state_; }
  [[nodiscard]] State& operator*() noexcept { return state_; }

  [[nodiscard]] result<> save() override { return {}; }
  void restore() noexcept override {
    state_.~State();
    new (&state_) State{};
  }

 private:
  State state_{};
};

}  // namespace xip::explore
