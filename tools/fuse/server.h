// What the functions behind FUSE's requests work with: the image, what the kernel knows of it, and the thread that serves.
#pragma once

#include <cstddef>
#include <vector>

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>

#include <xip/vfs/task.h>

#include "fuse/inode_table.h"
#include "fuse/listing_advice.h"
#include "fuse/mounted_image.h"

namespace xip::fuse {

// The kernel may keep names and attributes for as long as it likes: nobody changes the image but through it.
inline constexpr double forever = 1e9;  // seconds

inline constexpr std::size_t max_transfer = std::size_t{1} << 20;  // bytes of one read or write

struct server {
  server(mounted_image& i, vfs::node root) noexcept : image{i}, inodes{std::move(root)} {}

  mounted_image& image;
  inode_table inodes;
  listing_advice listings;
  fuse_session* session = nullptr;  // to tell the kernel what it does not ask for
  bool direct_io = false;           // files are read and written past the kernel's page cache
};

// A thread that takes requests, one after the other.
struct worker {
  server& owner;
  vfs::task_ptr task;
  std::vector<std::byte> bytes = std::vector<std::byte>(max_transfer);  // for answers
};

// The worker that runs on this thread.
[[nodiscard]] worker*& this_worker() noexcept;

// A temporary file is asked for as CREATE with this name, which no file can have.
inline constexpr std::string_view tmpfile_name = "/";

// All requests that are answered, for fuse_session_new; the parts are one file each.
[[nodiscard]] fuse_lowlevel_ops operations() noexcept;
void add_name_operations(fuse_lowlevel_ops& table) noexcept;
void add_attribute_operations(fuse_lowlevel_ops& table) noexcept;
void add_file_operations(fuse_lowlevel_ops& table) noexcept;
void add_directory_operations(fuse_lowlevel_ops& table) noexcept;
void add_xattr_operations(fuse_lowlevel_ops& table) noexcept;

}  // namespace xip::fuse
