// Every hostile image, mounted in every mode on every device, read and changed from end to end.
//
// What must hold: the mount is refused with words that say what is wrong, and not a byte is written; or it is mounted, whoever meets the damage is told,
// errors= is obeyed, and all calls return. The sanitizers, lockdep and the test's time limit see to the rest.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <xip/base/config.h>
#include <xip/dev/devices.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/vfs/task.h>

#include "hostile/images.h"
#include "hostile/tour.h"

namespace xip::hostile {
namespace {

constexpr long memory_kib_max = 256 * 1024;
constexpr double processor_seconds_max = 1;  // sound ones take a few thousandths
constexpr const char* devices[] = {"memory", "pmem", "block"};
constexpr const char* dax_modes[] = {"dax=inode", "dax=never", "dax=always"};
constexpr const char* errors_modes[] = {"errors=continue", "errors=remount-ro", "errors=panic"};

[[nodiscard]] std::vector<std::byte> bytes_of(const fuzz::sparse_image& image) {
  std::vector<std::byte> bytes(image.size());
  for (const auto& [number, page] : image.pages()) {
    const std::uint64_t at = number * page.size();
    std::copy_n(page.begin(), std::min<std::uint64_t>(page.size(), bytes.size() - at), bytes.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return bytes;
}

class scratch_file {
 public:
  scratch_file() {
    const char* directory = std::getenv("TMPDIR");
    path_ = std::string{directory != nullptr ? directory : "/tmp"} + "/hostile-XXXXXX";
    fd_ = mkstemp(path_.data());
    EXPECT_GE(fd_, 0) << path_;
  }
  ~scratch_file() {
    close(fd_);
    unlink(path_.c_str());
  }
  scratch_file(const scratch_file&) = delete;
  scratch_file& operator=(const scratch_file&) = delete;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  void hold(std::span<const std::byte> bytes) const {
    EXPECT_EQ(pwrite(fd_, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }

 private:
  std::string path_;
  int fd_ = -1;
};

class hostile : public testing::TestWithParam<const hostile_image*> {
 protected:
  hostile() : image_{make(*GetParam(), XIP_FUZZ_SEEDS)}, bytes_{bytes_of(image_)} { file_.hold(bytes_); }

  [[nodiscard]] static const expected_answer& expected() { return GetParam()->answer; }

  // One mount of the image on a fresh device.
  void try_mode(const char* device, const char* access, const char* dax, const char* errors) {
    const std::string options = fmt::format("{},{},{}", access, dax, errors);
    SCOPED_TRACE(fmt::format("{} {}", device, options));
    auto opened = open_on(device);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    tour t{**opened};
    const bool may_write = access == std::string_view{"rw"};
    if (!t.mount(options)) return check_refusal(t, **opened, may_write, dax);
    EXPECT_TRUE(expected().refused == nullptr && (!may_write || expected().refused_rw == nullptr)) << "it was mounted";
    t.read_everything();
    expect_told(t, expected().told);
    if (may_write) {
      t.change_everything();
      expect_told(t, expected().told_rw);
      t.expect_errors_obeyed(errors);
    } else {
      t.umount();
      EXPECT_EQ(contents(**opened), bytes_) << "a read-only mount wrote to the image";
    }
  }

 private:
  [[nodiscard]] dev::opened open_on(std::string_view device) const {
    if (device == "pmem" || device == "block") {
      file_.hold(bytes_);
      return device == "pmem" ? dev::open_pmem(file_.path(), false) : dev::open_block(file_.path());
    }
    auto memory = dev::open_memory(bytes_.size());
    EXPECT_TRUE(memory && (*memory)->write(0, bytes_));
    return memory;
  }

  [[nodiscard]] std::vector<std::byte> contents(dev::device& device) const {
    std::vector<std::byte> now(bytes_.size());
    EXPECT_TRUE(device.read(0, now));
    return now;
  }

  static void expect_told(const tour& t, const char* words) {
    EXPECT_TRUE(words == nullptr || t.log().find(words) != std::string::npos) << "nobody was told '" << words << "'; the log: " << t.log();
  }

  void check_refusal(const tour& t, dev::device& device, bool may_write, const char* dax) const {
    const char* words = expected().refused != nullptr ? expected().refused : may_write ? expected().refused_rw : nullptr;
    if (t.failure().find("dax=always") != std::string::npos) {
      EXPECT_STREQ(dax, "dax=always");  // the device has no windows, or the blocks are too small: that is said first
    } else if (words == nullptr) {
      ADD_FAILURE() << "it was refused: " << t.failure();
    } else {
      EXPECT_NE(t.failure().find(words), std::string::npos) << t.failure();
    }
    EXPECT_EQ(contents(device), bytes_) << "an image that was refused has been written to";
  }

  const fuzz::sparse_image image_;
  const std::vector<std::byte> bytes_;
  const scratch_file file_;
};

[[nodiscard]] rusage usage_now() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return used;
}
[[nodiscard]] double seconds_of(const rusage& used) {
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

TEST_P(hostile, is_refused_or_survived_in_every_mode) {
  const double before = seconds_of(usage_now());
  for (const char* device : devices)
    for (const char* dax : dax_modes) {
      try_mode(device, "ro", dax, errors_modes[0]);
      for (const char* errors : errors_modes) try_mode(device, "rw", dax, errors);
    }
  constexpr double mounts = std::size(devices) * std::size(dax_modes) * (1 + std::size(errors_modes));
  const rusage used = usage_now();
  const double seconds = (seconds_of(used) - before) / mounts;
  std::printf("%.1f ms of processor time a mode, at most %ld KiB\n", seconds * 1000, used.ru_maxrss);
  EXPECT_TRUE(XIP_UNDER_SANITIZER || seconds < processor_seconds_max) << seconds << " s of processor time a mode";
  EXPECT_TRUE(XIP_UNDER_SANITIZER || used.ru_maxrss < memory_kib_max) << used.ru_maxrss << " KiB";
}

// A file system of 16 TiB of which only eight groups were ever written: what a sparse file of a few KiB can say.
class mostly_nothing final : public dev::device {
 public:
  explicit mostly_nothing(const fuzz::sparse_image& image)
      : device{std::uint64_t{1} << 44, dev::mover_kind::none, nullptr, true}, image_{image} {}
  [[nodiscard]] std::string_view name() const noexcept override { return "nothing"; }
  [[nodiscard]] result<> read_batch(std::span<const dev::io_piece> pieces) noexcept override {
    for (const dev::io_piece& p : pieces) {
      bytes_read += p.bytes;
      for (std::size_t i = 0; i < p.bytes; ++i) p.memory[i] = image_.load<std::byte>(p.offset + i);
    }
    return {};
  }
  [[nodiscard]] result<> write_batch(std::span<const dev::io_piece>) noexcept override { return fail(EROFS); }
  [[nodiscard]] result<> flush_cache() noexcept override { return {}; }

  std::uint64_t bytes_read = 0;

 private:
  const fuzz::sparse_image& image_;
};

TEST(hostile_geometry, groups_that_were_never_written_cost_nothing) {
  const hostile_image claim{"", "groups.0", [](editor& e) {
                              e.super([](ext4lite::ext4_super_block& es) {
                                es.s_blocks_count_lo = 0;
                                es.s_blocks_count_hi = 4;
                                es.s_inodes_count = (std::uint32_t{1} << 26) * es.s_inodes_per_group;
                              });
                            }};
  const fuzz::sparse_image image = make(claim, XIP_FUZZ_SEEDS);
  mostly_nothing device{image};
  tour t{device};
  EXPECT_FALSE(t.mount("ro"));
  EXPECT_NE(t.failure().find("group 8"), std::string::npos) << t.failure();
  EXPECT_LT(device.bytes_read, std::uint64_t{1} << 20);
}

[[nodiscard]] std::vector<const hostile_image*> list_all() {
  std::vector<const hostile_image*> all;
  for (const auto& room : all_images())
    for (const hostile_image& image : room) all.push_back(&image);
  return all;
}

INSTANTIATE_TEST_SUITE_P(image, hostile, testing::ValuesIn(list_all()), [](const auto& image) {
  std::string name = image.param->name;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace xip::hostile
