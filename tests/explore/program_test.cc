// The life of a program's states: saved once, put back before each schedule, and let go once, in the end.
#include <string>

#include <xip/locks/wait_queue.h>

#include "explore/litmus.h"

namespace xip::explore::test {
namespace {

// Writes down what is asked of it.
class diary final : public resettable {
 public:
  explicit diary(std::string& to, char name) noexcept : to_{to}, name_{name} {}
  [[nodiscard]] result<> save() override { return entry("save"); }
  void restore() noexcept override { (void)entry("restore"); }
  void release() noexcept override { (void)entry(current().sched != nullptr ? "release" : "release without a scheduler"); }

 private:
  result<> entry(const char* what) {
    to_ += std::string{what} + name_ + " ";
    return {};
  }
  std::string& to_;
  const char name_;
};

TEST(Program, StatesAreLetGoOnceInTheStateThatWasSaved) {
  std::string told;
  diary a{told, 'A'}, b{told, 'B'};
  program p{.name = "states", .state = {&a, &b}};
  p.tasks = {{"t", [&told] { told += "run "; }}};
  {
    explore_options once = with("bound=0");
    once.repeat_every = 0;
    explorer e{p, once};
    (void)e.run();
    told += "end: ";
  }
  EXPECT_EQ(told, "saveA saveB restoreA restoreB run restoreA restoreB end: restoreA restoreB releaseA releaseB ");
}

TEST(Program, StatesOfAFailedSetupAreLeftAlone) {
  std::string told;
  diary a{told, 'A'};
  program p{.name = "states", .state = {&a}};
  p.setup = [](scheduler&) { throw failure{"no"}; };
  (void)explore(p);
  EXPECT_EQ(told, "");
}

// It may wait for something that nobody brings about: that ends it, and nothing else.
TEST(Program, AStateThatBlocksInTheEndIsGivenUp) {
  class sleeper final : public resettable {
   public:
    [[nodiscard]] result<> save() override { return {}; }
    void restore() noexcept override {}
    void release() noexcept override { (*never)->wait(); }
    fresh<completion>* never = nullptr;
  };
  fresh<completion> never;
  sleeper s;
  s.never = &never;
  program p{.name = "states", .state = {&s}};
  p.tasks = {{"t", [] { here(); }}};
  EXPECT_TRUE(explore(p, with("bound=0")).passed());
}

}  // namespace
}  // namespace xip::explore::test
