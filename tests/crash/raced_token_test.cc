// One token for a schedule and a crash state of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <xip/explore/token.h>

#include "crash/raced_token.h"
#include "explore/token_parts.h"

namespace xip::crash::test {
namespace {

using testing::HasSubstr;

std::string schedule_token() { return explore::format_token({"mine", 1, 2}, {.deviations = {{300, 1}, {7000, 0}}}); }
std::string state_token() { return explore::join_token("c1", "mine", {1, 2, 3, 4, 5, 6, 7, 8}, 'm', {9, 200, 1}); }

TEST(RacedToken, IsBothInOne) {
  const std::string text = format_token(raced_token{schedule_token(), state_token()});
  EXPECT_THAT(text, testing::StartsWith("r1.mine."));
  const auto parts = parse_raced_token(text);
  ASSERT_TRUE(parts) << parts.error();
  EXPECT_EQ(parts->schedule, schedule_token());
  EXPECT_EQ(parts->state, state_token());
}

TEST(RacedToken, MayHaveNoState) {
  const auto parts = parse_raced_token(format_token(raced_token{schedule_token(), ""}));
  ASSERT_TRUE(parts) << parts.error();
  EXPECT_EQ(parts->schedule, schedule_token());
  EXPECT_EQ(parts->state, "");
}

TEST(RacedToken, IsRefusedWhereItIsWrong) {
  const std::string text = format_token(raced_token{schedule_token(), state_token()});
  EXPECT_THAT(parse_raced_token(text.substr(0, text.size() - 1)).error(), HasSubstr("damaged"));
  EXPECT_THAT(parse_raced_token(state_token()).error(), HasSubstr("of version 'c1'"));
  for (const auto& content : std::vector<explore::bytes>{{}, {'d'}, {'d', 9, 1}, {'q', 1, 1}, {'d', 200}})
    EXPECT_THAT(parse_raced_token(explore::join_token("r1", "mine", explore::bytes(20), 'p', content)).error(), HasSubstr("malformed"));
  EXPECT_THAT(parse_raced_token(explore::join_token("r1", "mine", explore::bytes(12), 'p', {'d', 0})).error(), HasSubstr("malformed"));
  EXPECT_THAT(parse_raced_token(explore::join_token("r1", "mine", explore::bytes(12), 'n', {'d', 0, 1})).error(), HasSubstr("malformed"));
}

}  // namespace
}  // namespace xip::crash::test
