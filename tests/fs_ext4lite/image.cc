#include "fs_ext4lite/image.h"

#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/vfs/ops.h>

extern char** environ;

namespace xip::ext4lite::test {
namespace {

[[nodiscard]] std::string fresh_path() {
  const char* directory = std::getenv("TMPDIR");
  std::string path = std::string{directory != nullptr ? directory : "/tmp"} + "/ext4lite-test-XXXXXX";
  const int fd = mkstemp(path.data());
  EXPECT_GE(fd, 0) << path;
  close(fd);
  return path;
}

// The tools live in sbin, which is not on everybody's path.
[[nodiscard]] std::string tool(const std::string& name) {
  for (const char* directory : {"/usr/sbin/", "/sbin/", "/usr/bin/"})
    if (access((directory + name).c_str(), X_OK) == 0) return directory + name;
  return name;
}

[[nodiscard]] std::string slurp(const std::string& path) {
  std::string text;
  std::FILE* f = std::fopen(path.c_str(), "rb");
  if (f == nullptr) return text;
  char piece[4096];
  for (std::size_t n; (n = std::fread(piece, 1, sizeof piece, f)) != 0;) text.append(piece, n);
  std::fclose(f);
  return text;
}

[[nodiscard]] std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    if (space != 0) words.emplace_back(text.substr(0, space));
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return words;
}

}  // namespace

command_outcome run_command(const std::vector<std::string>& arguments) {
  const std::string output = fresh_path();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  std::vector<char*> argv;
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  command_outcome outcome;
  pid_t child = -1;
  if (posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ) == 0) {
    int status = 0;
    if (waitpid(child, &status, 0) == child && WIFEXITED(status)) outcome.status = WEXITSTATUS(status);
  }
  posix_spawn_file_actions_destroy(&actions);
  outcome.output = slurp(output);
  unlink(output.c_str());
  return outcome;
}

image::~image() {
  if (!path_.empty()) unlink(path_.c_str());
}

std::vector<std::byte> image::bytes() const {
  struct stat s{};
  EXPECT_EQ(::stat(path_.c_str(), &s), 0);
  return bytes(0, static_cast<std::size_t>(s.st_size));
}

std::vector<std::byte> image::bytes(std::uint64_t offset, std::size_t count) const {
  std::vector<std::byte> data(count);
  const int fd = open(path_.c_str(), O_RDONLY);
  EXPECT_EQ(pread(fd, data.data(), count, static_cast<off_t>(offset)), static_cast<ssize_t>(count));
  close(fd);
  return data;
}

void image::poke(std::uint64_t offset, std::span<const std::byte> bytes) const {
  const int fd = open(path_.c_str(), O_WRONLY);
  EXPECT_EQ(pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)), static_cast<ssize_t>(bytes.size()));
  close(fd);
}

image make_image(std::string_view options, std::string_view size) {
  image made{fresh_path()};
  std::vector<std::string> command{tool("mke2fs"), "-q", "-t", "ext4", "-F"};
  for (std::string& word : split(options)) command.push_back(std::move(word));
  command.push_back(made.path());
  command.emplace_back(size);
  const command_outcome done = run_command(command);
  EXPECT_EQ(done.status, 0) << "mke2fs " << options << ": " << done.output;
  return made;
}

bool e2fsck_clean(const std::string& path, std::string* output) {
  command_outcome done = run_command({tool("e2fsck"), "-fn", path});
  if (output != nullptr) *output = std::move(done.output);
  return done.status == 0;
}

std::string debugfs(const std::string& path, std::string_view command, bool write) {
  std::vector<std::string> arguments{tool("debugfs")};
  if (write) arguments.emplace_back("-w");
  arguments.insert(arguments.end(), {"-R", std::string{command}, path});
  return run_command(arguments).output;
}

std::unique_ptr<dev::device> load(const image& from) {
  const std::vector<std::byte> contents = from.bytes();
  auto opened = dev::open_memory(contents.size());
  EXPECT_TRUE(opened.has_value());
  EXPECT_TRUE((*opened)->write(0, contents));
  return std::move(*opened);
}

void store(dev::device& from, const image& to) {
  std::vector<std::byte> contents(from.size());
  EXPECT_TRUE(from.read(0, contents));
  to.poke(0, contents);
}

mounted::mounted(const image& from, std::string_view options) : owned_{load(from)}, device_{owned_.get()} { mount(options); }
mounted::mounted(dev::device& device, std::string_view options) : device_{&device} { mount(options); }

