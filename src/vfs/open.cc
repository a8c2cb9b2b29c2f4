// Opening: flags, the last component, the file object. Linux: fs/open.c, fs/namei.c (do_last and its kin), fs/file_table.c.
//
// Lock chains:
//   i_rwsem/1 -> d_lock
#include <optional>
#include <utility>

#include <xip/vfs/ops.h>

#include "vfs/attr.h"
#include "vfs/files_struct.h"
#include "vfs/hook.h"
#include "vfs/kernel_impl.h"
#include "vfs/locks.h"
#include "vfs/namei.h"
#include "vfs/permission.h"
#include "vfs/syscall.h"

namespace xip::vfs {

namespace {

constexpr int open_dsync = O_DSYNC;
constexpr int open_sync_bit = O_SYNC & ~O_DSYNC;  // Linux's own bit for the other half of O_SYNC
constexpr int open_tmpfile_bit = O_TMPFILE & ~O_DIRECTORY;
constexpr int open_largefile = 0100000;  // set on 64-bit systems whether asked for or not
constexpr int path_flags = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
constexpr int valid_flags = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_ASYNC | O_DIRECT |
                            open_largefile | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | open_tmpfile_bit;
constexpr int not_kept = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC;
constexpr std::uint64_t valid_resolve =
    RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED;

[[nodiscard]] constexpr bool will_create(std::uint64_t flags) noexcept { return (flags & (O_CREAT | open_tmpfile_bit)) != 0; }

// The flags of one open, taken apart once. Linux: struct open_flags.
struct open_flags {
  int flags;
  std::uint32_t mode;  // permission bits of a new file
  unsigned access;     // may_ bits that an existing file must grant
  std::uint32_t f_mode;
  unsigned lookup;  // lookup_ flags of the walk

