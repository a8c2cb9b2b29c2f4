// Access control lists as they lie on the medium: attributes without a name, in a form of ext4's own. Linux: fs/ext4/acl.c.
//
// Lock chains:
//   i_rwsem -> jbd2_handle -> xattr_sem
//   i_rwsem -> xattr_sem
#include <fmt/format.h>

#include "fs_ext4lite/dir_block.h"
#include "fs_ext4lite/features.h"
#include "fs_ext4lite/name_hooks.h"
#include "fs_ext4lite/xattr.h"

namespace xip::ext4lite {
namespace {

[[nodiscard]] std::uint8_t index_of(vfs::acl_type type) noexcept {
  return type == vfs::acl_type::access ? xattr_index_posix_acl_access : xattr_index_posix_acl_default;
}
// Entries for somebody by number have that number, the others are shorter.
[[nodiscard]] bool has_id(std::uint16_t tag) noexcept { return tag == vfs::acl_user || tag == vfs::acl_group; }

[[nodiscard]] std::unexpected<error> bad_acl(const ext4_inode_info& inode, vfs::acl_type type, std::string_view what) {
  return corrupted(inode, fmt::format("its {} access control list {}", type == vfs::acl_type::access ? "own" : "default", what));
}

[[nodiscard]] result<vfs::acl_ref> acl_from_disk(const ext4_inode_info& inode, vfs::acl_type type, std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(ext4_acl_header)) return bad_acl(inode, type, fmt::format("has {} bytes", bytes.size()));
  const std::uint32_t version = load_at<ext4_acl_header>(bytes, 0).a_version;
  if (version != acl_version) return bad_acl(inode, type, fmt::format("has version {}, not {}", version, acl_version));
  std::pmr::vector<vfs::posix_acl_entry> entries{&inode.i_sb.memory()};
  for (std::size_t at = sizeof(ext4_acl_header); at < bytes.size();) {
    const auto cut = [&] { return bad_acl(inode, type, fmt::format("ends within the entry at {}", at)); };
    if (bytes.size() - at < sizeof(ext4_acl_entry_short)) return cut();
    const auto e = load_at<ext4_acl_entry_short>(bytes, at);
    entries.push_back({.e_tag = e.e_tag, .e_perm = e.e_perm});
    at += sizeof e;
    if (!has_id(e.e_tag)) continue;
    if (bytes.size() - at < sizeof(le32)) return cut();
    entries.back().e_id = load_at<le32>(bytes, at);
    at += sizeof(le32);
  }
  if (entries.empty()) return vfs::acl_ref{};
  vfs::acl_ref acl = vfs::make_posix_acl(inode.i_sb.memory(), entries);
  if (!vfs::posix_acl_valid(*acl)) return bad_acl(inode, type, "has entries that are out of order, missing or unknown");
  return acl;
}

[[nodiscard]] std::pmr::vector<std::byte> acl_to_disk(const vfs::posix_acl& acl) {
  std::pmr::vector<std::byte> bytes{acl.entries.get_allocator()};
  const auto append = [&bytes](const auto& value) {
    const auto raw = std::as_bytes(std::span{&value, 1});
    bytes.insert(bytes.end(), raw.begin(), raw.end());
  };
  append(ext4_acl_header{le32{acl_version}});
  for (const vfs::posix_acl_entry& e : acl.entries) {
    append(ext4_acl_entry_short{le16{e.e_tag}, le16{e.e_perm}});
    if (has_id(e.e_tag)) append(le32{e.e_id});
  }
  return bytes;
}

// Linux: ext4_set_acl. The mode goes with the list, under one handle. The inode's slot is held.
[[nodiscard]] result<> set_acl_once(ext4_inode_info& inode, vfs::acl_type type, vfs::acl_ref acl) {
  std::uint32_t mode = inode.i_mode.load(std::memory_order_relaxed);
  if (type == vfs::acl_type::access && acl) XIP_TRY(vfs::posix_acl_update_mode(inode, mode, acl));
  const held_slots held = XIP_TRY(hold_slots({&inode}));
  handle h = XIP_TRY(journal_start(sbi_of(inode), credits_xattr_set));
  XIP_TRY(start_changing(h));
  XIP_TRY(store_acl(h, inode, type, std::move(acl)));
  if (mode != inode.i_mode.load(std::memory_order_relaxed)) {
    inode.i_mode.store(mode, std::memory_order_relaxed);
    vfs::inode_touch_ctime(inode);
    XIP_TRY(whole_or_abort(sbi_of(inode), mark_inode_dirty(h, inode)));
  }
  return finish_change(h, inode);
}

}  // namespace

std::uint32_t credits_inherit(const ext4_inode_info& dir) noexcept { return dir.i_default_acl.is_none() ? 0 : 2 * credits_xattr_set; }

result<vfs::acl_ref> ext4_get_inode_acl(const vfs::inode& i, vfs::acl_type type) {
  return without_exceptions([&]() -> result<vfs::acl_ref> {
    const ext4_inode_info& inode = info_of(i);
    std::pmr::vector<std::byte> value(i.i_sb.s_blocksize, &i.i_sb.memory());
    const auto bytes = xattr_get(inode, index_of(type), {}, value);
    if (!bytes && bytes.error() == ENODATA) return vfs::acl_ref{};
    return acl_from_disk(inode, type, std::span{value}.first(XIP_TRY(bytes)));
  });
}

result<> store_acl(handle& h, ext4_inode_info& inode, vfs::acl_type type, vfs::acl_ref acl) {
  const std::pmr::vector<std::byte> bytes = acl ? acl_to_disk(*acl) : std::pmr::vector<std::byte>{};
  XIP_TRY(xattr_set(h, inode, index_of(type), {}, acl ? vfs::xattr_value{bytes} : std::nullopt, 0));
  vfs::set_cached_acl(inode, type, std::move(acl));
  return {};
}

// Its caller has made the inode, and must be told whatever fails.
result<> store_inherited_acls(handle& h, ext4_inode_info& inode) {
  return without_exceptions([&]() -> result<> {
    for (const vfs::acl_type type : {vfs::acl_type::default_, vfs::acl_type::access})
      if (vfs::acl_ref acl = XIP_TRY(vfs::get_inode_acl(inode, type))) XIP_TRY(store_acl(h, inode, type, std::move(acl)));
    return {};
  });
}

result<> ext4_set_acl(vfs::inode& i, vfs::acl_type type, vfs::acl_ref acl) {
  if (acl && !sbi_of(i).has_compat(compat_ext_attr)) return fail(EOPNOTSUPP);
  return with_space(sbi_of(i), [&] { return set_acl_once(info_of(i), type, acl); });
}

}  // namespace xip::ext4lite
