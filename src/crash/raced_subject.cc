#include "crash/raced_subject.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <xip/explore/failure.h>

#include "explore/lock_names.h"
#include "explore/random.h"

namespace xip::crash {
namespace {

constexpr std::size_t most_orders = 1000;

bool has_begun(const timed_call& c, const position& at) noexcept { return c.time.begun < at.event; }
bool has_ended(const timed_call& c, const position& at) noexcept { return c.time.ended < at.event; }

std::string name_of_answer(int answer) { return answer == 0 ? "0" : std::string{error{answer}.name()}; }

}  // namespace

raced_subject::raced_subject(crashed_file_system fs, const workload& w, std::span<const std::byte> start)
    : recovering_{fs, w},
      calls_{calls_of(w)},
      measures_{fs, start, calls_, tasks_of(w)},
      workload_{explore::hash_text(w.name + "\n" + text_of(w))} {}

// Each call is an operation of the history, whose index is the call's number.
std::string raced_subject::take(const history& h, std::span<const int> answers, const tree& live) {
  timed_.resize(calls_.size());
  for (const operation& o : h.operations()) timed_[o.index] = {o.index, o.task, {o.begun, o.ended}};
  const auto commuting = [this](std::uint32_t a, std::uint32_t b) {
    return commute(calls_[a].what, calls_[b].what) || commute(calls_[b].what, calls_[a].what);
  };
  orders_ = orders_of(timed_, commuting, most_orders);
  const std::size_t possible = orders_.size();
  std::string why;
  std::erase_if(orders_, [&](const call_order& order) {
    const measure& m = measures_.of(order);
    if (!m.wrong.empty()) throw explore::failure{m.wrong};
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (m.answers[i] == answers[order[i]]) continue;
      why = fmt::format("'{}' answers {} in place of {}", calls_[order[i]].text, name_of_answer(answers[order[i]]),
                        name_of_answer(m.answers[i]));
      return true;
    }
    const std::string differs = m.may.differs(live);
    if (!differs.empty()) why = differs;
    return !differs.empty();
  });
  if (!orders_.empty() || possible == 0 || std::ranges::any_of(timed_, [this](const timed_call& c) { return overtaken(c); })) return {};
  return fmt::format("without a crash, in none of {} orders of the calls: {}", possible, why);
}

// Another task has made its path lead elsewhere while it was in progress.
bool raced_subject::overtaken(const timed_call& c) const {
  if (!goes_by_path(calls_[c.call].what)) return false;
  return std::ranges::any_of(timed_, [&](const timed_call& other) {
    return other.task != c.task && other.time.overlaps(c.time) && leads_elsewhere(calls_[other.call].what, calls_[c.call].what);
  });
}

// C was overtaken, and nobody who has ended made durable, from a time on at which C had ended, what there was.
bool raced_subject::may_be_missing(const timed_call& c, const position& at) const {
  return overtaken(c) && std::ranges::none_of(timed_, [&](const timed_call& other) {
           return makes_durable(calls_[other.call].what) && has_ended(other, at) && other.time.begun > c.time.ended;
         });
}

// Another task has asked for a name that C was changing.
bool raced_subject::is_seen_late(const timed_call& c) const {
  return std::ranges::any_of(timed_, [&](const timed_call& other) {
    return other.task != c.task && other.time.overlaps(c.time) && changes_name_of(calls_[c.call].what, calls_[other.call].what);
  });
}

void raced_subject::add_earlier(const call_order& order, std::size_t place, const position& at, std::set<call_order>& to) const {
  const timed_call& c = timed_[order[place]];
  call_order earlier = order;
  for (; place > 0; --place) {
    const timed_call& before = timed_[earlier[place - 1]];
    const bool durable = makes_durable(calls_[before.call].what) && has_ended(before, at);
    if (before.task == c.task || !before.time.overlaps(c.time) || durable) return;
    std::swap(earlier[place - 1], earlier[place]);
    to.insert(earlier);
  }
}

std::set<call_order> raced_subject::orders_at(const position& at) const {
  std::set<call_order> found;
  for (const call_order& whole : orders_) {
    call_order begun;
    for (const std::uint32_t call : whole)
      if (has_begun(timed_[call], at)) begun.push_back(call);
    for (std::size_t i = 0; i < begun.size(); ++i) {
      if (is_seen_late(timed_[begun[i]])) add_earlier(begun, i, at, found);
      if (!may_be_missing(timed_[begun[i]], at)) continue;
      call_order without = begun;
      without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
      found.insert(std::move(without));
    }
    found.insert(std::move(begun));
  }
  return found;
}

step_time raced_subject::time_at(std::uint32_t call, const position& at) const {
  const timed_call& c = timed_[call];
  return {c.time.begun, has_ended(c, at) ? c.time.ended : step_time::not_yet};
}

std::string raced_subject::judge(const recovery& found, const position& at) {
  std::string why;
  const std::set<call_order> orders = orders_at(at);
  for (const call_order& order : orders) {
    const measure& m = measures_.of(order);
    if (!m.wrong.empty()) return m.wrong;
    std::vector<step_time> times;
    for (const std::uint32_t call : order) times.push_back(time_at(call, at));
    why = m.may.judge(*static_cast<const tree*>(found.detail.get()), times);
    if (why.empty()) return {};
  }
  return orders.size() < 2 ? why : fmt::format("in none of {} orders of the calls; in the last of them: {}", orders.size(), why);
}

// Two positions are asked the same where the same orders are possible and the same calls have begun, ended, and overlapped.
std::uint64_t raced_subject::question(const position& at) {
  if (looks_again_) return 0;
  std::uint64_t sum = workload_;
  const auto add = [&sum](std::uint64_t number) { sum = explore::mix(sum ^ (number + 1)); };
  for (const call_order& order : orders_at(at)) {
    add(order.size());
    for (const std::uint32_t call : order) add(call);
  }
  for (const timed_call& a : timed_) {
    if (!has_begun(a, at)) continue;
    add(a.call << 1 | (has_ended(a, at) ? 1 : 0));
    for (const timed_call& b : timed_)
      if (b.call < a.call && has_begun(b, at) && a.time.overlaps(b.time)) add(b.call);
  }
  return sum;
}

// Meanings and images come again in many schedules, where nothing new is to be said of them.
std::string raced_subject::probe(dev::device& device, const recovery& found) {
  const auto [at, fresh] = probed_.try_emplace(found.meaning);
  if (fresh) at->second = recovering_.probe(device, found);
  return at->second;
}

std::string raced_subject::inspect(std::span<const std::byte> image, std::uint64_t hash) {
  const auto [at, fresh] = inspected_.try_emplace(hash);
  if (fresh) at->second = recovering_.inspect(image, hash);
  return at->second;
}

std::string raced_subject::audit(std::span<const std::byte> recovered, std::uint64_t hash) {
  const auto [at, fresh] = audited_.try_emplace(hash);
  if (fresh) at->second = recovering_.audit(recovered, hash);
  return at->second;
}

}  // namespace xip::crash
