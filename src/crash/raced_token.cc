// Of version r1. The fingerprint is that of the schedule's token and then that of the state's. The content is a letter of the state's token, or n where there is no
// state; then the letter of the schedule's, how long its content is, and both contents.
#include "crash/raced_token.h"

#include <iterator>

#include <xip/base/assert.h>

#include "explore/token_parts.h"

namespace xip::crash {
namespace {

using explore::bytes;

constexpr std::string_view version = "r1", schedule_version = "x1", state_version = "c1";
constexpr std::size_t schedule_print = 12, state_print = 8;

void append(bytes& to, const bytes& more) { to.insert(to.end(), more.begin(), more.end()); }
bytes part(const bytes& of, std::size_t from, std::size_t count) {
  const auto first = of.begin() + static_cast<std::ptrdiff_t>(from);
  return {first, first + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace

std::string format_token(const raced_token& t) {
  const auto schedule = explore::split_token(t.schedule, schedule_version);
  XIP_ASSERT(schedule && schedule->print.size() == schedule_print);
  bytes print = schedule->print, content;
  explore::put_number(content, static_cast<unsigned char>(schedule->letter));
  explore::put_number(content, schedule->content.size());
  append(content, schedule->content);
  if (t.state.empty()) return explore::join_token(version, schedule->name, print, 'n', content);
  const auto state = explore::split_token(t.state, state_version);
  XIP_ASSERT(state && state->print.size() == state_print);
  append(print, state->print);
  append(content, state->content);
  return explore::join_token(version, schedule->name, print, state->letter, content);
}

std::expected<raced_token, std::string> parse_raced_token(std::string_view text) {
  const auto whole = explore::split_token(text, version);
  if (!whole) return std::unexpected{whole.error()};
  const bool crashed = whole->letter != 'n';
  if (whole->print.size() != schedule_print + (crashed ? state_print : 0)) return explore::malformed_at(whole->print_at);
  explore::number_reader numbers{whole->content};
  const std::uint64_t letter = numbers.next(), length = numbers.next();
  const std::size_t at = numbers.fine() ? numbers.at() : whole->content.size();
  if (!numbers.fine() || (letter != 'd' && letter != 's') || length > whole->content.size() - at)
    return explore::malformed_at(whole->content_at);
  const std::size_t rest = at + static_cast<std::size_t>(length);
  raced_token t;
  t.schedule = explore::join_token(schedule_version, whole->name, part(whole->print, 0, schedule_print), static_cast<char>(letter),
                                   part(whole->content, at, static_cast<std::size_t>(length)));
  if (!crashed)
    return rest == whole->content.size() ? std::expected<raced_token, std::string>{std::move(t)} : explore::malformed_at(whole->content_at);
  t.state = explore::join_token(state_version, whole->name, part(whole->print, schedule_print, state_print), whole->letter,
                                part(whole->content, rest, whole->content.size() - rest));
  return t;
}

}  // namespace xip::crash
