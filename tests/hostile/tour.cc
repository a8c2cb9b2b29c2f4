#include "hostile/tour.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <dirent.h>
#include <fcntl.h>

#include <gtest/gtest.h>

#include <xip/fs_ext4lite/ext4lite.h>

namespace xip::hostile {
namespace {

constexpr std::size_t paths_max = 120;
constexpr int depth_max = 8;
constexpr std::uint32_t calls_max = 600;  // getdents of one directory: it ends, or something goes in circles

[[nodiscard]] std::string_view name_of(vfs::log_level level) noexcept {
  constexpr std::string_view names[] = {"error", "warning", "notice", "info"};
  return names[static_cast<std::size_t>(level)];
}

}  // namespace

tour::~tour() { umount(); }

bool tour::mount(std::string_view options) {
  vfs::kernel_options with;
  with.log = [this](vfs::log_level level, std::string_view text) { log_.push_back({level, std::string{text}}); };
  kernel_ = std::make_unique<vfs::kernel>(std::move(with));
  EXPECT_TRUE(kernel_->register_filesystem(ext4lite_file_system()));
  if (auto done = kernel_->mount("ext4", device_, "/", options); !done) {
    failure_ = done.error().message;
    EXPECT_NE(failure_, "") << "refused without a word: " << done.error().code.name();
    return false;
  }
  auto task = kernel_->make_task();
  EXPECT_TRUE(task.has_value());
  task_ = *task;
  return true;
}

void tour::umount() {
  if (task_ != nullptr) kernel_->exit_task(std::exchange(task_, nullptr));
  if (kernel_ != nullptr && failure_.empty()) (void)kernel_->umount("/");
  kernel_.reset();
}

bool tour::said(vfs::log_level level, std::string_view words) const noexcept {
  return std::ranges::any_of(log_, [&](const log_line& line) { return line.level == level && line.text.find(words) != line.text.npos; });
}

std::string tour::log() const {
  std::string all;
  for (const log_line& line : log_) ((all += name_of(line.level)) += ": ") += line.text + '\n';
  return all;
}

void tour::list_all() {
  paths_ = {"/"};
  list("/", 0);
}

void tour::list(const std::string& directory, int depth) {
  const auto fd = task_->open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!fd) return;
  std::uint32_t calls = 0;
  for (;; ++calls) {
    const auto some = task_->getdents(*fd, 40);
    if (some && some->empty()) listed_to_the_end_.insert(directory);
    if (!some || some->empty()) break;
    ASSERT_LT(calls, calls_max) << directory << " has no end";
    for (const vfs::dirent& d : *some) {
      if (d.name == "." || d.name == "..") continue;
      const std::string path = directory + (directory == "/" ? "" : "/") + d.name;
      names_.insert(path);
      if (paths_.size() >= paths_max) continue;
      paths_.push_back(path);
      if (d.type == DT_DIR && depth < depth_max) list(path, depth + 1);
    }
  }
  (void)task_->close(*fd);
}

inventory tour::take_inventory() {
  list_all();
  inventory all;
  for (const std::string& path : paths_) all.files.emplace(path, take_stock(*task_, path));
  all.names = names_;
  EXPECT_FALSE(said_error()) << "an image without damage: " << log();
  return all;
}

void tour::read_everything() {
  list_all();
  judge_.names(names_, listed_to_the_end_);
  for (const std::string& path : paths_) read_one(path);
  // Those that a name leads to although it is not listed, and those that it should lead to.
  if (judge_.undamaged() != nullptr)
    for (const auto& [path, file] : judge_.undamaged()->files)
      if (std::ranges::find(paths_, path) == paths_.end()) read_one(path);
  (void)task_->stat("/dir/sub/../..");
  (void)task_->statfs("/");
}

// From the buffers and the device, not from what is known of inodes and names.
void tour::read_known_files() {
  if (judge_.undamaged() == nullptr) return;
  kernel_->drop_caches();
  for (const auto& [path, file] : judge_.undamaged()->files) read_one(path);
}

void tour::expect_errors_obeyed(std::string_view option) {
  if (said_error()) {
    const auto change = task_->chmod("/", 0700);
    const int answer = change ? 0 : change.error().number();
    const int expected = option == "errors=remount-ro" ? EROFS : option == "errors=panic" ? EIO : answer;
    EXPECT_EQ(answer, expected) << option << ", after this log: " << log();
    // But what has begun and cannot be made nor taken back ends all changes, whatever the option says.
    const bool shut_down = log().find("a change could not be made") != std::string::npos;
    EXPECT_FALSE(option == "errors=continue" && answer == EROFS && !shut_down) << log();
  }
  umount();
}

}  // namespace xip::hostile
