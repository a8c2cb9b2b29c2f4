// tree: all that can be read in a mounted file system, but for the times of reading.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <xip/vfs/inode.h>
#include <xip/vfs/task.h>

namespace xip::crash {

struct tree_node {
  std::uint32_t mode = 0, nlink = 0, uid = 0, gid = 0;
  std::int64_t size = 0;
  std::uint32_t flags = 0;            // of crash/file_flags.h
  std::int64_t mtime = 0, ctime = 0;  // nanoseconds
  std::map<std::string, std::string, std::less<>> xattrs = {};
  std::string target = {};              // of a symlink
  std::vector<std::string> names = {};  // paths, sorted
  std::vector<std::byte> data = {};     // of a regular file: SIZE bytes
};

struct tree {
  std::map<std::string, std::uint64_t, std::less<>> names;  // inode number by path; the root is ""
  std::map<std::uint64_t, tree_node> nodes;                 // those without a name are open

  [[nodiscard]] const tree_node* node(std::uint64_t ino) const noexcept {
    const auto found = nodes.find(ino);
    return found == nodes.end() ? nullptr : &found->second;
  }
};

[[nodiscard]] constexpr std::int64_t nanoseconds_of(const vfs::timespec64& t) noexcept { return t.seconds * 1'000'000'000 + t.nanoseconds; }

// Not empty: what could not be read, and where. A file of more than largest_file bytes is refused, so that a broken one costs no time.
inline constexpr std::int64_t largest_file = std::int64_t{64} << 20;
[[nodiscard]] std::string read_tree_of(vfs::task& t, tree& to);

// A line for each name. Equal texts: equal trees, but for bytes of equal hash, and times of files that WITH_TIMES does not ask for.
[[nodiscard]] std::string text_of(const tree& t, const std::function<bool(std::uint64_t ino)>& with_times = {});
// A hash of the same, without bytes of files and without times.
[[nodiscard]] std::uint64_t shape_of(const tree& t);
// "-0644 1 0:0 4096", without names, extended attributes, times and bytes.
[[nodiscard]] std::string attributes_of(const tree_node& n);
// "1704067200.000001000"
[[nodiscard]] std::string text_of_time(std::int64_t nanoseconds);
[[nodiscard]] bool is_regular(const tree_node& n) noexcept;
[[nodiscard]] bool is_directory(const tree_node& n) noexcept;

}  // namespace xip::crash
