// ramfs: a file system of the tests, in memory. Its files live on a ram_device, so that they are there again after a remount; its locks are i_rwsem
// and one mutex for all of its tables. A test watches and disturbs it through the device.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <xip/dev/device.h>
#include <xip/locks/mutex.h>
#include <xip/vfs/ops.h>

namespace xip::vfs::test {

inline constexpr lock_class ramfs_tables_class{"ramfs_tables"};

struct ram_entry {
  std::string name;
  std::uint32_t ino;
};

// What the "medium" knows of one inode.
struct ram_node {
  std::uint32_t mode = 0, uid = 0, gid = 0, nlink = 0, flags = 0;
  std::uint64_t rdev = 0;
  inode_times times;
  std::string data;  // contents, or the target of a symlink
  std::uint32_t parent = 0;
  loff_t next_cookie = 2;
  std::map<loff_t, ram_entry> entries;
  std::map<std::string, loff_t, std::less<>> names;
  std::map<std::string, std::string, std::less<>> xattrs;
  std::optional<std::vector<posix_acl_entry>> acls[2];  // by acl_type
};

class ram_device final : public dev::device {
 public:
  explicit ram_device(std::string name = "ram");

  [[nodiscard]] std::string_view name() const noexcept override { return name_; }
  [[nodiscard]] result<> read_batch(std::span<const dev::io_piece>) noexcept override { return fail(EIO); }
  [[nodiscard]] result<> write_batch(std::span<const dev::io_piece>) noexcept override { return fail(EIO); }
  [[nodiscard]] result<> flush_cache() noexcept override { return {}; }

  static constexpr std::uint32_t root_ino = 2;

  mutex<ramfs_tables_class> lock;
  std::map<std::uint32_t, ram_node> nodes;
  std::uint32_t next_ino = root_ino + 1;
  std::vector<std::uint32_t> free_inos;  // given out again before new ones

  // How often a hook was called.
  std::atomic<unsigned> lookups{0}, creates{0}, evictions{0}, deletions{0}, reads{0}, writes{0}, fsyncs{0}, datasyncs{0}, syncs{0},
      releases{0}, setattrs{0}, acl_reads{0};
  std::atomic<loff_t> fsync_start{0}, fsync_end{0};
  std::atomic<std::uint32_t> last_ia_valid{0};
  std::atomic<std::uint32_t> last_iocb_flags{0};

  // Errors to answer with (0: none).
  int fail_mount = 0, fail_kill = 0, fail_sync = 0, fail_fsync = 0, fail_open = 0, fail_read_inode = 0, fail_remount = 0,
      fail_create_after_insert = 0, fail_get_acl = 0;
  bool with_acls = false;            // mount with sb_posixacl
  bool takes_all_for_empty = false;  // rmdir and rename, of directories
  // Called in the middle of things.
  std::function<void(inode&)> in_evict, in_lookup, in_read_inode;
  std::function<void(const inode&)> in_get_acl;  // the list was read, nobody has it yet
  std::function<void(inode&)> after_delete;      // the number was given back, the inode is not gone yet
  bool without_optional_hooks = false;           // mount with tables that have only what a file system must have

 private:
  std::string name_;
};

[[nodiscard]] const file_system_type& ramfs_type() noexcept;

}  // namespace xip::vfs::test
