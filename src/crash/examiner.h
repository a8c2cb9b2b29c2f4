// examiner: has states recovered and judged, each image once, each meaning once at each position.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <xip/crash/engine.h>
#include <xip/crash/subject.h>

#include "crash/image.h"
#include "crash/lines.h"
#include "crash/reads.h"
#include "crash/search.h"
#include "crash/space.h"
#include "crash/walk.h"

namespace xip::crash {

// Reads of the last images that were recovered, in a ring: few images come again, and those soon.
class read_memory {
 public:
  struct place {
    std::uint64_t end = 0;  // in all reads there ever were
    std::size_t reads = 0;
  };
  [[nodiscard]] place keep(std::span<const line_read> reads);
  // Until the next keep().
  [[nodiscard]] bool has(const place& p) const noexcept { return all_ - p.end + p.reads <= ring_.size(); }
  [[nodiscard]] std::span<const line_read> at(const place& p) const noexcept {
    return std::span{ring_}.subspan((p.end - p.reads) % ring_.size(), p.reads);
  }

 private:
  std::vector<line_read> ring_ = std::vector<line_read>(std::size_t{1} << 17);
  std::uint64_t all_ = 0;
};

class examiner {
 public:
  struct verdict {
    const std::string& meaning;
    const std::string& failure;        // empty: none
    std::span<const line_read> reads;  // until the next run
  };

  // LINES are loaded and lie on BYTES. Nobody else uses MEMORY.
  examiner(image& bytes, lined_image& lines, const crash_options& options, subject& s, read_memory& memory);

  // The state of SPACE, at the moment where W stands. The image is left in it.
  [[nodiscard]] verdict run(const state_space& space, const arrivals& state, const medium_walk& w);

  [[nodiscard]] std::uint64_t images() const noexcept { return known_.size(); }
  [[nodiscard]] std::uint64_t recoveries() const noexcept { return recoveries_; }
  [[nodiscard]] std::uint64_t meanings() const noexcept { return meanings_.size() - 1; }
  [[nodiscard]] nanoseconds subject_time() const noexcept { return subject_time_; }
  // Not empty: a recovery was another one when it was repeated.
  [[nodiscard]] const std::string& broken() const noexcept { return broken_; }

 private:
  struct known_image {
    std::uint32_t meaning;  // its place in meanings_; zero: its recovery failed
    std::uint32_t failure;  // of the recovery or the inspection: its place in texts_; zero: none
    read_memory::place reads;
  };
  struct known_meaning {
    recovery found;
    std::uint32_t failure;  // of the probe
  };

  [[nodiscard]] known_image& known();
  [[nodiscard]] known_image recover(bool fresh);
  [[nodiscard]] recovery call_recover(dev::device& device);
  [[nodiscard]] std::uint32_t meaning(recovery found, dev::device& device);
  void repeat(const known_image& before);
  [[nodiscard]] std::uint32_t judge(std::uint32_t meaning, const medium_walk& w);
  [[nodiscard]] std::uint32_t text(std::string s);
  template <class Call>
  [[nodiscard]] std::string guarded(Call&& call);

  image& image_;
  lined_image& lines_;
  const crash_options& options_;
  subject& subject_;
  read_memory& memory_;
  reads_heard heard_;
  std::unordered_map<std::uint64_t, known_image> known_;  // by the image's hash
  std::deque<known_meaning> meanings_{known_meaning{}};
  std::unordered_map<std::string_view, std::uint32_t> meaning_numbers_;
  std::deque<std::string> texts_{""};
  std::unordered_map<std::string_view, std::uint32_t> text_numbers_{{"", 0}};
  std::unordered_map<std::uint64_t, std::uint32_t> judged_;  // by meaning and position
  std::uint64_t recoveries_ = 0;
  nanoseconds subject_time_{0};
  std::string broken_;
};

}  // namespace xip::crash
