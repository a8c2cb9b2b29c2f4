// From a path to a place. Linux: fs/namei.c, struct nameidata.
#pragma once

#include <list>
#include <memory_resource>
#include <string>
#include <string_view>

#include <xip/base/result.h>
#include <xip/vfs/task.h>

#include "vfs/mount.h"

namespace xip::vfs {

inline constexpr unsigned lookup_follow = 1u << 0;     // follow a symlink at the end
inline constexpr unsigned lookup_directory = 1u << 1;  // the end must be a directory
inline constexpr unsigned lookup_empty = 1u << 2;      // "" means the starting point itself (AT_EMPTY_PATH)

// How far a walk may go: RESOLVE_ of openat2.
inline constexpr unsigned lookup_beneath = 1u << 3;
inline constexpr unsigned lookup_in_root = 1u << 4;
inline constexpr unsigned lookup_no_xdev = 1u << 5;
inline constexpr unsigned lookup_no_symlinks = 1u << 6;
inline constexpr unsigned lookup_cached = 1u << 7;
// Only who has opened the descriptor that the walk begins at may begin there; a node's holder has checked.
inline constexpr unsigned lookup_linkat_empty = 1u << 8;
inline constexpr unsigned lookup_scoped = lookup_beneath | lookup_in_root;

inline constexpr unsigned max_symlinks = 40;

// What the last component of a path is.
enum class last_type : std::uint8_t { normal, root, dot, dotdot };

class nameidata {
 public:
  explicit nameidata(task& t, unsigned flags = 0) noexcept : task_{t}, flags_{flags}, root_{t.root}, links_{&t.owner.memory()} {}

  // The place that NAME means, from DIR. The dentry is positive.
  // ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG, EBADF, and the file system's errors; EXDEV and EAGAIN where the walk is limited.
  [[nodiscard]] result<path_ref> path_lookup(const at& dir, std::string_view name);

  // Walks to the directory of NAME's last component; then parent(), last() and the like speak of it.
  [[nodiscard]] result<> parent_lookup(const at& dir, std::string_view name);
  // The last component turned out to be the symlink LINK: goes on to the directory of what it says. LINK's reference is consumed.
  [[nodiscard]] result<> follow_last(dentry_ref link);

  // LAST is where the walk ends. EXDEV: something is mounted there, and the walk may not go into it.
  [[nodiscard]] result<path_ref> end_across_mounts(dentry_ref last);
  [[nodiscard]] path_ref end(dentry_ref made) noexcept {
    now_.step(std::move(made));
    return std::move(now_);
  }

  [[nodiscard]] path_ref& parent() noexcept { return now_; }
  [[nodiscard]] std::string_view last() const noexcept { return last_; }
  [[nodiscard]] last_type type() const noexcept { return last_type_; }
  [[nodiscard]] bool trailing_slash() const noexcept { return trailing_slash_; }

 private:
  struct component {
    std::string_view name;
    bool is_last;
  };
  // A symlink being followed: its text, and what was left of the path outside.
  struct link_frame {
    std::pmr::string text;
    std::string_view outside;
  };

  [[nodiscard]] result<> start(const at& dir, std::string_view name);
  [[nodiscard]] result<> start_at(const at& dir, bool to_itself);
  [[nodiscard]] result<> jump_to_root();
  [[nodiscard]] result<> may_follow_link(const inode& link, bool is_last) const noexcept;
  [[nodiscard]] component next() noexcept;
  [[nodiscard]] result<> walk(bool to_parent);
  [[nodiscard]] result<> enter(const component& c);
  [[nodiscard]] result<> step_into(dentry_ref child, const component& c);
  [[nodiscard]] result<> push_link(dentry_ref link, bool is_last);
  [[nodiscard]] result<> step_up();
  [[nodiscard]] result<> cross_mounts();
  [[nodiscard]] std::uint32_t rename_sequence() const noexcept {
    return root_.mnt->mnt_sb->s_rename_sequence.load(std::memory_order_acquire);
  }
  [[nodiscard]] result<dentry_ref> cached_child(std::string_view name);
  [[nodiscard]] bool has(unsigned flag) const noexcept { return (flags_ & flag) != 0; }

  task& task_;
  unsigned flags_;
  path root_;                  // the walk never goes above it: the task's root, or where a scoped one began
  path_ref scope_root_;        // what keeps the latter
  bool root_known_ = false;    // by this walk: from "/" or by a ".."
  std::uint32_t renames_ = 0;  // s_rename_sequence at the start of a scoped walk
  path_ref now_;
  std::string_view rest_;
  std::pmr::list<link_frame> links_;
  unsigned link_count_ = 0;
  std::string_view last_;
  last_type last_type_ = last_type::root;
  bool trailing_slash_ = false;
};

// The child NAME of DIR, negative or not, counted; asks the file system if nothing is cached. DIR is a directory. No lock held.
[[nodiscard]] result<dentry_ref> lookup_child(dentry& dir, std::string_view name);
// The same with DIR's i_rwsem held, shared at least. What the file system found but another look-up had put there already is left in SPARE, to be dropped
// when the lock is gone.
[[nodiscard]] result<dentry_ref> lookup_locked(dentry& dir, std::string_view name, inode_ref& spare);

// Path of a call that takes flags like AT_SYMLINK_NOFOLLOW.
[[nodiscard]] result<path_ref> user_path_at(task& t, const at& dir, std::string_view name, unsigned flags);
// What DIR itself is. EBADF.
[[nodiscard]] result<path_ref> place_of(task& t, const at& dir);
// The lookup_ flags that AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH among FLAGS mean.
[[nodiscard]] constexpr unsigned lookup_flags_of(int at_flags) noexcept {
  return ((at_flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : lookup_follow) | ((at_flags & AT_EMPTY_PATH) != 0 ? lookup_empty : 0);
}
// The task's root and working directory are there; at its first walk they become the namespace's root. ENOENT: nothing is mounted.
[[nodiscard]] result<> ensure_root(task& t) noexcept;
// The text of symlink I; ELOOP is not checked. EINVAL: no symlink.
[[nodiscard]] result<std::pmr::string> vfs_get_link(inode& i);

}  // namespace xip::vfs
