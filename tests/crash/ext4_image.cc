#include "crash/ext4_image.h"

#include <cstdlib>
#include <fstream>
#include <ios>
#include <iterator>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <xip/dev/devices.h>

namespace xip::crash::test {
namespace {

// Goes with the object.
class scratch_file {
 public:
  scratch_file() {
    const char* directory = std::getenv("TMPDIR");
    path_ = fmt::format("{}/crash-test-XXXXXX", directory != nullptr ? directory : "/tmp");
    const int fd = ::mkstemp(path_.data());
    EXPECT_GE(fd, 0) << path_;
    ::close(fd);
  }
  ~scratch_file() { ::unlink(path_.c_str()); }
  scratch_file(const scratch_file&) = delete;
  scratch_file& operator=(const scratch_file&) = delete;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

std::string text_in(const std::string& path) {
  std::ifstream in{path};
  return {std::istreambuf_iterator<char>{in}, {}};
}

// The exit code of a command, -1 if it has none, and what it said. The tools live in sbin, which is not on everybody's path.
std::pair<int, std::string> run(const std::string& command) {
  const scratch_file said;
  const int status = std::system(fmt::format("PATH=$PATH:/usr/sbin:/sbin {} >{} 2>&1 </dev/null", command, said.path()).c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_in(said.path())};
}

}  // namespace

std::vector<std::byte> make_image(std::string_view options, std::size_t mebibytes) {
  const scratch_file file;
  const auto [status, said] = run(fmt::format("mke2fs -q -F {} {} {}M", options, file.path(), mebibytes));
  EXPECT_EQ(status, 0) << "mke2fs " << options << ": " << said;
  std::vector<std::byte> bytes(mebibytes << 20);
  std::ifstream in{file.path(), std::ios::binary};
  EXPECT_TRUE(in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()))) << options;
  return bytes;
}

std::shared_ptr<const ext4_layout> layout_of(std::span<const std::byte> image) {
  const auto memory = dev::open_memory(image.size()).value();
  EXPECT_TRUE(memory->write(0, image));
  return std::make_shared<const ext4_layout>(ext4_layout::read(*memory).value());
}

std::string e2fsck_against(std::span<const std::byte> image) {
  const scratch_file file;
  std::ofstream out{file.path(), std::ios::binary};
  out.write(reinterpret_cast<const char*>(image.data()), static_cast<std::streamsize>(image.size()));
  out.close();
  const auto [status, said] = run("e2fsck -fn " + file.path());
  return status == 0 ? "" : fmt::format("e2fsck ends with {}: {}", status, said);
}

}  // namespace xip::crash::test
