#include "vfs/ramfs.h"

#include <dirent.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include <xip/vfs/kernel.h>

namespace xip::vfs::test {

namespace {

struct ram_inode final : inode {
  using inode::inode;
  ram_node* node = nullptr;
};

struct ram_super_block final : super_block {
  using super_block::super_block;
};

[[nodiscard]] ram_device& disk_of(const super_block& sb) noexcept { return static_cast<ram_device&>(sb.s_bdev); }
[[nodiscard]] ram_device& disk_of(const inode& i) noexcept { return disk_of(i.i_sb); }
[[nodiscard]] ram_node& node_of(const inode& i) noexcept { return *static_cast<const ram_inode&>(i).node; }

void set_tables(inode& i) noexcept;

void load(inode& i, ram_node& n) noexcept {
  static_cast<ram_inode&>(i).node = &n;
  i.i_mode = n.mode;
  i.i_uid = n.uid;
  i.i_gid = n.gid;
  i.i_nlink = n.nlink;
  i.i_flags = n.flags;
  i.i_rdev = n.rdev;
  i.i_size = static_cast<loff_t>(n.data.size());
  i.set_times(n.times);
  set_tables(i);
}

void store(const inode& i) noexcept {
  ram_node& n = node_of(i);
  n.mode = i.i_mode;
  n.uid = i.i_uid;
  n.gid = i.i_gid;
  n.nlink = i.i_nlink;
  n.times = i.times();
}

result<inode*> iget(super_block& sb, std::uint32_t number) {
  auto answer = iget_locked(sb, ino_t{number});
  if (!answer) return fail(answer.error());
  if (!answer->is_new) return answer->ref.release();
  ram_device& disk = disk_of(sb);
  if (disk.in_read_inode) disk.in_read_inode(*answer->ref);
  if (disk.fail_read_inode != 0) {
    const int why = disk.fail_read_inode;
    iget_failed(std::move(answer->ref), error{why});
    return fail(why);
  }
  {
    mutex_guard guard{disk.lock};
    load(*answer->ref, disk.nodes.at(number));
  }
  unlock_new_inode(*answer->ref);
  return answer->ref.release();
}

// ---- names

void add_entry(ram_node& dir, std::string_view name, std::uint32_t ino) {
  const loff_t cookie = dir.next_cookie++;
  dir.entries[cookie] = {std::string{name}, ino};
  dir.names[std::string{name}] = cookie;
}
void remove_entry(ram_node& dir, std::string_view name) {
  const auto at = dir.names.find(name);
  dir.entries.erase(at->second);
  dir.names.erase(at);
}
[[nodiscard]] std::uint32_t find_entry(const ram_node& dir, std::string_view name) {
  const auto at = dir.names.find(name);
  return at == dir.names.end() ? 0 : dir.entries.at(at->second).ino;
}

result<inode*> ram_lookup(inode& dir, std::string_view name) {
  ram_device& disk = disk_of(dir);
  ++disk.lookups;
  dir.i_rwsem.assert_held_shared();
  if (disk.in_lookup) disk.in_lookup(dir);
  std::uint32_t ino;
  {
    mutex_guard guard{disk.lock};
    ino = find_entry(node_of(dir), name);
  }
  if (ino == 0) return nullptr;
  return iget(dir.i_sb, ino);
}

[[nodiscard]] std::uint32_t take_number(ram_device& disk) {
  if (disk.free_inos.empty()) return disk.next_ino++;
  const std::uint32_t ino = disk.free_inos.back();
  disk.free_inos.pop_back();
  return ino;
}

void keep_acl(const inode& i, acl_type type, const acl_ref& acl) {
  mutex_guard guard{disk_of(i).lock};
  auto& kept = node_of(i).acls[static_cast<unsigned>(type)];
  kept.reset();
  if (acl) kept.emplace(acl->entries.begin(), acl->entries.end());
}

// A fresh inode, published when the caller unlocks it.
result<inode*> new_inode(inode& dir, std::uint32_t mode, std::uint32_t nlink) {
  ram_device& disk = disk_of(dir);
  std::uint32_t number;
  ram_node* node;
  {
    mutex_guard guard{disk.lock};
    number = take_number(disk);
    node = &disk.nodes[number];
    *node = {};
    node->parent = dir.i_ino.value();
  }
  inode* i = XIP_TRY(dir.i_sb.s_op->alloc_inode(dir.i_sb, ino_t{number}));
  inherited_acls inherited = XIP_TRY(posix_acl_create(dir, mode));
  inode_init_owner(*i, dir, mode);
  i->i_nlink = nlink;
  inode_times t;
  t.atime = t.mtime = t.ctime = t.btime = current_time(*i);
  i->set_times(t);
  static_cast<ram_inode*>(i)->node = node;
  store(*i);
  keep_acl(*i, acl_type::access, inherited.access);
  keep_acl(*i, acl_type::default_, inherited.default_);
  set_cached_acl(*i, acl_type::access, std::move(inherited.access));
  set_cached_acl(*i, acl_type::default_, std::move(inherited.default_));
  set_tables(*i);
  if (auto inserted = insert_inode_locked(*i); !inserted) {
    dir.i_sb.s_op->free_inode(i);
    return fail(inserted.error());
  }
  return i;
}

result<inode*> make(inode& dir, std::string_view name, std::uint32_t mode, std::string_view data = {}, std::uint64_t rdev = 0) {
  ram_device& disk = disk_of(dir);
  ++disk.creates;
  dir.i_rwsem.assert_held();
  inode* i = XIP_TRY(new_inode(dir, mode, S_ISDIR(mode) ? 2 : 1));
  if (disk.fail_create_after_insert != 0) {
    mark_inode_bad(*i);
    unlock_new_inode(*i);
    iput(i);
    return fail(disk.fail_create_after_insert);
  }
  {
    mutex_guard guard{disk.lock};
    node_of(*i).data = data;
    node_of(*i).rdev = i->i_rdev = rdev;
    add_entry(node_of(dir), name, i->i_ino.value());
  }
  i->i_size = static_cast<loff_t>(data.size());
  if (S_ISDIR(mode)) ++dir.i_nlink;
  inode_touch_mtime_ctime(dir);
  unlock_new_inode(*i);
  return i;
}

result<inode*> ram_create(inode& dir, std::string_view name, std::uint32_t mode) { return make(dir, name, mode); }
result<inode*> ram_mkdir(inode& dir, std::string_view name, std::uint32_t mode) { return make(dir, name, mode); }
result<inode*> ram_mknod(inode& dir, std::string_view name, std::uint32_t mode, std::uint64_t rdev) {
  return make(dir, name, mode, {}, rdev);
}
result<inode*> ram_symlink(inode& dir, std::string_view name, std::string_view target) { return make(dir, name, S_IFLNK | 0777, target); }

result<inode*> ram_tmpfile(inode& dir, std::uint32_t mode) {
  inode* i = XIP_TRY(new_inode(dir, mode, 0));
  unlock_new_inode(*i);
  return i;
}

result<> ram_link(inode& source, inode& dir, std::string_view name) {
  dir.i_rwsem.assert_held();
  source.i_rwsem.assert_held();
  if (source.i_nlink == 65000) return fail(EMLINK);
  mutex_guard guard{disk_of(dir).lock};
  add_entry(node_of(dir), name, source.i_ino.value());
  ++source.i_nlink;
  inode_touch_ctime(source);
  inode_touch_mtime_ctime(dir);
  return {};
}

result<> ram_unlink(inode& dir, std::string_view name, inode& victim) {
  dir.i_rwsem.assert_held();
  victim.i_rwsem.assert_held();
  mutex_guard guard{disk_of(dir).lock};
  remove_entry(node_of(dir), name);
  --victim.i_nlink;
  inode_touch_ctime(victim);
  inode_touch_mtime_ctime(dir);
  return {};
}

[[nodiscard]] bool looks_empty(const inode& dir) { return disk_of(dir).takes_all_for_empty || node_of(dir).entries.empty(); }

result<> ram_rmdir(inode& dir, std::string_view name, inode& victim) {
  dir.i_rwsem.assert_held();
  victim.i_rwsem.assert_held();
  mutex_guard guard{disk_of(dir).lock};
  if (!looks_empty(victim)) return fail(ENOTEMPTY);
  remove_entry(node_of(dir), name);
  victim.i_nlink = 0;
  --dir.i_nlink;
  return {};
}

void move_directory(inode& moved, inode& from, inode& to) {
  if (!moved.is_dir() || &from == &to) return;
  --from.i_nlink;
  ++to.i_nlink;
  node_of(moved).parent = to.i_ino.value();
}

result<> ram_rename(inode& old_dir, std::string_view old_name, inode& source, inode& new_dir, std::string_view new_name, inode* target,
                    unsigned flags) {
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0) return fail(EINVAL);
  old_dir.i_rwsem.assert_held();
  new_dir.i_rwsem.assert_held();
  source.i_rwsem.assert_held();
  mutex_guard guard{disk_of(old_dir).lock};
  if ((flags & RENAME_EXCHANGE) != 0) {
    remove_entry(node_of(old_dir), old_name);
    remove_entry(node_of(new_dir), new_name);
    add_entry(node_of(old_dir), old_name, target->i_ino.value());
    add_entry(node_of(new_dir), new_name, source.i_ino.value());
    move_directory(source, old_dir, new_dir);
    move_directory(*target, new_dir, old_dir);
    return {};
  }
  if (target != nullptr) {
    target->i_rwsem.assert_held();
    if (target->is_dir() && !looks_empty(*target)) return fail(ENOTEMPTY);
    remove_entry(node_of(new_dir), new_name);
    if (target->is_dir()) --new_dir.i_nlink;
    target->i_nlink = target->is_dir() ? 0 : target->i_nlink - 1;
  }
  remove_entry(node_of(old_dir), old_name);
  add_entry(node_of(new_dir), new_name, source.i_ino.value());
  move_directory(source, old_dir, new_dir);
  return {};
}

result<std::pmr::string> ram_get_link(inode& i) {
  mutex_guard guard{disk_of(i).lock};
  return std::pmr::string{node_of(i).data, &i.i_sb.memory()};
}

// ---- attributes and contents

result<> ram_setattr(inode& i, iattr attr) {
  ram_device& disk = disk_of(i);
  exclusive_guard guard{i.i_rwsem};
  XIP_TRY(setattr_prepare(i, attr));
  ++disk.setattrs;
  disk.last_ia_valid = attr.ia_valid;
  if ((attr.ia_valid & attr_size) != 0) {
    node_of(i).data.resize(static_cast<std::size_t>(attr.ia_size));
    i_size_write(i, attr.ia_size);
  }
  setattr_copy(i, attr);
  if ((attr.ia_valid & attr_mode) == 0) return {};
  acl_ref changed = XIP_TRY(posix_acl_chmod(i, attr.ia_mode));
  if (!changed) return {};
  keep_acl(i, acl_type::access, changed);
  set_cached_acl(i, acl_type::access, std::move(changed));
  return {};
}

result<std::size_t> ram_getxattr(const inode& i, std::string_view name, std::span<std::byte> to) {
  mutex_guard guard{disk_of(i).lock};
  const auto at = node_of(i).xattrs.find(name);
  if (at == node_of(i).xattrs.end()) return fail(ENODATA);
  const std::string& value = at->second;
  if (to.empty()) return value.size();
  if (value.size() > to.size()) return fail(ERANGE);
  std::memcpy(to.data(), value.data(), value.size());
  return value.size();
}

result<> ram_setxattr(inode& i, std::string_view name, xattr_value value, int flags) {
  i.i_rwsem.assert_held();
  mutex_guard guard{disk_of(i).lock};
  auto& all = node_of(i).xattrs;
  const bool there = all.contains(name);
  if (there && (flags & XATTR_CREATE) != 0) return fail(EEXIST);
  if (!there && (flags & XATTR_REPLACE) != 0) return fail(ENODATA);
  if (!value)
    all.erase(all.find(name));
  else
    all[std::string{name}].assign(reinterpret_cast<const char*>(value->data()), value->size());
  return {};
}

result<> ram_listxattr(const inode& i, std::pmr::string& names) {
  mutex_guard guard{disk_of(i).lock};
  for (const auto& [name, value] : node_of(i).xattrs) (names += name) += '\0';
  return {};
}

result<acl_ref> ram_get_inode_acl(const inode& i, acl_type type) {
  ram_device& disk = disk_of(i);
  ++disk.acl_reads;
  if (disk.fail_get_acl != 0) return fail(disk.fail_get_acl);
  acl_ref acl;
  {
    mutex_guard guard{disk.lock};
    const auto& kept = node_of(i).acls[static_cast<unsigned>(type)];
    if (kept) acl = make_posix_acl(i.i_sb.memory(), *kept);
  }
  if (disk.in_get_acl) disk.in_get_acl(i);
  return acl;
}

result<> ram_set_acl(inode& i, acl_type type, acl_ref acl) {
  i.i_rwsem.assert_held();
  std::uint32_t mode = i.i_mode;
  if (type == acl_type::access && acl) XIP_TRY(posix_acl_update_mode(i, mode, acl));
  i.i_mode = mode;
  keep_acl(i, type, acl);
  set_cached_acl(i, type, std::move(acl));
  return {};
}

result<> ram_update_time(inode& i) {
  store(i);
  return {};
}

result<std::size_t> ram_read_iter(kiocb& iocb, iov_iter& to) {
  inode& i = *iocb.ki_filp.f_inode;
  ++disk_of(i).reads;
  disk_of(i).last_iocb_flags = iocb.ki_flags;
  std::size_t done = 0;
  {
    shared_guard guard{i.i_rwsem};
    const std::string& data = node_of(i).data;
    if (iocb.ki_pos < static_cast<loff_t>(data.size())) {
      const auto at = static_cast<std::size_t>(iocb.ki_pos);
      const std::size_t want = std::min(to.count(), data.size() - at);
      done = to.copy_to_iter(data.data() + at, want);
      if (done == 0 && want != 0) return fail(EFAULT);
    }
    iocb.ki_pos += static_cast<loff_t>(done);
  }
  file_accessed(iocb.ki_filp);
  return done;
}

result<std::size_t> write_locked(kiocb& iocb, iov_iter& from, inode& i) {
  i.i_rwsem.assert_held();
  if (XIP_TRY(generic_write_checks(iocb, from)) == 0) return std::size_t{0};
  XIP_TRY(file_modified(iocb.ki_filp));
  std::string& data = node_of(i).data;
  const auto at = static_cast<std::size_t>(iocb.ki_pos);
  const std::size_t old = data.size();
  data.resize(std::max(old, at + from.count()));
  const std::size_t done = from.copy_from_iter(data.data() + at, from.count());
  data.resize(std::max(old, at + done));
  i_size_write(i, static_cast<loff_t>(data.size()));
  iocb.ki_pos += static_cast<loff_t>(done);
  if (done == 0) return fail(EFAULT);
  return done;
}

result<std::size_t> ram_write_iter(kiocb& iocb, iov_iter& from) {
  inode& i = *iocb.ki_filp.f_inode;
  ++disk_of(i).writes;
  disk_of(i).last_iocb_flags = iocb.ki_flags;
  std::size_t done;
  {
    exclusive_guard guard{i.i_rwsem};
    done = XIP_TRY(write_locked(iocb, from, i));
  }
  return generic_write_sync(iocb, iocb.ki_pos - static_cast<loff_t>(done), done);
}

result<> ram_iterate(file& f, dir_context& ctx) {
  inode& dir = *f.f_inode;
  dir.i_rwsem.assert_held_shared();
  mutex_guard guard{disk_of(dir).lock};
  const ram_node& n = node_of(dir);
  if (ctx.pos == 0) {
    if (!ctx.actor(ctx, ".", 0, dir.i_ino, DT_DIR)) return {};
    ctx.pos = 1;
  }
  if (ctx.pos == 1) {
    if (!ctx.actor(ctx, "..", 1, ino_t{n.parent}, DT_DIR)) return {};
    ctx.pos = 2;
  }
  for (auto e = n.entries.lower_bound(ctx.pos); e != n.entries.end(); ++e) {
    ctx.pos = e->first;
    if (!ctx.actor(ctx, e->second.name, e->first, ino_t{e->second.ino}, IFTODT(disk_of(dir).nodes.at(e->second.ino).mode))) return {};
    ctx.pos = e->first + 1;
  }
  return {};
}

result<> ram_open(inode& i, file& f) {
  if (disk_of(i).fail_open != 0) return fail(disk_of(i).fail_open);
  f.private_data = &disk_of(i);
  return {};
}
void ram_release(inode& i, file&) noexcept { ++disk_of(i).releases; }

result<> ram_fsync(file& f, loff_t start, loff_t end, bool datasync) {
  ram_device& disk = disk_of(*f.f_inode);
  ++(datasync ? disk.datasyncs : disk.fsyncs);
  disk.fsync_start = start;
  disk.fsync_end = end;
  if (disk.fail_fsync != 0) return fail(disk.fail_fsync);
  return {};
}

result<> ram_fallocate(file& f, int mode, loff_t offset, loff_t length) {
  inode& i = *f.f_inode;
  exclusive_guard guard{i.i_rwsem};
  XIP_TRY(inode_newsize_ok(i, (mode & FALLOC_FL_KEEP_SIZE) != 0 ? 0 : offset + length));
  if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0) return fail(EOPNOTSUPP);
  if (mode == 0 && offset + length > i_size_read(i)) {
    node_of(i).data.resize(static_cast<std::size_t>(offset + length));
    i_size_write(i, offset + length);
  }
  return {};
}

