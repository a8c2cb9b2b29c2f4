// Files that a verb makes only for what it then does with them.
#pragma once

#include <string>

#include <xip/base/result.h>
#include <xip/base/units.h>
#include <xip/vfs/task.h>

namespace xip::tool {

struct opened_file {
  int fd = -1;
  bool made = false;  // it was not there
};

// EFBIG, ENOSPC, EOPNOTSUPP: a file of SIZE bytes, preallocated if BLOCKS_TOO, cannot be in this image. It is asked before a file is made, so that a refusal changes nothing.
[[nodiscard]] result<> may_hold(vfs::task& task, loff_t size, bool blocks_too);

// PATH for writing, made with mode 0644 if it is not there. FLAGS are more flags of open(2).
[[nodiscard]] result<opened_file> open_or_make(vfs::task& task, const std::string& path, int flags);

// Closes FILE. Where WORK failed, a file that was made for it goes again, also one at the end of symlinks.
[[nodiscard]] result<> close_or_take_back(vfs::task& task, const std::string& path, const opened_file& file, result<> work);

}  // namespace xip::tool
