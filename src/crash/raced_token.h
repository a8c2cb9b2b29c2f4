// One token for a crash state of a schedule: the schedule's (xip/explore/token.h) and the state's (crash/token.h) in one word.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace xip::crash {

struct raced_token {
  std::string schedule;
  std::string state;  // empty: the schedule fails without a crash
};

[[nodiscard]] std::string format_token(const raced_token& t);
// What is wrong with it: malformed and where, damaged, another version. Whether the two belong to a program is for those who read them.
[[nodiscard]] std::expected<raced_token, std::string> parse_raced_token(std::string_view text);

}  // namespace xip::crash
