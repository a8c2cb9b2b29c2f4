// A scenario: one small program against a mounted file system, one file each. In the manner of xfstests.
//
//   // What it shows, and why.
//   // Groups: auto quick rw. Needs: nothing.
//   #include <xip/scenario/scenario.h>
//
//   XIP_SCENARIO("auto quick rw", "a byte written is a byte read") {
//     const int fd = t.must(t->open("file", O_RDWR | O_CREAT, 0644));
//     ...
//   }
//
// The file lies at DIR/NNN.cc, and the build gives it its name: XIP_SCENARIO_DIR and XIP_SCENARIO_NUMBER (strings) and
// XIP_SCENARIO_SYMBOL (the constant that a program's registry lists). Helpers go into `namespace xip::scenario { namespace {`, where the
// body finds them.
#pragma once

#include <cstdint>
#include <string_view>

#include <xip/scenario/run.h>

namespace xip::scenario {

inline constexpr std::uint64_t kib = 1024;
inline constexpr std::uint64_t mib = 1024 * kib;

struct race_plan;

// What a scenario asks of its surroundings. Where that cannot be had it is not run, and the report says why.
struct requirements {
  bool dax = false;             // a device with direct access and blocks of 4 KiB
  bool fresh = false;           // an image of its own: cannot use a copy of the user's
  std::uint64_t size = 0;       // bytes the image must have at least; 0: the default
  std::string_view mkfs = {};   // mke2fs options, behind those of the run; implies fresh
  std::string_view mount = {};  // mount options; dax=always is added where it is possible and nothing is said about dax
  std::string_view tool = {};   // a program of e2fsprogs beside mke2fs and e2fsck, such as debugfs
  bool huge_files = false;      // feature huge_file: files of more than 2 TiB
  bool extents = false;         // feature extent: files are mapped by extents, and can have unwritten ones
  bool errors_logged = false;   // the file system may log errors; otherwise an error in its log fails the scenario
};

struct scenario {
  std::string_view name;         // "generic/001"
  std::string_view groups;       // separated by spaces; the directory is a group too
  std::string_view description;  // one line
  requirements needs;
  void (*body)(run& t);
  const race_plan* race = nullptr;  // what can be explored, too (xip/scenario/race.h)
};

}  // namespace xip::scenario

// XIP_SCENARIO(GROUPS, WHAT[, requirements as designated initialisers]) { body, with `run& t` }
#define XIP_SCENARIO(GROUPS, WHAT, ...)                                                                                               \
  namespace xip::scenario {                                                                                                           \
  static void scenario_body(run& t);                                                                                                  \
  extern const scenario XIP_SCENARIO_SYMBOL;                                                                                          \
  constinit const scenario XIP_SCENARIO_SYMBOL{XIP_SCENARIO_DIR "/" XIP_SCENARIO_NUMBER, GROUPS, WHAT, {__VA_ARGS__}, scenario_body}; \
  }                                                                                                                                   \
  void xip::scenario::scenario_body([[maybe_unused]] run& t)
