// Images for tests: made by mke2fs, judged by e2fsck and debugfs, changed by single bytes, mounted from memory.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <xip/dev/devices.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite::test {

// What a program printed (both streams), and its exit status; -1: it could not be started or was killed.
struct command_outcome {
  int status = -1;
  std::string output;
};
[[nodiscard]] command_outcome run_command(const std::vector<std::string>& arguments);

// A file in the temporary directory; goes with the object.
class image {
 public:
  explicit image(std::string path) : path_{std::move(path)} {}
  image(image&& other) noexcept : path_{std::exchange(other.path_, {})} {}
  image& operator=(image&&) = delete;
  ~image();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::vector<std::byte> bytes() const;
  [[nodiscard]] std::vector<std::byte> bytes(std::uint64_t offset, std::size_t count) const;
  void poke(std::uint64_t offset, std::span<const std::byte> bytes) const;
  template <class T>
  void poke_value(std::uint64_t offset, const T& value) const {
    poke(offset, std::as_bytes(std::span{&value, 1}));
  }
  template <class T>
  [[nodiscard]] T peek_value(std::uint64_t offset) const {
    T value;
    std::memcpy(static_cast<void*>(&value), bytes(offset, sizeof value).data(), sizeof value);
    return value;
  }

 private:
  std::string path_;
};

// mke2fs -t ext4 OPTIONS (separated by spaces) on a fresh file of SIZE ("8M").
[[nodiscard]] image make_image(std::string_view options = "-b 4096", std::string_view size = "8M");
// e2fsck -fn ends with 0; what it said goes to OUTPUT otherwise.
[[nodiscard]] bool e2fsck_clean(const std::string& path, std::string* output = nullptr);
// debugfs -R COMMAND, with -w when WRITE; what it printed.
std::string debugfs(const std::string& path, std::string_view command, bool write = false);

// A memory device that holds a copy of the image, and the way back.
[[nodiscard]] std::unique_ptr<dev::device> load(const image& from);
void store(dev::device& from, const image& to);

// A kernel instance with one image mounted on "/" and a task of root.
class mounted {
 public:
  // Fails the running test if it cannot be mounted.
  explicit mounted(const image& from, std::string_view options = {});
  mounted(dev::device& device, std::string_view options = {});
  ~mounted();

  [[nodiscard]] bool ok() const noexcept { return failure_.empty(); }
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }  // why the mount was refused
  [[nodiscard]] const std::string& log() const noexcept { return log_; }
  [[nodiscard]] vfs::kernel& kernel() noexcept { return *kernel_; }
  [[nodiscard]] vfs::task& task() noexcept { return *task_; }
  [[nodiscard]] dev::device& device() noexcept { return *device_; }
  // The error of umount.
  result<> umount();
  // Unmounts, writes the device back to TO; e2fsck must find it clean.
  void umount_and_check(const image& to) { umount_and_check(*device_, to); }
  // Of a mount on a device that has faults: BELOW is what they are laid over.
  void umount_and_check(dev::device& below, const image& to);

 private:
  void mount(std::string_view options);

  std::string failure_;
  std::string log_;
  std::unique_ptr<dev::device> owned_;
  dev::device* device_;
  std::unique_ptr<vfs::kernel> kernel_;
  vfs::task* task_ = nullptr;
  bool mounted_ = false;
};

// A file system brought up without the VFS above it, for tests of single functions. Its lifetime is a system call of a root task.
class bare_mount {
 public:
  explicit bare_mount(const image& from, std::uint32_t sb_flags = 0, std::string_view options = {});
  explicit bare_mount(dev::device& device, std::uint32_t sb_flags = 0, std::string_view options = {});
  ~bare_mount();

  [[nodiscard]] bool ok() const noexcept { return sb_ != nullptr; }
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }
  [[nodiscard]] const std::string& log() const noexcept { return log_; }
  [[nodiscard]] ext4_sb_info& sb() noexcept { return *sb_; }
  [[nodiscard]] ext4_inode_info& root() noexcept { return info_of(*sb_->s_root); }
  [[nodiscard]] dev::device& device() noexcept { return *device_; }
  // The credentials calls run with.
  [[nodiscard]] vfs::cred& who() noexcept { return task_->who; }
  result<> unmount();
  void unmount_and_check(const image& to);

 private:
  void mount(std::uint32_t sb_flags, std::string_view options);

  std::string failure_;
  std::string log_;
  std::unique_ptr<dev::device> owned_;
  dev::device* device_;
  std::unique_ptr<vfs::kernel> kernel_;
  vfs::task* task_ = nullptr;
  std::optional<current_scope> scope_;
  ext4_sb_info* sb_ = nullptr;
};

// Whole files by path.
void write_file(vfs::task& t, std::string_view path, std::span<const std::byte> contents);
void write_file(vfs::task& t, std::string_view path, std::string_view contents);
[[nodiscard]] std::string read_file(vfs::task& t, std::string_view path);
// BYTES bytes in which every word says where it stands.
[[nodiscard]] std::string pattern(std::size_t bytes, std::uint32_t generation = 1);

}  // namespace xip::ext4lite::test
