// Exhibits that a crash shows: their workloads, crashed on a file system of their own.
#pragma once

#include <atomic>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include <xip/vfs/super_block.h>

#include "exhibits/museum.h"
#include "scenario/crash_image.h"

namespace xip::exhibits {

class crash_show {
 public:
  crash_show(const vfs::file_system_type& type, const scenario::tools& use) : type_{type}, use_{use} {}

  // PLANTED: with the bug of E, which has a workload.
  [[nodiscard]] showing show(const exhibit& e, bool planted, const std::atomic<bool>* stop);

 private:
  [[nodiscard]] std::string prepare();  // empty: there is an image

  const vfs::file_system_type& type_;
  const scenario::tools& use_;
  std::vector<std::byte> image_;
  std::optional<scenario::crash_judge> judge_;
};

}  // namespace xip::exhibits
