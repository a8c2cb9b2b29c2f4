// Between name_hooks.cc, name_remove.cc, rename_hook.cc and symlink.cc.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>

#include <xip/base/result.h>
#include <xip/vfs/ops.h>

#include "fs_ext4lite/dir.h"
#include "fs_ext4lite/ext4.h"
#include "fs_ext4lite/file_hooks.h"
#include "fs_ext4lite/journal.h"

namespace xip::ext4lite {

// ---- link counts: Linux's ext4_inc_count, ext4_dec_count ---------------------------------------------------------------------------

// DIR cannot have one more directory in it. With dir_nlink an indexed one stops counting instead: its count becomes 1.
[[nodiscard]] bool dir_link_max(const ext4_inode_info& dir) noexcept;
void inc_dir_count(ext4_inode_info& dir) noexcept;
void dec_dir_count(ext4_inode_info& dir) noexcept;
// A link of a file goes, or all of an empty directory's. A count that cannot be is logged.
void drop_link(ext4_inode_info& inode);

// ---- credits: the most that each step dirties ----------------------------------------------------------------------------------------

// A new inode in DIR, with the lists that it inherits.
[[nodiscard]] inline std::uint32_t credits_new_inode(const ext4_inode_info& dir) noexcept { return 6 + credits_inherit(dir); }
// The first block of an inode whose tree is its root: bitmap and descriptor of the block, the inode, the block itself. Room is left for a
// root that grows.
inline constexpr std::uint32_t credits_first_block = 12 + 1;
// A new inode, its name, the times of the directory, and the orphan record if the name cannot be added.
[[nodiscard]] std::uint32_t credits_create(const ext4_inode_info& dir) noexcept;

// ---- what the hooks share ------------------------------------------------------------------------------------------------------------

// CALL() until it succeeds, or a commit cannot free what it lacks. No handle is open when it returns.
template <class Call>
[[nodiscard]] auto with_space(ext4_sb_info& sb, Call&& call) noexcept -> decltype(call()) {
  return without_exceptions([&]() -> decltype(call()) {
    for (unsigned attempt = 0;; ++attempt) {
      auto done = call();
      if (done || done.error() != ENOSPC || !should_retry_alloc(sb, attempt)) return done;
    }
  });
}

// The table blocks of INODES are read, and stay cached as long as the answer lives: no change of theirs fails because it cannot be read. At most four.
using held_slots = std::array<dev::buffer_ref, 4>;
[[nodiscard]] result<held_slots> hold_slots(std::initializer_list<const ext4_inode_info*> inodes);
// ENOSPC, before anything is changed, where the free blocks are too few for BLOCKS of a new inode and those that DIR needs to hold NAME.
[[nodiscard]] result<> check_room(ext4_inode_info& dir, std::string_view name, std::uint32_t blocks);
// DIR's names have changed: its times, and all of it under H. credits: credits_inode.
[[nodiscard]] result<> names_changed(handle& h, ext4_inode_info& dir);
// H ends; durable before this returns where DIR is synchronous. A commit that lacks memory, or room on the host, can be made later: that is said, and no answer for
// somebody whose names have changed. EIO: the journal is aborted.
[[nodiscard]] result<> finish(handle& h, const ext4_inode_info& dir);
[[nodiscard]] result<> finish(handle& h, const ext4_inode_info& dir, const ext4_inode_info& other);

// INODE, which is new, gets no name after all. It is evicted with the reference that this answers: drop it when no handle is open. credits: credits_orphan.
[[nodiscard]] vfs::inode_ref abandon(handle& h, ext4_inode_info& inode);

// Puts TARGET into a new symlink. credits: credits_first_block.
[[nodiscard]] result<> symlink_store(handle& h, ext4_inode_info& inode, std::string_view target);
[[nodiscard]] result<std::pmr::string> ext4_get_link(vfs::inode& i);

// name_remove.cc, rename_hook.cc
result<> ext4_link(vfs::inode& source, vfs::inode& dir, std::string_view name);
result<> ext4_unlink(vfs::inode& dir, std::string_view name, vfs::inode& victim);
result<> ext4_rmdir(vfs::inode& dir, std::string_view name, vfs::inode& victim);
result<> ext4_rename(vfs::inode& old_dir, std::string_view old_name, vfs::inode& source, vfs::inode& new_dir, std::string_view new_name,
                     vfs::inode* target, unsigned flags);

}  // namespace xip::ext4lite
