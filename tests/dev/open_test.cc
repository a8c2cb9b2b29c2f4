// Why a device cannot be opened: the message names the file and says what to do.
#include <sys/stat.h>

#include <gmock/gmock.h>

#include "dev/device_fixture.h"

namespace xip::dev {
namespace {

using testing::HasSubstr;

void expect_refusal(const opened& o, int number, const std::string& words) {
  ASSERT_FALSE(o.has_value());
  EXPECT_EQ(o.error().code, number) << o.error().message;
  EXPECT_THAT(o.error().message, HasSubstr(words));
}

TEST(open_device, lists_the_forms_when_it_understands_none) {
  for (const char* spec : {"", "memory", "memory:", "memory:0", "memory:12X", "memory:1M2", "memory:99999999999999999999",
                           "memory:17179869184T", "pmem:", "block:", "disk:/dev/sda", "/dev/sda"}) {
    SCOPED_TRACE(spec);
    expect_refusal(open_device(spec, false), EINVAL, "memory:SIZE");
  }
}

TEST(open_device, understands_sizes) {
  for (const auto& [spec, size] : {std::pair{"memory:65536", 65536u}, {"memory:64K", 65536u}, {"memory:3m", 3u << 20}}) {
    const opened o = open_device(spec, false);
    ASSERT_TRUE(o.has_value()) << o.error().message;
    EXPECT_EQ((*o)->size(), size);
    EXPECT_EQ((*o)->name(), "memory");
  }
}

TEST(open_device, names_the_file_it_opened) {
  const test::scratch_file file{8192};
  const opened o = open_device("pmem:" + file.path(), true);
  ASSERT_TRUE(o.has_value()) << o.error().message;
  EXPECT_EQ((*o)->name(), "pmem:" + file.path());
  EXPECT_TRUE((*o)->read_only());
}

TEST(open_memory, refuses_what_no_host_has) {
  expect_refusal(open_memory(0), EINVAL, "size");
  EXPECT_FALSE(open_memory(~std::uint64_t{0}).has_value());
}

class file_refusals : public testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] opened open(const std::string& path, bool read_only = false) const {
    return open_device(GetParam() + ":" + path, read_only);
  }
};

TEST_P(file_refusals, missing_file) {
  expect_refusal(open("/nonexistent/image"), ENOENT, GetParam() + ":/nonexistent/image: no such file");
  expect_refusal(open("/nonexistent/image", true), ENOENT, "ENOENT");
}

TEST_P(file_refusals, directory) {
  expect_refusal(open("/tmp"), EISDIR, "directory");
  expect_refusal(open("/tmp", true), EISDIR, "directory");
}

TEST_P(file_refusals, empty_file) {
  const test::scratch_file file{0};
  expect_refusal(open(file.path()), EINVAL, "empty");
  EXPECT_EQ(std::filesystem::file_size(file.path()), 0u);
}

TEST_P(file_refusals, pipe_without_waiting_for_its_other_end) {
  const test::scratch_file file{1};
  std::filesystem::remove(file.path());
  ASSERT_EQ(::mkfifo(file.path().c_str(), 0600), 0);
  EXPECT_FALSE(open(file.path(), true).has_value());
  EXPECT_FALSE(open(file.path()).has_value());
}

TEST_P(file_refusals, character_device) { EXPECT_FALSE(open("/dev/null").has_value()); }

// For the length of the scope, somebody whom permissions bind: root becomes nobody.
class as_nobody {
 public:
  as_nobody() {
    if (was_root_) changed_ = ::seteuid(65534) == 0;
  }
  ~as_nobody() {
    if (changed_ && ::seteuid(0) != 0) std::abort();
  }

 private:
  bool was_root_ = ::geteuid() == 0;
  bool changed_ = false;
};

TEST_P(file_refusals, no_permission) {
  using enum std::filesystem::perms;
  const test::scratch_file file{8192};
  std::filesystem::permissions(file.path(), owner_read | group_read | others_read);
  const as_nobody scope;
  expect_refusal(open(file.path()), EACCES, "permission");
  // Not its owner: the access time cannot be spared, reading works all the same.
  const opened o = open(file.path(), true);
  EXPECT_TRUE(o.has_value() || o.error().code == EPERM || o.error().code == ENOSYS) << o.error().message;
}

INSTANTIATE_TEST_SUITE_P(kinds, file_refusals, testing::Values("pmem", "block"), [](const auto& of) { return of.param; });

}  // namespace
}  // namespace xip::dev
