// Access control lists: what inodes remember of theirs, and the rules by which mode and list go together. Linux: fs/posix_acl.c.
//
// A list is read by every permission check, and changed seldom: an inode that is known to have none is passed without a lock, one that has a list costs
// i_lock for as long as it takes to count it. Whoever has counted it may keep it while it is replaced.
#include <xip/vfs/posix_acl.h>

#include <cerrno>
#include <new>

#include <sys/stat.h>

#include <xip/vfs/kernel.h>
#include <xip/vfs/ops.h>

#include "vfs/hook.h"
#include "vfs/kernel_impl.h"
#include "vfs/permission.h"

namespace xip::vfs {

void acl_ref::reset() noexcept {
  const posix_acl* acl = std::exchange(acl_, nullptr);
  if (acl == nullptr || acl->a_refcount.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  free_object(*acl->entries.get_allocator().resource(), const_cast<posix_acl*>(acl));
}

acl_ref make_posix_acl(std::pmr::memory_resource& memory, std::span<const posix_acl_entry> entries) {
  posix_acl* made = make_object<posix_acl>(memory, memory);
  acl_ref counted{made};
  made->entries.assign(entries.begin(), entries.end());
  return counted;
}

// ---- what an inode remembers

// What was read from the file system may be stored only if no list was stored meanwhile: the reader holds no lock of the inode, and might bring back the
// list that has just been replaced. So each change is counted, and the reader says which count it began with.
struct acl_cache_access {
  [[nodiscard]] static const posix_acl* unknown() noexcept { return acl_cache::unknown(); }

  [[nodiscard]] static acl_cache& of(const inode& i, acl_type type) noexcept {
    return type == acl_type::access ? i.i_acl : i.i_default_acl;
  }

  struct known {
    bool is_known = false;
    acl_ref acl;
    std::uint32_t changes = 0;
  };
  [[nodiscard]] static known look(const inode& i, acl_type type) noexcept {
    const acl_cache& cache = of(i, type);
    if (cache.is_none()) return {.is_known = true};
    spin_guard guard{i.i_lock};
    const posix_acl* acl = cache.acl_.load(std::memory_order_relaxed);
    if (acl == unknown()) return {.changes = cache.changes_};
    if (acl != nullptr) acl->a_refcount.fetch_add(1, std::memory_order_relaxed);
    return {.is_known = true, .acl = acl_ref{acl}};
  }

  // Takes over ACL's reference. With SINCE: only if nothing was stored since that count.
  static void store(const inode& i, acl_type type, const posix_acl* acl, const std::uint32_t* since = nullptr) noexcept {
    acl_cache& cache = of(i, type);
    {
      spin_guard guard{i.i_lock};
      if (since == nullptr || *since == cache.changes_) {
        acl = cache.acl_.exchange(acl, std::memory_order_acq_rel);
        ++cache.changes_;
      }
    }
    if (acl != unknown()) acl_ref{acl}.reset();
  }

  static void clear(const inode& i, acl_type type) noexcept {
    const posix_acl* acl = of(i, type).acl_.load(std::memory_order_acquire);
    if (acl != unknown()) acl_ref{acl}.reset();
  }
};

inode::~inode() {
  acl_cache_access::clear(*this, acl_type::access);
  acl_cache_access::clear(*this, acl_type::default_);
}

result<acl_ref> get_inode_acl(const inode& i, acl_type type) noexcept {
  if (acl_cache_access::of(i, type).is_none() || (i.i_sb.s_flags.load(std::memory_order_relaxed) & sb_posixacl) == 0) return acl_ref{};
  acl_cache_access::known known = acl_cache_access::look(i, type);
  if (known.is_known) return std::move(known.acl);
  if (i.i_op == nullptr || i.i_op->get_inode_acl == nullptr) {
    acl_cache_access::store(i, type, nullptr, &known.changes);
    return acl_ref{};
  }
  acl_ref found = XIP_TRY(call_hook(hook::get_inode_acl, i.i_op->get_inode_acl, i, type));
  acl_cache_access::store(i, type, acl_ref{found}.release(), &known.changes);
  return found;
}

bool is_acl_cached(const inode& i, acl_type type) noexcept { return acl_cache_access::look(i, type).is_known; }

void set_cached_acl(inode& i, acl_type type, acl_ref acl) noexcept { acl_cache_access::store(i, type, acl.release()); }

// ---- rules

result<> posix_acl_valid(const posix_acl& acl) noexcept {
  std::uint16_t next = acl_user_obj;  // the first tag that may come now
  bool needs_mask = false;
  for (const posix_acl_entry& e : acl.entries) {
    if ((e.e_perm & ~7) != 0) return fail(EINVAL);
    switch (e.e_tag) {
      case acl_user_obj:
        if (next != acl_user_obj) return fail(EINVAL);
        next = acl_user;
        break;
      case acl_user:
        if (next != acl_user || e.e_id == acl_undefined_id) return fail(EINVAL);
        needs_mask = true;
        break;
      case acl_group_obj:
        if (next != acl_user) return fail(EINVAL);
        next = acl_group;
        break;
      case acl_group:
        if (next != acl_group || e.e_id == acl_undefined_id) return fail(EINVAL);
        needs_mask = true;
        break;
      case acl_mask:
        if (next != acl_group) return fail(EINVAL);
        next = acl_other;
        break;
      case acl_other:
        if (next != acl_other && (next != acl_group || needs_mask)) return fail(EINVAL);
        next = 0;
        break;
      default:
        return fail(EINVAL);
    }
  }
  return next == 0 ? result<>{} : fail(EINVAL);
}

result<bool> posix_acl_equiv_mode(const posix_acl& acl, std::uint32_t& mode) noexcept {
  std::uint32_t bits = 0;
  bool equivalent = true;
  for (const posix_acl_entry& e : acl.entries) {
    switch (e.e_tag) {
      case acl_user_obj:
        bits |= (e.e_perm & 7u) << 6;
        break;
      case acl_group_obj:
        bits |= (e.e_perm & 7u) << 3;
        break;
      case acl_other:
        bits |= e.e_perm & 7u;
        break;
      case acl_mask:
        bits = (bits & ~070u) | (e.e_perm & 7u) << 3;
        equivalent = false;
        break;
      case acl_user:
      case acl_group:
        equivalent = false;
        break;
      default:
        return fail(EINVAL);
    }
  }
  mode = (mode & ~0777u) | bits;
  return equivalent;
}

result<> posix_acl_update_mode(const inode& i, std::uint32_t& mode, acl_ref& acl) noexcept {
  if (XIP_TRY(posix_acl_equiv_mode(*acl, mode))) acl.reset();
  if (!in_group_or_capable(i.i_gid.load(std::memory_order_relaxed))) mode &= ~std::uint32_t{S_ISGID};
  return {};
}

namespace {

// The entry that stands for the group's bits of a mode: the mask, or the file's group where there is no mask. Null: the list is broken.
[[nodiscard]] posix_acl_entry* group_class(std::pmr::vector<posix_acl_entry>& entries) noexcept {
  posix_acl_entry* found = nullptr;
  for (posix_acl_entry& e : entries)
    if (e.e_tag == acl_mask || (e.e_tag == acl_group_obj && found == nullptr)) found = &e;
  return found;
}

[[nodiscard]] std::pmr::vector<posix_acl_entry> copy_of(const posix_acl& acl) { return {acl.entries, acl.entries.get_allocator()}; }

}  // namespace

result<acl_ref> posix_acl_chmod(const inode& i, std::uint32_t mode) {
  const acl_ref old = XIP_TRY(get_inode_acl(i, acl_type::access));
  if (!old) return acl_ref{};
  std::pmr::vector<posix_acl_entry> entries = copy_of(*old);
  posix_acl_entry* const group = group_class(entries);
  if (group == nullptr) return fail(EIO);
  group->e_perm = (mode >> 3) & 7;
  for (posix_acl_entry& e : entries) {
    if (e.e_tag == acl_user_obj) e.e_perm = (mode >> 6) & 7;
    if (e.e_tag == acl_other) e.e_perm = mode & 7;
  }
  return make_posix_acl(i.i_sb.memory(), entries);
}

result<inherited_acls> posix_acl_create(const inode& dir, std::uint32_t& mode) {
  inherited_acls inherited;
  if (S_ISLNK(mode)) return inherited;
  acl_ref given = XIP_TRY(get_inode_acl(dir, acl_type::default_));
  if (!given) {
    mode &= ~current_umask();
    return inherited;
  }
  std::pmr::vector<posix_acl_entry> entries = copy_of(*given);
  posix_acl_entry* const group = group_class(entries);
  if (group == nullptr) return fail(EIO);
  bool needed = false;
  // Entry and bits of the mode: each grants what both did.
  const auto meet = [&mode](posix_acl_entry& e, unsigned shift) {
    e.e_perm &= static_cast<std::uint16_t>((mode >> shift) & 7);
    mode &= ~(7u << shift) | static_cast<std::uint32_t>(e.e_perm) << shift;
  };
  for (posix_acl_entry& e : entries) {
    if (e.e_tag == acl_user_obj) meet(e, 6);
    if (e.e_tag == acl_other) meet(e, 0);
    needed = needed || e.e_tag == acl_user || e.e_tag == acl_group || e.e_tag == acl_mask;
  }
  meet(*group, 3);
  if (needed) inherited.access = make_posix_acl(dir.i_sb.memory(), entries);
  if (S_ISDIR(mode)) inherited.default_ = std::move(given);
  return inherited;
}

namespace {

// Where the entry that grants WANT is limited by the mask.
[[nodiscard]] result<> within_mask(const posix_acl& acl, const posix_acl_entry& granting, unsigned want) noexcept {
  unsigned granted = granting.e_perm;
  for (const posix_acl_entry& e : acl.entries)
    if (e.e_tag == acl_mask) granted &= e.e_perm;
  return (granted & want) == want ? result<>{} : fail(EACCES);
}

}  // namespace

result<> posix_acl_permission(const inode& i, const posix_acl& acl, unsigned want) noexcept {
  want &= may_read | may_write | may_exec;
  bool in_some_group = false;
  for (const posix_acl_entry& e : acl.entries) {
    const bool grants = (e.e_perm & want) == want;
    switch (e.e_tag) {
      case acl_user_obj:
        if (i.i_uid.load(std::memory_order_relaxed) == current_fsuid()) return grants ? result<>{} : fail(EACCES);
        break;
      case acl_user:
        if (e.e_id == current_fsuid()) return within_mask(acl, e, want);
        break;
      case acl_group_obj:
      case acl_group:
        if (!in_group(e.e_tag == acl_group ? e.e_id : i.i_gid.load(std::memory_order_relaxed))) break;
        in_some_group = true;
        if (grants) return within_mask(acl, e, want);
        break;
      case acl_mask:
        break;
      case acl_other:
        return grants && !in_some_group ? result<>{} : fail(EACCES);
      default:
        return fail(EIO);
    }
  }
  return fail(EIO);
}

}  // namespace xip::vfs
