// The hashes of names, against debugfs's.
#include "fs_ext4lite/dir_hash.h"

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <unistd.h>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "fs_ext4lite/format.h"
#include "fs_ext4lite/image.h"

namespace xip::ext4lite::test {
namespace {

constexpr std::uint32_t no_seed[4] = {};

// A file that goes with its scope.
class script {
 public:
  explicit script(const std::string& text) {
    const int fd = mkstemp(path_);
    EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    close(fd);
  }
  ~script() { unlink(path_); }
  [[nodiscard]] const char* path() const noexcept { return path_; }

 private:
  char path_[32] = "/tmp/ext4lite-script-XXXXXX";
};

// Names that a command line can hold, of all lengths; some bytes have the highest bit.
std::vector<std::string> names() {
  std::mt19937 random{20131206};
  std::vector<std::string> made;
  for (std::size_t length : {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 100, 128, 254, 255}) {
    for (int high = 0; high < 2; ++high) {
      std::string name;
      for (std::size_t i = 0; i < length; ++i)
        name += static_cast<char>(high != 0 && i % 3 == 1 ? 0x80 + random() % 0x80 : 'a' + random() % 26);
      made.push_back(std::move(name));
    }
  }
  return made;
}

// What debugfs says, a line a name.
std::string judge(std::uint8_t version, const std::string& seed_option) {
  std::string text;
  for (const std::string& name : names()) text += fmt::format("dx_hash -h {} {} {}\n", version, seed_option, name);
  const script commands{text};
  const std::string output = run_command({"/usr/sbin/debugfs", "-f", commands.path()}).output;
  std::string answers;
  for (std::size_t at = 0; (at = output.find("Hash of ", at)) != std::string::npos; ++at)
    answers += output.substr(at, output.find('\n', at) - at) + '\n';
  return answers;
}

std::string ours(std::uint8_t version, std::span<const std::uint32_t, 4> seed) {
  std::string answers;
  for (const std::string& name : names()) {
    const auto hash = hash_name(version, seed, name);
    EXPECT_TRUE(hash);
    answers += fmt::format("Hash of {} is {:#x} (minor {:#x})\n", name, hash->major, hash->minor);
  }
  return answers;
}

class hash_version : public testing::TestWithParam<std::uint8_t> {};

TEST_P(hash_version, is_what_debugfs_computes) { EXPECT_EQ(ours(GetParam(), no_seed), judge(GetParam(), "")); }

TEST_P(hash_version, depends_on_the_seed_as_in_debugfs) {
  constexpr std::uint32_t seed[4] = {0x04030201, 0x08070605, 0x0C0B0A09, 0x100F0E0D};
  EXPECT_EQ(ours(GetParam(), seed), judge(GetParam(), "-s 01020304-0506-0708-090a-0b0c0d0e0f10"));
}

INSTANTIATE_TEST_SUITE_P(all, hash_version, testing::Values(0, 1, 2, 3, 4, 5));

TEST(dir_hash, of_high_bytes_depends_on_the_sign_of_char) {
  for (std::uint8_t version : {hash_legacy, hash_half_md4, hash_tea}) {
    EXPECT_NE(hash_name(version, no_seed, "\xE4"), hash_name(static_cast<std::uint8_t>(version + 3), no_seed, "\xE4"));
    EXPECT_EQ(hash_name(version, no_seed, "a"), hash_name(static_cast<std::uint8_t>(version + 3), no_seed, "a"));
  }
}

TEST(dir_hash, knows_no_siphash) {
  EXPECT_FALSE(hash_name(hash_siphash, no_seed, "a"));
  EXPECT_FALSE(hash_version_supported(hash_siphash));
}

TEST(dir_hash, leaves_the_lowest_bit_to_the_index) {
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(hash_name(hash_half_md4, no_seed, std::to_string(i))->major & 1, 0u);
}

}  // namespace
}  // namespace xip::ext4lite::test
