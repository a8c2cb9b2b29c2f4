// Copying between trees by the rules of cp -a: types, modes, owners, times, holes and hard links are kept; symlinks are copied, not followed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "image_session.h"
#include "tree.h"

namespace xip::tool {

struct copy_options {
  bool recursive = false;
  std::function<void(const std::string& message)> report;                    // an error: names the file and why
  std::function<void(const std::string& file, std::uint64_t bytes)> progress;  // BYTES copied so far, all files together
  std::function<bool()> asked_to_stop;
};

class copier {
 public:
  copier(tree& from, tree& to, copy_options options);

  // Copies SOURCE to TARGET exactly: no directory rule is applied here. False: something was reported.
  bool copy(const std::string& source, const std::string& target);
  [[nodiscard]] bool stopped() const noexcept { return stopped_; }

 private:
  bool copy_entry(const std::string& source, const std::string& target, const file_info& info, bool at_top);
  bool copy_directory(const std::string& source, const std::string& target, const file_info& info, bool at_top);
  bool copy_regular(const std::string& source, const std::string& target, const file_info& info, bool at_top);
  result<> copy_special(const std::string& source, const std::string& target, const file_info& info);
  // One reading or writing failure names its own side.
  bool copy_bytes(tree_file& in, tree_file& out, const std::string& source, const std::string& target, loff_t size);
  bool copy_stretch(tree_file& in, tree_file& out, const std::string& source, const std::string& target, loff_t from, loff_t to);
  bool failed(const std::string& shown, error why);
  bool finish(const std::string& target, const file_info& info);

  tree& from_;
  tree& to_;
  copy_options options_;
  bool stopped_ = false;
  std::uint64_t bytes_ = 0;
  std::vector<std::byte> buffer_;
  // First copy of each file with several links.
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> linked_;
  // Directories made here: copying a tree into itself stops at them.
  std::map<std::pair<std::uint64_t, std::uint64_t>, bool> made_;
};

// Where SOURCE goes when cp is given TARGET: into it if it is a directory. Nothing was checked beyond that.
[[nodiscard]] std::string target_of(tree& to, const std::string& source, const std::string& target);

}  // namespace xip::tool
