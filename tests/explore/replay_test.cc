// A token is one schedule, everywhere and every time; foreign tokens are refused; minimising keeps what matters.
#include <gmock/gmock.h>

#include <xip/explore/token.h>

#include "explore/litmus.h"

namespace xip::explore::test {
namespace {

using testing::HasSubstr;

program lost_update(fresh<counter>& shared, int more_points = 0, std::string name = "lost-update") {
  program p{.name = std::move(name), .state = {&shared}};
  for (const char* task : {"a", "b"})
    p.tasks.push_back({task, [&shared, more_points] {
                         for (int i = 0; i < more_points; ++i) there();
                         shared->add_one();
                         for (int i = 0; i < more_points; ++i) there();
                       }});
  p.check = [&shared] { expect_that(shared->value == 2, "an update was lost"); };
  return p;
}

TEST(Replay, ThousandReplaysOfOneTokenAreOneTrace) {
  fresh<counter> shared;
  const program p = lost_update(shared, 5);
  explorer e{p, with("random")};
  const report r = e.run();
  ASSERT_EQ(r.failures.size(), 1u);
  const schedule_report& found = r.failures[0].first;
  for (int i = 0; i < 1000; ++i) {
    const auto again = e.replay(found.token);
    ASSERT_TRUE(again.has_value()) << again.error();
    ASSERT_EQ(again->failed, failure_kind::check);
    ASSERT_EQ(again->trace_hash, found.trace_hash);
    ASSERT_EQ(again->trace.size(), found.trace.size());
  }
}

TEST(Replay, HashOfAnExplorationIsThatOfItsSchedules) {
  fresh<counter> shared;
  const auto hash_of = [&](int more_points, const char* strategy, std::uint64_t seed) {
    explore_options o = with(strategy);
    o.seed = seed;
    o.max_schedules = 50;
    o.max_failures = 1000;
    return explore(lost_update(shared, more_points), o).trace_hash;
  };
  EXPECT_EQ(hash_of(3, "random", 1), hash_of(3, "random", 1));
  EXPECT_NE(hash_of(3, "random", 1), hash_of(3, "random", 2));
  EXPECT_NE(hash_of(3, "bound=1", 1), hash_of(4, "bound=1", 1));
}

TEST(Replay, AnotherExplorerUnderstandsTheToken) {
  fresh<counter> shared;
  const report r = explore(lost_update(shared));
  ASSERT_EQ(r.failures.size(), 1u);
  fresh<counter> other;
  const auto again = replay(lost_update(other), r.failures[0].minimised.token);
  ASSERT_TRUE(again.has_value()) << again.error();
  EXPECT_EQ(again->trace_hash, r.failures[0].minimised.trace_hash);
  EXPECT_EQ(other->value, 0);  // put back as it was
}

// Random schedules of many steps have more deviations than a token holds.
TEST(Replay, TokenOfALongScheduleNamesItsStrategy) {
  fresh<counter> shared;
  const program p = lost_update(shared, 400);
  for (const char* strategy : {"random", "pct=40"}) {
    explore_options o = with(strategy);
    o.max_schedules = 0;
    o.minimise_steps = 0;
    explorer e{p, o};
    const report r = e.run();
    ASSERT_EQ(r.failures.size(), 1u);
    const schedule_report& found = r.failures[0].first;
    EXPECT_LE(found.token.size(), max_token_bytes);
    const auto again = e.replay(found.token);
    ASSERT_TRUE(again.has_value()) << again.error();
    EXPECT_EQ(again->trace_hash, found.trace_hash);
    EXPECT_EQ(again->failed, failure_kind::check);
  }
}

TEST(Replay, TraceTellsTheStory) {
  fresh<counter> shared;
  const report r = explore(lost_update(shared));
  ASSERT_EQ(r.failures.size(), 1u);
  const schedule_report& s = r.failures[0].minimised;
  std::string story;
  for (const event& e : s.trace) story += format_event(e, s.tasks) + "\n";
  EXPECT_EQ(story,
            "    0 a          resume\n"
            "    0 a          point xip_copy_piece 0 0 0\n"
            "    1 b          resume\n"
            "    1 b          point xip_copy_piece 0 0 0\n"
            "    2 b          exit\n"
            "    3 a          resume\n"
            "    3 a          exit\n");
}

TEST(Replay, MinimisedHasTheFewestPreemptionsAndDeviations) {
  fresh<counter> shared;
  const program p = lost_update(shared, 6);
  explore_options o = with("random");
  for (o.seed = 1; o.seed <= 20; ++o.seed) {
    const report r = explore(p, o);
    ASSERT_EQ(r.failures.size(), 1u);
    EXPECT_EQ(r.failures[0].minimised.failed, failure_kind::check);
    EXPECT_EQ(r.failures[0].minimised.preemptions, 1u);
    EXPECT_EQ(r.failures[0].minimised.deviations, 1u);
    EXPECT_GE(r.failures[0].first.deviations, 1u);
  }
}

TEST(Replay, MinimisedFailsInTheSameWay) {
  struct two {
    mutex<first_class> first;
    mutex<second_class> second;
    int value = 0;
  };
  fresh<two> s;
  program p{.name = "two-ways", .state = {&s}};
  const auto body = [&s](auto& outer, auto& inner) {
    const int seen = s->value;
    here();
    s->value = seen + 1;
    const mutex_guard outer_guard{outer};
    here();
    const mutex_guard inner_guard{inner};
  };
  p.tasks = {{"ab", [&] { body(s->first, s->second); }}, {"ba", [&] { body(s->second, s->first); }}};
  p.check = [&] { expect_that(s->value == 2, "an update was lost"); };
  explore_options o = with("random");
  o.max_failures = 200;
  o.max_schedules = 1000;
  int deadlocks = 0;
  for (const found_failure& f : explore(p, o).failures) {
    EXPECT_EQ(f.minimised.failed, f.first.failed);
    EXPECT_LE(f.minimised.preemptions, 1u);
    deadlocks += f.first.failed == failure_kind::deadlock;
  }
  EXPECT_GT(deadlocks, 0);
}

class Tokens : public testing::Test {
 protected:
  [[nodiscard]] std::string refusal(std::string_view token) {
    fresh<counter> shared;
    const auto r = replay(lost_update(shared), token);
    return r ? "accepted" : r.error();
  }
  [[nodiscard]] static std::string token_of(const program& p, explore_options o = {}) {
    const report r = explore(p, std::move(o));
    return r.failures.empty() ? "" : r.failures[0].minimised.token;
  }
  fresh<counter> shared_;
};

TEST_F(Tokens, ArePlainWordsOfBoundedLength) {
  const std::string token = token_of(lost_update(shared_, 0, std::string(300, 'n') + " 'quoted' $name.x"));
  EXPECT_LE(token.size(), max_token_bytes);
  EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."), std::string::npos) << token;
}

TEST_F(Tokens, OfAnotherProgramAreRefusedByName) {
  EXPECT_THAT(refusal(token_of(lost_update(shared_, 0, "another"))), HasSubstr("of program 'another', this is 'lost-update'"));
}

TEST_F(Tokens, OfOtherTasksOrSwitchPointsAreRefused) {
  program p = lost_update(shared_);
  p.tasks[1].name = "c";
  EXPECT_THAT(refusal(token_of(p)), HasSubstr("other tasks"));
  explore_options o;
  o.switch_at.reset(static_cast<std::size_t>(point::xip_before_drain));
  EXPECT_THAT(refusal(token_of(lost_update(shared_), o)), HasSubstr("other places"));
}

TEST_F(Tokens, OfAnotherBuildAreRefused) {
  const fingerprint here_now{"p", 1, build_fingerprint()}, elsewhere{"p", 1, build_fingerprint() + 1};
  EXPECT_NE(build_fingerprint(), 0u);
  const auto refused = parse_token(format_token(elsewhere, {}), here_now);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), "the token is of another build of 'p'");
  EXPECT_TRUE(parse_token(format_token(here_now, {}), here_now).has_value());
}

