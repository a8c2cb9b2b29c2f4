// Inode numbers: where a new inode goes, and giving its number back. Linux: fs/ext4/ialloc.c.
//
// Directories at the top of the tree are spread over the groups, those below stay near their parent, files lie in their directory's group.
//
// Lock chains:
//   jbd2_handle -> group_lock
//   jbd2_handle -> s_inodes
//   jbd2_handle -> i_lock
#include <algorithm>

#include <fmt/format.h>

#include <xip/base/crc.h>
#include <xip/base/points.h>
#include <xip/vfs/ops.h>

#include "fs_ext4lite/bitmap.h"
#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/extent_tree.h"
#include "fs_ext4lite/group.h"
#include "fs_ext4lite/inode.h"

namespace xip::ext4lite {
namespace {

[[nodiscard]] group_t group_of_inode(const ext4_sb_info& sb, ino_t number) noexcept {
  return group_t{(number.value() - 1) / sb.s_inodes_per_group};
}
[[nodiscard]] std::uint32_t index_of_inode(const ext4_sb_info& sb, ino_t number) noexcept {
  return (number.value() - 1) % sb.s_inodes_per_group;
}

// ---- where ---------------------------------------------------------------------------------------------------------------------------

// Groups that are judged together: a flex group, or one group.
struct group_sums {
  std::uint64_t free_inodes = 0, free_blocks = 0, dirs = 0;
};

[[nodiscard]] std::uint32_t flex_size(const ext4_sb_info& sb) noexcept { return 1u << sb.s_flex_bits; }
[[nodiscard]] std::uint32_t flex_count(const ext4_sb_info& sb) noexcept {
  return (sb.s_groups_count + flex_size(sb) - 1) >> sb.s_flex_bits;
}

[[nodiscard]] group_sums sums_of(const ext4_sb_info& sb, std::uint32_t flex) noexcept {
  group_sums sums;
  const std::uint32_t first = flex << sb.s_flex_bits;
  for (std::uint32_t g = first; g < std::min(first + flex_size(sb), sb.s_groups_count); ++g) {
    const group_info& info = *sb.s_groups[g];
    if (info.corrupt.load(std::memory_order_relaxed)) continue;
    sums.free_inodes += info.free_inodes.load(std::memory_order_relaxed);
    sums.free_blocks += info.free_blocks.load(std::memory_order_relaxed);
    sums.dirs += info.used_dirs.load(std::memory_order_relaxed);
  }
  return sums;
}

[[nodiscard]] std::uint64_t not_negative(std::int64_t n) noexcept { return static_cast<std::uint64_t>(std::max<std::int64_t>(n, 0)); }

// The average over all flex groups.
[[nodiscard]] group_sums averages(const ext4_sb_info& sb) noexcept {
  const std::uint64_t count = flex_count(sb);
  return {not_negative(sb.s_freeinodes.load(std::memory_order_relaxed)) / count,
          not_negative(sb.s_freeblocks.load(std::memory_order_relaxed)) / count,
          not_negative(sb.s_dirs.load(std::memory_order_relaxed)) / count};
}

// The emptiest flex group of those that are at least average, from where the name's checksum points.
[[nodiscard]] std::uint32_t spread(const ext4_sb_info& sb, const group_sums& average, std::uint32_t from) noexcept {
  const std::uint32_t count = flex_count(sb);
  std::uint32_t best = from;
  std::uint64_t best_dirs = ~std::uint64_t{0};
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t flex = (from + i) % count;
    const group_sums s = sums_of(sb, flex);
    if (s.free_inodes == 0 || s.free_inodes < average.free_inodes || s.free_blocks < average.free_blocks || s.dirs >= best_dirs) continue;
    best = flex;
    best_dirs = s.dirs;
  }
  return best;
}

// The parent's flex group, or the next one that is not crowded.
[[nodiscard]] std::uint32_t near(const ext4_sb_info& sb, const group_sums& average, std::uint32_t from) noexcept {
  const std::uint32_t count = flex_count(sb);
  const std::uint64_t inodes = std::uint64_t{sb.s_inodes_per_group} << sb.s_flex_bits;
  const std::uint64_t blocks = std::uint64_t{sb.s_blocks_per_group} << sb.s_flex_bits;
  const std::uint64_t most_dirs = average.dirs + inodes / 16;
  const std::uint64_t least_inodes = average.free_inodes - std::min(average.free_inodes, inodes / 4);
  const std::uint64_t least_blocks = average.free_blocks - std::min(average.free_blocks, blocks / 4);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t flex = (from + i) % count;
    const group_sums s = sums_of(sb, flex);
    if (s.free_inodes != 0 && s.dirs < most_dirs && s.free_inodes >= std::max<std::uint64_t>(least_inodes, 1) &&
        s.free_blocks >= least_blocks)
      return flex;
  }
  return from;
}

