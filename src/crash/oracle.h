// oracle: what may be found after a crash, from what was there after each step of the run that did not crash.
//
// A journal is one line: the names, attributes and sizes that are found are those after some step K, no earlier than the last step that was made
// durable, no later than the step in progress. Bytes go past the journal, in place: each word is one that was there after some step since the file
// was last synced, up to the step in progress, or zero where one of those steps had nothing there.
//
// A step that takes a range out of a file, or puts one in, moves what lies behind it: all at once, with the size, so that what is found is laid out as it was before or
// as it was after. A word may be what stood at its own place earlier, wherever that was then; what was written there after a move is found where it was written, or not
// at all. Zeros over a range may be a change of metadata alone: what is written into them before that counts is found among the bytes that were there before, in one word.
//
// Times of a file (mtime, ctime) are part of its metadata, and go only forward: once they are durable, older ones are not found.
//
// Steps of several tasks are put in an order first. What may be found is then the same, except that those in progress need not be the last ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <xip/crash/workload.h>

#include "crash/tree.h"

namespace xip::crash {

// What a step that was not refused made durable.
enum class durability : std::uint8_t {
  nothing,
  own_bytes,   // those that it has stored, and the file with them (MAP_SYNC)
  data,        // of a file: its bytes, its size, and that it is there (fdatasync, O_DSYNC)
  file,        // all of a file or directory, its names or entries included (fsync, O_SYNC)
  everything,  // sync, umount
};

// Of which bytes of its file a step says so. What was stored through mappings is not among them, but by a sync of the whole file.
enum class synced_bytes : std::uint8_t { all, own, none };

// When a step was made, in whatever counts: its begin and its end. Of two tasks' steps neither may have ended before the other one began.
struct step_time {
  static constexpr std::size_t not_yet = std::numeric_limits<std::size_t>::max();

  std::size_t begun;
  std::size_t ended = not_yet;

  [[nodiscard]] bool has_ended() const noexcept { return ended != not_yet; }
  [[nodiscard]] bool overlaps(const step_time& other) const noexcept { return begun < other.ended && other.begun < ended; }
};

// Which number a file has that was not there at the start.
enum class numbering : std::uint8_t {
  same,     // the same as in the run that did not crash
  by_name,  // any: who allocated first is not told by the order in which names appeared. Files are known by their names
};

// Whether each change of a name is durable when its call returns: in directories whose flags say so, or in all (a mount with dirsync).
enum class names_last : std::uint8_t { as_flagged, everywhere };

class oracle {
 public:
  void start(tree before, numbering files = numbering::same, names_last names = names_last::as_flagged);
  // S has ended. FILE: whose inode it wrote to or synced; 0: nobody's.
  void add(const step& s, durability made, std::uint64_t file, tree after, synced_bytes bytes = synced_bytes::all);

  // Why FOUND may not be what is found when FINISHED steps have ended and BEGUN have begun, one after the other; empty: it may.
  [[nodiscard]] std::string judge(const tree& found, std::uint32_t finished, std::uint32_t begun) const;
  // The same of the steps that have begun, of several tasks. They took effect in the order in which they were added; TIMES are theirs.
  [[nodiscard]] std::string judge(const tree& found, std::span<const step_time> times) const;
  // Why LIVE is not what is there behind the last step, without a crash.
  [[nodiscard]] std::string differs(const tree& live) const;
  // Some step has promised that the times of this file last. Never of several tasks: in another order of their calls they are others.
  [[nodiscard]] bool judges_times_of(std::uint64_t ino) const { return times_of_all_ || times_of_.contains(ino); }
  // Behind the last step.
  [[nodiscard]] const tree& now() const { return states_.back(); }