  [[nodiscard]] bool has(int flag) const noexcept { return (flags & flag) == flag; }
  [[nodiscard]] bool writes() const noexcept { return (f_mode & fmode_write) != 0; }
};

// There are no magic links here, so that RESOLVE_NO_MAGICLINKS asks for nothing.
[[nodiscard]] unsigned lookup_of(int flags, std::uint64_t resolve) noexcept {
  unsigned lookup = ((flags & O_NOFOLLOW) != 0 ? 0 : lookup_follow) | ((flags & O_DIRECTORY) != 0 ? lookup_directory : 0);
  if (resolve == 0) [[likely]]
    return lookup;
  if ((resolve & RESOLVE_NO_XDEV) != 0) lookup |= lookup_no_xdev;
  if ((resolve & RESOLVE_NO_SYMLINKS) != 0) lookup |= lookup_no_symlinks;
  if ((resolve & RESOLVE_BENEATH) != 0) lookup |= lookup_beneath;
  if ((resolve & RESOLVE_IN_ROOT) != 0) lookup |= lookup_in_root;
  if ((resolve & RESOLVE_CACHED) != 0) lookup |= lookup_cached;
  return lookup;
}

// Linux: build_open_flags.
[[nodiscard]] result<open_flags> build_open_flags(const open_how& how) {
  if ((how.flags & ~static_cast<std::uint64_t>(valid_flags)) != 0 || (how.resolve & ~valid_resolve) != 0) return fail(EINVAL);
  if ((how.resolve & RESOLVE_BENEATH) != 0 && (how.resolve & RESOLVE_IN_ROOT) != 0) return fail(EINVAL);
  if ((how.mode & ~std::uint64_t{07777}) != 0 || (how.mode != 0 && !will_create(how.flags))) return fail(EINVAL);
  const int flags = static_cast<int>(how.flags);
  if ((flags & O_CREAT) != 0 && (flags & O_DIRECTORY) != 0) return fail(EINVAL);
  if ((flags & O_PATH) != 0) {
    if ((flags & ~path_flags) != 0) return fail(EINVAL);
    return open_flags{flags, 0, 0, fmode_path, lookup_of(flags, how.resolve)};
  }
  const int access_mode = flags & O_ACCMODE;
  open_flags op{flags | open_largefile, static_cast<std::uint32_t>(how.mode), 0, fmode_lseek, lookup_of(flags, how.resolve)};
  if (access_mode != O_WRONLY) op.f_mode |= fmode_read;
  if (access_mode != O_RDONLY) op.f_mode |= fmode_write;
  op.access = access_mode == O_RDONLY ? may_read : access_mode == O_WRONLY ? may_write : may_read | may_write;
  if ((flags & open_tmpfile_bit) != 0 && (!op.has(O_TMPFILE) || !op.writes())) return fail(EINVAL);
  if (access_mode == O_ACCMODE) op.f_mode &= ~(fmode_read | fmode_write);  // Linux's "for ioctl only"
  if (op.has(O_TRUNC)) op.access |= may_write;
  if ((op.lookup & lookup_cached) != 0 && (op.has(O_TRUNC) || will_create(how.flags))) return fail(EAGAIN);
  return op;
}

// open(2) and openat(2) leave out what they do not know. Linux: build_open_how.
[[nodiscard]] open_how how_of(int flags, unsigned mode) noexcept {
  flags &= (flags & O_PATH) != 0 ? path_flags : valid_flags;
  return {static_cast<unsigned>(flags), will_create(static_cast<unsigned>(flags)) ? mode & 07777 : 0, 0};
}

[[nodiscard]] std::uint32_t iocb_flags_of(int flags) noexcept {
  std::uint32_t iocb = 0;
  if ((flags & O_APPEND) != 0) iocb |= iocb_append;
  if ((flags & O_DIRECT) != 0) iocb |= iocb_direct;
  if ((flags & (open_dsync | open_sync_bit)) != 0) iocb |= iocb_dsync;  // the one without the other means both
  if ((flags & open_sync_bit) != 0) iocb |= iocb_sync;
  return iocb;
}

// Linux: may_open.
[[nodiscard]] result<> may_open(const inode& i, const open_flags& how) noexcept {
  const std::uint32_t mode = i.i_mode.load(std::memory_order_relaxed);
  if (S_ISLNK(mode)) return fail(ELOOP);
  if (S_ISDIR(mode) && (how.access & may_write) != 0) return fail(EISDIR);
  if ((S_ISBLK(mode) || S_ISCHR(mode)) && (i.i_sb.s_flags.load(std::memory_order_relaxed) & sb_nodev) != 0) return fail(EACCES);
  XIP_TRY(inode_permission(i, how.access));
  if ((i.i_flags.load(std::memory_order_relaxed) & s_append) != 0) {
    if ((how.writes() || how.has(O_ACCMODE)) && !how.has(O_APPEND)) return fail(EPERM);
    if (how.has(O_TRUNC) && (S_ISREG(mode) || S_ISDIR(mode))) return fail(EPERM);
  }
  if (how.has(O_NOATIME) && !owner_or_capable(i)) return fail(EPERM);
  return {};
}

// The memory of a file, had before anything is made or cut for it. Linux: alloc_empty_file.
class empty_file {
 public:
  explicit empty_file(std::pmr::memory_resource& memory) : memory_{memory}, file_{make_object<file>(memory)} {}
  ~empty_file() {
    if (file_ != nullptr) free_object(memory_, file_);
  }
  empty_file(const empty_file&) = delete;
  empty_file& operator=(const empty_file&) = delete;
  [[nodiscard]] file* release() noexcept { return std::exchange(file_, nullptr); }

