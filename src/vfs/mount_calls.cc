// mount, umount, remount, sync. Linux: fs/namespace.c, fs/super.c.
//
// Lock chains:
//   namespace_sem -> mount_lock
//   namespace_sem -> s_umount
//   namespace_sem -> i_rwsem/2 -> mount_lock
//   namespace_sem -> d_lock
//   namespace_sem -> i_lock
#include <algorithm>
#include <memory>
#include <utility>

#include <xip/vfs/ops.h>

#include "vfs/hook.h"
#include "vfs/kernel_impl.h"
#include "vfs/mount.h"
#include "vfs/namei.h"
#include "vfs/syscall.h"

namespace xip::vfs {

namespace {

constexpr std::uint32_t generic_flags =
    sb_rdonly | sb_nosuid | sb_nodev | sb_noexec | sb_synchronous | sb_dirsync | sb_noatime | sb_nodiratime | sb_relatime;

// Why a mount failed, beside the errno that travels as the result.
struct explanation {
  std::string text;
  [[nodiscard]] std::unexpected<error> operator()(int number, std::string why) {
    text = std::move(why);
    return fail(number);
  }
};

[[nodiscard]] std::expected<void, mount_failure> explained(result<> done, std::string_view name, explanation& why) {
  if (done) return {};
  if (why.text.empty()) why.text = done.error().message();
  return std::unexpected{mount_failure{done.error(), std::string{name} + ": " + why.text}};
}

[[nodiscard]] result<const file_system_type*> find_type(kernel::impl& k, std::string_view name, explanation& why)
    XIP_REQUIRES_SHARED(k.namespace_sem) {
  for (const file_system_type* type : k.file_systems)
    if (type->name == name) return type;
  return why(ENODEV, "unknown file system type '" + std::string{name} + "'");
}

[[nodiscard]] result<> check_unused(kernel::impl& k, const dev::device& source, explanation& why) {
  shared_guard guard{k.mount_lock};
  for (const mount* m : k.mounts)
    if (&m->mnt_sb->s_bdev == &source) return why(EBUSY, "already mounted on " + std::string{m->target});
  return {};
}

struct mount_deleter {
  std::pmr::memory_resource& memory;
  void operator()(mount* m) const noexcept { free_object(memory, m); }
};

// A file system that was mounted and gets no place after all.
[[nodiscard]] std::unexpected<error> give_back(super_block& sb, error why) {
  sb.s_root = nullptr;
  (void)sb.s_type->kill_sb(&sb);
  return fail(why);
}

// The mounted file system of SOURCE, on no place yet; its root is cached.
[[nodiscard]] result<mount*> make_mount(kernel& k, const file_system_type& type, dev::device& source, std::string_view options,
                                        explanation& why) {
  const parsed_options parsed = parse_mount_options(options, sb_relatime);
  std::unique_ptr<mount, mount_deleter> m{make_object<mount>(k.memory(), k.memory()), {k.memory()}};
  fs_context fc{k, source, parsed.sb_flags, parsed.rest, {}};
  auto made = type.mount(fc);
  why.text = std::move(fc.message);
  super_block& sb = *XIP_TRY(made);
  m->mnt_sb = &sb;
  sb.s_type = &type;
  sb.s_flags.fetch_or(fc.sb_flags, std::memory_order_relaxed);
  sb.s_dev = k.internals().next_dev.fetch_add(1, std::memory_order_relaxed);
  auto root = d_make_root(sb, sb.s_root);
  if (!root) return give_back(sb, root.error());
  m->mnt_root = *root;
  return m.release();
}

// The end of a mount that nobody can find any more: its caches, then the super block. The error of the last write-back.
[[nodiscard]] result<> destroy_mount(kernel& k, mount& m) {
  super_block& sb = *m.mnt_sb;
  shrink_dcache(*m.mnt_root, false);
  dput(m.mnt_root);
  sb.s_root = nullptr;
  auto done = sb.s_type->kill_sb(&sb);
  dput(m.mnt_mountpoint);
  if (m.mnt_parent != nullptr) mntput(*m.mnt_parent);
  free_object(k.memory(), &m);
  return done;
}

void append_mount(kernel::impl& k, mount& m) {
  exclusive_guard guard{k.mount_lock};
  k.mounts.push_back(&m);
}

// ON gets M on top. A directory that was removed meanwhile takes no mount: rmdir looks at d_mounted under the same lock.
[[nodiscard]] result<> attach(kernel::impl& k, mount& m, const path_ref& on) {
  inode& i = on.get_inode();
  exclusive_guard guard{i.i_rwsem, subclass_child};
  if ((i.i_flags.load(std::memory_order_relaxed) & s_dead) != 0) return fail(ENOENT);
  append_mount(k, m);
  const path place = path_ref{on.get()}.release();
  m.mnt_parent = place.mnt;
  m.mnt_mountpoint = place.dent;
  place.dent->d_mounted.fetch_add(1, std::memory_order_release);
  return {};
}

[[nodiscard]] bool nothing_mounted(kernel::impl& k) noexcept {
  shared_guard guard{k.mount_lock};
  return k.mounts.empty();
}

struct mount_request {
  std::string_view type;
  dev::device& source;
  std::string_view target;
  std::string_view options;
};

// Empty: the first mount, on "/".
[[nodiscard]] result<path_ref> find_mountpoint(task& caller, std::string_view target, explanation& why) {
  if (nothing_mounted(caller.owner.internals())) {
    if (target == "/") return path_ref{};
    return why(ENOENT, "nothing is mounted on / yet; mount a file system there first");
  }
  auto on = user_path_at(caller, AT_FDCWD, target, lookup_follow | lookup_directory);
  if (!on) return why(on.error().number(), "mountpoint " + std::string{target} + ": " + std::string{on.error().message()});
  return on;
}

[[nodiscard]] result<> mount_on(task& caller, const mount_request& request, explanation& why) {
  kernel& k = caller.owner;
  kernel::impl& i = k.internals();
  const path_ref on = XIP_TRY(find_mountpoint(caller, request.target, why));
  exclusive_guard guard{i.namespace_sem};
  const file_system_type* type = XIP_TRY(find_type(i, request.type, why));
  XIP_TRY(check_unused(i, request.source, why));
  mount* m = XIP_TRY(make_mount(k, *type, request.source, request.options, why));
  result<> attached;
  try {
    m->target = on ? XIP_TRY(path_string(on.get(), namespace_root(k).get())) : std::string{"/"};
    if (on)
      attached = attach(i, *m, on);
    else
      append_mount(i, *m);
  } catch (const std::bad_alloc&) {
    attached = fail(ENOMEM);
  }
  if (!attached) (void)destroy_mount(k, *m);
  return attached;
}

// WHERE must be the root of a mount.
[[nodiscard]] result<> check_mount_root(const path_ref& where) noexcept {
  if (&where.dent() != where.mnt().mnt_root) return fail(EINVAL);
  return {};
}

// Takes WHERE's mount out of the namespace. EBUSY: somebody but the list and WHERE refers to it.
[[nodiscard]] result<mount*> detach(kernel::impl& k, path_ref where) {
  mount& m = where.mnt();
  exclusive_guard guard{k.mount_lock};
  if (m.mnt_count.load(std::memory_order_acquire) != 2) return fail(EBUSY);
  std::erase(k.mounts, &m);
  if (m.mnt_mountpoint != nullptr) m.mnt_mountpoint->d_mounted.fetch_sub(1, std::memory_order_release);
  return &m;
}

// The walk is over; what it held for the calling task would keep the mount busy.
void forget_places(task& caller) noexcept {
  path_ref::adopt(std::exchange(caller.cwd, {})).reset();
  path_ref::adopt(std::exchange(caller.root, {})).reset();
}

}  // namespace

std::expected<void, mount_failure> kernel::mount(std::string_view type, dev::device& source, std::string_view target,
                                                 std::string_view options) {
  task caller{*this, {}, "mount"};
  explanation why;
  auto done = system_call(caller, [&] { return mount_on(caller, {type, source, target, options}, why); });
  return explained(done, source.name(), why);
}

result<> kernel::umount(std::string_view target) {
  task caller{*this, {}, "umount"};
  return system_call(caller, [&]() -> result<> {
    path_ref where = XIP_TRY(user_path_at(caller, AT_FDCWD, target, lookup_follow));
    forget_places(caller);
    XIP_TRY(check_mount_root(where));
    exclusive_guard guard{impl_->namespace_sem};
    struct mount* m = XIP_TRY(detach(*impl_, std::move(where)));
    return destroy_mount(*this, *m);
  });
}

// In the reverse order of mounting: what was mounted on another goes before it.
void unmount_all(kernel& k) {
  kernel::impl& i = k.internals();
  task caller{k, {}, "umount"};
  const syscall_scope scope{caller};
  exclusive_guard guard{i.namespace_sem};
  for (;;) {
    mount* last;
    {
      exclusive_guard list{i.mount_lock};
      if (i.mounts.empty()) return;
      last = i.mounts.back();
      i.mounts.pop_back();
      if (last->mnt_mountpoint != nullptr) last->mnt_mountpoint->d_mounted.fetch_sub(1, std::memory_order_release);
    }
    // It comes from a destructor: what is said takes no memory.
    char text[512];
    const std::string_view name = last->mnt_sb->s_id.substr(0, 255);
    const auto used = std::snprintf(text, sizeof text, "%.*s: unmount: ", static_cast<int>(name.size()), name.data());
    if (auto done = destroy_mount(k, *last); !done) {
      const std::string_view why = done.error().message();
      const std::size_t length = static_cast<std::size_t>(used) + why.copy(text + used, sizeof text - static_cast<std::size_t>(used));
      k.printk(log_level::error, {text, length});
    }
  }
}

namespace {

// From the moment that readonly_wanted is seen nobody begins to write. Linux: sb_prepare_remount_readonly.
class readonly_wish {
 public:
  explicit readonly_wish(mount& m) noexcept : mount_{m} { m.mnt_readonly_wanted.store(true, std::memory_order_seq_cst); }
  ~readonly_wish() { mount_.mnt_readonly_wanted.store(false, std::memory_order_release); }
  readonly_wish(const readonly_wish&) = delete;
  readonly_wish& operator=(const readonly_wish&) = delete;
  [[nodiscard]] bool granted() const noexcept {
    return mount_.mnt_writers.load(std::memory_order_seq_cst) == 0 && !has_unlinked_inodes(*mount_.mnt_sb);
  }

