// What is in a directory, for tests.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>

#include <gtest/gtest.h>

#include <xip/vfs/task.h>

namespace xip::ext4lite::test {

// 0, or the errno.
template <class T>
[[nodiscard]] int errno_of(const result<T>& r) noexcept {
  return r ? 0 : r.error().number();
}

// Everything getdents brings, at most COUNT names a call; an error ends it and goes to FAILURE.
inline std::vector<vfs::dirent> list(vfs::task& t, std::string_view directory, std::size_t count = 512, int* failure = nullptr) {
  std::vector<vfs::dirent> all;
  const auto fd = t.open(directory, O_RDONLY | O_DIRECTORY);
  EXPECT_TRUE(fd) << directory << ": " << (fd ? "" : fd.error().name());
  if (!fd) return all;
  for (;;) {
    auto some = t.getdents(*fd, count);
    if (failure != nullptr)
      *failure = errno_of(some);
    else
      EXPECT_TRUE(some) << directory << ": " << (some ? "" : some.error().name());
    if (!some || some->empty()) break;
    for (vfs::dirent& d : *some) all.push_back(std::move(d));
  }
  EXPECT_TRUE(t.close(*fd));
  return all;
}

// Sorted; a name that comes twice is there twice.
inline std::vector<std::string> names_in(vfs::task& t, std::string_view directory, std::size_t count = 512) {
  std::vector<std::string> names;
  for (const vfs::dirent& d : list(t, directory, count)) names.push_back(d.name);
  std::ranges::sort(names);
  return names;
}

inline std::map<std::string, unsigned> types_in(vfs::task& t, std::string_view directory) {
  std::map<std::string, unsigned> types;
  for (const vfs::dirent& d : list(t, directory)) types[d.name] = d.type;
  return types;
}

}  // namespace xip::ext4lite::test
