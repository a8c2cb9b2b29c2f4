// What the tests of this room share: scratch files, the kinds of device, and things that listen.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <memory_resource>
#include <new>
#include <ostream>
#include <string>
#include <vector>

#include <stdlib.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <xip/dev/devices.h>
#include <xip/locks/lockdep.h>
#include <xip/locks/thread_context.h>

namespace xip::dev::test {

// A file of SIZE zero bytes that disappears with this object.
class scratch_file {
 public:
  explicit scratch_file(std::uint64_t size) {
    std::string pattern = (std::filesystem::temp_directory_path() / "xip-dev-XXXXXX").string();
    const int fd = ::mkstemp(pattern.data());
    if (fd >= 0) ::close(fd);
    path_ = pattern;
    std::filesystem::resize_file(path_, size);
  }
  ~scratch_file() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  scratch_file(const scratch_file&) = delete;
  scratch_file& operator=(const scratch_file&) = delete;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

// While it lives, lockdep watches this thread and the threads it makes; what it finds fails the test.
class watched_by_lockdep {
 public:
  [[nodiscard]] const lockdep& deps() const noexcept { return deps_; }

 private:
  lockdep deps_{*std::pmr::new_delete_resource(), [](const lockdep_report& report) { ADD_FAILURE() << report.text; }};
  thread_context context_{.name = "test", .deps = &deps_};
  current_scope scope_{context_};
};

enum class kind { memory, pmem, block, block_direct, plain };

inline void PrintTo(kind k, std::ostream* out) {
  constexpr const char* names[] = {"memory", "pmem", "block", "block_direct", "plain"};
  *out << names[static_cast<int>(k)];
}
inline std::string kind_name(const testing::TestParamInfo<kind>& info) { return testing::PrintToString(info.param); }

inline opened open_kind(kind k, const std::string& path, std::uint64_t size, bool read_only = false) {
  switch (k) {
    case kind::memory:
      return open_memory(size);
    case kind::pmem:
      return open_pmem(path, read_only);
    case kind::block:
      return open_block(path, {.read_only = read_only});
    case kind::block_direct:
      return open_block(path, {.read_only = read_only, .direct = true});
    case kind::plain:
      return open_plain(path, read_only);
  }
  return std::unexpected{open_failure{error{EINVAL}, "no such kind"}};
}

// The host has no io_uring, or its file system no O_DIRECT: nothing that we could test.
inline bool denied_by_host(kind k, const open_failure& why) {
  return (k == kind::block || k == kind::block_direct) && (why.code == EPERM || why.code == ENOSYS || why.code == EINVAL);
}

// The errno a call failed with; 0 where it did not.
template <class T>
[[nodiscard]] int errno_of(const result<T>& r) noexcept {
  return r.has_value() ? 0 : r.error().number();
}

// BYTES bytes that say where they belong: SEED and the distance from the start.
inline std::vector<std::byte> pattern(std::size_t bytes, unsigned seed) {
  std::vector<std::byte> out(bytes);
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<std::byte>(seed * 31 + i * 7 + (i >> 8));
  return out;
}

// Hands out heap memory until ALLOWANCE allocations were made, then throws; counts what is out.
class limited_memory final : public std::pmr::memory_resource {
 public:
  std::size_t allowance = ~std::size_t{0};
  std::size_t outstanding = 0;
  std::size_t allocations = 0;

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (allowance == 0) throw std::bad_alloc{};
    --allowance;
    ++allocations;
    ++outstanding;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
    --outstanding;
    std::pmr::new_delete_resource()->deallocate(p, bytes, alignment);
  }
  [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

}  // namespace xip::dev::test
