// What a mount is asked for: IMAGE, DIRECTORY and the words behind -o.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace xip::fuse {

// How the image's bytes are reached.
enum class device_kind {
  fitting,   // mapped where that is possible, by requests elsewhere
  mapped,    // device=pmem
  requests,  // device=block
};

inline constexpr unsigned default_commit_seconds = 30;  // of an image without a journal: a journal has a shorter one of its own

struct mount_request {
  std::string image;        // absolute
  std::string directory;    // absolute
  std::string kernel;       // options for the host's kernel, comma-separated
  std::string generic;      // options for libxip's VFS
  std::string file_system;  // options for ext4lite
  std::string shown;        // what the kernel shows of a FUSE mount, and only a remount brings back
  device_kind device = device_kind::fitting;
  unsigned threads = 0;                              // 0: as many as fit the host
  unsigned commit_seconds = default_commit_seconds;  // written back at least so often
  bool read_only = false;
  bool allow_other = false;
  bool foreground = false;
  bool debug = false;
  bool remount = false;
  bool sloppy = false;              // unknown options are left out
  bool has_dax = false;             // the file system's options say something about dax
  bool direct_io = false;           // past the kernel's page cache
  std::optional<bool> nosymfollow;  // of the kernel's flags the one that libfuse does not pass on; nothing: as it is

  // Options for libxip's own mount.
  [[nodiscard]] std::string library() const;
};

// Adds the comma-separated WORDS; a later word wins over an earlier one. A comma between double quotes is part of its word. The error is a message that
// names the word. What is neither a mount's nor this program's own is for the file system.
[[nodiscard]] std::expected<void, std::string> add_options(std::string_view words, mount_request& request);

// TEXT as one value of libfuse's options.
[[nodiscard]] std::string escaped(std::string_view text);

// After the last word: whether the file system knows its options, and whether they go together. The error is a message that names the word.
[[nodiscard]] std::expected<void, std::string> check_options(const mount_request& request);

}  // namespace xip::fuse
