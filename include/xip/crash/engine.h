// The crash engine: runs a program once, then loses the power at each moment of it in every way that matters, and has each state that is
// left recovered and judged.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <xip/crash/classify.h>
#include <xip/crash/history.h>
#include <xip/crash/subject.h>
#include <xip/explore/strategy.h>
#include <xip/locks/sched_hook.h>

namespace xip::crash {

// What is done to the device before the power fails. It tells H where its operations begin and end. Throws to fail.
// In every run it does the same to the device, but for what it writes where times are kept.
struct program {
  std::string name;  // one word
  std::function<void(dev::device& device, history& h)> run;
};

// A state that was run, as it is run.
struct state_seen {
  const position& at;
  std::size_t lines;  // in flight
  const std::string& meaning;
  const std::string& failure;  // empty: none
};

struct crash_progress {
  std::uint64_t points, states, unique_images, meanings, failing_states;
};

struct crash_options {
  std::uint32_t unit = 64;          // bytes that the power does not tear: 8, 64, 512 or 4096
  bool windows = true;              // whether the devices have direct access
  classifier classify = {};         // empty: each line is metadata, for itself
  bool exhaustive = false;          // every state, nothing reduced: for small programs
  std::uint64_t max_states = 4096;  // of one moment, in each stage. More are not all run, and the report says so
  std::uint64_t samples = 256;      // by chance, at a moment that has more
  std::size_t max_lines = 0;        // moments with more in flight are not run, and reported as cut; zero: all are
  std::uint64_t seed = 1;
  explore::shard part = {};            // of the moments
  nanoseconds max_time{0};             // the host's, of one run; zero: no limit
  std::uint32_t max_failures = 1;      // go on after fewer. Equal texts are one failure
  std::uint64_t minimise_runs = 2000;  // the most that may be run to make a failing state smaller; zero: do not
  std::uint64_t repeat_every = 1000;   // so many recoveries: one again, to see that it is the same; zero: never
  // What lies at byte OFFSET of the device, as a report names it.
  std::function<std::string(std::uint64_t offset)> name_of = {};
  std::function<void(const state_seen&)> on_state = {};
  std::function<void(const crash_progress&)> on_progress = {};
  nanoseconds progress_every{200'000'000};
  const std::atomic<bool>* stop = nullptr;  // set by somebody else: end soon
};

// A store to a line in flight.
struct flying_store {
  event_kind kind;
  std::uint32_t task;
  std::uint32_t operation;  // its place in the history's operations, or event::no_operation
  std::size_t event;
  std::uint64_t offset, bytes;  // of the part that lies in the line
  bool arrived;
};
struct flying_line {
  std::uint64_t offset, bytes;
  line_kind kind;
  std::string name;                  // by crash_options::name_of
  std::vector<flying_store> stores;  // in the order they were made
};

// One state at one moment.
struct state_report {
  std::string failure;
  std::string meaning;
  std::string token;
  std::size_t point = 0;
  std::size_t event = 0;                   // the crash is just before this one
  event_kind before = event_kind::end;     // its kind; end: behind an operation, or behind everything
  std::uint32_t finished = 0;              // operations
  std::vector<std::string> in_progress;    // their texts
  std::vector<flying_line> lines;          // all that were in flight
  std::uint64_t arrived = 0, missing = 0;  // lines of which a store has, or has not
  // Of several tasks: where each of them is, and how they took turns in the whole schedule. UNCRASHED: it fails without a loss of power, and that is all.
  std::string moment = {};
  std::vector<std::string> schedule = {};
  bool uncrashed = false;
};

struct found_failure {
  state_report first;      // as it was found
  state_report minimised;  // at the same moment: with the fewest lines that have arrived, or that are missing, that were found to fail
};

// A moment that was not run in full, or with max_lines not at all.
struct cut_point {
  std::size_t point;
  std::size_t lines;            // in flight
  double log2_states;           // of all there are
  std::uint64_t states;         // that were run
  std::uint64_t patterns_left;  // of the likely ones
  bool grouped;                 // all that is left out is what lines grouped without a checksum might have been
};

struct crash_report {
  std::string program;
  std::uint32_t unit = 64;
  std::uint64_t points = 0;           // moments that were looked at
  std::uint64_t repeated_points = 0;  // and were known to pass, from other histories
  std::uint64_t states = 0;           // that were run: those of different moments may have one image
  std::uint64_t failing_states = 0;
  std::uint64_t unique_images = 0;
  std::uint64_t recoveries = 0;  // of images; more than those where one had to be recovered again
  std::uint64_t meanings = 0;    // unique ones
  std::size_t max_lines = 0;     // in flight at one moment
  double log2_states = 0;        // of all there are at the moment that has most
  std::vector<cut_point> cut;
  std::vector<found_failure> failures;  // at most max_failures, each with another text
  std::string broken;  // not empty: the program failed, or recoveries are no function of the image. The rest is not to be relied on
  double seconds = 0;
  double subject_seconds = 0;  // of these, in the subject
  bool stopped = false;        // by the budget, by crash_options::stop, or by max_failures

  [[nodiscard]] bool passed() const noexcept { return failing_states == 0 && broken.empty(); }
  // Nothing was left out.
  [[nodiscard]] bool complete() const noexcept { return cut.empty() && !stopped; }
  // Of all states, those too whose image was known from another moment, which cost little.
  [[nodiscard]] double per_second() const noexcept { return seconds > 0 ? static_cast<double>(states) / seconds : 0; }
  // Of images, each of which was recovered and read, or had to be again.
  [[nodiscard]] double recoveries_per_second() const noexcept { return seconds > 0 ? static_cast<double>(recoveries) / seconds : 0; }
};

// Keeps an image on which any number of programs are crashed in turn; what they do to it is taken back. One thread of the host at a time.
class crash_engine {
 public:
  // IMAGE: what the device has when a program begins.
  explicit crash_engine(std::span<const std::byte> image, crash_options options = {});
  ~crash_engine();
  crash_engine(const crash_engine&) = delete;
  crash_engine& operator=(const crash_engine&) = delete;

  [[nodiscard]] crash_options& options() noexcept;
  // What the device has when a program begins.
  [[nodiscard]] std::span<const std::byte> start() const noexcept;

  [[nodiscard]] crash_report run(const program& p, subject& s);
  // A history that somebody else has recorded, on a device that began with the same image.
  [[nodiscard]] crash_report run(std::string_view name, const history& h, subject& s);
  // The state that TOKEN names. Refused, with the reason: TOKEN is of another program, or one that writes elsewhere, or of another unit, or is none.
  [[nodiscard]] std::expected<state_report, std::string> replay(const program& p, subject& s, std::string_view token);
  [[nodiscard]] std::expected<state_report, std::string> replay(std::string_view name, const history& h, subject& s,
                                                                std::string_view token);
  // The history of the last run or replay of a program.
  [[nodiscard]] const history& recorded() const noexcept;
  // The image of the state that the last replay was of, before it was recovered.
  [[nodiscard]] std::span<const std::byte> replayed_image() const noexcept;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace xip::crash