 private:
  // What is sure once a step has ended.
  struct floor {
    std::size_t names = 0;                                 // the state that is the oldest that may be found
    std::size_t bytes = 0;                                 // likewise, for the bytes of any file
    std::map<std::uint64_t, std::size_t> file_bytes = {};  // and of these
    struct range {
      std::uint64_t file;
      std::size_t from, to;  // bytes, as they lie in state SINCE
      std::size_t since;
    };
    std::vector<range> ranges = {};  // and of these bytes
    // Whose times are no older than in that state; zero: nobody's.
    std::size_t times = 0;
    std::map<std::uint64_t, std::size_t> file_times = {};

    void join(const floor& other);
  };
  // A file that the step behind a state makes larger: in between it may have any size.
  struct growth {
    std::uint64_t file;
    std::int64_t least, most;
  };
  // The bytes of a file behind AT that the step behind a state has moved: by BYTES to the right, or over as many to the left.
  struct shift {
    std::uint64_t file;
    std::size_t at, bytes;
    bool right;

    // Where a byte is after it that was at PLACE before it, and the other way round; nothing: it was taken out, or put in.
    [[nodiscard]] std::optional<std::size_t> after(std::size_t place) const noexcept;
    [[nodiscard]] std::optional<std::size_t> before(std::size_t place) const noexcept;
  };
  // What a file had after some step, as it would lie after another one.
  class content;

  [[nodiscard]] floor promise_of(const step& s, durability made, std::uint64_t file, synced_bytes bytes) const;
  // The last step, S, has changed the names in a directory where such changes last.
  [[nodiscard]] bool changed_lasting_names(const step& s) const;
  [[nodiscard]] std::size_t same_since(std::uint64_t file, durability made) const;
  [[nodiscard]] std::size_t there_since(std::uint64_t file, std::int64_t least) const;
  [[nodiscard]] std::optional<growth> growth_of(std::size_t state) const;
  // Of S, behind which NOW is there.
  [[nodiscard]] std::optional<shift> shift_of(const step& s, std::uint64_t file, const tree& now) const;
  [[nodiscard]] std::vector<growth> growing_at(std::size_t state, const floor& sure, std::span<const step_time> times) const;
  [[nodiscard]] tree in_numbers_of(const tree& found, std::size_t state) const;
  // FOUND has the names of STATE.
  [[nodiscard]] std::string wrong_bytes(const tree& found, std::size_t state, const floor& sure, std::size_t begun) const;
  [[nodiscard]] std::string wrong_bytes_of(std::uint64_t ino, const tree_node& found, std::size_t state, const floor& sure,
                                           std::size_t begun) const;
  [[nodiscard]] std::string wrong_times(const tree& found, std::size_t state, const floor& sure, std::size_t begun) const;
  // The oldest state whose word may be found at AT of a file, SINCE or later.
  [[nodiscard]] std::size_t word_since(const floor& sure, std::size_t since, std::uint64_t ino, std::size_t state, std::size_t at,
                                       std::size_t bytes) const;
  [[nodiscard]] bool zeroed_behind(std::size_t state, std::uint64_t ino, std::size_t at, std::size_t since, std::size_t begun) const;
  [[nodiscard]] static bool fits_byte_by_byte(std::span<const content> may, std::size_t at, std::size_t bytes, std::uint64_t word);
  [[nodiscard]] unsigned life_of(std::size_t state, std::uint64_t ino) const;
  [[nodiscard]] std::string name_of_state(std::size_t state) const;

  struct taken {
    std::string text;
    bool grows;  // bit by bit
    std::uint64_t file;
    std::optional<shift> moved = {};
    std::size_t zeroed_from = 0, zeroed_to = 0;
  };
  std::vector<tree> states_;  // before the first step, and after each
  // Which file an inode number stands for in each state: a number that is free becomes another's.
  std::vector<std::map<std::uint64_t, unsigned>> lives_;
  std::vector<taken> steps_;
  std::vector<floor> promises_;  // of each step, once it has ended
  numbering numbering_ = numbering::same;
  names_last names_last_ = names_last::as_flagged;
  bool times_of_all_ = false;
  std::set<std::uint64_t> times_of_;
};

}  // namespace xip::crash
