// Extended attributes: where each lies, and the hooks. Linux: fs/ext4/xattr.c; Documentation/filesystems/ext4/attributes.rst.
//
// They stand in the inode's slot behind its fields, and where that has no room in a block (xattr_block.cc). xattr_sem, shared, keeps both as they are.
// A change lays out both anew from what was read, makes the block, and writes the slot: what lacks space has changed nothing by then.
//
// Lock chains:
//   i_rwsem -> jbd2_handle -> xattr_sem -> i_raw_lock
//   i_rwsem -> jbd2_handle -> xattr_sem -> i_lock
//   i_rwsem -> xattr_sem -> s_xattr_lock -> s_error_lock
#include "fs_ext4lite/xattr.h"

#include <linux/xattr.h>

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include "fs_ext4lite/dir_block.h"
#include "fs_ext4lite/features.h"
#include "fs_ext4lite/inode.h"
#include "fs_ext4lite/name_hooks.h"

namespace xip::ext4lite {
namespace {

// ---- names ---------------------------------------------------------------------------------------------------------------------------------

struct prefix {
  std::string_view text;
  std::uint8_t index;
};
constexpr std::array prefixes{prefix{XATTR_USER_PREFIX, xattr_index_user}, prefix{XATTR_TRUSTED_PREFIX, xattr_index_trusted},
                              prefix{XATTR_SECURITY_PREFIX, xattr_index_security}, prefix{"gnu.", xattr_index_hurd}};
// The whole name is in the index.
constexpr std::array acl_names{prefix{XATTR_NAME_POSIX_ACL_ACCESS, xattr_index_posix_acl_access},
                               prefix{XATTR_NAME_POSIX_ACL_DEFAULT, xattr_index_posix_acl_default}};

struct resolved_name {
  std::uint8_t index;
  std::string_view rest;
};

[[nodiscard]] bool takes_user_xattrs(const vfs::inode& i) noexcept { return sbi_of(i).s_user_xattr.load(std::memory_order_relaxed); }

// Linux: xattr_resolve_name.
[[nodiscard]] result<resolved_name> resolve(const vfs::inode& i, std::string_view name) {
  const auto* known = std::ranges::find_if(prefixes, [name](const prefix& p) { return name.starts_with(p.text); });
  if (known == prefixes.end()) return fail(EOPNOTSUPP);
  if (name.size() == known->text.size()) return fail(EINVAL);
  const bool of_users = known->index == xattr_index_user || known->index == xattr_index_hurd;
  if (of_users && !takes_user_xattrs(i)) return fail(EOPNOTSUPP);
  return resolved_name{known->index, name.substr(known->text.size())};
}

// What a list of names says of ITEM; nothing of what cannot be had by any name.
void append_name(const vfs::inode& i, const xattr_view& item, std::pmr::string& names) {
  const bool acls = (i.i_sb.s_flags.load(std::memory_order_relaxed) & vfs::sb_posixacl) != 0;
  for (const prefix& p : acl_names)
    if (acls && item.is(p.index, {})) (names += p.text) += '\0';
  for (const prefix& p : prefixes) {
    if (item.name_index != p.index || item.name.empty()) continue;
    if (p.index != xattr_index_trusted && p.index != xattr_index_security && !takes_user_xattrs(i)) continue;
    ((names += p.text) += item.name) += '\0';
  }
}

// ---- what an inode has ---------------------------------------------------------------------------------------------------------------------

struct attributes {
  explicit attributes(std::pmr::memory_resource& memory) noexcept : in_body{&memory}, in_block{&memory} {}
  inode_slot slot;
  xattr_views in_body;  // of the slot
  dev::buffer_ref block;
  xattr_views in_block;
};

[[nodiscard]] result<> read_body(const ext4_inode_info& inode, attributes& now) XIP_REQUIRES_SHARED(inode.xattr_sem) {
  ext4_sb_info& sb = sbi_of(inode);
  now.slot = XIP_TRY(inode_slot_of(sb, inode.i_ino));
  const std::span<const std::byte> slot = now.slot.buffer->data().subspan(now.slot.offset, sb.s_inode_size);
  if (has_xattrs_in_body(inode, slot)) {
    auto found = read_xattrs({slot.subspan(xattr_body_offset(inode) + sizeof(ext4_xattr_ibody_header)), 0}, sb.memory());
    if (!found)
      return corrupted(inode, fmt::format("attributes in the inode (block {}): {}", now.slot.buffer->block().value(), found.error()));
    now.in_body = std::move(*found);
  }
  return {};
}

[[nodiscard]] result<attributes> read_attributes(const ext4_inode_info& inode) XIP_REQUIRES_SHARED(inode.xattr_sem) {
  attributes now{inode.i_sb.memory()};
  XIP_TRY(read_body(inode, now));
  now.block = XIP_TRY(read_xattr_block(inode, now.in_block));
  return now;
}

template <class Views>
[[nodiscard]] auto find(Views& all, std::uint8_t index, std::string_view name) noexcept {
  return std::ranges::find_if(all, [&](const xattr_view& v) { return v.is(index, name); });
}

// ---- changing ------------------------------------------------------------------------------------------------------------------------------

// One attribute of an inode gets another value, or goes.
class attribute_change {
 public:
  attribute_change(handle& h, ext4_inode_info& inode, attributes&& now)
      : h_{h},
        inode_{inode},
        now_{std::move(now)},
        body_{now_.in_body, now_.in_body.get_allocator()},
        block_{now_.in_block, now_.in_block.get_allocator()} {}

