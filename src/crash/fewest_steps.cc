#include "crash/fewest_steps.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace xip::crash {
namespace {

class reducer {
 public:
  reducer(const workload& w, std::uint64_t runs, const std::function<bool(const workload&)>& fails)
      : best_{w}, runs_{runs}, fails_{fails} {}

  // Parts of half of the calls, then smaller ones, then single calls until none can go.
  [[nodiscard]] workload run() {
    for (std::size_t part = std::max<std::size_t>(calls() / 2, 1);; part = std::max<std::size_t>(part / 2, 1)) {
      const bool moved = drop_parts(part);
      if (runs_ == 0 || (part == 1 && !moved)) return std::move(best_);
    }
  }

 private:
  [[nodiscard]] std::size_t calls() const noexcept { return best_.setup.size() + best_.steps.size(); }

  // Without the calls FROM to END, which are counted from the first of the setup.
  [[nodiscard]] workload without(std::size_t from, std::size_t end) const {
    workload w = best_;
    const auto cut = [](std::vector<step>& steps, std::size_t first, std::size_t last) {
      last = std::min(last, steps.size());
      if (first < last) steps.erase(steps.begin() + static_cast<std::ptrdiff_t>(first), steps.begin() + static_cast<std::ptrdiff_t>(last));
    };
    const std::size_t setup = best_.setup.size();
    cut(w.steps, from > setup ? from - setup : 0, end > setup ? end - setup : 0);
    cut(w.setup, from, end);
    return w;
  }

  [[nodiscard]] bool drop_parts(std::size_t part) {
    bool moved = false;
    for (std::size_t end = calls(); end > 0 && runs_ != 0; end -= std::min(end, part)) {
      workload tried = without(end - std::min(end, part), end);
      if (!why_not(tried).empty()) continue;
      --runs_;
      if (!fails_(tried)) continue;
      best_ = std::move(tried);
      moved = true;
    }
    return moved;
  }

  workload best_;
  std::uint64_t runs_;
  const std::function<bool(const workload&)>& fails_;
};

// A path, a number, or bytes.
bool is_particular(std::string_view word) noexcept {
  return word.find_first_of("/0123456789") != word.npos || word.find_first_not_of("abcdef") == word.npos;
}

}  // namespace

workload fewest_steps(const workload& w, std::uint64_t runs, const std::function<bool(const workload&)>& fails) {
  return reducer{w, runs, fails}.run();
}

// Of the oracle's texts ("like no moment from '...' on; at its nearest, '...': /a is missing") what stands behind the moment.
std::string kind_of_failure(std::string_view failure) {
  failure = failure.substr(0, failure.find('\n'));
  constexpr std::string_view of_a_moment[] = {"like no moment from ", "after step ", "before the first step: "};
  if (std::ranges::any_of(of_a_moment, [&](std::string_view begin) { return failure.starts_with(begin); }))
    failure = failure.contains(": ") ? failure.substr(failure.find(": ") + 2) : "";
  std::string kind;
  for (bool quoted = false; !failure.empty();) {
    const std::size_t end = std::min(failure.find_first_of(" '"), failure.size());
    const std::string_view word = failure.substr(0, end);
    if (!quoted && !word.empty() && !is_particular(word)) (kind += kind.empty() ? "" : " ") += word;
    quoted ^= end < failure.size() && failure[end] == '\'';
    failure.remove_prefix(std::min(end + 1, failure.size()));
  }
  return kind;
}

}  // namespace xip::crash
