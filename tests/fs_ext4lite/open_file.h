// One file, open, of a file system that is mounted from an image.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>

#include <gtest/gtest.h>

#include "fs_ext4lite/image.h"

namespace xip::ext4lite::test {

struct open_file {
  open_file(const image& from, std::string_view options, int flags = 0) : fs{from, options} {
    EXPECT_TRUE(fs.ok()) << fs.failure();
    auto opened = fs.task().open("/f", O_RDWR | O_CREAT | flags, 0644);
    EXPECT_TRUE(opened.has_value());
    fd = opened.value_or(-1);
  }
  vfs::task& t() { return fs.task(); }
  std::size_t put(std::string_view text, loff_t pos) { return t().pwrite(fd, text.data(), text.size(), pos).value_or(0); }
  std::string get(std::size_t bytes, loff_t pos) {
    std::string text(bytes, '?');
    text.resize(t().pread(fd, text.data(), bytes, pos).value_or(0));
    return text;
  }
  std::vector<vfs::fiemap_extent> map() {
    std::vector<vfs::fiemap_extent> all;
    EXPECT_TRUE(t().fiemap(fd, 0, UINT64_MAX, all).has_value());
    return all;
  }
  loff_t size() { return t().fstat(fd)->size; }
  void close_and_check(const image& to) {
    EXPECT_TRUE(t().close(fd).has_value());
    fs.umount_and_check(to);
  }
  mounted fs;
  int fd = -1;
};

}  // namespace xip::ext4lite::test
