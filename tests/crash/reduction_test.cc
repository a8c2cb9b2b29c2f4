// The reduction loses nothing: small programs are run in every state there is, and in those that the engine chooses, and what is found is the same.
#include <cstring>
#include <map>
#include <set>

#include <gmock/gmock.h>

#include "crash/toy_journal.h"
#include "explore/random.h"

namespace xip::crash::test {
namespace {

constexpr std::uint64_t most_states = 4096;  // of twelve lines with one store each

// What is found at each moment that could be run in full: meanings, and what the judge had to say.
struct findings {
  std::map<std::size_t, std::set<std::pair<std::string, std::string>>> at;
  std::map<std::size_t, std::uint64_t> states;
  crash_report report;
};

template <class Run>
findings find(crash_options options, bool exhaustive, const Run& run) {
  findings f;
  options.exhaustive = exhaustive;
  options.max_states = most_states;
  options.samples = 0;
  options.max_failures = ~std::uint32_t{0};
  options.minimise_runs = 0;
  options.repeat_every = 7;
  options.on_state = [&](const state_seen& s) {
    f.at[s.at.point].emplace(s.meaning, s.failure);
    ++f.states[s.at.point];
  };
  f.report = run(options);
  EXPECT_EQ(f.report.broken, "");
  return f;
}

// At the moments that were compared: states that there are, and that were chosen; failures.
struct tally {
  std::uint64_t moments = 0, every = 0, chosen = 0, failing = 0;
};

template <class Run>
void compare(const crash_options& options, tally& sum, const Run& run) {
  findings every = find(options, true, run);
  const findings chosen = find(options, false, run);
  for (const cut_point& c : every.report.cut) every.at.erase(c.point);
  for (const auto& [point, found] : every.at) {
    EXPECT_EQ(chosen.at.at(point), found) << "at moment " << point;
    ++sum.moments;
    sum.every += every.states.at(point);
    sum.chosen += chosen.states.at(point);
    for (const auto& [meaning, failure] : found) sum.failing += !failure.empty();
  }
}

constexpr std::uint64_t device_bytes = 8192, area_bytes = 1024;

// Reads and writes here and there, led by what it has read so far.
class wanderer final : public subject {
 public:
  explicit wanderer(std::uint64_t seed) : seed_{seed} {}

  recovery recover(dev::device& device) override {
    std::uint64_t state = seed_;
    for (int step = 0; step < 6; ++step) {
      const std::uint64_t choice = explore::mix(state + static_cast<std::uint64_t>(step));
      std::array<std::byte, 72> bytes{};
      const std::uint64_t offset = choice % (area_bytes / 4) * 4, length = 1 + (choice >> 20) % bytes.size();
      const std::span piece{bytes.data(), length};
      if ((choice >> 40) % 4 == 0) {
        bytes.fill(static_cast<std::byte>(choice >> 50));
        EXPECT_TRUE(device.write(offset, piece));
        continue;
      }
      EXPECT_TRUE(device.read(offset, piece));
      // Sometimes all that was read leads on, sometimes a few bits of it.
      state = explore::mix(
          state + ((choice >> 44) % 2 == 0 ? explore::hash_bytes(bytes.data(), length) : std::to_integer<std::uint64_t>(bytes[0]) % 4));
    }
    return {.meaning = std::to_string(state)};
  }
  std::string judge(const recovery& found, const position& at) override {
    return explore::hash_bytes(std::as_bytes(std::span{found.meaning}).data(), found.meaning.size()) % 5 == at.finished % 5
               ? "wrong: " + found.meaning
               : "";
  }

 private:
  std::uint64_t seed_;
};

// Stores of all kinds to a small area, by two tasks.
class random_history {
 public:
  random_history(std::uint64_t seed, std::uint32_t unit) : chance_{seed, unit}, unit_{unit} {}

