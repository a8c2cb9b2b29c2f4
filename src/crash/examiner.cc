#include "crash/examiner.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include <xip/locks/clock.h>

namespace xip::crash {
namespace {

bool equal(std::span<const line_read> a, std::span<const line_read> b) noexcept {
  return std::ranges::equal(a, b, [](const line_read& x, const line_read& y) { return x.line == y.line && x.granules == y.granules; });
}

}  // namespace

// The reads of one image lie behind each other.
read_memory::place read_memory::keep(std::span<const line_read> reads) {
  if (reads.size() > ring_.size()) {
    ring_.resize(reads.size());
    all_ += 2 * ring_.size();  // the places of those before have changed
  }
  if (const std::size_t room = ring_.size() - all_ % ring_.size(); room < reads.size()) all_ += room;
  std::ranges::copy(reads, ring_.begin() + static_cast<std::ptrdiff_t>(all_ % ring_.size()));
  all_ += reads.size();
  return {all_, reads.size()};
}

examiner::examiner(image& bytes, lined_image& lines, const crash_options& options, subject& s, read_memory& memory)
    : image_{bytes}, lines_{lines}, options_{options}, subject_{s}, memory_{memory} {
  heard_.load(lines);
}

examiner::verdict examiner::run(const state_space& space, const arrivals& state, const medium_walk& w) {
  for (std::uint32_t place = 0; place < state.size(); ++place) lines_.set(space.lines()[place], state[place]);
  const known_image& k = known();
  const known_meaning& m = meanings_[k.meaning];
  const std::uint32_t failure = k.failure != 0 ? k.failure : m.failure != 0 ? m.failure : judge(k.meaning, w);
  return {m.found.meaning, texts_[failure], memory_.at(k.reads)};
}

examiner::known_image& examiner::known() {
  const auto [at, fresh] = known_.try_emplace(lines_.hash());
  known_image& k = at->second;
  if (!fresh && memory_.has(k.reads)) return k;
  const known_image now = recover(fresh);
  if (fresh)
    k = now;
  else
    k.reads = now.reads;  // the rest is known
  if (options_.repeat_every != 0 && recoveries_ % options_.repeat_every == 0) repeat(k);
  return k;
}

template <class Call>
std::string examiner::guarded(Call&& call) {
  const nanoseconds start = monotonic_now();
  std::string failure;
  try {
    failure = call();
  } catch (const std::exception& e) {
    failure = e.what();
    if (failure.empty()) failure = "an exception without a text";
  }
  subject_time_ += monotonic_now() - start;
  return failure;
}

recovery examiner::call_recover(dev::device& device) {
  recovery found;
  heard_.start();
  std::string failure = guarded([&] {
    found = subject_.recover(device);
    return found.failure;
  });
  heard_.stop();
  found.failure = std::move(failure);
  ++recoveries_;
  return found;
}

// FRESH: nobody has inspected this image yet.
examiner::known_image examiner::recover(bool fresh) {
  std::string inspected;
  if (fresh) inspected = guarded([&] { return subject_.inspect(image_.bytes(), lines_.hash()); });
  image_device device{image_, options_.windows, &heard_};
  recovery found = call_recover(device);
  if (fresh && found.failure.empty() && inspected.empty())
    inspected = guarded([&] { return subject_.audit(image_.bytes(), lines_.hash()); });
  known_image k{0, text(inspected.empty() ? found.failure : inspected), memory_.keep(heard_.reads())};
  if (found.failure.empty()) k.meaning = meaning(std::move(found), device);
  image_.undo();
  return k;
}

std::uint32_t examiner::meaning(recovery found, dev::device& device) {
  if (const auto known = meaning_numbers_.find(found.meaning); known != meaning_numbers_.end()) return known->second;
  const auto number = static_cast<std::uint32_t>(meanings_.size());
  known_meaning& fresh = meanings_.emplace_back(std::move(found), 0);
  meaning_numbers_.emplace(fresh.found.meaning, number);
  fresh.failure = text(guarded([&] { return subject_.probe(device, fresh.found); }));
  return number;
}

void examiner::repeat(const known_image& before) {
  image_device device{image_, options_.windows, &heard_};
  const recovery again = call_recover(device);
  image_.undo();
  const std::string& meaning = meanings_[before.meaning].found.meaning;
  if (before.meaning != 0 && again.meaning != meaning)
    broken_ = fmt::format("a recovery found '{}', and then, in the same image, '{}'", meaning, again.meaning);
  else if (!equal(memory_.at(before.reads), heard_.reads()))
    broken_ = "a recovery read other bytes when it was repeated on the same image";
}

std::uint32_t examiner::judge(std::uint32_t meaning, const medium_walk& w) {
  const std::uint64_t key = std::uint64_t{meaning} << 32 | w.position_number();
  if (const auto found = judged_.find(key); found != judged_.end()) return found->second;
  const std::uint32_t failure = text(guarded([&] { return subject_.judge(meanings_[meaning].found, w.at()); }));
  judged_.emplace(key, failure);
  return failure;
}

std::uint32_t examiner::text(std::string s) {
  if (const auto found = text_numbers_.find(s); found != text_numbers_.end()) return found->second;
  const auto number = static_cast<std::uint32_t>(texts_.size());
  texts_.push_back(std::move(s));
  text_numbers_.emplace(texts_.back(), number);
  return number;
}

}  // namespace xip::crash
