// A table of calls: cases, each a few lines that are made one after the other in a directory of its own.
//
//   case a file is not a directory
//   put f text              => 0
//   open d f O_DIRECTORY    => ENOTDIR
//   sysctl protected_symlinks 1            the case holds only where it is so
//
// Behind => stands what Linux answers. Where libxip answers something else, that stands behind it, with the reason:
//
//   open p fifo O_RDONLY    => 0 | libxip ENXIO: no pipes are made here
//
// and where a mount of libxip through FUSE does, behind that:
//
//   stat f                  => reg 0644 n1 | mount reg 0644 n2: the kernel has not asked again
//
// A case of a call that libxip does not have says so, and why:
//
//   not libxip: whoever copies within one process spares nothing by it
//
// tests/posix/README.md has the words.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace xip::posix {

struct table_line {
  std::size_t number = 0;  // in the file, from 1
  std::vector<std::string> words;
  std::string linux_answer;
  std::optional<std::string> libxip_answer;
  std::optional<std::string> mount_answer;
  std::string reasons;  // as they stand behind the answer of Linux, bars and all

  [[nodiscard]] const std::string& expected_of_libxip() const { return libxip_answer ? *libxip_answer : linux_answer; }
  [[nodiscard]] const std::string& expected_of_mount() const { return mount_answer ? *mount_answer : linux_answer; }
};

struct table_case {
  std::string name;
  std::map<std::string, int> sysctls;
  std::vector<table_line> lines;
  std::string not_libxip;  // why libxip is not asked; empty: it is
};

struct table {
  std::string path;
  std::vector<table_case> cases;
};

// Throws std::runtime_error that names the line.
[[nodiscard]] table read_table(const std::string& path);
// The same file with the answers ANSWERS[case][line] behind =>; what else is there stays.
void record(const table& t, const std::vector<std::vector<std::string>>& answers);

class world;
// Makes the calls of C in WORLD, in the directory DIRECTORY, which it makes. One answer a line.
[[nodiscard]] std::vector<std::string> run_case(world& w, const table_case& c, const std::string& directory);

}  // namespace xip::posix
