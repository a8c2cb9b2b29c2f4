// The path walk. Linux: fs/namei.c.
//
// A walk holds references to the place where it is, and one directory's d_lock, shared, for the time of a look-up in the cache; what is not cached is asked
// for under the directory's i_rwsem, shared. So two walks never wait for each other on cached names.
//
// Lock chains:
//   i_rwsem -> d_lock
#include "vfs/namei.h"
#include "vfs/hook.h"

#include <algorithm>

#include <xip/vfs/ops.h>

#include "vfs/attr.h"
#include "vfs/files_struct.h"
#include "vfs/kernel_impl.h"
#include "vfs/permission.h"

namespace xip::vfs {

namespace {

[[nodiscard]] std::string_view without_slashes(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of('/');
  return first == std::string_view::npos ? std::string_view{} : text.substr(first);
}

// Too many names are cached: drops what nobody uses. One thread at a time; the others walk on. Where most are in use (held by nodes, or open) that
// finds little, and is not tried again before a quarter more has come.
void shrink_if_needed(kernel& k) noexcept {
  kernel::impl& i = k.internals();
  if (i.nr_dentry.load(std::memory_order_relaxed) <= i.shrink_above.load(std::memory_order_relaxed)) [[likely]]
    return;
  if (i.shrinking.exchange(true, std::memory_order_acquire)) return;
  shrink_caches(k, true);
  if (i.nr_dentry.load(std::memory_order_relaxed) > i.dentry_limit) shrink_caches(k, false);
  const std::size_t left = i.nr_dentry.load(std::memory_order_relaxed);
  i.shrink_above.store(std::max(i.dentry_limit, left + left / 4), std::memory_order_relaxed);
  i.shrinking.store(false, std::memory_order_release);
}

[[nodiscard]] bool is_dead(const inode& dir) noexcept { return (dir.i_flags.load(std::memory_order_relaxed) & s_dead) != 0; }

// CHILD, a directory, is in DIR, and somewhere else.
void report_second_name(const inode& dir, const inode& child) {
  const std::string what = "it names directory inode " + std::to_string(child.i_ino.value()) + ", which has another name already";
  super_block& sb = dir.i_sb;
  if (sb.s_op->corrupted != nullptr) return sb.s_op->corrupted(dir, what);
  sb.s_kernel.printk(log_level::error, std::string{sb.s_id} + ": inode " + std::to_string(dir.i_ino.value()) + ": " + what);
}

}  // namespace

result<> ensure_root(task& t) noexcept {
  if (t.root.mnt != nullptr) [[likely]]
    return {};
  path_ref root = namespace_root(t.owner);
  if (!root) return fail(ENOENT);
  t.cwd = path_ref{root.get()}.release();
  t.root = root.release();
  return {};
}

result<std::pmr::string> vfs_get_link(inode& i) {
  if (!i.is_symlink() || i.i_op == nullptr || i.i_op->get_link == nullptr) return fail(EINVAL);
  touch_atime(i);
  return call_hook(hook::get_link, i.i_op->get_link, i);
}

result<dentry_ref> lookup_locked(dentry& dir, std::string_view name, inode_ref& spare) {
  const std::size_t hash = hash_name(name);
  if (dentry_ref known = d_lookup(dir, name, hash)) return known;
  inode& i = *dir.get_inode();
  if (is_dead(i)) return fail(ENOENT);
  if (i.i_op == nullptr || i.i_op->lookup == nullptr) return fail(ENOTDIR);
  spare = inode_ref{XIP_TRY(call_hook(hook::lookup, i.i_op->lookup, i, name))};
  auto added = d_add(dir, name, hash, spare);
  if (!added && added.error() == EUCLEAN) report_second_name(i, *spare);
  return added;
}

result<dentry_ref> lookup_child(dentry& dir, std::string_view name) {
  if (dentry_ref known = d_lookup(dir, name, hash_name(name))) [[likely]]
    return known;
  inode_ref spare;
  inode& i = *dir.get_inode();
  shared_guard guard{i.i_rwsem};
  return lookup_locked(dir, name, spare);
}

// A used-up symlink leaves the stack here and not before: last() may point into its text until the walk goes on.
nameidata::component nameidata::next() noexcept {
  rest_ = without_slashes(rest_);
  while (rest_.empty() && !links_.empty()) {
    rest_ = without_slashes(links_.back().outside);
    links_.pop_back();
  }
  component c{rest_.substr(0, rest_.find('/')), true};
  rest_.remove_prefix(c.name.size());
  bool slash = !rest_.empty();
  c.is_last = without_slashes(rest_).empty();
  for (const link_frame& frame : links_) {
    slash = slash || !frame.outside.empty();
    c.is_last = c.is_last && without_slashes(frame.outside).empty();
  }
  trailing_slash_ = c.is_last && slash && !c.name.empty();
  return c;
}

// A descriptor is not a way to a name for those it was handed to: only for who opened it. Linux: LOOKUP_LINKAT_EMPTY.
[[nodiscard]] static bool opened_by(const task& t, const file& f) noexcept {
  return (f.f_uid == t.who.uid && f.f_gid == t.who.gid) || capable(CAP_DAC_READ_SEARCH);
}

result<> nameidata::start_at(const at& dir, bool to_itself) {
  if (dir.place != nullptr) {
    if (!to_itself && !dir.place->dent->get_inode()->is_dir()) return fail(ENOTDIR);
    now_ = path_ref{*dir.place};
  } else if (dir.fd == AT_FDCWD) {
    now_ = path_ref{task_.cwd};
  } else {
    const fd_ref f = task_.files->get(dir.fd);
    if (!f) return fail(EBADF);
    if (has(lookup_linkat_empty) && !opened_by(task_, *f)) return fail(ENOENT);
    if (!to_itself && !f->f_inode->is_dir()) return fail(ENOTDIR);
    now_ = path_ref{f->f_path};
  }
  return {};
}

result<> nameidata::start(const at& dir, std::string_view name) {
  if (name.size() >= path_max) return fail(ENAMETOOLONG);
  if (name.empty() && !has(lookup_empty)) return fail(ENOENT);
  if (name.find('\0') != std::string_view::npos) return fail(EINVAL);
  XIP_TRY(ensure_root(task_));
  shrink_if_needed(task_.owner);
  rest_ = name;
  const bool absolute = name.starts_with('/');
  if (absolute && !has(lookup_in_root)) [[likely]] {
    if (has(lookup_beneath)) return fail(EXDEV);
    root_ = task_.root;
    root_known_ = true;
    now_ = path_ref{root_};
    return {};
  }
  XIP_TRY(start_at(dir, name.empty()));
  root_ = task_.root;
  if (has(lookup_scoped)) {
    root_known_ = true;
    scope_root_ = path_ref{now_.get()};
    root_ = scope_root_.get();
    renames_ = rename_sequence();
  }
  return {};
}

// What an absolute symlink says. As long as the walk has not met the root it may be on another mount for all that Linux knows, even if it is not.
// Linux: nd_jump_root.
result<> nameidata::jump_to_root() {
  if (has(lookup_beneath)) return fail(EXDEV);
  if (has(lookup_no_xdev) && (!root_known_ || now_.get().mnt != root_.mnt)) return fail(EXDEV);
  root_known_ = true;
  now_ = path_ref{root_};
  return {};
}

// The last component only: who plants a symlink in a directory of all shall not make others open what it leads to. Linux: may_follow_link.
result<> nameidata::may_follow_link(const inode& link, bool is_last) const noexcept {
  if (!is_last || !task_.owner.internals().protection.protected_symlinks) return {};
  constexpr std::uint32_t sticky_of_all = S_ISVTX | S_IWOTH;
  const inode& dir = now_.get_inode();
  const std::uint32_t owner = link.i_uid.load(std::memory_order_relaxed);
  if ((dir.i_mode.load(std::memory_order_relaxed) & sticky_of_all) != sticky_of_all) return {};
  if (owner == current_fsuid() || owner == dir.i_uid.load(std::memory_order_relaxed)) return {};
  return fail(EACCES);
}

result<> nameidata::push_link(dentry_ref link, bool is_last) {
  if (++link_count_ > max_symlinks) return fail(ELOOP);
  inode& i = *link->get_inode();
  XIP_TRY(may_follow_link(i, is_last));
  if (has(lookup_no_symlinks)) return fail(ELOOP);
  if (has(lookup_cached) && atime_needs_update(i)) return fail(EAGAIN);
  std::pmr::string text = XIP_TRY(vfs_get_link(i));
  if (text.empty()) return fail(ENOENT);
  if (text.size() >= path_max) return fail(ENAMETOOLONG);
  links_.push_back({std::move(text), rest_});
  rest_ = links_.back().text;
  return rest_.starts_with('/') ? jump_to_root() : result<>{};
}

result<> nameidata::cross_mounts() {
  if (now_.dent().d_mounted.load(std::memory_order_acquire) == 0) [[likely]]
    return {};
  const mount* before = now_.get().mnt;
  follow_mounts(now_);
  return has(lookup_no_xdev) && now_.get().mnt != before ? result<>{fail(EXDEV)} : result<>{};
}

// Never above the root; from a mount's root to what it covers. A scoped walk under which directories were moved may be anywhere: its caller tries again.
result<> nameidata::step_up() {
  root_known_ = true;
  if (now_.get().mnt == root_.mnt && now_.get().dent == root_.dent) return has(lookup_beneath) ? result<>{fail(EXDEV)} : result<>{};
  const mount* before = now_.get().mnt;
  if (!leave_mount(now_, root_)) return has(lookup_beneath) ? result<>{fail(EXDEV)} : result<>{};
  if (has(lookup_no_xdev) && now_.get().mnt != before) return fail(EXDEV);
  now_.step(dget_parent(now_.dent()));
  XIP_TRY(cross_mounts());
  if (has(lookup_scoped) && ((renames_ & 1) != 0 || renames_ != rename_sequence())) return fail(EAGAIN);
  return {};
}

result<dentry_ref> nameidata::cached_child(std::string_view name) {
  dentry_ref known = d_lookup(now_.dent(), name, hash_name(name));
  if (!known) return fail(EAGAIN);
  return known;
}

result<> nameidata::step_into(dentry_ref child, const component& c) {
  inode* i = child->get_inode();
  if (i == nullptr) return fail(ENOENT);
  if (i->is_symlink() && (!c.is_last || trailing_slash_ || has(lookup_follow))) return push_link(std::move(child), c.is_last);
  now_.step(std::move(child));
  return cross_mounts();
}

result<> nameidata::enter(const component& c) {
  if (c.name == ".") return {};
  if (c.name == "..") return step_up();
  if (c.name.size() > name_max) return fail(ENAMETOOLONG);
  if (has(lookup_cached)) [[unlikely]]
    return step_into(XIP_TRY(cached_child(c.name)), c);
  return step_into(XIP_TRY(lookup_child(now_.dent(), c.name)), c);
}

result<> nameidata::walk(bool to_parent) {
  bool need_directory = false;
  for (;;) {
    const component c = next();
    if (c.name.empty()) break;
    const inode& dir = now_.get_inode();
    if (!dir.is_dir()) return fail(ENOTDIR);
    XIP_TRY(may_lookup(dir, has(lookup_cached) ? may_not_block : 0));
    if (to_parent && c.is_last) {
      last_ = c.name;
      last_type_ = c.name == "." ? last_type::dot : c.name == ".." ? last_type::dotdot : last_type::normal;
      if (c.name.size() > name_max) return fail(ENAMETOOLONG);
      return {};
    }
    need_directory = need_directory || trailing_slash_;
    XIP_TRY(enter(c));
  }
  last_type_ = last_type::root;
  if ((need_directory || (flags_ & lookup_directory) != 0) && !now_.get_inode().is_dir()) return fail(ENOTDIR);
  return {};
}

result<path_ref> nameidata::path_lookup(const at& dir, std::string_view name) {
  XIP_TRY(start(dir, name));
  XIP_TRY(walk(false));
  return std::move(now_);
}

result<> nameidata::parent_lookup(const at& dir, std::string_view name) {
  XIP_TRY(start(dir, name));
  return walk(true);
}

result<> nameidata::follow_last(dentry_ref link) {
  XIP_TRY(push_link(std::move(link), true));
  return walk(true);
}

result<path_ref> nameidata::end_across_mounts(dentry_ref last) {
  now_.step(std::move(last));
  XIP_TRY(cross_mounts());
  return std::move(now_);
}

result<path_ref> user_path_at(task& t, const at& dir, std::string_view name, unsigned flags) {
  return nameidata{t, flags}.path_lookup(dir, name);
}

result<path_ref> place_of(task& t, const at& dir) { return user_path_at(t, dir, {}, lookup_empty); }

}  // namespace xip::vfs
