// Of version x1. The fingerprint is a hash of the whole name, of the tasks, of the build: 32 bits each. The content is d and deviations (steps since
// the last one, and the task), or s and how a strategy came to it.
#include <xip/explore/token.h>

#include <algorithm>
#include <initializer_list>

#include <fmt/format.h>

#include "explore/lock_names.h"
#include "explore/token_parts.h"

namespace xip::explore {
namespace {

constexpr std::string_view version = "x1";

bytes deviations_part(const std::vector<deviation>& deviations) {
  bytes b;
  std::uint64_t last = 0;
  for (const deviation& d : deviations) {
    put_number(b, d.step - last);
    put_number(b, d.task);
    last = d.step;
  }
  return b;
}

bytes strategy_part(const token& t) {
  bytes b;
  for (const std::uint64_t number : {static_cast<std::uint64_t>(t.spec.kind), std::uint64_t{t.spec.bound}, t.spec.seed, t.spec.length,
                                     t.number, std::uint64_t{t.part.index}, std::uint64_t{t.part.count}})
    put_number(b, number);
  return b;
}

// Empty: it belongs to EXPECTED.
std::string foreign(std::string_view name, const bytes& print, const fingerprint& expected) {
  if (word_at(print, 0) != static_cast<std::uint32_t>(hash_text(expected.program)))
    return fmt::format("the token is of program '{}', this is '{}'", name, expected.program);
  if (word_at(print, 4) != expected.tasks)
    return fmt::format("the token is of '{}' with other tasks, or other places where they may be switched", name);
  if (word_at(print, 8) != expected.build) return fmt::format("the token is of another build of '{}'", name);
  return {};
}

bool read_deviations(number_reader& from, token& t) {
  std::uint64_t step = 0;
  while (from.fine() && !from.at_end()) {
    step += from.next();
    t.deviations.push_back({step, static_cast<std::uint32_t>(std::min<std::uint64_t>(from.next(), 64))});
  }
  return from.fine();
}

bool read_strategy(number_reader& from, token& t) {
  t.by_strategy = true;
  const std::uint64_t kind = from.next();
  t.spec.kind = static_cast<strategy_spec::type>(kind);
  t.spec.bound = static_cast<std::uint32_t>(from.next());
  t.spec.seed = from.next();
  t.spec.length = from.next();
  t.number = from.next();
  t.part.index = static_cast<std::uint32_t>(from.next());
  t.part.count = static_cast<std::uint32_t>(from.next());
  return from.fine() && from.at_end() && kind <= static_cast<std::uint64_t>(strategy_spec::type::random_walk) &&
         t.part.index < t.part.count;
}

}  // namespace

std::string format_token(const fingerprint& of, const token& t) {
  bytes print;
  put_word(print, static_cast<std::uint32_t>(hash_text(of.program)));
  put_word(print, of.tasks);
  put_word(print, of.build);
  const std::string text = join_token(version, of.program, print, 'd', deviations_part(t.deviations));
  if (t.by_strategy && text.size() > max_token_bytes) return join_token(version, of.program, print, 's', strategy_part(t));
  return text;
}

std::expected<token, std::string> parse_token(std::string_view text, const fingerprint& expected) {
  const auto found = split_token(text, version);
  if (!found) return std::unexpected{found.error()};
  if (found->print.size() != 12) return malformed_at(found->print_at);
  if (std::string why = foreign(found->name, found->print, expected); !why.empty()) return std::unexpected{std::move(why)};
  number_reader numbers{found->content};
  token t;
  const bool fine = found->letter == 'd' ? read_deviations(numbers, t) : found->letter == 's' && read_strategy(numbers, t);
  if (!fine) return malformed_at(found->content_at);
  return t;
}

}  // namespace xip::explore
