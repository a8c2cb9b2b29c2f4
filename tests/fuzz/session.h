// A task on a mounted image that does what a program says, whatever it is answered.
#pragma once

#include <array>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "fuzz/machine.h"
#include "fuzz/program.h"

namespace xip::fuzz {

class session {
 public:
  session(machine& on, program_reader& in) : on_{on}, in_{in} {}

  // What can be reached from the root by reading directories: at most so many, and not below the depth that circles would lead to.
  void discover();
  [[nodiscard]] const std::vector<std::string>& paths() const noexcept { return paths_; }

  [[nodiscard]] machine& on() noexcept { return on_; }
  [[nodiscard]] vfs::task& task() noexcept { return on_.task(); }
  [[nodiscard]] program_reader& in() noexcept { return in_; }
  // One that is there, or was.
  [[nodiscard]] std::string path();
  // One that may be there, with a new name in many cases.
  [[nodiscard]] std::string new_path();
  [[nodiscard]] int fd();
  void keep(const result<int>& opened);
  // LENGTH bytes of memory, at most buffer_bytes.
  static constexpr std::size_t buffer_bytes = 32768;
  [[nodiscard]] std::byte* buffer() noexcept { return buffer_.data(); }

 private:
  static constexpr std::size_t paths_max = 64;
  static constexpr std::uint32_t depth_max = 5;
  void list(const std::string& directory, std::uint32_t depth);

  machine& on_;
  program_reader& in_;
  std::vector<std::string> paths_;
  std::array<int, 6> fds_{-1, -1, -1, -1, -1, -1};
  std::size_t next_fd_ = 0;
  std::array<std::byte, buffer_bytes> buffer_{};
};

using operation = void (*)(session&);
// By what they are about; all of them together make a whole session.
[[nodiscard]] std::span<const operation> walk_operations() noexcept;
[[nodiscard]] std::span<const operation> name_operations() noexcept;
[[nodiscard]] std::span<const operation> data_operations() noexcept;
[[nodiscard]] std::span<const operation> attribute_operations() noexcept;
[[nodiscard]] std::span<const operation> xattr_operations() noexcept;
[[nodiscard]] std::span<const operation> system_operations() noexcept;

// Operations from TABLES until the program ends.
void run_program(session& s, std::span<const std::span<const operation>> tables);

// Mount options from the program's first bytes.
[[nodiscard]] std::string mount_options(program_reader& in, bool read_only);
// Reads all that can be found, and changes nothing.
void read_everything(session& s);
// Extended attributes and lists of all that can be found, by path and name: the value, or why it cannot be read.
using attribute_map = std::map<std::string, std::string>;
attribute_map attributes_of(session& s);

}  // namespace xip::fuzz
