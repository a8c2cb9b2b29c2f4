// Crossing mounts in both directions, write access, and the path of a place. Linux: fs/namespace.c, fs/d_path.c.
#include "vfs/mount.h"

#include <algorithm>

#include "vfs/kernel_impl.h"

namespace xip::vfs {

namespace {

[[nodiscard]] path_ref mounted_on(kernel::impl& k, const path& p) noexcept {
  shared_guard guard{k.mount_lock};
  // The last mount on a place hides those before it.
  for (std::size_t i = k.mounts.size(); i-- > 0;) {
    mount& m = *k.mounts[i];
    if (m.mnt_mountpoint == p.dent && m.mnt_parent == p.mnt) return {m, *m.mnt_root};
  }
  return {};
}

}  // namespace

void follow_mounts(path_ref& p) noexcept {
  while (p.dent().d_mounted.load(std::memory_order_acquire) != 0) [[unlikely]] {
    path_ref inner = mounted_on(p.mnt().mnt_sb->s_kernel.internals(), p.get());
    if (!inner) return;
    p = std::move(inner);
  }
}

bool leave_mount(path_ref& p, const path& root) noexcept {
  path up = p.get();
  while (up.dent == up.mnt->mnt_root) {
    if (up.mnt->mnt_parent == nullptr) return false;
    up = {up.mnt->mnt_parent, up.mnt->mnt_mountpoint};
    if (up.mnt == root.mnt && up.dent == root.dent) return false;
  }
  if (up.mnt != p.get().mnt) p = path_ref{up};
  return true;
}

path_ref namespace_root(kernel& k) noexcept {
  path_ref root;
  {
    shared_guard guard{k.internals().mount_lock};
    if (k.internals().mounts.empty()) return {};
    mount& first = *k.internals().mounts.front();
    root = path_ref{first, *first.mnt_root};
  }
  follow_mounts(root);
  return root;
}

// Either we see the remount's wish, or the remount sees us: both sides store before they load, in one total order.
result<write_access> write_access::want(mount& m) noexcept {
  m.mnt_writers.fetch_add(1, std::memory_order_seq_cst);
  if (!m.mnt_readonly_wanted.load(std::memory_order_seq_cst) && !m.mnt_sb->is_rdonly()) return write_access{m};
  drop(m);
  return fail(EROFS);
}

result<std::string> path_string(const path& p, const path& root) {
  std::string backwards;
  path_ref at{p};
  while (at.get().mnt != root.mnt || at.get().dent != root.dent) {
    if (!leave_mount(at, root)) break;
    std::string name;
    dentry_ref parent;
    {
      dentry& d = at.dent();
      shared_guard guard{d.d_lock};
      if (!d.is_hashed()) return fail(ENOENT);
      name = d.name();
      dget(*d.d_parent);
      parent = dentry_ref{d.d_parent};
    }
    backwards.append(name.rbegin(), name.rend());
    backwards += '/';
    at.step(std::move(parent));
  }
  if (backwards.empty()) return "/";
  std::ranges::reverse(backwards);
  return backwards;
}

}  // namespace xip::vfs
