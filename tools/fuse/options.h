// What a mount is asked for: IMAGE, DIRECTORY and the words behind -o.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace xip::fuse {

// How the image's bytes are reached.
enum class device_kind {
  fitting,   // mapped where that is possible, by requests elsewhere
  mapped,    // device=pmem
  requests,  // device=block
};

struct mount_request {
  std::string image;      // absolute
  std::string directory;  // absolute
  std::string kernel;     // options for the host's kernel, comma-separated
  std::string library;    // options for libxip's own mount
  device_kind device = device_kind::fitting;
  unsigned threads = 0;          // 0: as many as fit the host
  unsigned commit_seconds = 30;  // written back at least so often
  bool read_only = false;
  bool allow_other = false;
  bool foreground = false;
  bool debug = false;
  bool remount = false;
  bool sloppy = false;   // unknown options are left out
  bool has_dax = false;  // the library's options say something about dax
};

// Adds the comma-separated WORDS; a later word wins over an earlier one. The error is a message that names the word. What is neither a mount's nor
// this program's own goes to the file system, which refuses by name what it does not know.
[[nodiscard]] std::expected<void, std::string> add_options(std::string_view words, mount_request& request);

}  // namespace xip::fuse
