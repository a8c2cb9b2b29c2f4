// Directories with many names, for tests.
#pragma once

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "fs_ext4lite/image.h"

namespace xip::ext4lite::test {

// COUNT names of SHORTEST to LONGEST bytes, all different, some with high bytes; the same ones each time.
inline std::vector<std::string> random_names(int count, std::size_t shortest, std::size_t longest) {
  std::mt19937 random{20140127};
  std::set<std::string> names;
  while (static_cast<int>(names.size()) < count) {
    std::string name(shortest + random() % (longest - shortest + 1), ' ');
    for (char& c : name) c = static_cast<char>(random() % 16 == 0 ? 0x80 + random() % 0x7F : 'a' + random() % 26);
    names.insert(std::move(name));
  }
  std::vector<std::string> order{names.begin(), names.end()};
  std::ranges::shuffle(order, random);
  return order;
}

inline std::vector<std::string> with_dots(std::vector<std::string> names) {
  names.insert(names.end(), {".", ".."});
  std::ranges::sort(names);
  return names;
}

// A directory in which NAMES are links to /lost.
inline void make_directory(vfs::task& t, const std::string& directory, const std::vector<std::string>& names) {
  write_file(t, "/lost", "");
  ASSERT_TRUE(t.mkdir(directory, 0755));
  for (const std::string& name : names) {
    const auto linked = t.link("/lost", directory + "/" + name);
    ASSERT_TRUE(linked) << name << ": " << linked.error().name();
  }
}

}  // namespace xip::ext4lite::test