  void remove(std::uint8_t index, std::string_view name) {
    // A corrupt image may have it twice.
    const auto is_it = [&](const xattr_view& v) { return v.is(index, name); };
    body_changed_ = std::erase_if(body_, is_it) != 0 || body_changed_;
    block_changed_ = std::erase_if(block_, is_it) != 0 || block_changed_;
  }

  // Into the slot if it fits there, else into the block.
  [[nodiscard]] result<> put(const xattr_view& item) {
    const auto place = find(now_.in_body, item.name_index, item.name) - now_.in_body.begin();
    remove(item.name_index, item.name);
    body_.insert(body_.begin() + place, item);
    if (body_fits()) {
      body_changed_ = true;
      return {};
    }
    body_.erase(body_.begin() + place);
    block_.push_back(item);
    std::ranges::sort(block_, xattr_before);
    block_changed_ = true;
    return fit_in_xattr_block(h_.sb(), block_) ? result<>{} : fail(ENOSPC);
  }

  // INODE is the one that changes.
  [[nodiscard]] result<> make([[maybe_unused]] const ext4_inode_info& inode) XIP_REQUIRES(inode.xattr_sem) {
    inode_.xattr_sem.assert_held();
    const bytes body = body_changed_ ? lay_out_body() : bytes{};
    const std::uint64_t block_before = inode_.i_file_acl.load(std::memory_order_relaxed);
    XIP_TRY(start_changing(h_));
    const result<> moved = block_changed_ ? set_xattr_block(h_, inode_, block_) : result<>{};
    // Corruption that was met when the old block was left was reported there: the inode has its new one by then, and the change is made.
    if (!moved && inode_.i_file_acl.load(std::memory_order_relaxed) == block_before) return moved;
    vfs::inode_touch_ctime(inode_);
    return whole_or_abort(h_.sb(), mark_inode_dirty_with_body(h_, inode_, body));
  }

 private:
  using bytes = std::pmr::vector<std::byte>;

  [[nodiscard]] std::size_t body_room() const noexcept {
    const std::size_t room = xattr_body_bytes(inode_);
    return room < sizeof(ext4_xattr_ibody_header) ? 0 : room - sizeof(ext4_xattr_ibody_header);
  }
  [[nodiscard]] bool body_fits() const noexcept { return xattrs_fit(body_room(), 0, body_); }

  [[nodiscard]] bytes lay_out_body() const {
    bytes body(xattr_body_bytes(inode_), &inode_.i_sb.memory());
    if (body_.empty()) return body;
    store_at(std::span{body}, 0, ext4_xattr_ibody_header{le32{xattr_magic}});
    lay_out_xattrs(std::span{body}.subspan(sizeof(ext4_xattr_ibody_header)), 0, body_);
    return body;
  }

