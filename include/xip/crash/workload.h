// workload: calls to a file system before the power fails, as a list that can be written down and read back.
//
//   mkdir A                      # a comment
//   creat A/foo
//   ---                          # what stands before it is made and synced; the power fails behind it
//   write A/foo 0 4096 dsync
//   rename A/foo B/bar
//   fsync B/bar
//
// Two tasks make their calls at the same time where it says whose they are:
//
//   task 1:
//   write A/foo 0 100
//   fsync A/foo
//   task 2:
//   unlink B/bar
//
// The power may have failed before, and fails again in the mount that follows:
//
//   creat A/foo
//   fsync A/foo
//   open 1 A/foo
//   unlink A/foo
//   fsync A
//   cut                          # nothing is unmounted: the log is to be replayed, A/foo to be deleted
//   ---
//   mount
//
// Paths begin at the root of the mount and have no blanks. A call that is refused is one like any other: its error is what it does.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace xip::crash {

enum class verb : std::uint8_t {
  mkdir,
  creat,
  mknod,    // a fifo
  symlink,  // TARGET PATH
  link,     // PATH PATH
  unlink,
  rmdir,
  rename,  // PATH PATH
  write,   // FILE OFFSET LENGTH
  store,   // FILE OFFSET LENGTH: through a shared mapping, which an open descriptor keeps
  msync,   // FILE: all of it
  truncate,
  falloc,    // FILE OFFSET LENGTH, and at most one of punch, zero, collapse, insert
  setxattr,  // FILE NAME LENGTH
  removexattr,
  chmod,   // PATH MODE (octal)
  chown,   // PATH UID GID
  chattr,  // PATH FLAGS: S, D or both, all others are kept; "-": neither (FS_SYNC_FL, FS_DIRSYNC_FL)
  open,    // NUMBER PATH: the task's own descriptor, "@NUMBER" where a FILE is asked for. PATH of a tmpfile: its directory
  close,   // NUMBER
  linkat,  // NUMBER PATH: gives the open file a name
  fsync,
  fdatasync,
  sync,
  umount,  // and mount again; not beside another task
  cut,     // the power fails; the last call of a setup. All that was stored has arrived
  mount,   // the first call behind it
};

// Words behind the arguments. Which verb knows which: see parse_workload.
enum step_flag : std::uint32_t {
  flag_dsync = 1u << 0,
  flag_sync = 1u << 1,  // of store: MAP_SYNC, and the task flushes its bytes by itself
  flag_direct = 1u << 2,
  flag_append = 1u << 3,
  flag_trunc = 1u << 4,
  flag_creat = 1u << 5,
  flag_tmpfile = 1u << 6,
  flag_keep_size = 1u << 7,
  flag_noreplace = 1u << 8,
  flag_exchange = 1u << 9,
  flag_whiteout = 1u << 10,
  flag_read = 1u << 11,   // of open: for reading, so that it takes a directory too
  flag_punch = 1u << 12,  // of falloc, as the next three: what becomes of the range. A hole
  flag_zero = 1u << 13,
  flag_collapse = 1u << 14,
  flag_insert = 1u << 15,
};

struct step {
  static constexpr int by_path = -1;

  verb what = verb::sync;
  std::string path = {};    // that is changed or made
  std::string other = {};   // the second path, a symlink's target, an attribute's name
  int fd = by_path;         // the descriptor, 0 to 99, in place of PATH
  std::int64_t offset = 0;  // bytes; of chown: the uid
  std::int64_t length = 0;  // bytes; of truncate: the new size; of chmod: the mode; of chown: the gid
  std::uint32_t flags = 0;  // step_flag
  std::uint32_t task = 0;   // who makes it, below most_tasks; of a setup: 0

  friend bool operator==(const step&, const step&) = default;
};

inline constexpr std::uint32_t most_tasks = 2;

struct workload {
  std::string name;  // one word
  std::vector<step> setup = {};
  std::vector<step> steps = {};  // each task makes its own in this order

  friend bool operator==(const workload&, const workload&) = default;
};

// "write A/foo 0 4096 dsync": as parse_workload reads it.
[[nodiscard]] std::string text_of(const step& s);
[[nodiscard]] std::string text_of(const workload& w);
// Why W cannot be run, of where its calls stand; empty: it can.
[[nodiscard]] std::string why_not(const workload& w);
// How many tasks make its steps.
[[nodiscard]] std::uint32_t tasks_of(const workload& w) noexcept;
// What is wrong with TEXT, and in which line ("line 3: ..."): an unknown verb, flag or number, too few or too many words. Sizes and offsets are at most
// largest_offset.
[[nodiscard]] std::expected<workload, std::string> parse_workload(std::string_view name, std::string_view text);

inline constexpr std::int64_t largest_offset = std::int64_t{1} << 24;  // what is read back after each crash should be small

}  // namespace xip::crash