result<> ram_fiemap(inode& i, fiemap_context& ctx, loff_t start, std::uint64_t length) {
  (void)ctx.fill(ctx, {start, 4096, std::min<std::uint64_t>(length, node_of(i).data.size()), 0});
  return {};
}

// ---- the super block

result<inode*> ram_alloc_inode(super_block& sb, ino_t number) {
  try {
    return std::pmr::polymorphic_allocator<>{&sb.memory()}.new_object<ram_inode>(sb, number);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

void ram_free_inode(inode* i) noexcept { std::pmr::polymorphic_allocator<>{&i->i_sb.memory()}.delete_object(static_cast<ram_inode*>(i)); }

void ram_evict(inode& i) noexcept {
  ram_device& disk = disk_of(i);
  ++disk.evictions;
  if (disk.in_evict) disk.in_evict(i);
  {
    mutex_guard guard{disk.lock};
    if (i.i_nlink != 0) {
      store(i);
      return;
    }
    ++disk.deletions;
    disk.nodes.erase(i.i_ino.value());
    disk.free_inos.push_back(i.i_ino.value());
  }
  if (disk.after_delete) disk.after_delete(i);
}

result<> ram_sync_fs(super_block& sb, bool) {
  ++disk_of(sb).syncs;
  if (disk_of(sb).fail_sync != 0) return fail(disk_of(sb).fail_sync);
  return {};
}

result<> ram_statfs(super_block& sb, kstatfs& out) {
  out.type = 0x72616d;
  out.bsize = sb.s_blocksize;
  out.files = disk_of(sb).nodes.size();
  out.namelen = 255;
  return {};
}

result<> ram_remount(super_block& sb, std::uint32_t, std::string_view options, std::string& message) {
  if (disk_of(sb).fail_remount != 0) return fail(disk_of(sb).fail_remount);
  if (options.empty()) return {};
  message = "unknown mount option '" + std::string{options} + "'";
  return fail(EINVAL);
}

void ram_show_options(const super_block&, std::string& out) { out += ",ram"; }

constexpr inode_operations ram_inode_operations{
    .lookup = ram_lookup,
    .create = ram_create,
    .mkdir = ram_mkdir,
    .mknod = ram_mknod,
    .symlink = ram_symlink,
    .tmpfile = ram_tmpfile,
    .link = ram_link,
    .unlink = ram_unlink,
    .rmdir = ram_rmdir,
    .rename = ram_rename,
    .get_link = ram_get_link,
    .setattr = ram_setattr,
    .update_time = ram_update_time,
    .fiemap = ram_fiemap,
    .getxattr = ram_getxattr,
    .setxattr = ram_setxattr,
    .listxattr = ram_listxattr,
    .get_inode_acl = ram_get_inode_acl,
    .set_acl = ram_set_acl,
};
constexpr inode_operations ram_least_inode_operations{.lookup = ram_lookup, .create = ram_create};
constexpr file_operations ram_file_operations{
    .read_iter = ram_read_iter,
    .write_iter = ram_write_iter,
    .open = ram_open,
    .release = ram_release,
    .fsync = ram_fsync,
    .fallocate = ram_fallocate,
};
constexpr file_operations ram_dir_operations{.iterate_shared = ram_iterate, .open = ram_open, .release = ram_release, .fsync = ram_fsync};
constexpr file_operations ram_no_operations{};
constexpr super_operations ram_super_operations{
    .alloc_inode = ram_alloc_inode,
    .free_inode = ram_free_inode,
    .evict_inode = ram_evict,
    .sync_fs = ram_sync_fs,
    .statfs = ram_statfs,
    .remount = ram_remount,
    .show_options = ram_show_options,
};
constexpr super_operations ram_least_super_operations{
    .alloc_inode = ram_alloc_inode, .free_inode = ram_free_inode, .evict_inode = ram_evict};

void set_tables(inode& i) noexcept {
  const bool least = disk_of(i).without_optional_hooks;
  i.i_op = least ? &ram_least_inode_operations : &ram_inode_operations;
  i.i_fop = least ? &ram_no_operations : i.is_dir() ? &ram_dir_operations : &ram_file_operations;
}

result<super_block*> ram_mount(fs_context& fc) {
  auto& disk = static_cast<ram_device&>(fc.source);
  if (disk.fail_mount != 0) return fc.errorf(disk.fail_mount, "told to fail");
  if (!fc.options.empty()) return fc.errorf(EINVAL, "unknown mount option '" + std::string{fc.options} + "'");
  ram_super_block* sb;
  try {
    sb = std::pmr::polymorphic_allocator<>{&fc.owner.memory()}.new_object<ram_super_block>(fc.owner, fc.source);
  } catch (const std::bad_alloc&) {
    return fc.errorf(ENOMEM, "no memory");
  }
  sb->s_op = disk.without_optional_hooks ? &ram_least_super_operations : &ram_super_operations;
  sb->s_flags = fc.sb_flags | (disk.with_acls ? sb_posixacl : 0);
  sb->s_maxbytes = loff_t{1} << 40;
  auto root = iget(*sb, ram_device::root_ino);
  if (!root) {
    std::pmr::polymorphic_allocator<>{&fc.owner.memory()}.delete_object(sb);
    return fail(root.error());
  }
  sb->s_root = *root;
  return sb;
}

result<> ram_kill_sb(super_block* sb) {
  const int failed = disk_of(*sb).fail_kill;
  std::pmr::polymorphic_allocator<>{&sb->memory()}.delete_object(static_cast<ram_super_block*>(sb));
  if (failed != 0) return fail(failed);
  return {};
}

constexpr file_system_type ram_type{.name = "ramfs", .mount = ram_mount, .kill_sb = ram_kill_sb};

}  // namespace

ram_device::ram_device(std::string name) : device{0, dev::mover_kind::none, nullptr, false}, name_{std::move(name)} {
  ram_node& root = nodes[root_ino];
  root.mode = S_IFDIR | 0755;
  root.nlink = 2;
  root.parent = root_ino;
}

const file_system_type& ramfs_type() noexcept { return ram_type; }

}  // namespace xip::vfs::test
