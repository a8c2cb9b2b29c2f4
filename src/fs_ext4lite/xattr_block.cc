// Blocks of attributes. Linux: fs/ext4/xattr.c.
//
// A block may be shared by up to 1024 inodes; its header counts them. s_xattr_lock guards counts, and with them the question whether a block may be
// changed where it lies: only its one owner does that, and while it looks nobody else begins to share it. So entries of a block stay as they are for
// everybody who holds the xattr_sem of an inode whose block it is.
//
// All that can fail comes before the first change of a count: a block is found or allocated, the one to be freed has its bitmap at hand. A crash finds
// all of one handle or nothing.
//
// Lock chains:
//   xattr_sem -> jbd2_revoke
//   s_xattr_lock -> jbd2_revoke
//   jbd2_handle -> xattr_sem -> s_xattr_lock -> s_error_lock
//   jbd2_handle -> xattr_sem -> s_xattr_lock -> buffer_cache
//   jbd2_handle -> xattr_sem -> s_xattr_lock -> group_lock
//   s_xattr_lock -> s_bitmap_lock
//   s_xattr_lock -> s_first_change_lock -> buffer_write
#include "fs_ext4lite/xattr.h"

#include <algorithm>

#include <fmt/format.h>

#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/dir_block.h"

namespace xip::ext4lite {
namespace {

constexpr std::size_t first_entry = sizeof(ext4_xattr_header);

[[nodiscard]] std::unexpected<error> bad_block(const ext4_inode_info& inode, const dev::buffer& b, std::string_view what) {
  return corrupted(inode, fmt::format("attribute block {}: {}", b.block().value(), what));
}

[[nodiscard]] std::uint32_t share_count(const dev::buffer& b) noexcept { return load_at<ext4_xattr_header>(b.data(), 0).h_refcount; }

// What no change of a shared block touches.
[[nodiscard]] result<> check_magic(const ext4_inode_info& inode, const dev::buffer& b) {
  const le32 magic = load_at<le32>(b.data(), offsetof(ext4_xattr_header, h_magic));
  if (magic == xattr_magic) return {};
  return bad_block(inode, b, fmt::format("magic {:#x}, not {:#x}", magic.load(), xattr_magic));
}

// Of a block as it came from the medium.
[[nodiscard]] result<> check_header([[maybe_unused]] ext4_sb_info& sb, const ext4_inode_info& inode, const dev::buffer& b)
    XIP_REQUIRES(sb.s_xattr_lock) {
  XIP_TRY(check_magic(inode, b));
  const auto header = load_at<ext4_xattr_header>(b.data(), 0);
  if (header.h_blocks != 1) return bad_block(inode, b, fmt::format("it says {} blocks, not 1", header.h_blocks.load()));
  if (header.h_refcount == 0 || header.h_refcount > xattr_refcount_max)
    return bad_block(inode, b, fmt::format("{} inodes share it, not 1 to {}", header.h_refcount.load(), xattr_refcount_max));
  if (!block_checksum_ok(inode, block_kind::xattr, b.block(), b.data())) return bad_block(inode, b, "wrong checksum");
  return {};
}

[[nodiscard]] result<xattr_views> read_entries(const ext4_inode_info& inode, const dev::buffer& b) {
  auto found = read_xattrs({b.data(), first_entry}, inode.i_sb.memory());
  if (!found) return bad_block(inode, b, found.error());
  return std::move(*found);
}

[[nodiscard]] result<> check_hashes(const ext4_inode_info& inode, const dev::buffer& b, const xattr_views& items) {
  for (const xattr_view& item : items) {
    const std::uint32_t hash = xattr_entry_hash(item, name_chars::unsigned_);
    if (item.hash != hash && item.hash != xattr_entry_hash(item, name_chars::signed_))
      return bad_block(inode, b, fmt::format("the hash of \"{}\" is {:#x}, not {:#x}", item.name, item.hash, hash));
  }
  return {};
}

// Once for each time that it comes from the medium, and it may be shared from then on.
[[nodiscard]] result<> verify(ext4_sb_info& sb, const ext4_inode_info& inode, dev::buffer& b) XIP_REQUIRES(sb.s_xattr_lock) {
  if (b.verified()) return check_magic(inode, b);
  XIP_TRY(check_header(sb, inode, b));
  const xattr_views items = XIP_TRY(read_entries(inode, b));
  XIP_TRY(check_hashes(inode, b, items));
  sb.s_xattr_index.forget(b.block());
  sb.s_xattr_index.insert(xattr_block_hash(items), b.block());
  b.set_verified();
  return {};
}

// ---- changes, under a handle ---------------------------------------------------------------------------------------------------------------

[[nodiscard]] result<> set_share_count(handle& h, ext4_inode_info& inode, dev::buffer& b, std::uint32_t count) {
  const std::span<std::byte> block = XIP_TRY(get_write_access(h, b));
  set_block_trigger(inode, block_kind::xattr, b);
  store_at(block, offsetof(ext4_xattr_header, h_refcount), le32{count});
  return dirty_metadata(h, b);
}

// A new owner, or one less. The last one frees the block.
[[nodiscard]] result<> take_share(handle& h, [[maybe_unused]] ext4_sb_info& sb, ext4_inode_info& inode, dev::buffer& b)
    XIP_REQUIRES(sb.s_xattr_lock) {
  XIP_TRY(set_share_count(h, inode, b, share_count(b) + 1));
  add_to_i_blocks(inode, 1);
  return {};
}
[[nodiscard]] result<> drop_share(handle& h, ext4_sb_info& sb, ext4_inode_info& inode, dev::buffer_ref b) XIP_REQUIRES(sb.s_xattr_lock) {
  const std::uint32_t count = share_count(*b);
  if (count != 1) {
    XIP_TRY(set_share_count(h, inode, *b, count - 1));
    add_to_i_blocks(inode, -1);
    return {};
  }
  const pblk_t block = b->block();
  sb.s_xattr_index.forget(block);
  b.reset();
  return free_blocks(h, inode, block, 1, true);
}

// The block of one inode becomes another one, while s_xattr_lock is held.
class block_change {
 public:
  block_change(handle& h, ext4_inode_info& inode, const xattr_views& items)
      : h_{h}, sb_{h.sb()}, inode_{inode}, items_{items, &sb_.memory()}, fresh_{&sb_.memory()} {}