[[nodiscard]] group_t group_for_directory(const ext4_sb_info& sb, const ext4_inode_info& dir, std::string_view name) noexcept {
  const group_sums average = averages(sb);
  const bool top = dir.i_ino.value() == root_ino || (dir.i_flags_disk.load(std::memory_order_relaxed) & topdir_fl) != 0;
  const std::uint32_t parent = dir.i_block_group.value() >> sb.s_flex_bits;
  const std::uint32_t hash = crc32c(~0u, std::as_bytes(std::span{name}));
  const std::uint32_t flex = top ? spread(sb, average, hash % flex_count(sb)) : near(sb, average, parent);
  return group_t{flex << sb.s_flex_bits};
}

[[nodiscard]] bool roomy(const ext4_sb_info& sb, std::uint32_t g) noexcept {
  const group_info& info = *sb.s_groups[g];
  return !info.corrupt.load(std::memory_order_relaxed) && info.free_inodes.load(std::memory_order_relaxed) != 0 &&
         info.free_blocks.load(std::memory_order_relaxed) != 0;
}

// The directory's own flex group first; then, so that many directories of one full group do not all move to the next, jumps by powers of two.
[[nodiscard]] group_t group_for_file(const ext4_sb_info& sb, const ext4_inode_info& dir) noexcept {
  const std::uint32_t home = dir.i_block_group.value();
  if (roomy(sb, home)) return group_t{home};
  const std::uint32_t first = home & ~(flex_size(sb) - 1);
  for (std::uint32_t g = first; g < std::min(first + flex_size(sb), sb.s_groups_count); ++g)
    if (roomy(sb, g)) return group_t{g};
  std::uint32_t g = (home + dir.i_ino.value()) % sb.s_groups_count;
  for (std::uint32_t jump = 1; jump < sb.s_groups_count; jump <<= 1) {
    g = (g + jump) % sb.s_groups_count;
    if (roomy(sb, g)) return group_t{g};
  }
  return group_t{home};
}

// ---- taking a number ------------------------------------------------------------------------------------------------------------------

class number_search {
 public:
  number_search(handle& h, group_t g, bool directory)
      : h_{h}, sb_{h.sb()}, info_{*sb_.s_groups[g.value()]}, group_{g}, directory_{directory} {}

  // The index of an inode of this group, taken; s_inodes_per_group: there is none.
  [[nodiscard]] result<std::uint32_t> take() {
    auto bitmap = load_inode_bitmap(sb_, group_);
    if (!bitmap) return bitmap.error() == ENOMEM ? result<std::uint32_t>{fail(ENOMEM)} : sb_.s_inodes_per_group;
    if (!look(**bitmap)) return sb_.s_inodes_per_group;
    const std::span<std::byte> bits = XIP_TRY(get_write_access(h_, **bitmap));
    dev::buffer& desc = desc_buffer(sb_, group_);
    const std::span<std::byte> block = XIP_TRY(get_write_access(h_, desc));
    const std::uint32_t index = claim(bits, desc_within(sb_, group_, block));
    if (index == sb_.s_inodes_per_group) return index;
    XIP_TRY(dirty_metadata(h_, **bitmap));
    XIP_TRY(dirty_metadata(h_, desc));
    return index;
  }

 private:
  // Reserved numbers are never handed out, whatever the bitmap says; an image may say that whole groups of them are.
  [[nodiscard]] std::uint32_t first_allowed() const noexcept {
    const std::uint64_t before = std::uint64_t{group_.value()} * sb_.s_inodes_per_group;
    const std::uint64_t reserved = sb_.s_first_ino - 1 > before ? sb_.s_first_ino - 1 - before : 0;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(reserved, sb_.s_inodes_per_group));
  }
  [[nodiscard]] std::uint32_t first_clear(std::span<const std::byte> bits) const noexcept {
    return bitmap_view{bits, sb_.s_inodes_per_group}.next_clear(first_allowed());
  }

  // A group that was never written has nothing but free inodes. Its bitmap is made where one of them may be handed out, and only there.
  [[nodiscard]] bool look(const dev::buffer& bitmap) {
    spin_guard guard{info_.lock};
    if ((flags_of(sb_, group_desc(sb_, group_)) & bg_inode_uninit) != 0) return first_allowed() != sb_.s_inodes_per_group;
    return first_clear(bitmap.data()) != sb_.s_inodes_per_group;
  }

  [[nodiscard]] std::uint32_t claim(std::span<std::byte> bits, ext4_group_desc& d) {
    spin_guard guard{info_.lock};
    if ((flags_of(sb_, d) & bg_inode_uninit) != 0) {
      init_inode_bitmap(sb_, bits);
      d.bg_flags = static_cast<std::uint16_t>(d.bg_flags & ~bg_inode_uninit);
      info_.inode_bitmap_checked.store(true, std::memory_order_release);
    }
    const std::uint32_t index = first_clear(bits);
    if (index == sb_.s_inodes_per_group) return index;
    fill_bits(bits, index, 1, true);
    count(d, index);
    mark_checksums_stale(sb_, info_);
    return index;
  }

  void count(ext4_group_desc& d, std::uint32_t index) XIP_REQUIRES(info_.lock) {
    const desc_counts counts = counts_of(sb_, d);
    set_free_inodes(sb_, d, counts.free_inodes - 1);
    info_.free_inodes.store(counts.free_inodes - 1, std::memory_order_relaxed);
    if (directory_) {
      set_used_dirs(sb_, d, counts.used_dirs + 1);
      info_.used_dirs.store(counts.used_dirs + 1, std::memory_order_relaxed);
    }
    // Slots beyond itable_unused may hold anything: this one no longer belongs to them.
    if (has_desc_checksums(sb_) && index + counts.itable_unused >= sb_.s_inodes_per_group)
      set_itable_unused(sb_, d, sb_.s_inodes_per_group - index - 1);
  }

  handle& h_;
  ext4_sb_info& sb_;
  group_info& info_;
  group_t group_;
  bool directory_;
};

