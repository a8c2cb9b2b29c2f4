// A file of ext4lite that is mapped into the process: pointers, and what a program's signal handler sees.
#pragma once

#include <gtest/gtest.h>

#include <csetjmp>
#include <cstring>
#include <optional>
#include <string>

#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>

#include <xip/dev/host_mapping.h>
#include <xip/mm/mm.h>

#include "fs_ext4lite/image.h"

namespace xip::host {

using namespace ext4lite::test;
using mm::trap_by;

inline constexpr std::size_t page = page_size, large = mm::pmd_size;

// What an access got: no signal, or which, and for which address.
struct outcome {
  int signal = 0, code = 0;
  const void* address = nullptr;
};

// The handlers of the test program; they jump out of the access.
class signal_catcher {
 public:
  signal_catcher() {
    struct sigaction action{};
    action.sa_sigaction = caught;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGBUS, &action, &bus_before_);
  }
  ~signal_catcher() { ::sigaction(SIGBUS, &bus_before_, nullptr); }

  // It may have been installed behind the first address space, or before.
  static void caught(int signal, siginfo_t* info, void* context) {
    if (mm::handle_host_fault(signal, info, context)) return;
    if (!armed) ::abort();
    seen = {signal, info->si_code, info->si_addr};
    ::siglongjmp(there, 1);
  }
  static inline thread_local sigjmp_buf there;
  static inline thread_local volatile bool armed = false;
  static inline thread_local outcome seen;

 private:
  struct sigaction bus_before_{};
};

template <class Access>
outcome attempt(const Access& access) {
  signal_catcher::seen = {};
  if (sigsetjmp(signal_catcher::there, 1) == 0) {
    signal_catcher::armed = true;
    access();
  }
  signal_catcher::armed = false;
  return signal_catcher::seen;
}

inline char load(const char* at) { return *static_cast<const volatile char*>(at); }
inline void store(char* at, char c) { *static_cast<volatile char*>(at) = c; }

class host_file : public ::testing::TestWithParam<trap_by> {
 protected:
  // A handler that was there before ours: it gets what is the program's own fault.
  host_file() {
    struct sigaction action{};
    action.sa_sigaction = signal_catcher::caught;
    action.sa_flags = SA_SIGINFO;
    static const int installed = ::sigaction(SIGSEGV, &action, nullptr);
    static_cast<void>(installed);
  }
  // False: the test is skipped, for this host denies what it needs.
  [[nodiscard]] bool begin(std::string_view options = "dax=always") {
    fs.emplace(disk, options);
    EXPECT_TRUE(fs->ok()) << fs->failure();
    fd = t().open("/f", O_RDWR | O_CREAT, 0644).value_or(-1);
    const auto made = mm::mm_struct::make_host_for(t(), GetParam());
    if (made) return true;
    EXPECT_EQ(GetParam(), trap_by::userfaultfd) << made.error().number();
    return false;
  }
  void end() {
    if (mm::mm_struct::of(t()) != nullptr) {
      EXPECT_TRUE(mm::mm_struct::make_for(t()).has_value());  // the old one goes with its mappings
    }
    EXPECT_TRUE(t().close(fd));
    fs->umount_and_check(disk);
    fs.reset();
  }
  void TearDown() override {
    if (fs) end();
  }
  [[nodiscard]] vfs::task& t() { return fs->task(); }
  [[nodiscard]] mm::mm_struct& space() { return *mm::mm_struct::of(t()); }
  [[nodiscard]] char* map(std::size_t bytes, int prot = PROT_READ | PROT_WRITE, int flags = MAP_SHARED, loff_t offset = 0) {
    const auto at = mm::mmap(t(), 0, bytes, prot, flags, fd, offset);
    EXPECT_TRUE(at.has_value());
    return static_cast<char*>(mm::user_pointer(at.value_or(0)));
  }
  [[nodiscard]] static mm::user_address address(const char* at) { return reinterpret_cast<mm::user_address>(at); }
  void put(std::string_view text, loff_t pos) { ASSERT_EQ(t().pwrite(fd, text.data(), text.size(), pos).value_or(0), text.size()); }
  [[nodiscard]] std::string get(std::size_t bytes, loff_t pos) {
    std::string text(bytes, '?');
    text.resize(t().pread(fd, text.data(), bytes, pos).value_or(0));
    return text;
  }
  [[nodiscard]] std::uint64_t blocks() { return t().fstat(fd)->blocks / (page / 512); }
  void resize(loff_t size) { ASSERT_TRUE(t().ftruncate(fd, size)); }
  // Where the device's own window has byte POS of the file.
  [[nodiscard]] const char* in_window(loff_t pos) {
    std::vector<vfs::fiemap_extent> extents;
    EXPECT_TRUE(t().fiemap(fd, pos, 1, extents));
    if (extents.empty()) return nullptr;
    const auto offset = extents[0].physical + static_cast<std::uint64_t>(pos) - extents[0].logical;
    return reinterpret_cast<const char*>(fs->device().direct_access(offset, 1, dev::access_intent::read)->data);
  }

  image disk = make_image("-b 4096", "64M");
  std::optional<mounted> fs;
  signal_catcher catcher;
  int fd = -1;
};

inline std::string name_of_traps(const ::testing::TestParamInfo<trap_by>& of) {
  return of.param == trap_by::sigsegv ? "sigsegv" : "userfaultfd";
}

#define XIP_BEGIN_HOST_TEST()                       \
  if (!begin()) {                                   \
    GTEST_SKIP() << "this host denies userfaultfd"; \
  }                                                 \
  static_assert(true)

}  // namespace xip::host
