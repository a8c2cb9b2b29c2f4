// Whether a super block can be mounted at all, and whether it can be written. Everything is looked at before it is used. Linux: the checks of
// __ext4_fill_super and ext4_feature_set_ok (fs/ext4/super.c).
#include <algorithm>
#include <bit>
#include <cstring>
#include <span>

#include <fmt/format.h>

#include <xip/base/crc.h>

#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/super.h"

namespace xip::ext4lite {
namespace {

inline constexpr std::uint32_t supported_incompat = incompat_filetype | incompat_recover | incompat_meta_bg | incompat_extents |
                                                    incompat_64bit | incompat_flex_bg | incompat_csum_seed | incompat_largedir;
inline constexpr std::uint32_t writable_ro_compat = ro_compat_sparse_super | ro_compat_large_file | ro_compat_huge_file |
                                                    ro_compat_gdt_csum | ro_compat_dir_nlink | ro_compat_extra_isize |
                                                    ro_compat_metadata_csum | ro_compat_orphan_present;
inline constexpr std::uint32_t log_block_size_max = 2;    // 4 KiB
inline constexpr std::uint32_t log_block_size_known = 6;  // 64 KiB, the largest that ext4 has
inline constexpr std::uint32_t log_groups_per_flex_max = 31;
inline constexpr std::uint32_t least_blocks_per_group = 256;  // mke2fs makes no smaller groups

// Names of the bits of FEATURES, those without a name by number.
[[nodiscard]] std::string names_of(std::uint32_t features, std::span<const feature_name> names, const char* word) {
  std::string text;
  for (std::uint32_t bit = 1; features != 0; bit <<= 1) {
    if ((features & bit) == 0) continue;
    features &= ~bit;
    const auto known = std::ranges::find(names, bit, &feature_name::bit);
    if (!text.empty()) text += ", ";
    text += known != names.end() ? std::string{known->name} : fmt::format("{} {:#x}", word, bit);
  }
  return text;
}

[[nodiscard]] std::uint64_t blocks_count(const ext4_super_block& es) noexcept {
  return es.s_blocks_count_lo | std::uint64_t{es.s_blocks_count_hi} << 32;
}

class checker {
 public:
  checker(const ext4_super_block& es, std::string& message) : es_{es}, message_{message} {}

  [[nodiscard]] result<> all(std::uint64_t device_bytes) {
    XIP_TRY(identity());
    XIP_TRY(features());
    XIP_TRY(checksum());
    XIP_TRY(block_size());
    XIP_TRY(inode_size());
    XIP_TRY(groups());
    XIP_TRY(descriptors());
    return size(device_bytes);
  }

 private:
  [[nodiscard]] std::unexpected<error> refuse(int number, std::string text) {
    message_ = std::move(text);
    return fail(number);
  }
  [[nodiscard]] bool has_incompat(std::uint32_t f) const noexcept { return (es_.s_feature_incompat & f) != 0; }
  [[nodiscard]] bool has_ro_compat(std::uint32_t f) const noexcept { return (es_.s_feature_ro_compat & f) != 0; }
  [[nodiscard]] std::uint32_t bytes_per_block() const noexcept { return 1024u << es_.s_log_block_size; }
  [[nodiscard]] std::uint64_t group_count() const noexcept {
    const std::uint64_t blocks = blocks_count(es_) - es_.s_first_data_block;
    return (blocks + es_.s_blocks_per_group - 1) / es_.s_blocks_per_group;
  }
  [[nodiscard]] std::uint32_t desc_blocks() const noexcept {
    const std::uint32_t in_block = bytes_per_block() / (has_incompat(incompat_64bit) ? es_.s_desc_size.load() : desc_size_32);
    return static_cast<std::uint32_t>((group_count() + in_block - 1) / in_block);
  }

  [[nodiscard]] result<> identity() {
    if (es_.s_magic != super_magic)
      return refuse(EINVAL, fmt::format("no ext4 file system here: the super block has magic {:#06x}, expected {:#06x}", es_.s_magic.load(),
                                        super_magic));
    if (es_.s_rev_level > dynamic_rev) return refuse(EINVAL, fmt::format("revision {} of the format is not known", es_.s_rev_level.load()));
    if (es_.s_creator_os == os_hurd) return refuse(EOPNOTSUPP, "file systems made for the Hurd are not supported");
    return {};
  }

  [[nodiscard]] result<> features() {
    const std::uint32_t unknown = es_.s_feature_incompat & ~supported_incompat;
    if (unknown == 0) return {};
    return refuse(EINVAL, fmt::format("unsupported incompatible features: {}", names_of(unknown, incompat_names, "incompat")));
  }