[[nodiscard]] result<ino_t> take_number(handle& h, group_t from, bool directory) {
  ext4_sb_info& sb = h.sb();
  for (std::uint32_t i = 0; i < sb.s_groups_count; ++i) {
    const group_t g{(from.value() + i) % sb.s_groups_count};
    const group_info& info = *sb.s_groups[g.value()];
    if (info.free_inodes.load(std::memory_order_relaxed) == 0 || info.corrupt.load(std::memory_order_relaxed)) continue;
    const std::uint32_t index = XIP_TRY(number_search(h, g, directory).take());
    if (index == sb.s_inodes_per_group) continue;
    sb.s_freeinodes.fetch_sub(1, std::memory_order_relaxed);
    if (directory) sb.s_dirs.fetch_add(1, std::memory_order_relaxed);
    return ino_t{g.value() * sb.s_inodes_per_group + index + 1};
  }
  return fail(ENOSPC);
}

// ---- the new inode --------------------------------------------------------------------------------------------------------------------

[[nodiscard]] std::uint32_t inherited_flags(std::uint32_t mode, std::uint32_t parent) noexcept {
  const std::uint32_t flags = parent & flags_inherited;
  if (S_ISDIR(mode)) return flags;
  return S_ISREG(mode) ? flags & flags_regular : flags & flags_other;
}

void init_inode(const ext4_sb_info& sb, ext4_inode_info& inode, const ext4_inode_info& dir, std::uint32_t mode) noexcept {
  vfs::inode_init_owner(inode, dir, mode);
  if (sb.s_grpid.load(std::memory_order_relaxed)) {  // BSD's rule, which needs no set-group-ID on directories
    inode.i_gid.store(dir.i_gid.load(std::memory_order_relaxed), std::memory_order_relaxed);
    inode.i_mode.store(mode, std::memory_order_relaxed);
  }
  inode.i_nlink.store(S_ISDIR(mode) ? 2 : 1, std::memory_order_relaxed);
  const vfs::timespec64 now = vfs::current_time(inode);
  inode.set_times({now, now, now, now});
  inode.i_block_group = group_of_inode(sb, inode.i_ino);
  inode.i_extra_isize = static_cast<std::uint16_t>(sb.s_inode_size > good_old_inode_size ? sb.s_want_extra_isize : 0);
  std::uint32_t flags = inherited_flags(mode, dir.i_flags_disk.load(std::memory_order_relaxed));
  if (sb.has_incompat(incompat_extents) && (S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode))) {
    flags |= extents_fl;
    init_extent_root(inode);
  }
  inode.i_flags_disk.store(flags, std::memory_order_relaxed);
  set_aops_and_ops(inode);
}

// An image without the feature gets no attributes: what is made there goes by the umask, as if DIR had no list.
[[nodiscard]] result<vfs::inherited_acls> inherit(const ext4_inode_info& dir, std::uint32_t& mode) {
  if (sbi_of(dir).has_compat(compat_ext_attr)) return vfs::posix_acl_create(dir, mode);
  if (!S_ISLNK(mode)) mode &= ~vfs::current_umask();
  return vfs::inherited_acls{};
}

}  // namespace

bool inode_number_valid(const ext4_sb_info& sb, ino_t number) noexcept {
  if (number.value() == root_ino) return true;
  return number.value() >= sb.s_first_ino && number.value() <= sb.s_inodes_count && number.value() != sb.s_orphan_file_inum;
}

