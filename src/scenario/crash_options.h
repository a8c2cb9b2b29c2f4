// The command line of `xip crash`.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include <xip/crash/workload.h>
#include <xip/explore/strategy.h>
#include <xip/scenario/command.h>

#include "scenario/options.h"

namespace xip::scenario {

struct crash_request {
  std::vector<std::string> names;  // files of workloads, or names of generated ones
  unsigned ace = 0;                // all generated ones with so many calls; 0: none
  unsigned random = 0;             // random ones with so many calls; 0: none
  unsigned tasks = 1;              // of generated ones
  std::uint64_t sample = 0;        // that many of all, by chance; 0: all
  std::uint32_t unit = 0;          // bytes; 0: as the device has it
  device_kind device = device_kind::memory;
  std::optional<std::string> mount_options;
  std::optional<std::vector<std::string>> mkfs;
  std::string exhibit;  // a planted bug, by number or name; empty: none
  std::uint64_t seed = 1;
  std::uint64_t seconds = 0;                       // of the whole run; 0: no limit
  std::uint64_t states = 0;                        // of one moment; 0: the usual number
  std::vector<explore::strategy_spec> strategies;  // of two tasks; empty: the usual ones
  std::uint64_t schedules = 0;                     // of each workload of two tasks; 0: the usual number
  std::uint64_t fsck = 100;                        // e2fsck sees one of so many images; 0: none
  std::string token;                               // to replay
  std::string keep;                                // directory for what failed; empty: none
  std::string junit, html;                         // files; empty: none
  explore::shard part;                             // of the workloads
  bool mutants = false;
  bool list = false;
  bool json = false;
  bool help = false;
};

inline constexpr std::uint64_t default_random = 100, default_raced = 100;  // workloads
inline constexpr std::uint64_t usual_schedules = 1000;
// Of one moment: how many states are run at most before a sample is taken, and of how many by chance.
inline constexpr std::uint64_t usual_crash_states = 400, usual_crash_samples = 60;

[[nodiscard]] std::expected<crash_request, refusal> parse_crash_options(int argc, char** argv, const char* program);
[[nodiscard]] std::string crash_usage(const char* program);

inline constexpr std::string_view exhibit_workload = "exhibit";

// The workloads that are asked for, one after the other: there may be too many to have them all at once.
class workload_list {
 public:
  // The error: a name that is none, a file that cannot be read, or what is wrong in it.
  // BUG, if there is one, may bring its own: it is named exhibit_workload, and is what is meant where nothing is.
  [[nodiscard]] static std::expected<workload_list, std::string> of(const crash_request& request, const planted_bug* bug);

  [[nodiscard]] std::uint64_t size() const noexcept { return count_; }
  [[nodiscard]] crash::workload at(std::uint64_t i) const;
  // Of the generated ones only the name is made for a list.
  [[nodiscard]] std::string name_at(std::uint64_t i) const;

 private:
  [[nodiscard]] std::string generated_name(std::uint64_t number) const;
  [[nodiscard]] std::uint64_t ace_count() const noexcept;

  std::vector<crash::workload> named_;
  unsigned ace_ = 0, random_ = 0, tasks_ = 1;
  std::uint64_t sample_ = 0, seed_ = 1;
  explore::shard part_;
  std::uint64_t count_ = 0;
};

}  // namespace xip::scenario