  [[nodiscard]] result<> checksum() {
    if (!has_ro_compat(ro_compat_metadata_csum)) return {};
    if (es_.s_checksum_type != checksum_crc32c)
      return refuse(EINVAL, fmt::format("checksum type {} is not known, expected {} (crc32c)", es_.s_checksum_type, checksum_crc32c));
    if (const std::uint32_t expected = super_block_checksum(es_); es_.s_checksum != expected)
      return refuse(EUCLEAN,
                    fmt::format("the super block has checksum {:#010x}, expected {:#010x}; run e2fsck", es_.s_checksum.load(), expected));
    return {};
  }

  [[nodiscard]] result<> block_size() {
    const std::uint32_t log = es_.s_log_block_size;
    if (log > log_block_size_known) return refuse(EUCLEAN, fmt::format("log_block_size {} is too large; run e2fsck", log));
    if (log > log_block_size_max)
      return refuse(EINVAL, fmt::format("block size {} is not supported; 1024, 2048 and 4096 are", 1024u << log));
    const bool bigalloc = has_ro_compat(ro_compat_bigalloc);
    if (!bigalloc && es_.s_log_cluster_size != log)
      return refuse(EUCLEAN, fmt::format("log_cluster_size {} differs from log_block_size {} without bigalloc; run e2fsck",
                                         es_.s_log_cluster_size.load(), log));
    if (bigalloc && (es_.s_log_cluster_size < log || es_.s_log_cluster_size > 20))
      return refuse(EUCLEAN, fmt::format("log_cluster_size {} makes no sense; run e2fsck", es_.s_log_cluster_size.load()));
    const std::uint32_t first = log == 0 && !bigalloc ? 1 : 0;
    if (es_.s_first_data_block != first)
      return refuse(EUCLEAN, fmt::format("first_data_block is {}, expected {}; run e2fsck", es_.s_first_data_block.load(), first));
    return {};
  }

  [[nodiscard]] result<> inode_size() {
    if (es_.s_rev_level == good_old_rev) return {};
    const std::uint32_t size = es_.s_inode_size;
    if (size < good_old_inode_size || size > bytes_per_block() || !std::has_single_bit(size))
      return refuse(EUCLEAN, fmt::format("inode size {} is not a power of two from 128 to {}; run e2fsck", size, bytes_per_block()));
    if (es_.s_first_ino < good_old_first_ino)
      return refuse(EUCLEAN, fmt::format("first inode {} is reserved; run e2fsck", es_.s_first_ino.load()));
    const std::uint32_t want = es_.s_want_extra_isize;
    if (size > good_old_inode_size && (good_old_inode_size + want > size || want % 4 != 0))
      return refuse(EUCLEAN, fmt::format("extra inode size {} does not fit inodes of {} bytes; run e2fsck", want, size));
    return {};
  }

  [[nodiscard]] result<> groups() {
    const std::uint32_t bits = bytes_per_block() * 8;
    const std::uint32_t ratio = has_ro_compat(ro_compat_bigalloc) ? es_.s_log_cluster_size - es_.s_log_block_size : 0;
    const std::uint64_t blocks = es_.s_blocks_per_group;
    if (blocks < least_blocks_per_group || blocks % 8 != 0 || blocks >> ratio > bits ||
        blocks != std::uint64_t{es_.s_clusters_per_group} << ratio)
      return refuse(EUCLEAN,
                    fmt::format("{} blocks and {} clusters per group make no sense; run e2fsck", blocks, es_.s_clusters_per_group.load()));
    const std::uint32_t inode_bytes = es_.s_rev_level == good_old_rev ? good_old_inode_size : es_.s_inode_size.load();
    const std::uint32_t inodes = es_.s_inodes_per_group;
    if (inodes == 0 || inodes > bits || inodes % 8 != 0 || inodes % (bytes_per_block() / inode_bytes) != 0 ||
        inodes / (bytes_per_block() / inode_bytes) + 2 >= blocks)
      return refuse(EUCLEAN, fmt::format("{} inodes per group make no sense; run e2fsck", inodes));
    if (blocks_count(es_) <= es_.s_first_data_block)
      return refuse(EUCLEAN, fmt::format("{} blocks hold no file system; run e2fsck", blocks_count(es_)));
    const std::uint64_t count = group_count();
    if (count > UINT32_MAX || count * inodes != es_.s_inodes_count)
      return refuse(EUCLEAN,
                    fmt::format("{} groups of {} inodes, but {} inodes in all; run e2fsck", count, inodes, es_.s_inodes_count.load()));
    if (es_.s_rev_level != good_old_rev && es_.s_first_ino > es_.s_inodes_count)
      return refuse(EUCLEAN,
                    fmt::format("first inode {} lies beyond the last, {}; run e2fsck", es_.s_first_ino.load(), es_.s_inodes_count.load()));
    return {};
  }

