// The orphan list: inodes that a crash must not leave behind half deleted or half truncated. Linux: fs/ext4/orphan.c, namei.c.
//
// The super block names the first, each inode's i_dtime names the next. The same list is kept in memory, so that one can be taken out of the
// middle: its predecessor is in memory too, as every inode on the list is either open or being worked on.
//
// Where there is an orphan file an inode has a slot of that instead, as long as one is free. orphan_present, which says that somebody has to look at the file,
// is in the super block before a slot is taken: with a journal since the same commit, without one since the first change. It goes with the clean unmount.
//
// Lock chains:
//   jbd2_handle -> s_orphan_lock -> i_raw_lock
//   s_orphan_lock -> buffer_cache
#include <algorithm>
#include <compare>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include <xip/base/assert.h>
#include <xip/base/points.h>

#include "fs_ext4lite/block_claims.h"
#include "fs_ext4lite/inode.h"
#include "fs_ext4lite/message.h"
#include "fs_ext4lite/super.h"
#include "fs_ext4lite/without_exceptions.h"

namespace xip::ext4lite {
namespace {

// The head of the list on disk becomes NUMBER.
[[nodiscard]] result<> write_head(handle& h, ext4_sb_info& sb, std::uint32_t number) XIP_REQUIRES(sb.s_orphan_lock) {
  const std::span<std::byte> block = XIP_TRY(get_write_access(h, *sb.s_sbh));
  const le32 head{number};
  std::memcpy(block.data() + sb.s_sb_offset + offsetof(ext4_super_block, s_last_orphan), &head, sizeof head);
  return dirty_metadata(h, *sb.s_sbh);
}

[[nodiscard]] std::size_t offset_of_ro_features(const ext4_sb_info& sb) noexcept {
  return sb.s_sb_offset + offsetof(ext4_super_block, s_feature_ro_compat);
}

[[nodiscard]] std::uint32_t read_ro_features(const ext4_sb_info& sb) XIP_REQUIRES(sb.s_orphan_lock) {
  le32 features;
  std::memcpy(&features, sb.s_sbh->data().data() + offset_of_ro_features(sb), sizeof features);
  return features;
}

[[nodiscard]] result<> set_orphan_present(handle& h, ext4_sb_info& sb) XIP_REQUIRES(sb.s_orphan_lock) {
  const le32 features{read_ro_features(sb) | ro_compat_orphan_present};
  if (features == read_ro_features(sb)) return {};
  const std::span<std::byte> block = XIP_TRY(get_write_access(h, *sb.s_sbh));
  std::memcpy(block.data() + offset_of_ro_features(sb), &features, sizeof features);
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

void take_slot(ext4_sb_info& sb, ext4_inode_info& inode, std::uint32_t slot) XIP_REQUIRES(sb.s_orphan_lock) {
  XIP_DEBUG_ASSERT(sb.s_orphan_file.number_in(slot) == inode.i_ino.value());
  inode.i_orphan_slot = slot;
  inode.i_on_orphan_list = true;
}

// In memory: the slot that it had, no_orphan_slot if it is on the chain.
[[nodiscard]] std::uint32_t leave_slot(ext4_inode_info& inode) noexcept {
  if (inode.i_orphan_slot != no_orphan_slot) inode.i_on_orphan_list = false;
  return std::exchange(inode.i_orphan_slot, no_orphan_slot);
}

[[nodiscard]] result<> add_to_file(handle& h, ext4_sb_info& sb, ext4_inode_info& inode, std::uint32_t slot) XIP_REQUIRES(sb.s_orphan_lock) {
  XIP_TRY(mark_inode_dirty(h, inode));
  XIP_TRY(set_orphan_present(h, sb));
  XIP_TRY(sb.s_orphan_file.put(h, slot, inode.i_ino.value()));
  take_slot(sb, inode, slot);
  return {};
}

[[nodiscard]] result<> add_to_list(handle& h, ext4_sb_info& sb, ext4_inode_info& inode) XIP_REQUIRES(sb.s_orphan_lock) {
  inode.i_dtime.store(read_head(sb), std::memory_order_relaxed);
  if (auto marked = mark_inode_dirty(h, inode); !marked) {
    inode.i_dtime.store(0, std::memory_order_relaxed);
    return marked;
  }
  XIP_TRY(write_head(h, sb, inode.i_ino.value()));
  link_first(sb, inode);
  return {};
}

// ---- at mount --------------------------------------------------------------------------------------------------------------------------

[[nodiscard]] std::unexpected<error> refuse_orphan(std::string& message, std::string_view place, std::uint32_t number, std::string_view why,
                                                   error answer = error{EUCLEAN}) {
  message = fmt::format("the orphan {} holds inode {}, {}; run e2fsck, or only read it (ro)", place, number, why);
  return fail(answer);
}

// NUMBER stands in PLACE: it may.
[[nodiscard]] result<> check_number(ext4_sb_info& sb, std::uint32_t number, std::string_view place, std::string& message) {
  const auto refuse = [&](std::string_view why) { return refuse_orphan(message, place, number, why); };
  if (number < sb.s_first_ino) return refuse("which is reserved");
  if (number > sb.s_inodes_count) return refuse(fmt::format("but the last inode is {}", sb.s_inodes_count));
  if (number == sb.s_orphan_file_inum) return refuse("which is the orphan file");
  const auto in_use = inode_number_in_use(sb, ino_t{number});
  if (!in_use) return refuse_orphan(message, place, number, "whose group's inode bitmap cannot be read", in_use.error());
  if (!*in_use) return refuse("which is free in the inode bitmap");
  return {};
}

// It can be cleaned up, and what it gives back is nobody else's who is.
[[nodiscard]] result<> check_blocks(ext4_sb_info& sb, std::uint32_t number, std::string_view place, block_claims& claims,
                                    std::string& message) {
  const auto good = check_orphan(sb, ino_t{number}, claims);
  if (good) return {};
  return refuse_orphan(message, place, number, fmt::format("which cannot be cleaned up: {}", good.error().message()), good.error());
}

// What a slot of the orphan file holds.
struct filed_orphan {
  std::uint32_t number;
  std::uint32_t slot;
  friend auto operator<=>(const filed_orphan&, const filed_orphan&) = default;
};
using filed_orphans = std::pmr::vector<filed_orphan>;

[[nodiscard]] filed_orphans orphans_in_file(ext4_sb_info& sb) {
  filed_orphans all{&sb.memory()};
  mutex_guard guard{sb.s_orphan_lock};
  if (sb.s_orphan_file.empty()) return all;
  for (std::uint32_t slot = 0; slot < sb.s_orphan_file.slots(); ++slot)
    if (const std::uint32_t number = sb.s_orphan_file.number_in(slot); number != 0) all.push_back({number, slot});
  std::ranges::sort(all);
  return all;
}

[[nodiscard]] std::string place_of(ext4_sb_info& sb, std::uint32_t slot) {
  mutex_guard guard{sb.s_orphan_lock};
  return sb.s_orphan_file.place(slot);
}

// e2fsck -p deals with what it finds in the file, and may leave the numbers there.
[[nodiscard]] bool is_dealt_with(ext4_sb_info& sb, std::uint32_t number) {
  if (number < sb.s_first_ino || number > sb.s_inodes_count) return false;
  const auto in_use = inode_number_in_use(sb, ino_t{number});
  return in_use && !*in_use;
}

// None stands there twice: none is looked at more than once.
[[nodiscard]] result<> check_file(ext4_sb_info& sb, const filed_orphans& filed, block_claims& claims, std::string& message) {
  if (const auto twice = std::ranges::adjacent_find(filed, {}, &filed_orphan::number); twice != filed.end()) {
    message = fmt::format("the orphan file holds inode {} twice, in {} and {}; run e2fsck, or only read it (ro)", twice->number,
                          place_of(sb, twice->slot), place_of(sb, std::next(twice)->slot));
    return fail(EUCLEAN);
  }
  for (const filed_orphan& f : filed) {
    if (is_dealt_with(sb, f.number)) continue;
    const std::string place = fmt::format("file, in {},", place_of(sb, f.slot));
    XIP_TRY(check_number(sb, f.number, place, message));
    XIP_TRY(check_blocks(sb, f.number, place, claims, message));
  }
  return {};
}

// The number after NUMBER in the list.
[[nodiscard]] result<std::uint32_t> next_orphan(ext4_sb_info& sb, std::uint32_t number) {
  const inode_slot slot = XIP_TRY(inode_slot_of(sb, ino_t{number}));
  le32 next;
  std::memcpy(&next, slot.buffer->data().data() + slot.offset + offsetof(ext4_inode, i_dtime), sizeof next);
  return next.load();
}

// The whole list is looked at before the first change: a corrupt one is refused as it is. What is FILED is not on it, too. Brent's way to see a cycle.
[[nodiscard]] result<std::uint32_t> check_list(ext4_sb_info& sb, std::uint32_t head, const filed_orphans& filed, std::string& message) {
  std::uint32_t count = 0, marked = 0, steps = 0, limit = 1;
  for (std::uint32_t at = head; at != 0; ++count) {
    XIP_TRY(check_number(sb, at, "list", message));
    const std::uint32_t next = XIP_TRY(next_orphan(sb, at));
    if (const auto twice = std::ranges::lower_bound(filed, at, {}, &filed_orphan::number); twice != filed.end() && twice->number == at) {
      message = fmt::format("the orphan list holds inode {}, and the orphan file, in {}, too; run e2fsck, or only read it (ro)", at,
                            place_of(sb, twice->slot));
      return fail(EUCLEAN);
    }
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
  return 0;
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

// The last change of inode NUMBER is done again; it is off the list then, or out of SLOT.
[[nodiscard]] result<> finish_orphan(ext4_sb_info& sb, std::uint32_t number, std::uint32_t slot, std::string& message) {
  const auto finish = [&]() -> result<> {
    const vfs::inode_ref ref = XIP_TRY(iget_orphan(sb, ino_t{number}));
    ext4_inode_info& inode = info_of(*ref);
    {
      mutex_guard guard{sb.s_orphan_lock};
      slot == no_orphan_slot ? link_first(sb, inode) : take_slot(sb, inode, slot);
    }
    if (inode.i_nlink.load(std::memory_order_relaxed) == 0) return {};  // the last reference deletes it
    const auto cut = without_exceptions([&] { return finish_truncate(inode); });
    if (!cut && cut.error() == ENOMEM) orphan_forget(inode);  // the next mount does it
    return cut;
  };
  sb.s_evict_error.store(0, std::memory_order_relaxed);
  if (auto done = finish(); !done) {
    message = fmt::format("orphan inode {} cannot be cleaned up: {}", number, done.error().message());
    return done;
  }
  mutex_guard guard{sb.s_orphan_lock};
  if ((slot == no_orphan_slot ? read_head(sb) : sb.s_orphan_file.number_in(slot)) != number) return {};
  message = fmt::format("orphan inode {} stays on the list", number);
  return fail(sb.s_evict_error.load(std::memory_order_relaxed) == ENOMEM ? ENOMEM : EUCLEAN);
}

[[nodiscard]] std::uint32_t head_now(ext4_sb_info& sb) {
  mutex_guard guard{sb.s_orphan_lock};
  return read_head(sb);
}

// As finish_orphan, but what has been dealt with only leaves its slot: false.
[[nodiscard]] result<bool> finish_filed(ext4_sb_info& sb, const filed_orphan& f, std::string& message) {
  if (!is_dealt_with(sb, f.number)) {
    XIP_TRY(finish_orphan(sb, f.number, f.slot, message));
    return true;
  }
  ext4_msg(sb, vfs::log_level::notice, "the orphan file, in {}, holds inode {}, which is free: it is taken out", place_of(sb, f.slot),
           f.number);
  handle h = XIP_TRY(journal_start(sb, credits_orphan));
  mutex_guard guard{sb.s_orphan_lock};
  XIP_TRY(sb.s_orphan_file.put(h, f.slot, 0));
  return false;
}

// All of them, COUNT in the end.
[[nodiscard]] result<> finish_all(ext4_sb_info& sb, const filed_orphans& filed, std::uint32_t& count, std::string& message) {
  while (const std::uint32_t head = head_now(sb)) XIP_TRY(finish_orphan(sb, head, no_orphan_slot, message));
  for (const filed_orphan& f : filed) count += XIP_TRY(finish_filed(sb, f, message)) ? 1 : 0;
  return {};
}

// The list comes to its end: now each inode on it is looked at once.
[[nodiscard]] result<> check_blocks_of_list(ext4_sb_info& sb, std::uint32_t head, block_claims& claims, std::string& message) {
  for (std::uint32_t at = head; at != 0; at = XIP_TRY(next_orphan(sb, at))) XIP_TRY(check_blocks(sb, at, "list", claims, message));
  return {};
}

// All orphans, each of them checked.
struct found_orphans {
  filed_orphans filed;
  std::uint32_t listed = 0;
};

// None: errors were found before, and e2fsck has to see to them.
[[nodiscard]] result<std::optional<found_orphans>> find_orphans(ext4_sb_info& sb, std::string& message) {
  XIP_TRY(load_orphan_file(sb, message));
  found_orphans all{orphans_in_file(sb)};
  const std::uint32_t head = head_now(sb);
  if (head == 0 && all.filed.empty()) return all;
  if ((sb.s_mount_state & error_fs) != 0) return std::nullopt;
  block_claims claims{sb};
  XIP_TRY(check_file(sb, all.filed, claims, message));
  all.listed = XIP_TRY(check_list(sb, head, all.filed, message));
  XIP_TRY(check_blocks_of_list(sb, head, claims, message));
  if (auto settled = claims.settle(); !settled) {
    message = fmt::format("orphans cannot be cleaned up: {}; run e2fsck, or only read it (ro)", settled.error().message());
    return fail(settled.error());
  }
  return all;
}

// Who finds orphan_present takes it away at the end, whether anything is changed until then or not.
[[nodiscard]] result<> take_over_mark(ext4_sb_info& sb) {
  {
    mutex_guard guard{sb.s_orphan_lock};
    if ((read_ro_features(sb) & ro_compat_orphan_present) == 0) return {};
  }
  handle h = XIP_TRY(journal_start(sb, credits_orphan));
  return start_changing(h);
}

}  // namespace

result<> orphan_add(handle& h, ext4_inode_info& inode) {
  ext4_sb_info& sb = h.sb();
  mutex_guard guard{sb.s_orphan_lock};
  if (inode.i_on_orphan_list) return {};
  XIP_TRY(start_changing(h));  // writes the super block too
  XIP_POINT(ext4_orphan_add, inode.i_ino.value());
  const auto slot = sb.s_orphan_file.free_slot();
  return slot ? add_to_file(h, sb, inode, *slot) : add_to_list(h, sb, inode);
}

void orphan_forget(ext4_inode_info& inode) noexcept {
  ext4_sb_info& sb = sbi_of(inode);
  mutex_guard guard{sb.s_orphan_lock};
  if (inode.i_on_orphan_list && leave_slot(inode) == no_orphan_slot) unlink(sb, inode);
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
  if (const std::uint32_t slot = leave_slot(inode); slot != no_orphan_slot) {
    XIP_TRY(sb.s_orphan_file.put(h, slot, 0));
    return true;
  }
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

result<> orphan_check(ext4_sb_info& sb, std::string& message) {
  XIP_TRY(find_orphans(sb, message));
  return {};
}

result<> orphan_cleanup(ext4_sb_info& sb, std::string& message) {
  const auto found = XIP_TRY(find_orphans(sb, message));
  if (XIP_EXHIBIT(orphans_not_cleaned_up)) return {};
  if (!found) {
    ext4_msg(sb, vfs::log_level::warning, "errors were found before, the orphan list is left to e2fsck");
    return {};
  }
  std::uint32_t count = found->listed;
  if (count == 0 && found->filed.empty()) return take_over_mark(sb);
  if (const auto done = finish_all(sb, found->filed, count, message); !done) {
    if (done.error() == ENOMEM) return done;
    // The image has been changed, and a refused one must not be: what was not seen before is an error like any at run time.
    (void)corrupted(sb, message.empty() ? done.error().message() : message);
    message.clear();
    ext4_msg(sb, vfs::log_level::warning, "the other orphans are left to e2fsck");
    return {};
  }
  ext4_msg(sb, vfs::log_level::info, "{} orphan inodes cleaned up", count);
  return {};
}

}  // namespace xip::ext4lite
