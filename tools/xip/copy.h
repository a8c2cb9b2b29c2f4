// Copying between trees by the rules of cp -a: types, modes, owners, times, holes, hard links and extended attributes are kept; symlinks are copied, not followed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "image_session.h"
#include "tree.h"

namespace xip::tool {

struct copy_options {
  bool recursive = false;
  bool several = false;                                                        // more than one source
  std::function<void(const std::string& message)> report;                      // an error or a warning: names the file and why
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
  bool copy_entry(const std::string& source, const std::string& target, file_info info);
  bool copy_directory(const std::string& source, const std::string& target, const file_info& info);
  // False: they cannot be read, which was reported; the file is copied all the same.
  bool read_xattrs(const std::string& source, file_info& info);
  // What TARGET could not be given: a warning, and no failure, as with cp -a.
  [[nodiscard]] attribute_lost warning_for(const std::string& target);
  bool copy_by_kind(const std::string& source, const std::string& target, const file_info& info);
  bool copy_names(const std::string& source, const std::string& target);
  // What TARGET is, for something that is no directory to come there: OVER is the file to be written over in place, nothing if the name is free by now.
  bool make_room(const std::string& source, const std::string& target, const file_info& info, std::optional<file_info>& over);
  bool link_to(const std::string& first, const std::string& target);
  bool copy_regular(const std::string& source, const std::string& target, const file_info& info, const std::optional<file_info>& over);
  bool copy_special(const std::string& source, const std::string& target, const file_info& info);
  // One reading or writing failure names its own side.
  bool copy_bytes(tree_file& in, tree_file& out, const std::string& source, const std::string& target, loff_t size);
  // How far it came: TO, or less where IN ends. Nothing: something was reported, or it was asked to stop.
  std::optional<loff_t> copy_stretch(tree_file& in, tree_file& out, const std::string& source, const std::string& target, loff_t from,
                                     loff_t to);
  // PATH of the target tree is DIRECTORY of the source, or below it.
  bool lies_in(std::string path, const file_info& directory);
  bool failed(const std::string& shown, error why);
  bool refused(const std::string& message);
  bool refused_image(const std::string& source);

  tree& from_;
  tree& to_;
  copy_options options_;
  bool stopped_ = false;
  std::uint64_t bytes_ = 0;
  std::vector<std::byte> buffer_;
  // First copy of each file with several links.
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> linked_;
  // Names that files were copied to, where several sources might come to the same.
  std::set<std::string> taken_;
  // Directories made here: copying a tree into itself stops at them.
  std::map<std::pair<std::uint64_t, std::uint64_t>, bool> made_;
};

// Where SOURCE goes when cp is given TARGET: into it if it is a directory. Nothing was checked beyond that.
[[nodiscard]] std::string target_of(tree& to, const std::string& source, const std::string& target);

}  // namespace xip::tool
