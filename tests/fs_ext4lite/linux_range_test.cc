// The same calls of fallocate for Linux and for us, on a loop mount: root only.
#include <random>

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "fs_ext4lite/loop_mount.h"
#include "fs_ext4lite/open_file.h"
#include "fs_ext4lite/tree.h"

namespace xip::ext4lite::test {
namespace {

constexpr std::size_t most = 300'000;

// A file of Linux's.
class linux_file {
 public:
  explicit linux_file(const std::filesystem::path& path) : fd_{::open(path.c_str(), O_RDWR | O_CREAT, 0644)} { EXPECT_GE(fd_, 0); }
  ~linux_file() { ::close(fd_); }
  linux_file(const linux_file&) = delete;
  linux_file& operator=(const linux_file&) = delete;

  [[nodiscard]] int change(int mode, loff_t pos, loff_t bytes) const { return ::fallocate(fd_, mode, pos, bytes) == 0 ? 0 : errno; }
  void put(const std::string& text, loff_t pos) const { EXPECT_EQ(::pwrite(fd_, text.data(), text.size(), pos), std::ssize(text)); }
  void cut(loff_t size) const { EXPECT_EQ(::ftruncate(fd_, size), 0); }
  [[nodiscard]] std::string all() const {
    std::string text(8 * most, '?');
    text.resize(static_cast<std::size_t>(::pread(fd_, text.data(), text.size(), 0)));
    return text;
  }
  [[nodiscard]] loff_t block() const {
    struct stat s{};
    EXPECT_EQ(::fstat(fd_, &s), 0);
    return s.st_blksize;
  }

 private:
  int fd_;
};

constexpr int modes[] = {FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                         FALLOC_FL_ZERO_RANGE,
                         FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                         FALLOC_FL_COLLAPSE_RANGE,
                         FALLOC_FL_INSERT_RANGE,
                         FALLOC_FL_UNSHARE_RANGE,
                         0,
                         FALLOC_FL_KEEP_SIZE};

class linux_range : public with_linux {
 protected:
  linux_range() : with_linux{"32M"} {}

  // One call for both.
  void step(const linux_file& theirs, open_file& ours, int n) {
    const std::size_t unit = random() % 3 == 0 ? 1 : static_cast<std::size_t>(theirs.block());
    const auto pos = static_cast<loff_t>(random() % most / unit * unit);
    const std::size_t bytes = (1 + random() % 20'000 / unit) * unit;
    if (const auto roll = random() % 8; roll < 3) {
      const std::string text = pattern(bytes, static_cast<std::uint32_t>(n + 1));
      theirs.put(text, pos);
      ASSERT_EQ(ours.put(text, pos), text.size());
    } else if (roll == 3) {
      theirs.cut(pos);
      ASSERT_TRUE(ours.t().ftruncate(ours.fd, pos).has_value());
    } else {
      const int mode = modes[random() % std::size(modes)];
      const int answer = theirs.change(mode, pos, static_cast<loff_t>(bytes));
      ASSERT_EQ(errno_of(ours.t().fallocate(ours.fd, mode, pos, static_cast<loff_t>(bytes))), answer) << mode << ' ' << pos << ' ' << bytes;
    }
    ASSERT_TRUE(n % 4 != 0 || ours.get(8 * most, 0) == theirs.all());
  }

  std::mt19937 random{20};
};

TEST_P(linux_range, changes_make_the_same_file) {
  const image their_disk = make_image(GetParam(), "32M");
  {
    const loop_mount there{their_disk};
    const linux_file theirs{there.path("f")};
    open_file ours{disk, ""};
    for (int n = 0; n < 150; ++n) {
      step(theirs, ours, n);
      if (HasFatalFailure()) FAIL() << "step " << n;
    }
    ours.close_and_check(disk);
  }
  check();
}

// What one has left the other goes on with.
TEST_P(linux_range, changes_go_on_by_turns) {
  const image copies = make_image(GetParam(), "32M");
  for (int turn = 0; turn < 4; ++turn) {
    // Each disk is changed by Linux in one turn, by us in the next.
    const image& for_linux = turn % 2 == 0 ? disk : copies;
    const image& for_us = turn % 2 == 0 ? copies : disk;
    const loop_mount there{for_linux};
    const linux_file theirs{there.path("f")};
    open_file ours{for_us, ""};
    ASSERT_TRUE(ours.get(8 * most, 0) == theirs.all()) << "turn " << turn;
    for (int n = 0; n < 30; ++n) {
      step(theirs, ours, turn * 100 + n);
      if (HasFatalFailure()) FAIL() << "turn " << turn << " step " << n;
    }
    ours.close_and_check(for_us);
  }
  check();
}

INSTANTIATE_TEST_SUITE_P(on, linux_range, testing::Values("-b 4096 -N 64", "-b 1024 -N 64", "-b 1024 -N 64 -O ^extent,^64bit"),
                         [](const auto& each) { return fmt::format("image_{}", each.index); });

}  // namespace
}  // namespace xip::ext4lite::test
