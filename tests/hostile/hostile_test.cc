// Every hostile image, mounted in every mode on every device, read and changed from end to end.
//
// What must hold: the mount is refused with words that say what is wrong, and not a byte is written; or it is mounted, whoever meets the damage is told,
// errors= is obeyed, and what is read is an error or what the undamaged image has. No mode takes more than a second of the processor. The sanitizers, lockdep
// and ctest's time limit, which ends what waits for ever, see to the rest.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
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

#include "hostile/contents.h"
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

[[nodiscard]] dev::opened memory_with(std::span<const std::byte> bytes) {
  auto memory = dev::open_memory(bytes.size());
  EXPECT_TRUE(memory && (*memory)->write(0, bytes));
  return memory;
}

// What the image BASE holds that nobody has damaged.
[[nodiscard]] const inventory& undamaged(const char* base) {
  static std::map<std::string, inventory> all;
  const auto [known, is_new] = all.try_emplace(base);
  if (!is_new) return known->second;
  const auto device = memory_with(bytes_of(make({"", base, [](editor&) {}}, XIP_FUZZ_SEEDS)));
  tour t{**device};
  const bool mounted = t.mount("ro");
  EXPECT_TRUE(mounted) << base << ": " << t.failure();
  if (mounted) known->second = t.take_inventory();
  EXPECT_GT(known->second.files.size(), 3U) << base;
  return known->second;
}

// Whether PATH is among those of LIST, which has a space between any two.
[[nodiscard]] bool is_among(std::string_view path, const char* list) {
  if (list == nullptr) return false;
  const std::string all = fmt::format(" {} ", list), one = fmt::format(" {} ", path);
  return all.find(one) != std::string::npos;
}

[[nodiscard]] rusage usage_now() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return used;
}
// Of all threads.
[[nodiscard]] double processor_seconds() {
  const rusage used = usage_now();
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
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
  hostile()
      : bytes_{bytes_of(make(*GetParam(), XIP_FUZZ_SEEDS))},
        undamaged_{expected().refused == nullptr ? &undamaged(GetParam()->base) : nullptr} {
    file_.hold(bytes_);
  }

  [[nodiscard]] static const expected_answer& expected() { return GetParam()->answer; }

  // One mount of the image on a fresh device, within its time.
  void try_mode(const char* device, const char* access, const char* dax, const char* errors) {
    const std::string options = fmt::format("{},{},{}", access, dax, errors);
    SCOPED_TRACE(fmt::format("{} {}", device, options));
    const double before = processor_seconds();
    mount_and_tour(device, options, access == std::string_view{"rw"}, dax, errors);
    const double seconds = processor_seconds() - before;
    EXPECT_TRUE(XIP_UNDER_SANITIZER || seconds < processor_seconds_max) << seconds << " s of processor time";
    if (seconds > slowest_seconds_) slowest_seconds_ = seconds, slowest_mode_ = fmt::format("{} {}", device, options);
  }

  // Behind all modes. A list of exceptions that no mode needed says what is not so.
  void expect_exceptions_needed() const {
    EXPECT_TRUE(expected().changed == nullptr || found_changed_) << "as the undamaged image has them: " << expected().changed;
  }

  double slowest_seconds_ = 0;
  std::string slowest_mode_;

 private:
  [[nodiscard]] dev::opened open_on(std::string_view device) const {
    if (device == "pmem" || device == "block") {
      file_.hold(bytes_);
      return device == "pmem" ? dev::open_pmem(file_.path(), false) : dev::open_block(file_.path());
    }
    return memory_with(bytes_);
  }

  void mount_and_tour(const char* device, const std::string& options, bool may_write, const char* dax, const char* errors) {
    auto opened = open_on(device);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    tour t{**opened, undamaged_};
    if (!t.mount(options)) return check_refusal(t, **opened, may_write, dax);
    EXPECT_TRUE(expected().refused == nullptr && (!may_write || expected().refused_rw == nullptr)) << "it was mounted";
    t.read_everything();
    expect_told(t, expected().told);
    if (may_write) {
      t.make_files();
      t.read_known_files();
      t.change_everything();
      expect_told(t, expected().told_rw);
      t.expect_errors_obeyed(errors);
    } else {
      t.umount();
      EXPECT_EQ(contents(**opened), bytes_) << "a read-only mount wrote to the image";
    }
    expect_contents(t);
  }

  [[nodiscard]] std::vector<std::byte> contents(dev::device& device) const {
    std::vector<std::byte> now(bytes_.size());
    EXPECT_TRUE(device.read(0, now));
    return now;
  }

  static void expect_told(const tour& t, const char* words) {
    EXPECT_TRUE(words == nullptr || t.said(expected().level, words)) << "nobody was told '" << words << "' so; the log: " << t.log();
  }

  // Each file holds what the undamaged image has, as far as it can be read.
  void expect_contents(const tour& t) {
    constexpr std::size_t shown_max = 5;
    std::size_t wrong = 0;
    for (const difference& d : t.differences()) {
      const bool may_differ = is_among(d.path, expected().changed);
      found_changed_ = found_changed_ || may_differ;
      if (may_differ || (d.may_be_told && t.said_error())) continue;
      if (wrong++ < shown_max) ADD_FAILURE() << d.path << ": " << d.what;
    }
    EXPECT_EQ(wrong, 0U) << "answers that are wrong; the log: " << t.log();
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

  const std::vector<std::byte> bytes_;
  const inventory* const undamaged_;  // null: every mount is refused
  const scratch_file file_;
  bool found_changed_ = false;
};

TEST_P(hostile, is_refused_or_survived_in_every_mode) {
  for (const char* device : devices)
    for (const char* dax : dax_modes) {
      try_mode(device, "ro", dax, errors_modes[0]);
      for (const char* errors : errors_modes) try_mode(device, "rw", dax, errors);
    }
  expect_exceptions_needed();
  const long peak_kib = usage_now().ru_maxrss;
  std::printf("at most %.1f ms of processor time, in %s; at most %ld KiB\n", slowest_seconds_ * 1000, slowest_mode_.c_str(), peak_kib);
  EXPECT_TRUE(XIP_UNDER_SANITIZER || peak_kib < memory_kib_max) << peak_kib << " KiB";
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
