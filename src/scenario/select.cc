// Which scenarios are to run.
#include <algorithm>
#include <set>

#include <fnmatch.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "scenario/options.h"

namespace xip::scenario {
namespace {

std::string_view directory_of(const scenario& s) { return s.name.substr(0, s.name.find('/')); }

template <class Visit>
void each_group(const scenario& s, Visit&& visit) {
  visit(directory_of(s));
  std::string_view rest = s.groups;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (end != 0) visit(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

bool named(const scenario& s, const std::string& name) { return ::fnmatch(name.c_str(), std::string{s.name}.c_str(), 0) == 0; }

// What was asked for and does not exist, or nothing.
std::string unknown(const check_options& o, const check_config& config) {
  for (const std::string& name : o.names)
    if (std::ranges::none_of(config.scenarios, [&](const scenario* s) { return named(*s, name); }))
      return fmt::format("there is no scenario '{}'; --list '*' prints the names of all", name);
  std::set<std::string_view> groups;
  for (const scenario* s : config.scenarios) each_group(*s, [&](std::string_view g) { groups.insert(g); });
  for (const auto* list : {&o.groups, &o.excluded})
    for (const std::string& group : *list)
      if (!groups.contains(group)) return fmt::format("there is no group '{}'; there are: {}", group, fmt::join(groups, " "));
  return {};
}

bool wanted(const scenario& s, const check_options& o, const check_config& config) {
  const auto has = [&](const std::string& group) { return in_group(s, group); };
  if (std::ranges::any_of(o.excluded, has)) return false;
  if (o.names.empty() && o.groups.empty()) return config.single || in_group(s, "auto");
  return std::ranges::any_of(o.groups, has) || std::ranges::any_of(o.names, [&](const std::string& n) { return named(s, n); });
}

// The selection in the user's words.
std::string selection(const check_options& o) {
  std::vector<std::string> words = o.names;
  for (const std::string& group : o.groups) words.push_back("-g " + group);
  if (words.empty()) words.emplace_back("group auto");
  for (const std::string& group : o.excluded) words.push_back("-x " + group);
  return fmt::format("no scenario is in {}", fmt::join(words, " "));
}

}  // namespace

bool in_group(const scenario& s, std::string_view group) {
  bool found = false;
  each_group(s, [&](std::string_view g) { found = found || g == group; });
  return found;
}

std::expected<std::vector<const scenario*>, refusal> select_scenarios(const check_options& options, const check_config& config) {
  if (std::string why = unknown(options, config); !why.empty())
    return std::unexpected{refusal{2, fmt::format("{}: {}", config.program, why)}};
  std::vector<const scenario*> chosen;
  for (const scenario* s : config.scenarios)
    if (wanted(*s, options, config)) chosen.push_back(s);
  if (chosen.empty()) return std::unexpected{refusal{2, fmt::format("{}: nothing to run: {}", config.program, selection(options))}};
  return chosen;
}

}  // namespace xip::scenario
