// What is mounted where. Linux: fs/mount.h, fs/namespace.c.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>

#include <xip/base/result.h>
#include <xip/vfs/file.h>
#include <xip/vfs/super_block.h>

#include "vfs/dcache.h"

namespace xip::vfs {

// One mounted super block. It is freed by umount alone, which wants no reference but its own.
struct mount {
  explicit mount(std::pmr::memory_resource& memory) noexcept : target{&memory} {}

  super_block* mnt_sb = nullptr;
  dentry* mnt_root = nullptr;        // counted
  mount* mnt_parent = nullptr;       // counted; null: the root of the namespace
  dentry* mnt_mountpoint = nullptr;  // counted, in mnt_parent
  std::atomic<std::uint32_t> mnt_count{1};
  std::atomic<std::uint32_t> mnt_writers{0};     // open files and calls that may write
  std::atomic<bool> mnt_readonly_wanted{false};  // a remount to read-only is looking whether there are any
  std::pmr::string target;                       // for mounts() and messages
};

inline void mntget(mount& m) noexcept { m.mnt_count.fetch_add(1, std::memory_order_relaxed); }
inline void mntput(mount& m) noexcept { m.mnt_count.fetch_sub(1, std::memory_order_release); }

// A counted place.
class path_ref {
 public:
  path_ref() noexcept = default;
  path_ref(mount& m, dentry& d) noexcept : place_{&m, &d} {
    mntget(m);
    dget(d);
  }
  explicit path_ref(const path& p) noexcept : path_ref{*p.mnt, *p.dent} {}
  // Takes over P's references; P may be empty.
  [[nodiscard]] static path_ref adopt(const path& p) noexcept {
    path_ref r;
    r.place_ = p;
    return r;
  }
  path_ref(path_ref&& o) noexcept : place_{o.release()} {}
  path_ref& operator=(path_ref&& o) noexcept {
    if (this != &o) {
      reset();
      place_ = o.release();
    }
    return *this;
  }
  ~path_ref() { reset(); }

  [[nodiscard]] mount& mnt() const noexcept { return *place_.mnt; }
  [[nodiscard]] dentry& dent() const noexcept { return *place_.dent; }
  [[nodiscard]] inode& get_inode() const noexcept { return *place_.dent->get_inode(); }
  [[nodiscard]] const path& get() const noexcept { return place_; }
  [[nodiscard]] explicit operator bool() const noexcept { return place_.mnt != nullptr; }
  [[nodiscard]] path release() noexcept {
    const path p = place_;
    place_ = {};
    return p;
  }
  void reset() noexcept {
    if (place_.mnt == nullptr) return;
    const path p = release();
    dput(p.dent);
    mntput(*p.mnt);  // last: it keeps the super block
  }
  // Another dentry of the same mount.
  void step(dentry_ref d) noexcept {
    dput(place_.dent);
    place_.dent = d.release();
  }

 private:
  path place_;
};

// The mounted file system on P, if there is one, again and again: the walk goes down into it.
void follow_mounts(path_ref& p) noexcept;
// While P is a mount's root: to what that covers. False, and P as it was: that leads to ROOT, or there is nothing above.
bool leave_mount(path_ref& p, const path& root) noexcept;
// The root of the namespace; empty while nothing is mounted.
[[nodiscard]] path_ref namespace_root(kernel& k) noexcept;

// Leave to change something below a mount. Held until the change is made, or while a file is open for writing.
class write_access {
 public:
  // EROFS
  [[nodiscard]] static result<write_access> want(mount& m) noexcept;
  write_access(write_access&& o) noexcept : mount_{o.mount_} { o.mount_ = nullptr; }
  write_access& operator=(write_access&&) = delete;
  ~write_access() {
    if (mount_ != nullptr) drop(*mount_);
  }
  // It goes on, to be dropped later with drop().
  void keep() noexcept { mount_ = nullptr; }
  static void drop(mount& m) noexcept { m.mnt_writers.fetch_sub(1, std::memory_order_seq_cst); }

 private:
  explicit write_access(mount& m) noexcept : mount_{&m} {}
  mount* mount_;
};

// The path of P from ROOT, as getcwd says it; ENOENT: it was removed.
[[nodiscard]] result<std::string> path_string(const path& p, const path& root);

// ---- inode_cache.cc

// Some inode of SB has no name any more but is still in use: its blocks are freed when that ends, so SB cannot become read-only.
[[nodiscard]] bool has_unlinked_inodes(super_block& sb) noexcept;

// ---- mount_options.cc

struct parsed_options {
  std::uint32_t sb_flags = 0;
  std::string rest;  // those of the file system, comma-separated
};
// Generic options set or clear bits of FLAGS, in order; all others are left to the file system.
[[nodiscard]] parsed_options parse_mount_options(std::string_view options, std::uint32_t flags);
// "rw,relatime": the generic part of a line of mounts().
[[nodiscard]] std::string show_generic_options(std::uint32_t sb_flags);

}  // namespace xip::vfs
