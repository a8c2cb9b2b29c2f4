// The orphan list: inodes that a crash must not leave behind half deleted or half truncated. Linux: fs/ext4/orphan.c, namei.c.
//
// The super block names the first, each inode's i_dtime names the next. The same list is kept in memory, so that one can be taken out of the
// middle: its predecessor is in memory too, as every inode on the list is either open or being worked on.
//
// Lock chains:
//   jbd2_handle -> s_orphan_lock -> i_raw_lock
//   s_orphan_lock -> buffer_cache
#include <cstring>

#include <fmt/format.h>

#include <xip/base/points.h>

#include "fs_ext4lite/inode.h"
#include "fs_ext4lite/super.h"

namespace xip::ext4lite {
namespace {

// The head of the list on disk becomes NUMBER.
[[nodiscard]] result<> write_head(handle& h, ext4_sb_info& sb, std::uint32_t number) XIP_REQUIRES(sb.s_orphan_lock) {
  const std::span<std::byte> block = XIP_TRY(get_write_access(h, *sb.s_sbh));
  const le32 head{number};
  std::memcpy(block.data() + sb.s_sb_offset + offsetof(ext4_super_block, s_last_orphan), &head, sizeof head);
  return dirty_metadata(h, *sb.s_sbh);
}

[[nodiscard]] std::uint32_t read_head(const ext4_sb_info& sb) XIP_REQUIRES(sb.s_orphan_lock) { return super_block_copy(sb).s_last_orphan; }

void link_first(ext4_sb_info& sb, ext4_inode_info& inode) XIP_REQUIRES(sb.s_orphan_lock) {
  inode.i_orphan_prev = nullptr;
  inode.i_orphan_next = sb.s_orphan_first;
  if (sb.s_orphan_first != nullptr) sb.s_orphan_first->i_orphan_prev = &inode;
  sb.s_orphan_first = &inode;
  inode.i_on_orphan_list = true;
}

void unlink(ext4_sb_info& sb, ext4_inode_info& inode) XIP_REQUIRES(sb.s_orphan_lock) {
  (inode.i_orphan_prev != nullptr ? inode.i_orphan_prev->i_orphan_next : sb.s_orphan_first) = inode.i_orphan_next;
  if (inode.i_orphan_next != nullptr) inode.i_orphan_next->i_orphan_prev = inode.i_orphan_prev;
  inode.i_orphan_prev = inode.i_orphan_next = nullptr;
  inode.i_on_orphan_list = false;
}

// ---- at mount --------------------------------------------------------------------------------------------------------------------------

// The number after NUMBER in the list; it is checked that NUMBER may stand there.
[[nodiscard]] result<std::uint32_t> next_orphan(ext4_sb_info& sb, std::uint32_t number, std::string& message) {
  const auto refuse = [&](std::string_view why, error answer = error{EUCLEAN}) {
    message = fmt::format("the orphan list holds inode {}, {}; run e2fsck, or only read it (ro)", number, why);
    return fail(answer);
  };
  if (number < sb.s_first_ino) return refuse("which is reserved");
  if (number > sb.s_inodes_count) return refuse(fmt::format("but the last inode is {}", sb.s_inodes_count));
  const auto in_use = inode_number_in_use(sb, ino_t{number});
  if (!in_use) return refuse("whose group's inode bitmap cannot be read");
  if (!*in_use) return refuse("which is free in the inode bitmap");
  if (auto good = check_orphan(sb, ino_t{number}); !good)
    return refuse(fmt::format("which cannot be cleaned up: {}", good.error().message()), good.error());
  const inode_slot slot = XIP_TRY(inode_slot_of(sb, ino_t{number}));
  le32 next;
  std::memcpy(&next, slot.buffer->data().data() + slot.offset + offsetof(ext4_inode, i_dtime), sizeof next);
  return next.load();
}

// The whole list is looked at before the first change: a corrupt one is refused as it is. Brent's way to see a cycle.
[[nodiscard]] result<std::uint32_t> check_list(ext4_sb_info& sb, std::uint32_t head, std::string& message) {
  std::uint32_t count = 0, marked = 0, steps = 0, limit = 1;
  for (std::uint32_t at = head;; ++count) {
    const std::uint32_t next = XIP_TRY(next_orphan(sb, at, message));
    if (next == 0) return count + 1;
    if (next == at || next == marked) {
      message = fmt::format("the orphan list comes back to inode {}; run e2fsck, or only read it (ro)", next);
      return fail(EUCLEAN);
    }
    if (++steps == limit) {
      marked = next;
      steps = 0;
      limit *= 2;
    }
    at = next;
  }
}

[[nodiscard]] result<> finish_truncate(ext4_inode_info& inode) {
  exclusive_guard rwsem{inode.i_rwsem};
  {
    // The tail of its last block is zeroed before any metadata changes.
    handle h = XIP_TRY(journal_start(sbi_of(inode), credits_orphan));
    XIP_TRY(start_changing(h));
  }
  // A foreign list may name what has no blocks: its i_block is no map of any.
  if (has_tree(inode)) {
    exclusive_guard invalidate{inode.i_mapping.invalidate_lock};
    XIP_TRY(truncate_blocks(inode));
  }
  handle h = XIP_TRY(journal_start(sbi_of(inode), credits_orphan));
  return orphan_del(h, inode);
}

// Its last change is done again; it is off the list then.
[[nodiscard]] result<> finish_orphan(ext4_sb_info& sb, ino_t number) {
  const vfs::inode_ref ref = XIP_TRY(iget_orphan(sb, number));
  ext4_inode_info& inode = info_of(*ref);
  {
    mutex_guard guard{sb.s_orphan_lock};
    link_first(sb, inode);
  }
  if (inode.i_nlink.load(std::memory_order_relaxed) == 0) return {};  // the last reference deletes it
  return finish_truncate(inode);
}

}  // namespace

result<> orphan_add(handle& h, ext4_inode_info& inode) {
  ext4_sb_info& sb = h.sb();
  mutex_guard guard{sb.s_orphan_lock};
  if (inode.i_on_orphan_list) return {};
  XIP_TRY(start_changing(h));  // writes the super block too
  XIP_POINT(ext4_orphan_add, inode.i_ino.value());
  inode.i_dtime.store(read_head(sb), std::memory_order_relaxed);
  if (auto marked = mark_inode_dirty(h, inode); !marked) {
    inode.i_dtime.store(0, std::memory_order_relaxed);
    return marked;
  }
  XIP_TRY(write_head(h, sb, inode.i_ino.value()));
  link_first(sb, inode);
  return {};
}

void orphan_forget(ext4_inode_info& inode) noexcept {
  ext4_sb_info& sb = sbi_of(inode);
  mutex_guard guard{sb.s_orphan_lock};
  if (inode.i_on_orphan_list) unlink(sb, inode);
}

bool on_orphan_list(const ext4_inode_info& inode) noexcept {
  mutex_guard guard{sbi_of(inode).s_orphan_lock};
  return inode.i_on_orphan_list;
}

result<> orphan_del(handle& h, ext4_inode_info& inode) {
  if (!XIP_TRY(orphan_unlink(h, inode))) return {};
  return mark_inode_dirty(h, inode);
}

result<bool> orphan_unlink(handle& h, ext4_inode_info& inode) {
  ext4_sb_info& sb = sbi_of(inode);
  mutex_guard guard{sb.s_orphan_lock};
  if (!inode.i_on_orphan_list) return false;
  XIP_POINT(ext4_orphan_del, inode.i_ino.value());
  ext4_inode_info* before = inode.i_orphan_prev;
  unlink(sb, inode);
  const std::uint32_t next = inode.i_dtime.exchange(0, std::memory_order_relaxed);
  if (before == nullptr) {
    XIP_TRY(write_head(h, sb, next));
  } else {
    before->i_dtime.store(next, std::memory_order_relaxed);
    XIP_TRY(mark_inode_dirty(h, *before));
  }
  return true;
}

result<> orphan_cleanup(ext4_sb_info& sb, std::string& message) {
  const auto head_now = [&sb] {
    mutex_guard guard{sb.s_orphan_lock};
    return read_head(sb);
  };
  std::uint32_t head = head_now();
  if (head == 0 || XIP_EXHIBIT(orphans_not_cleaned_up)) return {};
  if ((sb.s_mount_state & error_fs) != 0) {
    sb.s_kernel.printk(vfs::log_level::warning,
                       fmt::format("ext4 ({}): errors were found before, the orphan list is left to e2fsck", sb.s_id));
    return {};
  }
  const std::uint32_t count = XIP_TRY(check_list(sb, head, message));
  while (head != 0) {
    if (auto done = finish_orphan(sb, ino_t{head}); !done) {
      message = fmt::format("orphan inode {} cannot be cleaned up: {}; run e2fsck, or only read it (ro)", head, done.error().message());
      return done;
    }
    const std::uint32_t next = head_now();
    if (next == head) {
      message = fmt::format("orphan inode {} stays on the list; run e2fsck, or only read it (ro)", head);
      return fail(EUCLEAN);
    }
    head = next;
  }
  sb.s_kernel.printk(vfs::log_level::info, fmt::format("ext4 ({}): {} orphan inodes cleaned up", sb.s_id, count));
  return {};
}

}  // namespace xip::ext4lite