  [[nodiscard]] result<> make([[maybe_unused]] const ext4_sb_info& sb) XIP_REQUIRES(sb.s_xattr_lock) {
    sb_.s_xattr_lock.assert_held();
    if (const std::uint64_t block = inode_.i_file_acl.load(std::memory_order_relaxed); block != 0) {
      old_ = XIP_TRY(sb_.s_buffers->read(pblk_t{block}));
      XIP_TRY(verify(sb_, inode_, *old_));
    }
    if (items_.empty()) return old_ ? replace_by(nullptr) : result<>{};
    fill();
    if (const dev::buffer_ref equal = find_equal()) return replace_by(equal.get());
    if (old_ && share_count(*old_) == 1) return overwrite(*old_);
    return replace_by_new();
  }

 private:
  // What the block is to hold. ITEMS may point into the old one.
  void fill() {
    fresh_.resize(sb_.s_blocksize);
    for (xattr_view& item : items_)
      if (item.hash == 0) item.hash = xattr_entry_hash(item, name_chars::unsigned_);
    ext4_xattr_header header{};
    header.h_magic = xattr_magic;
    header.h_refcount = 1;
    header.h_blocks = 1;
    header.h_hash = xattr_block_hash(items_);
    store_at(std::span{fresh_}, 0, header);
    lay_out_xattrs(fresh_, first_entry, items_);
  }

  // A block of the same attributes that has room for one more owner. It is only looked for in memory: others wait for s_xattr_lock.
  [[nodiscard]] dev::buffer_ref find_equal() XIP_REQUIRES(sb_.s_xattr_lock) {
    const std::uint32_t hash = xattr_block_hash(items_);
    if (hash == 0) return {};
    for (const xattr_index::entry& e : sb_.s_xattr_index.candidates(hash)) {
      if (e.hash != hash || (old_ && e.block == old_->block())) continue;
      dev::buffer_ref b = sb_.s_buffers->find(e.block);
      if (!b || !b->verified() || share_count(*b) >= xattr_refcount_max) continue;
      const auto there = read_xattrs({b->data(), first_entry}, sb_.memory());
      if (there && same_xattrs(*there, items_)) return b;
    }
    return {};
  }