result<ext4_inode_info*> new_inode(handle& h, ext4_inode_info& dir, std::uint32_t mode, std::string_view name) {
  ext4_sb_info& sb = h.sb();
  vfs::inherited_acls inherited = XIP_TRY(inherit(dir, mode));
  XIP_TRY(XIP_FAIL_POINT(ext4_alloc_inode, dir.i_ino.value()));
  const bool directory = S_ISDIR(mode);
  const ino_t number = XIP_TRY(take_number(h, directory ? group_for_directory(sb, dir, name) : group_for_file(sb, dir), directory));
  auto made = sb.s_op->alloc_inode(sb, number);
  if (!made) {
    XIP_TRY(release_inode_number(h, number, directory));
    return fail(made.error());
  }
  auto& inode = static_cast<ext4_inode_info&>(**made);
  inode.i_generation = sb.s_next_generation.fetch_add(1, std::memory_order_relaxed);
  inode.i_csum_seed = inode_csum_seed(sb, number, inode.i_generation);
  init_inode(sb, inode, dir, mode);
  vfs::set_cached_acl(inode, vfs::acl_type::access, std::move(inherited.access));
  vfs::set_cached_acl(inode, vfs::acl_type::default_, std::move(inherited.default_));
  if (auto inserted = vfs::insert_inode_locked(inode); !inserted) {
    sb.s_op->free_inode(&inode);
    if (inserted.error() == EEXIST)
      return corrupted(sb, fmt::format("inode {} is in use, but the inode bitmap of group {} said that it is free", number.value(),
                                       group_of_inode(sb, number).value()));
    XIP_TRY(release_inode_number(h, number, directory));
    return fail(inserted.error());
  }
  if (auto written = write_fresh_inode(h, inode); !written) {
    vfs::iget_failed(vfs::inode_ref{&inode}, written.error());
    XIP_TRY(release_inode_number(h, number, directory));
    return fail(written.error());
  }
  return &inode;
}

result<> release_inode_number(handle& h, ino_t number, bool directory) {
  ext4_sb_info& sb = h.sb();
  const group_t g = group_of_inode(sb, number);
  group_info& info = *sb.s_groups[g.value()];
  const dev::buffer_ref bitmap = XIP_TRY(load_inode_bitmap(sb, g));
  const std::span<std::byte> bits = XIP_TRY(get_write_access(h, *bitmap));
  dev::buffer& desc = desc_buffer(sb, g);
  ext4_group_desc& d = desc_within(sb, g, XIP_TRY(get_write_access(h, desc)));
  const std::uint32_t index = index_of_inode(sb, number);
  bool was_in_use = false;
  {
    spin_guard guard{info.lock};
    was_in_use = (flags_of(sb, d) & bg_inode_uninit) == 0 && bitmap_view{bits, sb.s_inodes_per_group}.test(index);
    if (was_in_use) {
      const desc_counts counts = counts_of(sb, d);
      const std::uint32_t dirs = directory && counts.used_dirs != 0 ? counts.used_dirs - 1 : counts.used_dirs;
      fill_bits(bits, index, 1, false);
      set_free_inodes(sb, d, counts.free_inodes + 1);
      set_used_dirs(sb, d, dirs);
      info.free_inodes.store(counts.free_inodes + 1, std::memory_order_relaxed);
      info.used_dirs.store(dirs, std::memory_order_relaxed);
      mark_checksums_stale(sb, info);
    }
  }
  if (!was_in_use)
    return corrupted(sb, fmt::format("inode {} was to be freed, but is free already in the inode bitmap, block {}", number.value(),
                                     bitmap->block().value()));
  sb.s_freeinodes.fetch_add(1, std::memory_order_relaxed);
  if (directory) sb.s_dirs.fetch_sub(1, std::memory_order_relaxed);
  XIP_TRY(dirty_metadata(h, *bitmap));
  return dirty_metadata(h, desc);
}

result<> free_inode_number(handle& h, ext4_inode_info& inode) {
  if (inode.i_ino.value() < h.sb().s_first_ino) return corrupted(inode, "a reserved inode was to be freed");
  return release_inode_number(h, inode.i_ino, inode.is_dir());
}

result<bool> inode_number_in_use(ext4_sb_info& sb, ino_t number) {
  const group_t g = group_of_inode(sb, number);
  const dev::buffer_ref bitmap = XIP_TRY(load_inode_bitmap(sb, g));
  spin_guard guard{sb.s_groups[g.value()]->lock};
  if ((flags_of(sb, group_desc(sb, g)) & bg_inode_uninit) != 0) return false;
  return bitmap_view{bitmap->data(), sb.s_inodes_per_group}.test(index_of_inode(sb, number));
}

}  // namespace xip::ext4lite
