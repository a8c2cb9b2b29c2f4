// A place in the namespace that is held without a descriptor, for who speaks of files by handles: a FUSE server, an NFS server.
//
// Every *at() call of a task takes one where it takes a directory's descriptor. With an empty path and AT_EMPTY_PATH the call is about the node itself.
#pragma once

#include <fcntl.h>

#include <utility>

#include <xip/vfs/file.h>

namespace xip::vfs {

// Keeps its mount busy, and an unlinked file's contents alive. Made by task::lookup_node and task::node_of; may be copied by no one, and outlive the
// task that made it, but not the mount.
class node {
 public:
  node() noexcept = default;
  explicit node(const path& counted) noexcept : place_{counted} {}  // takes over one reference
  node(node&& o) noexcept : place_{std::exchange(o.place_, {})} {}
  node& operator=(node&& o) noexcept {
    if (this != &o) {
      reset();
      place_ = std::exchange(o.place_, {});
    }
    return *this;
  }
  ~node() { reset(); }

  // May block and evict: with no lock held.
  void reset() noexcept;
  [[nodiscard]] explicit operator bool() const noexcept { return place_.mnt != nullptr; }
  [[nodiscard]] const path& get() const noexcept { return place_; }
  // Two nodes of one file are the same file's, whatever names they came by.
  [[nodiscard]] const inode& get_inode() const noexcept;

 private:
  path place_;
};

// Where a relative path begins: an open directory, the working directory (AT_FDCWD), or a node.
struct at {
  at(int descriptor) noexcept : fd{descriptor} {}                        // NOLINT: as the calls of Linux take it
  at(const node& n) noexcept : fd{-1}, place{n ? &n.get() : nullptr} {}  // NOLINT: of an empty node: EBADF

  int fd = AT_FDCWD;
  const path* place = nullptr;  // null: FD counts
};

}  // namespace xip::vfs
