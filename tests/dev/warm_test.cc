// What a device does before its windows are used for the first time.
#include <atomic>
#include <cstdio>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "dev/device_fixture.h"

namespace xip::dev::test {
namespace {

constexpr std::uint64_t data_bytes = (std::uint64_t{5} << 20) + page_size, file_bytes = std::uint64_t{16} << 20;

// A file on tmpfs: some data, a hole, and a page of data at its end.
class warm_device : public testing::Test {
 protected:
  void SetUp() override {
    fd_ = ::memfd_create("xip-warm", MFD_CLOEXEC);
    ASSERT_GE(fd_, 0);
    ASSERT_EQ(::ftruncate(fd_, file_bytes), 0);
    const auto data = pattern(data_bytes, 1);
    ASSERT_EQ(::pwrite(fd_, data.data(), data.size(), 0), static_cast<ssize_t>(data.size()));
    ASSERT_EQ(::pwrite(fd_, data.data(), page_size, file_bytes - page_size), static_cast<ssize_t>(page_size));
    auto opened = open_pmem(fmt::format("/proc/self/fd/{}", fd_), false);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    device_ = std::move(*opened);
  }
  ~warm_device() override {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] struct ::stat status() const {
    struct ::stat st{};
    EXPECT_EQ(::fstat(fd_, &st), 0);
    return st;
  }
  // Page faults of one look at each page of the data.
  [[nodiscard]] long faults_of_reading() const {
    return faults_of_reading(device_->direct_access(0, data_bytes, access_intent::read)->data);
  }
  // The same of memory whose pages are all there: a sanitizer has faults of its own.
  [[nodiscard]] static long faults_without_any() {
    void* const there = ::mmap(nullptr, data_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    const long faults = faults_of_reading(static_cast<const std::byte*>(there));
    ::munmap(there, data_bytes);
    return faults;
  }
  [[nodiscard]] static long faults_of_reading(const std::byte* base) {
    const auto count = [] {
      struct ::rusage used{};
      ::getrusage(RUSAGE_THREAD, &used);
      return used.ru_minflt;
    };
    const long before = count();
    for (std::size_t at = 0; at < data_bytes; at += page_size) static_cast<void>(*static_cast<const volatile std::byte*>(base + at));
    return count() - before;
  }

  int fd_ = -1;
  std::unique_ptr<device> device_;
  const std::atomic<bool> not_yet_{false}, at_once_{true};
};

TEST_F(warm_device, has_no_page_fault_where_data_is) {
  if (::madvise(device_->direct_access(0, page_size, access_intent::read)->data, page_size, 22) != 0) GTEST_SKIP() << "Linux before 5.14";
  device_->warm(not_yet_);
  const long usual = faults_without_any();
  EXPECT_LE(faults_of_reading(), usual + 2);
}

// Bytes that huge pages map of the mapping around ADDRESS, as the host says.
[[nodiscard]] std::uint64_t huge_bytes_around(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps{"/proc/self/smaps"};
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    std::uint64_t kilobytes = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) inside = begin <= wanted && wanted < end;
    if (inside && std::sscanf(line.c_str(), "ShmemPmdMapped: %lu kB", &kilobytes) == 1) return kilobytes << 10;
  }
  return 0;
}

// The host makes a huge page of a file on tmpfs now.
[[nodiscard]] bool host_makes_huge_pages() {
  constexpr std::size_t huge = std::size_t{2} << 20;
  const int fd = ::memfd_create("xip-huge", MFD_CLOEXEC);
  if (fd < 0 || ::ftruncate(fd, huge) != 0) return false;
  auto* const room = static_cast<std::byte*>(::mmap(nullptr, 2 * huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  std::byte* const aligned = room + (-reinterpret_cast<std::uintptr_t>(room) & (huge - 1));
  void* const there = ::mmap(aligned, huge, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0);
  const bool made = there == aligned && ::madvise(there, huge, 25) == 0;  // MADV_COLLAPSE
  ::munmap(room, 2 * huge);
  ::close(fd);
  return made;
}

TEST_F(warm_device, has_huge_pages_where_two_mebibytes_are_there) {
  const void* const base = device_->direct_access(0, page_size, access_intent::read)->data;
  ASSERT_EQ(huge_bytes_around(base), 0u);
  device_->warm(not_yet_);
  const std::uint64_t huge = huge_bytes_around(base);
  if (huge == 0 && !host_makes_huge_pages()) GTEST_SKIP() << "the host makes no huge pages of tmpfs (Linux 6.1), or has none";
  EXPECT_NE(huge, 0u) << "5 MiB of data have two such pieces; a host that is short of huge pages may give one";
}

TEST_F(warm_device, does_nothing_once_it_is_enough) {
  device_->warm(at_once_);
  EXPECT_GE(faults_of_reading(), 5);
}

TEST_F(warm_device, leaves_holes_holes) {
  device_->warm(not_yet_);
  EXPECT_EQ(static_cast<std::uint64_t>(status().st_blocks) * 512, data_bytes + page_size);
  EXPECT_EQ(::lseek(fd_, 0, SEEK_HOLE), static_cast<off_t>(data_bytes));
  EXPECT_EQ(::lseek(fd_, data_bytes, SEEK_DATA), static_cast<off_t>(file_bytes - page_size));
}

TEST_F(warm_device, has_the_same_bytes) {
  device_->warm(not_yet_);
  std::vector<std::byte> found(data_bytes);
  ASSERT_TRUE(device_->read(0, found).has_value());
  EXPECT_EQ(found, pattern(data_bytes, 1));
}

// The last of the data shares a piece, of which room is asked for at once, with the hole.
TEST_F(warm_device, asks_for_room_behind_holes_still) {
  device_->warm(not_yet_);
  const auto before = status().st_blocks;
  ASSERT_TRUE(device_->direct_access(data_bytes, page_size, access_intent::write).has_value());
  EXPECT_GT(status().st_blocks, before);
}

}  // namespace
}  // namespace xip::dev::test
