// A device of a few words, events made by hand, and a subject that says what the words are.
#pragma once

#include <array>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <xip/crash/engine.h>

namespace xip::crash::test {

inline constexpr std::uint64_t device_bytes = 16384;

// Reads the words at OFFSETS; they are what it found: "1 0 7". Whatever it finds is right, unless it is on the list.
class word_reader : public subject {
 public:
  explicit word_reader(std::vector<std::uint64_t> offsets) : offsets_{std::move(offsets)} {}

  recovery recover(dev::device& device) override {
    ++recoveries;
    std::string found;
    for (const std::uint64_t offset : offsets_) {
      std::uint64_t word = 0;
      EXPECT_TRUE(device.read(offset, std::as_writable_bytes(std::span{&word, 1})));
      found += (found.empty() ? "" : " ") + std::to_string(word);
    }
    return {.meaning = std::move(found)};
  }
  std::string judge(const recovery& found, const position&) override {
    return wrong.contains(found.meaning) ? "wrong: " + found.meaning : "";
  }

  std::set<std::string> wrong;
  int recoveries = 0;

 private:
  std::vector<std::uint64_t> offsets_;
};

using meanings = std::set<std::string>;

class Words : public testing::Test {
 protected:
  history h_;
  crash_options options_;

  // A store of words that are all WHAT.
  void store(std::uint64_t offset, std::uint64_t what, std::size_t words = 1, bool cached = false) {
    const std::vector<std::uint64_t> content(words, what);
    h_.on_store(offset, std::as_bytes(std::span{content}), cached);
  }
  void cached(std::uint64_t offset, std::uint64_t what, std::size_t words = 1) { store(offset, what, words, true); }
  void request(std::uint64_t offset, std::uint64_t what, std::size_t words) {
    const std::vector<std::uint64_t> content(words, what);
    h_.on_write(offset, std::as_bytes(std::span{content}));
  }
  void fence() { h_.on_fence(); }
  void flush(std::uint64_t offset, std::size_t bytes = 8) { h_.on_flush(offset, bytes); }
  void flush_cache() { h_.on_flush_cache(); }

  // What is found at each moment, in their order.
  [[nodiscard]] std::vector<meanings> found(std::vector<std::uint64_t> offsets) {
    std::map<std::size_t, meanings> at;
    options_.on_state = [&](const state_seen& s) { at[s.at.point].insert(s.meaning); };
    word_reader subject{std::move(offsets)};
    report_ = engine().run("words", h_, subject);
    EXPECT_EQ(report_.broken, "");
    std::vector<meanings> all;
    for (auto& [point, seen] : at) all.push_back(std::move(seen));
    return all;
  }
  [[nodiscard]] crash_engine engine() { return crash_engine{std::vector<std::byte>(device_bytes), options_}; }

  crash_report report_;
};

}  // namespace xip::crash::test