 private:
  std::pmr::memory_resource& memory_;
  file* file_;
};

// What one open works with.
struct opening {
  task& t;
  const open_flags& how;
  empty_file spare;
};

// The file that no file system knows yet, for the place P.
[[nodiscard]] file* make_file(opening& o, path_ref p) noexcept {
  file* f = o.spare.release();
  f->f_inode = &p.get_inode();
  f->f_op = f->f_inode->i_fop;
  f->f_mode = o.how.f_mode;
  f->f_flags.store(static_cast<std::uint32_t>(o.how.flags & ~not_kept & ~O_CLOEXEC), std::memory_order_relaxed);
  f->f_iocb_flags.store(iocb_flags_of(o.how.flags), std::memory_order_relaxed);
  f->f_wb_err.store(errseq_sample(f->f_inode->i_mapping), std::memory_order_relaxed);
  f->f_uid = o.t.who.uid;
  f->f_gid = o.t.who.gid;
  f->f_path = p.release();
  return f;
}

// Without the file system's release: its open has not succeeded.
void free_file(file& f) noexcept {
  const path p = f.f_path;
  std::pmr::memory_resource& memory = p.mnt->mnt_sb->memory();
  if ((f.f_mode & fmode_writer) != 0) write_access::drop(*p.mnt);
  free_object(memory, &f);
  dput(p.dent);
  mntput(*p.mnt);
}

// P is what was looked up or made (CREATED: then its permissions do not matter to who made it).
[[nodiscard]] result<file*> open_place(opening& o, path_ref p, bool created) {
  const open_flags& how = o.how;
  inode& i = p.get_inode();
  mount& m = p.mnt();
  if ((how.f_mode & fmode_path) != 0) return make_file(o, std::move(p));
  std::optional<write_access> truncating;
  if (how.has(O_TRUNC) && !created && i.is_reg()) truncating.emplace(XIP_TRY(write_access::want(m)));
  if (!created) XIP_TRY(may_open(i, how));
  if (!i.is_reg() && !i.is_dir()) return fail(ENXIO);  // there are no drivers here
  std::optional<write_access> access;
  if (how.writes()) access.emplace(XIP_TRY(write_access::want(m)));
  file* f = make_file(o, std::move(p));
  if (how.writes()) {
    access->keep();
    f->f_mode |= fmode_writer;
  }
  if (f->f_op != nullptr && f->f_op->open != nullptr)
    if (auto opened = call_hook(hook::open, f->f_op->open, i, *f); !opened) {
      free_file(*f);
      return fail(opened.error());
    }
  if (truncating)
    if (auto truncated = truncate_inode(i, 0, attr_mtime | attr_ctime); !truncated) {
      fput(*f);
      return fail(truncated.error());
    }
  return f;
}

struct created_or_found {
  dentry_ref dent;
  bool created = false;
};

// The last component, made if it is not there. Linux: lookup_open.
[[nodiscard]] result<created_or_found> look_up_or_create(task& t, path_ref& parent, std::string_view name, const open_flags& how) {
  dentry& dir_dentry = parent.dent();
  if (dentry_ref known = d_lookup(dir_dentry, name, hash_name(name)); known && known->get_inode() != nullptr)
    return created_or_found{std::move(known)};
  auto access = write_access::want(parent.mnt());  // what fails for want of it is only the creation
  inode& dir = *dir_dentry.get_inode();
  inode_ref spare;
  created_or_found answer;
  exclusive_guard guard{dir.i_rwsem, subclass_parent};
  answer.dent = XIP_TRY(lookup_locked(dir_dentry, name, spare));
  if (answer.dent->get_inode() != nullptr) return answer;
  if (!access) return fail(access.error());
  XIP_TRY(may_create(dir));
  if (dir.i_op->create == nullptr) return fail(EACCES);
  d_instantiate(
      *answer.dent,
      inode_ref{XIP_TRY(call_hook(hook::create, dir.i_op->create, dir, name, vfs_prepare_mode(dir, S_IFREG | how.mode, t.mask)))});
  answer.created = true;
  return answer;
}

// Follows symlinks at the end, so that a dangling one makes its target.
[[nodiscard]] result<file*> open_or_create(opening& o, const at& dir, std::string_view name) {
  const open_flags& how = o.how;
  nameidata nd{o.t, how.lookup};
  XIP_TRY(nd.parent_lookup(dir, name));
  for (;;) {
    if (nd.type() != last_type::normal) return fail(how.has(O_EXCL) ? EEXIST : EISDIR);
    if (nd.trailing_slash()) return fail(EISDIR);
    created_or_found last = XIP_TRY(look_up_or_create(o.t, nd.parent(), nd.last(), how));
    if (!last.created && how.has(O_EXCL)) return fail(EEXIST);
    if (!last.dent->get_inode()->is_symlink()) {
      if (last.created) return open_place(o, nd.end(std::move(last.dent)), true);
      XIP_TRY(may_create_in_sticky(nd.parent().get_inode(), *last.dent->get_inode()));
      path_ref p = XIP_TRY(nd.end_across_mounts(std::move(last.dent)));
      return p.get_inode().is_dir() ? fail(EISDIR) : open_place(o, std::move(p), false);
    }
    if (how.has(O_NOFOLLOW)) return fail(ELOOP);
    XIP_TRY(nd.follow_last(std::move(last.dent)));
  }
}

[[nodiscard]] result<file*> open_tmpfile(opening& o, const at& where, std::string_view name) {
  task& t = o.t;
  const open_flags& how = o.how;
  path_ref dir_path = XIP_TRY(user_path_at(t, where, name, how.lookup));
  const write_access access = XIP_TRY(write_access::want(dir_path.mnt()));
  inode& dir = dir_path.get_inode();
  dentry_ref made;
  {
    exclusive_guard guard{dir.i_rwsem, subclass_parent};
    XIP_TRY(inode_permission(dir, may_write | may_exec));
    if (dir.i_op->tmpfile == nullptr) return fail(EOPNOTSUPP);
    inode_ref fresh{XIP_TRY(call_hook(hook::tmpfile, dir.i_op->tmpfile, dir, vfs_prepare_mode(dir, S_IFREG | how.mode, t.mask)))};
    if (!how.has(O_EXCL)) fresh->i_flags.fetch_or(s_linkable, std::memory_order_relaxed);
    made = XIP_TRY(d_tmpfile(dir_path.dent(), std::move(fresh)));
  }
  dir_path.step(std::move(made));
  return open_place(o, std::move(dir_path), true);
}

// A file of no descriptor yet, with one reference. A node with no path behind it is opened anew.
[[nodiscard]] result<file*> file_open(opening& o, const at& dir, std::string_view name) {
  if (o.how.has(O_TMPFILE)) return open_tmpfile(o, dir, name);
  if (o.how.has(O_CREAT)) return open_or_create(o, dir, name);
  const unsigned empty = dir.place != nullptr ? lookup_empty : 0;
  return open_place(o, XIP_TRY(user_path_at(o.t, dir, name, o.how.lookup | empty)), false);
}

// Whoever has no descriptor left, or no memory for a file, makes and truncates nothing. Linux: do_sys_openat2.
[[nodiscard]] result<int> open_fd(task& t, const at& dir, std::string_view name, const open_how& asked) {
  const open_flags how = XIP_TRY(build_open_flags(asked));
  unused_fd place = XIP_TRY(unused_fd::get(*t.files, how.has(O_CLOEXEC), 0, t.limits.nofile));
  opening o{t, how, empty_file{t.owner.memory()}};
  return place.install(*XIP_TRY(file_open(o, dir, name)));
}

}  // namespace

void fput(file& f) noexcept {
  if (f.f_count.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (may_be_locked(f)) [[unlikely]]
    locks_remove_file(f);
  if ((f.f_mode & fmode_path) == 0 && f.f_op != nullptr && f.f_op->release != nullptr)
    call_hook(hook::release, f.f_op->release, *f.f_inode, f);
  free_file(f);
}

// ---- the calls

result<int> task::open(std::string_view name, int flags, unsigned mode) { return openat(AT_FDCWD, name, flags, mode); }

result<int> task::openat(at dir, std::string_view name, int flags, unsigned mode) {
  return system_call(*this, [&] { return open_fd(*this, dir, name, how_of(flags, mode)); });
}

result<int> task::openat2(at dir, std::string_view name, const open_how& how) {
  return system_call(*this, [&] { return open_fd(*this, dir, name, how); });
}

result<int> task::creat(std::string_view name, unsigned mode) { return openat(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }

}  // namespace xip::vfs
