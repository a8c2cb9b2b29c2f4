// Figures, not judgements: run with --gtest_also_run_disabled_tests --gtest_filter='CrashSpeed*'.
#include <cstdio>

#include <gtest/gtest.h>

#include "crash/toy_journal.h"
#include "explore/random.h"

namespace xip::crash::test {
namespace {

constexpr std::uint64_t image_bytes = std::uint64_t{16} << 20;

void print(const char* what, const crash_report& r) {
  const auto recoveries = static_cast<double>(r.recoveries);
  std::printf(
      "%-46s %8lu states %8lu recovered in %5.2f s: %9.0f states/s, %6.2f us each, of which the subject %6.2f us; %zu lines in flight\n",
      what, r.states, r.recoveries, r.seconds, r.per_second(), r.seconds * 1e6 / recoveries, r.subject_seconds * 1e6 / recoveries,
      r.max_lines);
}

TEST(CrashSpeed, DISABLED_OfASmallJournal) {
  for (const std::uint32_t unit : {8u, 64u}) {
    toy_subject subject{{64, false, true}, flaw::none, random_steps(1, 200)};
    std::vector<std::byte> start = subject.start();
    start.resize(image_bytes);
    crash_engine engine{start, {.unit = unit, .samples = 1000}};
    print(unit == 8 ? "journal of 64-byte lines, torn at 8" : "journal of 64-byte lines, torn at 64",
          engine.run(subject.make_program(), subject));
  }
}

// As much as a replay of eight blocks reads and writes.
class block_reader final : public subject {
 public:
  recovery recover(dev::device& device) override {
    std::uint64_t sum = 0;
    for (std::uint64_t block = 0; block < 8; ++block) {
      EXPECT_TRUE(device.read(block << 16, bytes_));
      sum = explore::mix(sum + explore::hash_bytes(bytes_.data(), bytes_.size()));
      EXPECT_TRUE(device.write(image_bytes / 2 + (block << 16), bytes_));
    }
    return {.meaning = std::to_string(sum)};
  }
  std::string judge(const recovery&, const position&) override { return {}; }

 private:
  std::vector<std::byte> bytes_ = std::vector<std::byte>(4096);
};

TEST(CrashSpeed, DISABLED_OfEightBlocksInFlight) {
  for (const std::uint32_t unit : {8u, 64u, 512u}) {
    block_reader subject;
    const program blocks{.name = "blocks", .run = [](dev::device& device, history&) {
                           std::vector<std::uint64_t> content(512);
                           for (std::uint64_t block = 0; block < 8; ++block) {
                             for (std::size_t i = 0; i < content.size(); ++i) content[i] = (block << 32) + i + 1;
                             const auto window = device.direct_access(block << 16, 4096, dev::access_intent::write);
                             device.copy_in(window->data, content.data(), 4096);
                           }
                           device.drain();
                         }};
    crash_engine engine{std::vector<std::byte>(image_bytes), {.unit = unit, .max_states = 20'000, .samples = 10'000}};
    print(("eight blocks in flight, torn at " + std::to_string(unit)).c_str(), engine.run(blocks, subject));
  }
}

}  // namespace
}  // namespace xip::crash::test