 private:
  mount& mount_;
};

[[nodiscard]] result<> reconfigure(super_block& sb, const parsed_options& wanted, explanation& why) XIP_REQUIRES(sb.s_umount) {
  // A file system that is writable and stays so may have become read-only by an error meanwhile.
  const bool changes_rdonly = sb.is_rdonly() || (wanted.sb_flags & sb_rdonly) != 0;
  const std::uint32_t changed = changes_rdonly ? generic_flags : generic_flags & ~sb_rdonly;
  if (sb.s_op->remount != nullptr)
    XIP_TRY(call_hook(hook::remount, sb.s_op->remount, sb, wanted.sb_flags, wanted.rest, why.text));
  else if (!wanted.rest.empty())
    return why(EINVAL, "unknown mount option '" + wanted.rest + "'");
  sb.s_flags.fetch_and(wanted.sb_flags | ~changed, std::memory_order_relaxed);
  sb.s_flags.fetch_or(wanted.sb_flags & changed, std::memory_order_relaxed);
  return {};
}

[[nodiscard]] result<> remount_locked(mount& m, std::string_view options, explanation& why) {
  super_block& sb = *m.mnt_sb;
  exclusive_guard guard{sb.s_umount};
  const std::uint32_t now = sb.s_flags.load(std::memory_order_relaxed);
  parsed_options wanted = parse_mount_options(options, now & generic_flags);
  wanted.sb_flags |= now & ~generic_flags;
  if ((wanted.sb_flags & sb_rdonly) == 0 || sb.is_rdonly()) return reconfigure(sb, wanted, why);
  const readonly_wish wish{m};
  if (!wish.granted()) return why(EBUSY, "files are open for writing, or removed files are still open");
  if (sb.s_op->sync_fs != nullptr) XIP_TRY(call_hook(hook::sync_fs, sb.s_op->sync_fs, sb, true));
  return reconfigure(sb, wanted, why);
}

}  // namespace

std::expected<void, mount_failure> kernel::remount(std::string_view target, std::string_view options) {
  task caller{*this, {}, "remount"};
  explanation why;
  std::string name{target};
  auto done = system_call(caller, [&]() -> result<> {
    const path_ref where = XIP_TRY(user_path_at(caller, AT_FDCWD, target, lookup_follow));
    XIP_TRY(check_mount_root(where));
    name = where.mnt().mnt_sb->s_id;
    exclusive_guard guard{impl_->namespace_sem};
    return remount_locked(where.mnt(), options, why);
  });
  return explained(done, name, why);
}

namespace {

[[nodiscard]] std::pmr::vector<mount*> list_of_mounts(kernel::impl& k) XIP_REQUIRES_SHARED(k.namespace_sem) {
  shared_guard guard{k.mount_lock};
  return {k.mounts, &k.memory};
}

// Blanks and backslashes as octal, so that a line has four words.
[[nodiscard]] std::string mangled(std::string_view word) {
  std::string text;
  for (const char c : word) {
    if (c != ' ' && c != '\t' && c != '\n' && c != '\\') {
      text += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    text += '\\';
    for (const int shift : {6, 3, 0}) text += static_cast<char>('0' + ((byte >> shift) & 7));
  }
  return text;
}

[[nodiscard]] std::string line_of(const mount& m) {
  const super_block& sb = *m.mnt_sb;
  std::string options = show_generic_options(sb.s_flags.load(std::memory_order_relaxed));
  if (sb.s_op->show_options != nullptr) sb.s_op->show_options(sb, options);
  return mangled(sb.s_id) + ' ' + mangled(m.target) + ' ' + sb.s_type->name + ' ' + options + '\n';
}

}  // namespace

result<> kernel::sync() {
  task caller{*this, {}, "sync"};
  return system_call(caller, [&]() -> result<> {
    shared_guard guard{impl_->namespace_sem};
    result<> first;
    for (struct mount* m : list_of_mounts(*impl_))
      if (auto done = sync_filesystem(*m->mnt_sb); !done && first) first = done;
    return first;
  });
}

std::string kernel::mounts() const {
  thread_context context;
  context.name = "mounts";
  context.deps = &impl_->deps;
  context.sched = impl_->sched;
  const current_scope scope{context};
  std::string text;
  shared_guard guard{impl_->namespace_sem};
  for (const struct mount* m : list_of_mounts(*impl_)) text += line_of(*m);
  return text;
}

}  // namespace xip::vfs
