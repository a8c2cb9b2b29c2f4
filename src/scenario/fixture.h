// The surroundings of one running scenario: a kernel instance, the mounted device, the main task. In the process that runs the body.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <xip/dev/devices.h>
#include <xip/mm/mm.h>
#include <xip/scenario/run.h>
#include <xip/scenario/scenario.h>

#include "scenario/image.h"
#include "scenario/observers.h"
#include "scenario/outcome.h"

namespace xip::scenario {

enum class device_kind : std::uint8_t { memory, pmem, block };

[[nodiscard]] constexpr std::string_view name_of(device_kind kind) noexcept {
  return kind == device_kind::memory ? "memory" : kind == device_kind::pmem ? "pmem" : "block";
}
// A device of KIND on the file PATH; on memory, a new one.
[[nodiscard]] dev::opened open_kind(device_kind kind, const std::string& path, std::uint64_t size);
// Whether CODE says that this host denies devices of KIND (io_uring is denied or has no memory), and nothing can be told of them.
[[nodiscard]] bool is_denied(device_kind kind, error code) noexcept;
// A path under which tools find the bytes of DEVICE, which was opened on PATH.
[[nodiscard]] std::string tool_path(device_kind kind, const dev::device& device, const std::string& path);

// What tasks map: addresses of a model, or pointers, and how pages that are not there are noticed.
using mapping_choice = std::optional<mm::trap_by>;  // none: a model

struct surroundings {
  const vfs::file_system_type& type;
  const scenario& what;
  dev::device& device;
  device_kind kind = device_kind::memory;
  std::string image;      // the device's bytes, for tools
  std::string scratch;    // prefix for more files
  std::string directory;  // where to work: "" or "/name", made if it is not there
  tools use;
  std::uint64_t seed = 1;
  mapping_choice pointers = {};
};

class fixture {
 public:
  explicit fixture(const surroundings& s);
  ~fixture();
  fixture(const fixture&) = delete;
  fixture& operator=(const fixture&) = delete;

  // Mounts, runs the body, unmounts, and says what was wrong.
  [[nodiscard]] outcome run_body();

  // A kernel instance and its mount.
  [[nodiscard]] std::expected<void, vfs::mount_failure> start(std::string_view options);

  // What run is made of.
  [[nodiscard]] std::expected<void, vfs::mount_failure> mount(std::string_view options);
  [[nodiscard]] result<> umount();
  [[nodiscard]] result<vfs::task_ptr> make_task(const vfs::cred& who, const char* name);
  [[nodiscard]] std::string with_dax(std::string_view options) const;

  const surroundings& about;
  line_list log;
  line_list errors;  // of the file system
  line_list lock_problems;
  point_counter points;
  std::atomic<bool> errors_allowed{false};
  std::atomic<bool> stop{false};
  std::uint32_t block_size = 0;  // 0: not an ext2 image
  std::uint32_t inode_size = 0;
  bool huge_files = false;
  bool extents = false;
  bool dax_possible = false;
  std::unique_ptr<vfs::kernel> kernel;
  vfs::task_ptr main_task;
  std::string mount_options;
  bool mounted = false;
  std::vector<std::unique_ptr<dev::device>> more_devices;
  std::vector<std::string> more_files;

 private:
  [[nodiscard]] std::string what_is_missing() const;
  [[nodiscard]] std::string why_no_pointers();
  void run_guarded(outcome& o);
  void finish(outcome& o);
  void add_observed(outcome& o);
  [[nodiscard]] vfs::kernel_options options();
};

}  // namespace xip::scenario
