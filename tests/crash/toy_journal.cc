#include "crash/toy_journal.h"

#include <algorithm>
#include <stdexcept>

#include "crash/image.h"
#include "explore/random.h"

namespace xip::crash::test {
namespace {

constexpr std::uint64_t magic = 0x746f790a;

void expect(result<> done) {
  if (!done) throw std::runtime_error{"the device failed"};
}

}  // namespace

toy_journal::line toy_journal::read(std::uint64_t number) {
  line content(words());
  expect(device_.read(number * format_.line, std::as_writable_bytes(std::span{content})));
  return content;
}

void toy_journal::write(std::uint64_t number, const line& content, bool cached) {
  const auto bytes = std::as_bytes(std::span{content});
  if (format_.requests) return expect(device_.write(number * format_.line, bytes));
  const auto window = device_.direct_access(number * format_.line, bytes.size(), dev::access_intent::write);
  if (!window) throw std::runtime_error{"no window"};
  if (cached)
    device_.store(window->data, bytes.data(), bytes.size());
  else
    device_.copy_in(window->data, bytes.data(), bytes.size());
}

void toy_journal::wait() {
  if (format_.requests) return expect(device_.flush_cache());
  device_.drain();
}

std::uint64_t toy_journal::sum(const line& content, std::size_t words, std::uint64_t from) {
  return explore::mix(from + explore::hash_bytes(std::as_bytes(std::span{content}).data(), words * 8));
}

// Each word says whose it is, so that a torn line shows.
toy_journal::line toy_journal::content_of(const change& c) const {
  line content(words());
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = c.second == 0 ? 0 : c.second * 1000 + i;
  return content;
}

void toy_journal::make() {
  write_super();
  wait();
}

// Words of a head: magic, transaction, how many, slots as bytes, checksum of the contents, ..., checksum of the head.
toy_journal::line toy_journal::head() const {
  line h(words());
  h[0] = magic;
  h[1] = next_;
  h[2] = running_.size();
  for (std::size_t i = 0; i < running_.size(); ++i) {
    h[3] |= running_[i].first << (8 * i);
    if (format_.checksums && (i == 0 || flaw_ != flaw::checksum_of_one)) h[4] = sum(content_of(running_[i]), words(), h[4]);
  }
  if (flaw_ != flaw::checksum_forgotten) h.back() = sum(h, words() - 1);
  return h;
}

void toy_journal::write_contents() {
  for (std::size_t i = 0; i < running_.size(); ++i) write(at_ + 1 + i, content_of(running_[i]), flaw_ == flaw::missing_flush);
}

void toy_journal::commit() {
  if (running_.empty()) return;
  if (flaw_ != flaw::commit_before_data) write_contents();
  if (!format_.checksums && flaw_ != flaw::missing_fence && flaw_ != flaw::commit_before_data &&
      !(format_.requests && flaw_ == flaw::missing_flush))
    wait();
  write(at_, head());
  wait();
  if (flaw_ == flaw::commit_before_data) {
    write_contents();
    wait();
  }
  at_ += 1 + running_.size();
  ++next_;
  committed_.insert(committed_.end(), running_.begin(), running_.end());
  running_.clear();
}

void toy_journal::checkpoint() {
  tail_ = next_;
  if (flaw_ == flaw::tail_too_early) write_super();
  for (const change& c : committed_) write(2 + c.first, content_of(c));
  wait();
  if (flaw_ != flaw::tail_too_early) write_super();
  if (flaw_ != flaw::no_wait_for_tail) wait();
  at_ = toy_log;
  committed_.clear();
}

// Words: magic, transaction, how often it was written, ..., checksum.
void toy_journal::write_super() {
  line super(words());
  super[0] = magic;
  super[1] = tail_;
  super[2] = tail_ * 2 + (copy_ & 1);
  if (flaw_ == flaw::torn_super) {
    super.resize(2 * words());
    super[words()] = sum(super, words());
    return write(0, super);
  }
  super.back() = sum(super, words() - 1);
  write(copy_++ % 2, super);
}

std::string toy_journal::read_super() {
  const line first = read(0), second = read(1);
  if (flaw_ == flaw::torn_super) {
    if (second[0] != sum(first, words())) return "no super block";
    tail_ = first[1];
    return {};
  }
  const auto whole = [&](const line& super) { return super[0] == magic && super.back() == sum(super, words() - 1); };
  if (!whole(first) && !whole(second)) return "no super block";
  const bool use_first = whole(first) && (!whole(second) || first[2] > second[2]);
  tail_ = use_first ? first[1] : second[1];
  copy_ = use_first ? 1 : 0;
  return {};
}

bool toy_journal::head_is_whole(const line& head, std::uint64_t at) {
  if (head[0] != magic || head[1] != next_ || head[2] > 8) return false;
  if (flaw_ != flaw::checksum_forgotten && head.back() != sum(head, words() - 1)) return false;
  std::uint64_t contents = 0;
  if (format_.checksums)
    for (std::uint64_t i = 0; i < (flaw_ == flaw::checksum_of_one ? 1 : head[2]); ++i) contents = sum(read(at + 1 + i), words(), contents);
  return contents == head[4];
}

std::string toy_journal::recover() {
  if (std::string failure = read_super(); !failure.empty()) return failure;
  next_ = tail_;
  for (line head = read(at_); head_is_whole(head, at_); head = read(at_)) {
    for (std::uint64_t i = 0; i < head[2]; ++i) write(2 + (head[3] >> (8 * i) & 255) % toy_slots, read(at_ + 1 + i));
    at_ += 1 + head[2];
    ++next_;
  }
  wait();
  tail_ = next_;
  write_super();
  wait();
  at_ = toy_log;
  return {};
}

std::string toy_journal::contents() {
  std::string text;
  for (std::uint64_t slot = 0; slot < toy_slots; ++slot) {
    const line content = read(2 + slot);
    const std::uint64_t value = content[0] / 1000;
    text += (slot == 0 ? "" : " ") + (content == content_of({slot, value}) ? std::to_string(value) : "torn");
  }
  return text;
}

toy_subject::toy_subject(const toy_format& format, flaw f, std::vector<toy_step> steps)
    : format_{format}, flaw_{f}, steps_{std::move(steps)} {
  std::array<std::uint64_t, toy_slots> values{};
  std::vector<toy_step> running;
  const auto tell = [&] {
    std::string text;
    for (const std::uint64_t v : values) text += (text.empty() ? "" : " ") + std::to_string(v);
    models_.push_back(std::move(text));
  };
  tell();
  for (const toy_step& s : steps_) {
    if (s.kind == toy_step::what::set) running.push_back(s);
    if (s.kind == toy_step::what::commit) {
      for (const toy_step& r : running) values.at(r.slot) = r.value;
      running.clear();
    }
    tell();
  }
}

std::vector<std::byte> toy_subject::start() const {
  image bytes{toy_lines * format_.line};
  image_device device{bytes, !format_.requests, nullptr};
  toy_journal{device, format_, flaw_}.make();
  return {bytes.bytes().begin(), bytes.bytes().end()};
}

program toy_subject::make_program(std::string name) const {
  return {.name = std::move(name), .run = [this](dev::device& device, history& h) {
            toy_journal journal{device, format_, flaw_};
            static_cast<void>(journal.recover());
            for (std::uint32_t i = 0; i < steps_.size(); ++i) {
              const toy_step& s = steps_[i];
              const bool sets = s.kind == toy_step::what::set;
              h.begin_operation(i, sets                               ? "set " + std::to_string(s.slot) + " to " + std::to_string(s.value)
                                   : s.kind == toy_step::what::commit ? "commit"
                                                                      : "checkpoint");
              if (sets) journal.set(s.slot, s.value);
              if (s.kind == toy_step::what::commit) journal.commit();
              if (s.kind == toy_step::what::checkpoint) journal.checkpoint();
              h.end_operation(i, !sets);
            }
          }};
}

recovery toy_subject::recover(dev::device& device) {
  toy_journal journal{device, format_, flaw_};
  std::string failure = journal.recover();
  return {.failure = std::move(failure), .meaning = failure.empty() ? journal.contents() : ""};
}

// What was there behind some step, from the last one that had to last to the one under way.
std::string toy_subject::judge(const recovery& found, const position& at) {
  const std::size_t first = at.last_persistent ? *at.last_persistent + 1 : 0;
  const std::size_t last = at.finished + at.in_progress.size();
  for (std::size_t steps = first; steps <= last; ++steps)
    if (models_.at(steps) == found.meaning) return {};
  return "found " + found.meaning + ", not what was there after " + std::to_string(first) + " to " + std::to_string(last) + " steps";
}

classifier toy_subject::classify() const {
  return [line = format_.line](std::uint64_t offset) {
    const std::uint64_t number = offset / line;
    return number < toy_log ? line_class{} : line_class{line_kind::checked, 1 + number};
  };
}

std::vector<toy_step> usual_steps() {
  using enum toy_step::what;
  return {{set, 0, 1}, {set, 1, 2}, {commit}, {set, 1, 3}, {set, 2, 4}, {commit},    {checkpoint},
          {set, 0, 5}, {set, 3, 6}, {commit}, {set, 2, 7}, {commit},    {checkpoint}};
}

std::vector<toy_step> random_steps(std::uint64_t seed, std::size_t count) {
  explore::random_numbers chance{seed, 0};
  std::vector<toy_step> steps;
  std::size_t logged = 0, running = 0;
  for (std::uint64_t value = 1; value <= count; ++value) {
    const std::uint64_t what = chance.below(8);
    if (what == 0 || logged + running > toy_lines / 2) {
      steps.push_back({toy_step::what::checkpoint});
      logged = 0;
    } else if (what <= 2 || running == 3) {
      steps.push_back({toy_step::what::commit});
      logged += running + 1;
      running = 0;
    } else {
      steps.push_back({toy_step::what::set, chance.below(toy_slots), value});
      ++running;
    }
  }
  return steps;
}

}  // namespace xip::crash::test
