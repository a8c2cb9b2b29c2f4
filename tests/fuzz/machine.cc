#include "fuzz/machine.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <xip/fs_ext4lite/ext4lite.h>

namespace xip::fuzz {
namespace {

constexpr std::size_t log_bytes_kept = 1 << 16;

[[nodiscard]] bool has_word(std::string_view options, std::string_view word) noexcept {
  for (std::size_t at = 0; at <= options.size();) {
    const std::size_t comma = std::min(options.find(',', at), options.size());
    if (options.substr(at, comma - at) == word) return true;
    at = comma + 1;
  }
  return false;
}

}  // namespace

void finding(std::string_view what, std::string_view detail) {
  std::fprintf(stderr, "FINDING: %.*s\n%.*s\n", static_cast<int>(what.size()), what.data(), static_cast<int>(detail.size()), detail.data());
  std::abort();
}

machine::machine(const test_case& c) : sound_{c.sound} {
  auto memory = dev::open_memory(c.image.size());
  if (!memory) return;
  memory_ = std::move(*memory);
  for (const auto& [number, page] : c.image.pages()) {
    const std::uint64_t offset = number * sparse_image::page_bytes;
    const std::size_t bytes = std::min<std::uint64_t>(page.size(), c.image.size() - offset);
    if (!memory_->write(offset, std::span{page}.first(bytes))) return;
  }
  device_ = dev::make_recording(*memory_, watch_);
  if (sound_) {
    sanitizer_ = std::make_unique<explore::block_sanitizer>(*device_);
    sanitizer_->report_to([](const explore::block_report& r) { finding("a block is used by somebody else", r.text); });
  }
}

machine::~machine() { umount(); }

void machine::hear(vfs::log_level level, std::string_view text) {
  if (sound_ && level == vfs::log_level::error) finding("an error on a sound image", text);
  if (log_.size() < log_bytes_kept) (log_ += text) += '\n';
}

bool machine::mount(std::string_view options) {
  if (device_ == nullptr) return false;
  vfs::kernel_options with;
  with.log = [this](vfs::log_level level, std::string_view text) { hear(level, text); };
  with.points = sanitizer_.get();
  kernel_ = std::make_unique<vfs::kernel>(std::move(with));
  if (!kernel_->register_filesystem(ext4lite_file_system())) return false;
  const bool had_written = watch_.written();
  auto done = kernel_->mount("ext4", *device_, "/", options);
  if (!done) {
    failure_ = done.error().message;
    kernel_.reset();
    if (done.error().code == ENOMEM) return false;
    if (failure_.empty()) finding("a mount is refused without a word", done.error().code.name());
    if (!had_written && watch_.written()) finding("a mount that is refused has written to the device", failure_);
    return false;
  }
  may_write_ = may_write_ || !has_word(options, "ro");
  auto task = kernel_->make_task();
  if (task) task_ = *task;
  return task.has_value();
}

void machine::remount(std::string_view options) {
  may_write_ = may_write_ || has_word(options, "rw");
  (void)kernel_->remount("/", options);
}

void machine::umount() {
  if (task_ != nullptr) kernel_->exit_task(std::exchange(task_, nullptr));
  if (kernel_ == nullptr) return;
  const auto done = kernel_->umount("/");
  kernel_.reset();
  if (!may_write_ && watch_.written()) finding("a mount that only reads has written to the device", log_);
  if (sound_ && !done) finding("a sound image cannot be unmounted", done.error().name());
}

}  // namespace xip::fuzz
