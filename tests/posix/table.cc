#include "posix/table.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace xip::posix {

namespace {

constexpr std::string_view arrow = " => ";
constexpr std::string_view libxip_bar = " | libxip ";
constexpr std::string_view mount_bar = " | mount ";
constexpr std::string_view left_out = "not libxip: ";

[[nodiscard]] std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// {x*255}: 255 times x.
[[nodiscard]] std::string expanded(const std::string& word) {
  if (word == "\"\"") return {};
  const std::size_t open = word.find('{');
  const std::size_t star = word.find('*', open);
  const std::size_t close = word.find('}', open);
  if (open == std::string::npos || star == std::string::npos || close == std::string::npos || star > close) return word;
  std::string text = word.substr(0, open);
  const std::string unit = word.substr(open + 1, star - open - 1);
  for (int i = std::stoi(word.substr(star + 1, close - star - 1)); i > 0; --i) text += unit;
  return text + expanded(word.substr(close + 1));
}

[[nodiscard]] std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream in{text};
  for (std::string word; in >> word;) words.push_back(expanded(word));
  return words;
}

// What stands behind BAR in TEXT, up to the next bar or the end, without its reason.
[[nodiscard]] std::optional<std::string> read_difference(const std::string& text, std::string_view bar, std::size_t number) {
  const std::size_t at = text.find(bar);
  if (at == std::string::npos) return std::nullopt;
  const std::string ours = text.substr(at + bar.size(), text.find(" | ", at + bar.size()) - at - bar.size());
  const std::size_t colon = ours.find(": ");
  if (colon == std::string::npos) throw std::runtime_error{"a difference without its reason, line " + std::to_string(number)};
  return trimmed(ours.substr(0, colon));
}

void read_answers(const std::string& text, table_line& line) {
  const std::size_t at = std::min(text.find(libxip_bar), text.find(mount_bar));
  line.linux_answer = trimmed(text.substr(0, at));
  if (at == std::string::npos) return;
  line.reasons = text.substr(at);
  line.libxip_answer = read_difference(line.reasons, libxip_bar, line.number);
  line.mount_answer = read_difference(line.reasons, mount_bar, line.number);
}

[[nodiscard]] bool is_call(const std::string& text) {
  return !text.empty() && text[0] != '#' && !text.starts_with("case ") && !text.starts_with("sysctl ") && !text.starts_with(left_out);
}

}  // namespace

table read_table(const std::string& path) {
  table t{path, {}};
  std::ifstream in{path};
  if (!in) throw std::runtime_error{"cannot read " + path};
  std::string text;
  for (std::size_t number = 1; std::getline(in, text); ++number) {
    if (text.starts_with("case ")) {
      t.cases.push_back({trimmed(text.substr(5)), {}, {}, {}});
    } else if (text.starts_with("sysctl ")) {
      const auto words = words_of(text);
      t.cases.back().sysctls[words.at(1)] = std::stoi(words.at(2));
    } else if (text.starts_with(left_out)) {
      t.cases.back().not_libxip = text.substr(left_out.size());
    } else if (is_call(text)) {
      if (t.cases.empty()) throw std::runtime_error{"a call before the first case, line " + std::to_string(number)};
      const std::size_t at = text.find(arrow);
      table_line line{.number = number, .words = words_of(text.substr(0, at))};
      if (at != std::string::npos) read_answers(text.substr(at + arrow.size()), line);
      t.cases.back().lines.push_back(std::move(line));
    }
  }
  return t;
}

void record(const table& t, const std::vector<std::vector<std::string>>& answers) {
  std::map<std::size_t, std::string> by_number;
  for (std::size_t c = 0; c < t.cases.size(); ++c)
    for (std::size_t l = 0; l < answers[c].size(); ++l) by_number[t.cases[c].lines[l].number] = answers[c][l];
  std::ostringstream out;
  std::ifstream in{t.path};
  std::string text;
  for (std::size_t number = 1; std::getline(in, text); ++number) {
    if (const auto answer = by_number.find(number); answer != by_number.end()) {
      const std::size_t at = text.find(arrow);
      const std::size_t ours = std::min(text.find(libxip_bar), text.find(mount_bar));
      std::string call = trimmed(text.substr(0, at));
      constexpr std::size_t column = 48;
      call.resize(std::max(call.size(), column), ' ');
      text = answer->second.empty() ? trimmed(call)
                                    : call + std::string{arrow} + answer->second + (ours == std::string::npos ? "" : text.substr(ours));
    }
    out << text << '\n';
  }
  in.close();
  std::ofstream{t.path} << out.str();
}

}  // namespace xip::posix