TEST_F(Tokens, EveryWrongCharacterIsNoticed) {
  const std::string token = token_of(lost_update(shared_));
  ASSERT_EQ(refusal(token), "accepted");
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string wrong = token;
    wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
    EXPECT_NE(refusal(wrong), "accepted") << i;
    EXPECT_NE(refusal(token.substr(0, i)), "accepted") << i;
  }
  EXPECT_THAT(refusal("x9" + token.substr(2)), HasSubstr("version 'x9', this program reads 'x1'"));
  std::string wrong = token;
  wrong[wrong.size() - 1] = '!';
  EXPECT_EQ(refusal(wrong), "the token is malformed at character " + std::to_string(token.size()));
  EXPECT_EQ(refusal("x1.lost-update"), "the token is malformed at character 15");
  EXPECT_EQ(refusal(""), "the token is malformed at character 1");
}

TEST_F(Tokens, CarryDeviationsAndStrategies) {
  const fingerprint print{"p", 2, 3};
  const token short_one{.deviations = {{1, 0}, {200, 63}, {100'000, 5}}};
  EXPECT_EQ(parse_token(format_token(print, short_one), print)->deviations, short_one.deviations);
  token long_one{.deviations = {},
                 .by_strategy = true,
                 .spec = {strategy_spec::type::pct, 3, ~std::uint64_t{0}, 77},
                 .part = {3, 8},
                 .number = std::uint64_t{1} << 50};
  for (std::uint32_t i = 0; i < 500; ++i) long_one.deviations.push_back({i * 3, i % 4});
  const std::string text = format_token(print, long_one);
  EXPECT_LE(text.size(), max_token_bytes);
  const auto read = parse_token(text, print);
  ASSERT_TRUE(read.has_value()) << read.error();
  EXPECT_TRUE(read->by_strategy);
  EXPECT_EQ(read->spec, long_one.spec);
  EXPECT_EQ(read->number, long_one.number);
  EXPECT_EQ(read->part.index, 3u);
  EXPECT_EQ(read->part.count, 8u);
}

}  // namespace
}  // namespace xip::explore::test
