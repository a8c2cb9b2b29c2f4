// subject: what is crashed. It recovers what a crash has left, says what it found, and judges whether that may be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <xip/crash/history.h>

namespace xip::crash {

// The moment of a crash.
struct position {
  std::size_t point = 0;                              // of the history's moments, from 0
  std::size_t event = 0;                              // the crash is just before this one
  event_kind before = event_kind::end;                // its kind; end: behind an operation, or behind everything
  std::span<const operation> operations;              // of the whole history
  std::uint32_t finished = 0;                         // how many have ended
  std::vector<std::uint32_t> in_progress = {};        // those that have begun and not ended: places in OPERATIONS
  std::optional<std::uint32_t> last_persistent = {};  // the last one to have ended of those that persist: its place
};

struct recovery {
  std::string failure = {};  // not empty: whatever was going on, this must not be found
  // What was found, in full: judge() is called once for equal texts. Whoever reads the report sees it too.
  std::string meaning = {};
  std::shared_ptr<const void> detail = {};  // the same, as judge() likes it
};

// One thread of the host at a time. Each call may throw to fail.
class subject {
 public:
  virtual ~subject() = default;

  // A crash has left DEVICE like this. The answer must depend on its bytes alone, and they must have been read through the device: states
  // that differ only in what was not read are one. What is written to it is taken back.
  [[nodiscard]] virtual recovery recover(dev::device& device) = 0;
  // Why FOUND may not be what is found after a crash at AT; empty: it may. A state found at one moment, and found at a later one, is judged at
  // both; so what may be found while an operation is in progress must include what may be found before and behind it.
  [[nodiscard]] virtual std::string judge(const recovery& found, const position& at) = 0;

  // Equal numbers: the same meanings may be found at both positions, which may be of two histories that one engine crashes. Moments of equal numbers and equal
  // states are run once, if they pass. Zero: nobody knows.
  [[nodiscard]] virtual std::uint64_t question(const position& at) {
    static_cast<void>(at);
    return 0;
  }

  // Once for each meaning, on the device as recover() has left it: whether one can go on from there. Then the device goes away.
  [[nodiscard]] virtual std::string probe(dev::device& device, const recovery& found) {
    static_cast<void>(device), static_cast<void>(found);
    return {};
  }
  // Once for each image, before it is recovered: another judge, of bytes. HASH is the same for the same bytes in all runs of one engine and unit.
  [[nodiscard]] virtual std::string inspect(std::span<const std::byte> image, std::uint64_t hash) {
    static_cast<void>(image), static_cast<void>(hash);
    return {};
  }
  // The same behind recover(): of the bytes as it has left them.
  [[nodiscard]] virtual std::string audit(std::span<const std::byte> recovered, std::uint64_t hash) {
    static_cast<void>(recovered), static_cast<void>(hash);
    return {};
  }
};

}  // namespace xip::crash
