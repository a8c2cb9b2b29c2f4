// What the files of an undamaged image hold, and how it compares with what is read of them when the image is damaged. An error is right, and so are the same
// bytes; nothing else is, but of files that the damage itself makes others (expected_answer::changed).
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <xip/vfs/task.h>

namespace xip::hostile {

using paths = std::set<std::string, std::less<>>;

struct known_file {
  std::uint32_t type = 0;  // S_IFMT of its mode
  std::uint64_t rdev = 0;
  std::string bytes;  // of a regular file all, of a symlink where it leads
  std::map<std::string, std::string, std::less<>> attributes;
};

struct inventory {
  std::map<std::string, known_file, std::less<>> files;
  paths names;  // all that were listed, also those beyond what is looked at
};

// Of a file without damage. A call that fails is a failure of the test.
[[nodiscard]] known_file take_stock(vfs::task& task, const std::string& path);

// The attributes that LIST names, as llistxattr gives it, and the access control lists in any case.
[[nodiscard]] std::vector<std::string> attribute_names(std::string_view list);
inline constexpr const char* access_list = "system.posix_acl_access";
inline constexpr const char* default_list = "system.posix_acl_default";

// Something that a call answered otherwise than with an error or what the undamaged image has.
struct difference {
  std::string path;
  std::string what;
  bool may_be_told;  // right if the log has an error: something is not there any more, or was not before
};

// Of each call: its answer for PATH. Nothing is judged without an inventory, or of files that are not in it.
class contents_judge {
 public:
  explicit contents_judge(const inventory* undamaged) noexcept : undamaged_{undamaged} {}

  // What was LISTED, and which directories were listed to their ends.
  void names(const paths& listed, const paths& to_the_end);
  void node(const std::string& path, const result<vfs::kstat>& stat);
  void target(const std::string& path, const result<std::string>& target);
  // GOT lies at POS of the file; empty: it ends there. HOW it was read, for the message.
  void bytes(const std::string& path, loff_t pos, std::string_view got, std::string_view how);
  // There is a hole in [FROM, TO).
  void hole(const std::string& path, loff_t from, loff_t to);
  void attribute(const std::string& path, const std::string& name, const result<std::size_t>& size, const char* value);

  // How long a file should be, 0 of one that is not known; and what attributes it should have.
  [[nodiscard]] loff_t size_of(const std::string& path) const noexcept;
  [[nodiscard]] std::vector<std::string> attributes_of(const std::string& path) const;
  [[nodiscard]] const inventory* undamaged() const noexcept { return undamaged_; }
  [[nodiscard]] const std::vector<difference>& differences() const noexcept { return differences_; }

 private:
  [[nodiscard]] const known_file* find(const std::string& path) const noexcept;
  void add(const std::string& path, std::string what, bool may_be_told = false);

  const inventory* const undamaged_;
  std::vector<difference> differences_;
};

}  // namespace xip::hostile
