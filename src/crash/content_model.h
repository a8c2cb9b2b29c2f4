// content_model: the bytes that files should have while nothing crashes, from the calls alone. What the file system shows then is the measure of what may be
// found after a crash, and must not be wrong itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <xip/crash/workload.h>

#include "crash/tree.h"

namespace xip::crash {

class content_model {
 public:
  // What is there before the first step is taken as it is.
  void start(const tree& t);
  // A step that was refused may have got somewhere all the same.
  void take(std::uint64_t file, const tree& t);
  // Step NUMBER, which is S, was not refused. FILE: the inode that it was about. T is what is there now. Empty: it is right.
  [[nodiscard]] std::string follow(const step& s, std::size_t number, bool appends, std::uint64_t file, const tree& t);

 private:
  using content = std::vector<std::byte>;

  void apply(const step& s, std::size_t number, bool appends, content& c) const;

  std::map<std::uint64_t, content> files_;
};

}  // namespace xip::crash