  handle& h_;
  ext4_inode_info& inode_;
  const attributes now_;  // holds what the views point into
  xattr_views body_, block_;
  bool body_changed_ = false, block_changed_ = false;
};

}  // namespace

// ---- the calls of this room ------------------------------------------------------------------------------------------------------------------

result<std::size_t> xattr_get(const ext4_inode_info& inode, std::uint8_t index, std::string_view name, std::span<std::byte> to) {
  shared_guard guard{inode.xattr_sem};
  attributes now{inode.i_sb.memory()};
  XIP_TRY(read_body(inode, now));
  auto found = find(now.in_body, index, name);
  if (found == now.in_body.end()) {
    // Only now: what is in the inode can be had whatever became of the block.
    now.block = XIP_TRY(read_xattr_block(inode, now.in_block));
    found = find(now.in_block, index, name);
    if (found == now.in_block.end()) return fail(ENODATA);
  }
  const std::span<const std::byte> value = found->value;
  if (to.empty()) return value.size();
  if (value.size() > to.size()) return fail(ERANGE);
  std::ranges::copy(value, to.begin());
  return value.size();
}

result<> xattr_set(handle& h, ext4_inode_info& inode, std::uint8_t index, std::string_view name, vfs::xattr_value value, int flags) {
  exclusive_guard guard{inode.xattr_sem};
  attributes now = XIP_TRY(read_attributes(inode));
  const auto in_body = find(now.in_body, index, name), in_block = find(now.in_block, index, name);
  const bool is_in_body = in_body != now.in_body.end(), is_there = is_in_body || in_block != now.in_block.end();
  if (is_there && (flags & XATTR_CREATE) != 0) return fail(EEXIST);
  if (!is_there && (flags & XATTR_REPLACE) != 0) return fail(ENODATA);
  if (!is_there && !value) return {};
  if (is_there && value && std::ranges::equal((is_in_body ? in_body : in_block)->value, *value)) return {};
  attribute_change change{h, inode, std::move(now)};
  if (value)
    XIP_TRY(change.put({index, name, *value}));
  else
    change.remove(index, name);
  return change.make(inode);
}

result<> finish_change(handle& h, const ext4_inode_info& inode) {
  ext4_sb_info& sb = h.sb();
  const std::uint64_t tid = h.tid();
  h.stop();
  return vfs::is_sync(inode) ? commit_tid(sb, tid) : result<>{};
}

// ---- the hooks ---------------------------------------------------------------------------------------------------------------------------------

result<std::size_t> ext4_getxattr(const vfs::inode& i, std::string_view name, std::span<std::byte> to) {
  return without_exceptions([&]() -> result<std::size_t> {
    const resolved_name known = XIP_TRY(resolve(i, name));
    return xattr_get(info_of(i), known.index, known.rest, to);
  });
}

// An image without the feature keeps to it: it gets no attributes. Those that it has all the same may go.
result<> ext4_setxattr(vfs::inode& i, std::string_view name, vfs::xattr_value value, int flags) {
  if (value && !sbi_of(i).has_compat(compat_ext_attr)) return fail(EOPNOTSUPP);
  const resolved_name known = XIP_TRY(resolve(i, name));
  return with_space(sbi_of(i), [&]() -> result<> {
    handle h = XIP_TRY(journal_start(sbi_of(i), credits_xattr_set));
    XIP_TRY(xattr_set(h, info_of(i), known.index, known.rest, value, flags));
    return finish_change(h, info_of(i));
  });
}

result<> ext4_listxattr(const vfs::inode& i, std::pmr::string& names) {
  return without_exceptions([&]() -> result<> {
    const ext4_inode_info& inode = info_of(i);
    shared_guard guard{inode.xattr_sem};
    const attributes now = XIP_TRY(read_attributes(inode));
    for (const xattr_view& item : now.in_body) append_name(i, item, names);
    for (const xattr_view& item : now.in_block) append_name(i, item, names);
    return {};
  });
}

}  // namespace xip::ext4lite
