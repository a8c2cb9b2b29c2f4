// A FUSE server that answers every request at once, from nothing: what the protocol costs with no file system behind it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace xip::tool {

struct null_settings {
  std::string directory;         // mounted on
  std::uint64_t file_bytes = 0;  // of "file"
  unsigned threads = 1;
  bool direct_io = false;  // files are read and written past the kernel's page cache
};

inline constexpr unsigned null_many = 1000;               // so many empty files, named 0, 1 and so on, are in directory "many"
inline constexpr std::string_view null_symlink = "file";  // where every symlink points to

// Serves until it is unmounted. "file" is all zeros, "many" is as said above; every other name is absent until it is made, and can be moved and removed then.
// It asks the kernel for what the real server asks, answers with the same lifetimes, and runs on the same kind of threads. READY is called once it is
// mounted. False: it could not be.
[[nodiscard]] bool serve_nothing(const null_settings& settings, const std::function<void()>& ready);

}  // namespace xip::tool