  [[nodiscard]] result<> write(dev::buffer& b, std::span<std::byte> block) XIP_REQUIRES(sb_.s_xattr_lock) {
    std::ranges::copy(fresh_, block.begin());
    set_block_trigger(inode_, block_kind::xattr, b);
    sb_.s_xattr_index.forget(b.block());
    sb_.s_xattr_index.insert(xattr_block_hash(items_), b.block());
    return dirty_metadata(h_, b);
  }
  [[nodiscard]] result<> overwrite(dev::buffer& b) XIP_REQUIRES(sb_.s_xattr_lock) {
    const std::span<std::byte> block = XIP_TRY(get_write_access(h_, b));
    return write(b, block);
  }

  // What freeing the old block needs.
  [[nodiscard]] result<> prepare() XIP_REQUIRES(sb_.s_xattr_lock) {
    XIP_TRY(start_changing(h_));
    if (old_ && share_count(*old_) == 1) held_ = XIP_TRY(prepare_to_free(h_, old_->block(), 1));
    return {};
  }
  // From here on nothing fails but by corruption.
  [[nodiscard]] result<> leave_old() XIP_REQUIRES(sb_.s_xattr_lock) {
    return old_ ? drop_share(h_, sb_, inode_, std::move(old_)) : result<>{};
  }

  // SHARED null: by none.
  [[nodiscard]] result<> replace_by(dev::buffer* shared) XIP_REQUIRES(sb_.s_xattr_lock) {
    XIP_TRY(prepare());
    return whole_or_abort(sb_, exchange(shared));
  }
  [[nodiscard]] result<> exchange(dev::buffer* shared) XIP_REQUIRES(sb_.s_xattr_lock) {
    if (shared != nullptr) XIP_TRY(take_share(h_, sb_, inode_, *shared));
    inode_.i_file_acl.store(shared != nullptr ? shared->block().value() : 0, std::memory_order_relaxed);
    return leave_old();
  }

  [[nodiscard]] result<> replace_by_new() XIP_REQUIRES(sb_.s_xattr_lock) {
    XIP_TRY(prepare());
    const pblk_t block = XIP_TRY(alloc_blocks(h_, inode_, goal_of_inode(inode_), 1, alloc_metadata)).first;
    const auto b = sb_.s_buffers->get(block);
    if (!b) {
      XIP_TRY(whole_or_abort(sb_, free_blocks(h_, inode_, block, 1, true)));
      return fail(b.error());
    }
    return whole_or_abort(sb_, move_to(**b));
  }
  [[nodiscard]] result<> move_to(dev::buffer& b) XIP_REQUIRES(sb_.s_xattr_lock) {
    const std::span<std::byte> block = XIP_TRY(get_create_access(h_, b));
    XIP_TRY(write(b, block));
    inode_.i_file_acl.store(b.block().value(), std::memory_order_relaxed);
    return leave_old();
  }

  handle& h_;
  ext4_sb_info& sb_;
  ext4_inode_info& inode_;
  xattr_views items_;
  dev::buffer_ref old_;
  held_bitmaps held_;
  std::pmr::vector<std::byte> fresh_;
};

}  // namespace

result<dev::buffer_ref> read_xattr_block(const ext4_inode_info& inode, xattr_views& found) {
  ext4_sb_info& sb = sbi_of(inode);
  const std::uint64_t block = inode.i_file_acl.load(std::memory_order_relaxed);
  if (block == 0) return dev::buffer_ref{};
  dev::buffer_ref b = XIP_TRY(sb.s_buffers->read(pblk_t{block}));
  if (b->verified()) {
    XIP_TRY(check_magic(inode, *b));
  } else {
    mutex_guard guard{sb.s_xattr_lock};
    XIP_TRY(verify(sb, inode, *b));
  }
  found = XIP_TRY(read_entries(inode, *b));
  return b;
}

bool fit_in_xattr_block(const ext4_sb_info& sb, const xattr_views& items) noexcept {
  return xattrs_fit(sb.s_blocksize, first_entry, items);
}

result<> set_xattr_block(handle& h, ext4_inode_info& inode, const xattr_views& items) {
  ext4_sb_info& sb = h.sb();
  mutex_guard guard{sb.s_xattr_lock};
  return block_change{h, inode, items}.make(sb);
}

// The inode and its block's count change under one handle, with which the inode is written by the caller.
result<> xattr_release(handle& h, ext4_inode_info& inode) {
  exclusive_guard guard{inode.xattr_sem};
  return set_xattr_block(h, inode, xattr_views{&inode.i_sb.memory()});
}

}  // namespace xip::ext4lite