  [[nodiscard]] result<> descriptors() {
    const std::uint32_t size = es_.s_desc_size;
    if (has_incompat(incompat_64bit) && (size < desc_size_64 || size > 1024 || !std::has_single_bit(size)))
      return refuse(EUCLEAN, fmt::format("descriptor size {} is not a power of two from 64 to 1024; run e2fsck", size));
    if (const std::uint32_t blocks = desc_blocks(); has_incompat(incompat_meta_bg) && es_.s_first_meta_bg > blocks)
      return refuse(EUCLEAN, fmt::format("the first meta group is {}, but there are {} descriptor blocks; run e2fsck",
                                         es_.s_first_meta_bg.load(), blocks));
    if (es_.s_reserved_gdt_blocks > bytes_per_block() / 4)
      return refuse(EUCLEAN, fmt::format("{} reserved descriptor blocks are too many; run e2fsck", es_.s_reserved_gdt_blocks.load()));
    return {};
  }

  [[nodiscard]] result<> size(std::uint64_t device_bytes) {
    const std::uint64_t device_blocks = device_bytes / bytes_per_block();
    if (blocks_count(es_) <= device_blocks) return {};
    return refuse(EINVAL, fmt::format("the file system has {} blocks of {} bytes, the device only {}: is it cut off?", blocks_count(es_),
                                      bytes_per_block(), device_blocks));
  }

  const ext4_super_block& es_;
  std::string& message_;
};

}  // namespace

result<> check_super_block(const ext4_super_block& es, std::uint64_t device_bytes, std::string& message) {
  return checker{es, message}.all(device_bytes);
}

result<> check_writable(const ext4_super_block& es, std::string& message) {
  if (const std::uint32_t unknown = es.s_feature_ro_compat & ~writable_ro_compat; unknown != 0) {
    message = fmt::format("features that cannot be written: {}; it can be read (ro)", names_of(unknown, ro_compat_names, "ro_compat"));
    return fail(EROFS);
  }
  return {};
}

namespace {

// Fields that are not used as they stand, or only shown: Linux takes them silently.
[[nodiscard]] std::string odd_fields(const ext4_super_block& es) {
  const bool has_64bit = (es.s_feature_incompat & incompat_64bit) != 0;
  const auto whole = [&](std::uint32_t low, std::uint32_t high) { return low | (has_64bit ? std::uint64_t{high} << 32 : 0); };
  std::string text;
  const auto check = [&](const char* what, std::uint64_t count, std::uint64_t most) {
    if (count > most) text += fmt::format("{} {} (at most {}), ", what, count, most);
  };
  check("free blocks", whole(es.s_free_blocks_count_lo, es.s_free_blocks_count_hi), blocks_count(es));
  check("reserved blocks", whole(es.s_r_blocks_count_lo, es.s_r_blocks_count_hi), blocks_count(es));
  check("overhead", es.s_overhead_clusters, blocks_count(es));
  check("free inodes", es.s_free_inodes_count, es.s_inodes_count);
  if ((es.s_feature_incompat & incompat_flex_bg) != 0) check("log_groups_per_flex", es.s_log_groups_per_flex, log_groups_per_flex_max);
  if ((es.s_feature_compat & compat_dir_index) != 0) check("hash version", es.s_def_hash_version, hash_siphash);
  return text.empty() ? text : fmt::format("odd values in the super block: {}run e2fsck", text);
}

}  // namespace

std::string super_block_warning(const ext4_super_block& es, bool read_only) {
  if ((es.s_feature_incompat & incompat_recover) != 0 && read_only)
    return "the journal needs recovery and is not replayed: what it holds is not seen";
  if ((es.s_state & error_fs) != 0) return "errors were found before; run e2fsck";
  if ((es.s_state & valid_fs) == 0 && !read_only) return "not unmounted cleanly; run e2fsck";
  // Without a clean unmount the counts may be old.
  return (es.s_state & valid_fs) != 0 ? odd_fields(es) : std::string{};
}

}  // namespace xip::ext4lite
