// Access control lists as user space reads and writes them: as attributes of the names system.posix_acl_. Linux: fs/posix_acl.c, fs/xattr.c;
// include/uapi/linux/posix_acl_xattr.h.
#include <linux/xattr.h>

#include <cstring>

#include <xip/base/endian.h>

#include "vfs/hook.h"
#include "vfs/permission.h"
#include "vfs/xattr.h"

namespace xip::vfs {

namespace {

constexpr std::uint32_t xattr_version = 2;

struct acl_xattr_header {
  le32 a_version;
};
struct acl_xattr_entry {
  le16 e_tag;
  le16 e_perm;
  le32 e_id;
};
static_assert(sizeof(acl_xattr_header) == 4 && sizeof(acl_xattr_entry) == 8);

template <class T>
[[nodiscard]] T load(std::span<const std::byte> from, std::size_t at) noexcept {
  T value;
  std::memcpy(&value, from.data() + at, sizeof value);
  return value;
}

template <class T>
void store(std::span<std::byte> to, std::size_t at, const T& value) noexcept {
  std::memcpy(to.data() + at, &value, sizeof value);
}

[[nodiscard]] bool names_somebody(std::uint16_t tag) noexcept { return tag == acl_user || tag == acl_group; }
[[nodiscard]] bool known_tag(std::uint16_t tag) noexcept {
  return names_somebody(tag) || tag == acl_user_obj || tag == acl_group_obj || tag == acl_mask || tag == acl_other;
}

[[nodiscard]] result<posix_acl_entry> entry_from(const acl_xattr_entry& raw) noexcept {
  posix_acl_entry e{.e_tag = raw.e_tag, .e_perm = raw.e_perm};
  if (!known_tag(e.e_tag)) return fail(EINVAL);
  if (!names_somebody(e.e_tag)) return e;
  e.e_id = raw.e_id;
  return e.e_id != acl_undefined_id ? result<posix_acl_entry>{e} : fail(EINVAL);
}

// Linux: posix_acl_from_xattr. None: VALUE has no entries.
[[nodiscard]] result<acl_ref> acl_from_xattr(std::pmr::memory_resource& memory, std::span<const std::byte> value) {
  if (value.empty()) return acl_ref{};
  if (value.size() < sizeof(acl_xattr_header)) return fail(EINVAL);
  if (load<acl_xattr_header>(value, 0).a_version != xattr_version) return fail(EOPNOTSUPP);
  const std::span<const std::byte> rest = value.subspan(sizeof(acl_xattr_header));
  if (rest.size() % sizeof(acl_xattr_entry) != 0) return fail(EINVAL);
  std::pmr::vector<posix_acl_entry> entries{&memory};
  for (std::size_t at = 0; at < rest.size(); at += sizeof(acl_xattr_entry))
    entries.push_back(XIP_TRY(entry_from(load<acl_xattr_entry>(rest, at))));
  if (entries.empty()) return acl_ref{};
  return make_posix_acl(memory, entries);
}

// Linux: set_posix_acl, under i_rwsem.
[[nodiscard]] result<> set_posix_acl(inode& i, acl_type type, acl_ref acl) {
  if ((i.i_sb.s_flags.load(std::memory_order_relaxed) & sb_posixacl) == 0) return fail(EOPNOTSUPP);
  if (i.i_op == nullptr || i.i_op->set_acl == nullptr) return fail(EOPNOTSUPP);
  if (type == acl_type::default_ && !i.is_dir()) return acl ? fail(EACCES) : result<>{};
  if (!owner_or_capable(i)) return fail(EPERM);
  if (acl) XIP_TRY(posix_acl_valid(*acl));
  return call_hook(hook::set_acl, i.i_op->set_acl, i, type, std::move(acl));
}

}  // namespace

std::optional<acl_type> posix_acl_type(std::string_view name) noexcept {
  if (name == XATTR_NAME_POSIX_ACL_ACCESS) return acl_type::access;
  if (name == XATTR_NAME_POSIX_ACL_DEFAULT) return acl_type::default_;
  return std::nullopt;
}

result<std::size_t> vfs_get_acl(const inode& i, acl_type type, std::span<std::byte> to) {
  if ((i.i_sb.s_flags.load(std::memory_order_relaxed) & sb_posixacl) == 0 || i.is_symlink()) return fail(EOPNOTSUPP);
  const acl_ref acl = XIP_TRY(get_inode_acl(i, type));
  if (!acl) return fail(ENODATA);
  const std::size_t bytes = sizeof(acl_xattr_header) + acl->entries.size() * sizeof(acl_xattr_entry);
  if (to.empty()) return bytes;
  if (bytes > to.size()) return fail(ERANGE);
  store(to, 0, acl_xattr_header{le32{xattr_version}});
  std::size_t at = sizeof(acl_xattr_header);
  for (const posix_acl_entry& e : acl->entries) {
    store(to, at, acl_xattr_entry{le16{e.e_tag}, le16{e.e_perm}, le32{e.e_id}});
    at += sizeof(acl_xattr_entry);
  }
  return bytes;
}

result<> vfs_set_acl(inode& i, std::string_view name, acl_type type, std::span<const std::byte> value) {
  acl_ref acl = XIP_TRY(acl_from_xattr(i.i_sb.memory(), value));
  exclusive_guard guard{i.i_rwsem};
  XIP_TRY(xattr_permission(i, name, may_write));
  return set_posix_acl(i, type, std::move(acl));
}

}  // namespace xip::vfs