  [[nodiscard]] const history& make() {
    for (std::uint32_t i = 0; i < 4; ++i) {
      h_.begin_operation(i, "some");
      for (std::uint64_t n = 1 + chance_.below(7); n != 0; --n) add();
      h_.end_operation(i, chance_.below(2) == 0);
    }
    return h_;
  }

 private:
  void add() {
    const std::uint64_t offset = chance_.below(area_bytes / 8) * 8;
    running_ = static_cast<std::uint32_t>(chance_.below(8) / 7);
    if (running_ != 0 && h_.operations().back().task != running_) running_ = 0;
    switch (chance_.below(8)) {
      case 0:
        return h_.on_fence();
      case 1:
        return h_.on_flush(offset, 1 + chance_.below(128));
      case 2:
        return h_.on_flush_cache();
      case 3:
        return h_.on_write(offset / unit_ * unit_, content(unit_));
      case 4:
        return h_.on_store(offset, content(8 + chance_.below(unit_)), false);
      default:
        return h_.on_store(offset, content(8), chance_.below(2) == 0);
    }
  }
  // Few values, so that bytes also come back.
  [[nodiscard]] std::span<const std::byte> content(std::uint64_t bytes) {
    content_.assign(bytes, static_cast<std::byte>(chance_.below(3)));
    if (chance_.below(2) == 0) content_[chance_.below(bytes)] = std::byte{7};
    return content_;
  }

  explore::random_numbers chance_;
  std::uint32_t unit_;
  std::uint32_t running_ = 0;
  history h_{[this] { return running_; }};
  std::vector<std::byte> content_;
};

class Reduction : public testing::TestWithParam<std::uint32_t> {};

INSTANTIATE_TEST_SUITE_P(Unit, Reduction, testing::Values(8, 64, 512),
                         [](const testing::TestParamInfo<std::uint32_t>& i) { return std::to_string(i.param); });

TEST_P(Reduction, LosesNoMeaningOfRandomProgramsAndRecoveries) {
  tally sum;
  for (std::uint64_t seed = 1; seed <= 150 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    random_history made{seed, GetParam()};
    const history& h = made.make();
    compare({.unit = GetParam()}, sum, [&](const crash_options& o) {
      wanderer subject{seed};
      return crash_engine{std::vector<std::byte>(device_bytes), o}.run("random", h, subject);
    });
  }
  EXPECT_GT(sum.moments, 300u);
  EXPECT_GT(sum.failing, 100u);
  EXPECT_LT(sum.chosen, sum.every);
}

void compare_journals(const toy_format& format, flaw f, std::uint32_t unit, bool grouped, tally& sum) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    toy_subject subject{format, f, random_steps(seed, 12)};
    crash_options options{.unit = unit, .windows = !format.requests};
    if (grouped) options.classify = subject.classify();
    compare(options, sum, [&](const crash_options& o) { return crash_engine{subject.start(), o}.run(subject.make_program(), subject); });
  }
}

constexpr toy_format long_lines{256, false, false}, checksummed_lines{256, false, true};

TEST(ReductionOfJournals, LosesNothing) {
  tally sum;
  for (const flaw f :
       {flaw::none, flaw::missing_fence, flaw::missing_flush, flaw::commit_before_data, flaw::tail_too_early, flaw::torn_super})
    compare_journals({64, false, false}, f, 64, false, sum);
  compare_journals(long_lines, flaw::none, 64, false, sum);
  compare_journals(checksummed_lines, flaw::none, 64, false, sum);
  EXPECT_GT(sum.failing, 20u);
}

// What a checksum covers arrives as a whole, or is as good as not there.
TEST(ReductionOfJournals, LosesNothingWhereChecksumsCoverGroups) {
  tally sum;
  compare_journals(checksummed_lines, flaw::none, 64, true, sum);
  compare_journals(checksummed_lines, flaw::torn_super, 64, true, sum);
  EXPECT_GT(sum.failing, 10u);
  EXPECT_LT(sum.chosen * 10, sum.every);
}

}  // namespace
}  // namespace xip::crash::test