void mounted::mount(std::string_view options) {
  vfs::kernel_options with;
  with.log = [this](vfs::log_level, std::string_view text) { (log_ += text) += '\n'; };
  kernel_ = std::make_unique<vfs::kernel>(with);
  EXPECT_TRUE(kernel_->register_filesystem(ext4lite_file_system()));
  if (auto done = kernel_->mount("ext4", *device_, "/", options); !done) {
    failure_ = done.error().message.empty() ? std::string{done.error().code.message()} : done.error().message;
    return;
  }
  mounted_ = true;
  auto made = kernel_->make_task();
  EXPECT_TRUE(made.has_value());
  task_ = *made;
}

mounted::~mounted() {
  if (task_ != nullptr) kernel_->exit_task(task_);
}

result<> mounted::umount() {
  if (task_ != nullptr) kernel_->exit_task(std::exchange(task_, nullptr));
  mounted_ = false;
  return kernel_->umount("/");
}

void mounted::umount_and_check(dev::device& below, const image& to) {
  auto done = umount();
  EXPECT_TRUE(done) << (done ? "" : done.error().name()) << '\n' << log_;
  store(below, to);
  std::string output;
  EXPECT_TRUE(e2fsck_clean(to.path(), &output)) << output << log_;
}

bare_mount::bare_mount(const image& from, std::uint32_t sb_flags, std::string_view options) : owned_{load(from)}, device_{owned_.get()} {
  mount(sb_flags, options);
}
bare_mount::bare_mount(dev::device& device, std::uint32_t sb_flags, std::string_view options) : device_{&device} {
  mount(sb_flags, options);
}

void bare_mount::mount(std::uint32_t sb_flags, std::string_view options) {
  vfs::kernel_options with;
  with.log = [this](vfs::log_level, std::string_view text) { (log_ += text) += '\n'; };
  kernel_ = std::make_unique<vfs::kernel>(with);
  auto made = kernel_->make_task();
  EXPECT_TRUE(made.has_value());
  task_ = *made;
  task_->mask = 0;  // modes are what a test says
  scope_.emplace(task_->context);
  vfs::fs_context fc{*kernel_, *device_, sb_flags, options, {}};
  auto up = ext4lite_file_system().mount(fc);
  failure_ = std::move(fc.message);
  if (up) sb_ = static_cast<ext4_sb_info*>(*up);
}

bare_mount::~bare_mount() {
  if (sb_ != nullptr) (void)unmount();
  scope_.reset();
  if (task_ != nullptr) kernel_->exit_task(task_);
}

result<> bare_mount::unmount() {
  ext4_sb_info& sb = *std::exchange(sb_, nullptr);
  vfs::iput(std::exchange(sb.s_root, nullptr));
  return ext4lite_file_system().kill_sb(&sb);
}

void bare_mount::unmount_and_check(const image& to) {
  auto done = unmount();
  EXPECT_TRUE(done) << (done ? "" : done.error().name()) << '\n' << log_;
  store(*device_, to);
  std::string output;
  EXPECT_TRUE(e2fsck_clean(to.path(), &output)) << output << log_;
}

void write_file(vfs::task& t, std::string_view path, std::span<const std::byte> contents) {
  auto fd = t.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ASSERT_TRUE(fd) << path << ": " << fd.error().name();
  auto written = t.write(*fd, contents.data(), contents.size());
  ASSERT_TRUE(written) << path << ": " << written.error().name();
  EXPECT_EQ(*written, contents.size()) << path;
  EXPECT_TRUE(t.close(*fd));
}

void write_file(vfs::task& t, std::string_view path, std::string_view contents) { write_file(t, path, std::as_bytes(std::span{contents})); }

std::string read_file(vfs::task& t, std::string_view path) {
  auto fd = t.open(path, O_RDONLY);
  EXPECT_TRUE(fd) << path << ": " << (fd ? "" : fd.error().name());
  if (!fd) return {};
  std::string contents;
  char piece[65536];
  for (;;) {
    auto got = t.read(*fd, piece, sizeof piece);
    EXPECT_TRUE(got) << path << ": " << (got ? "" : got.error().name());
    if (!got || *got == 0) break;
    contents.append(piece, *got);
  }
  EXPECT_TRUE(t.close(*fd));
  return contents;
}

std::string pattern(std::size_t bytes, std::uint32_t generation) {
  std::string text(bytes, '\0');
  for (std::size_t at = 0; at < bytes; at += 8) {
    const std::uint64_t word = std::uint64_t{generation} << 40 | at;
    std::memcpy(text.data() + at, &word, std::min<std::size_t>(8, bytes - at));
  }
  return text;
}

}  // namespace xip::ext4lite::test
