// For tests of orphans, on the list or in the file.
#pragma once

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "fs_ext4lite/image.h"
#include "fs_ext4lite/inode.h"
#include "fs_ext4lite/journal.h"

namespace xip::ext4lite::test {

// In use, without a name.
[[nodiscard]] inline ext4_inode_info& make_file(bare_mount& m) {
  handle h = *journal_start(m.sb(), 8);
  ext4_inode_info& inode = **new_inode(h, m.root(), S_IFREG | 0644, "f");
  vfs::unlock_new_inode(inode);
  return inode;
}

// What a call puts on the orphan list and takes off.
struct orphan_counter final : point_sink {
  void on_point(point p, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override {
    added += p == point::ext4_orphan_add;
    removed += p == point::ext4_orphan_del;
  }
  int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }
  int added = 0, removed = 0;
};

// It is an orphan no more.
inline void remove(bare_mount& m, ext4_inode_info& i) {
  handle h = *journal_start(m.sb(), credits_orphan);
  EXPECT_TRUE(orphan_del(h, i));
}

}  // namespace xip::ext4lite::test
