// x1.NAME.FINGERPRINT.SCHEDULE.CHECK
//   NAME         the program's, in characters that need no quoting, cut to 40
//   FINGERPRINT  hash of the whole name, of the tasks, of the build: 32 bits each
//   SCHEDULE     d and deviations: steps since the last one, and the task, as numbers; or s and how a strategy came to it
//   CHECK        24 bits over all before: a token that was cut or mistyped must not name another schedule
#include <xip/explore/token.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "explore/base64url.h"
#include "explore/lock_names.h"

namespace xip::explore {
namespace {

constexpr std::string_view version = "x1";
constexpr std::size_t max_name = 40;
constexpr std::size_t check_bytes = 3;
constexpr std::size_t parts = 5;

struct split_token {
  std::array<std::string_view, parts> part;
  std::array<std::size_t, parts> start;
};

std::string shown_name(std::string_view name) {
  std::string shown{name.substr(0, max_name)};
  for (char& c : shown)
    if (c <= ' ' || c > '~' || c == '.' || c == '\'' || c == '"' || c == '\\' || c == '$' || c == '`') c = '_';
  return shown;
}

void put_word(bytes& to, std::uint32_t word) {
  for (unsigned shift = 0; shift < 32; shift += 8) to.push_back(static_cast<std::uint8_t>(word >> shift));
}

std::uint32_t word_at(const bytes& from, std::size_t at) noexcept {
  std::uint32_t word = 0;
  for (unsigned i = 0; i < 4; ++i) word |= std::uint32_t{from[at + i]} << (8 * i);
  return word;
}

std::string check_of(std::string_view text) {
  const std::uint64_t h = hash_text(text);
  bytes check;
  for (unsigned i = 0; i < check_bytes; ++i) check.push_back(static_cast<std::uint8_t>(h >> (8 * i + 20)));
  return encode_base64(check);
}

std::string deviations_part(const std::vector<deviation>& deviations) {
  bytes b;
  std::uint64_t last = 0;
  for (const deviation& d : deviations) {
    put_number(b, d.step - last);
    put_number(b, d.task);
    last = d.step;
  }
  return "d" + encode_base64(b);
}

std::string strategy_part(const token& t) {
  bytes b;
  for (const std::uint64_t number : {static_cast<std::uint64_t>(t.spec.kind), std::uint64_t{t.spec.bound}, t.spec.seed, t.spec.length,
                                     t.number, std::uint64_t{t.part.index}, std::uint64_t{t.part.count}})
    put_number(b, number);
  return "s" + encode_base64(b);
}

std::unexpected<std::string> malformed_at(std::size_t at) {
  return std::unexpected{fmt::format("the token is malformed at character {}", at + 1)};
}

std::expected<split_token, std::string> split(std::string_view text) {
  split_token found;
  std::size_t at = 0;
  for (std::size_t i = 0; i < parts; ++i) {
    const std::size_t end = i + 1 < parts ? text.find('.', at) : text.size();
    if (end == std::string_view::npos) return malformed_at(text.size());
    found.part[i] = text.substr(at, end - at);
    found.start[i] = at;
    if (i == 0 && found.part[0] != version)
      return std::unexpected{fmt::format("the token is of version '{}', this program reads '{}'", found.part[0], version)};
    const std::size_t wrong = i < 2 ? std::string_view::npos : found.part[i].find_first_not_of(base64url);
    if (wrong != std::string_view::npos) return malformed_at(at + wrong);
    at = end + 1;
  }
  return found;
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
  const std::string head = fmt::format("{}.{}.{}.", version, shown_name(of.program), encode_base64(print));
  std::string schedule = deviations_part(t.deviations);
  if (t.by_strategy && head.size() + schedule.size() + 1 + check_bytes * 4 / 3 > max_token_bytes) schedule = strategy_part(t);
  const std::string text = head + schedule;
  return text + "." + check_of(text);
}

std::expected<token, std::string> parse_token(std::string_view text, const fingerprint& expected) {
  const auto found = split(text);
  if (!found) return std::unexpected{found.error()};
  const auto& [part, start] = *found;
  if (part[4] != check_of(text.substr(0, start[4] - 1)))
    return std::unexpected{std::string{"the token is damaged: its end does not fit the rest"}};
  const bytes print = decode_base64(part[2]);
  if (print.size() != 12) return malformed_at(start[2]);
  if (std::string why = foreign(part[1], print, expected); !why.empty()) return std::unexpected{std::move(why)};
  if (part[3].empty()) return malformed_at(start[3]);
  const bytes content = decode_base64(part[3].substr(1));
  number_reader numbers{content};
  token t;
  const bool fine = part[3][0] == 'd' ? read_deviations(numbers, t) : part[3][0] == 's' && read_strategy(numbers, t);
  if (!fine) return malformed_at(start[3]);
  return t;
}

}  // namespace xip::explore
