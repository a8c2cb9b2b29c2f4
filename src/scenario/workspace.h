// Where the runner keeps its files: scratch images, logs, and what failures leave.
#pragma once

#include <expected>
#include <string>

#include "scenario/options.h"

namespace xip::scenario {

class workspace {
 public:
  // Room for JOBS images at once.
  [[nodiscard]] static std::expected<workspace, std::string> make(const check_options& options, unsigned jobs);
  workspace(workspace&&) noexcept;
  workspace& operator=(workspace&&) = delete;
  ~workspace();  // removes all but what was kept

  [[nodiscard]] const std::string& logs() const noexcept { return logs_; }
  [[nodiscard]] const std::string& images() const noexcept { return images_; }
  [[nodiscard]] const std::string& keep() const noexcept { return keep_; }

 private:
  workspace() = default;
  std::string logs_, images_, keep_;
};

// A scratch file of the user's own, put back as it was found: its size, or gone.
class scratch_file {
 public:
  // A refusal, in the name of PROGRAM: the file cannot be had, or holds something that is not ours.
  [[nodiscard]] static std::expected<scratch_file, refusal> take(const std::string& path, const char* program);
  scratch_file(scratch_file&&) noexcept;
  scratch_file& operator=(scratch_file&&) = delete;
  ~scratch_file();

  [[nodiscard]] bool existed() const noexcept { return existed_; }
  [[nodiscard]] bool is_device() const noexcept { return is_device_; }

 private:
  scratch_file() = default;
  std::string path_;
  std::uint64_t size_ = 0;
  bool existed_ = false, is_device_ = false;
};

}  // namespace xip::scenario
