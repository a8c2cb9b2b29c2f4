// The super block: what is checked at mount, and when it is written.
#pragma once

#include <string>
#include <string_view>

#include <xip/base/result.h>
#include <xip/vfs/super_block.h>

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite {

// ---- options.cc ------------------------------------------------------------------------------------------------------------------

// Comma-separated; EINVAL names the option and what it may be.
[[nodiscard]] result<> parse_options(std::string_view text, mount_options& options, std::string& message);
void show_options(const vfs::super_block& sb, std::string& out);

// ---- super_check.cc ----------------------------------------------------------------------------------------------------------------

// ES makes sense and can be mounted at all on a device of DEVICE_BYTES. EINVAL, EUCLEAN, EOPNOTSUPP with MESSAGE.
[[nodiscard]] result<> check_super_block(const ext4_super_block& es, std::uint64_t device_bytes, std::string& message);
// It can be mounted read-write too. EROFS, EUCLEAN, EOPNOTSUPP.
[[nodiscard]] result<> check_writable(const ext4_super_block& es, std::string& message);
// What is odd, but mounted: for the log. Empty: nothing.
[[nodiscard]] std::string super_block_warning(const ext4_super_block& es, bool read_only);
// Geometry, features and seeds of a checked ES.
void take_geometry(ext4_sb_info& sb, const ext4_super_block& es);

// ---- super_torn.cc -----------------------------------------------------------------------------------------------------------------

enum class super_tear : std::uint8_t {
  none,     // its checksum is right, or it has none
  flag,     // a crash has torn it when needs_recovery came or went
  unknown,  // its checksum is wrong: torn on its way home, or damaged
};
// What is wrong with ES, which is given a right checksum, and of a torn flag the safe value.
[[nodiscard]] super_tear look_for_tear(ext4_super_block& es) noexcept;
// Of an unknown one: as the log has it, committed. SB has the geometry that ES says. EUCLEAN: the log has none; EIO, ENOMEM.
[[nodiscard]] result<ext4_super_block> super_block_in_log(ext4_sb_info& sb, const ext4_super_block& es);
// ES goes to its place.
[[nodiscard]] result<> write_mended(ext4_sb_info& sb, const ext4_super_block& es);

// ---- group.cc ----------------------------------------------------------------------------------------------------------------------

// Reads and checks every descriptor, makes s_groups, s_system_zones and the sums. EUCLEAN, EIO, ENOMEM.
[[nodiscard]] result<> load_groups(ext4_sb_info& sb, std::string& message);
// Fills in the checksums of all groups changed since the last commit. Their buffers are dirty; nobody else has a handle.
[[nodiscard]] result<> finish_group_checksums(ext4_sb_info& sb);

// ---- super_write.cc ----------------------------------------------------------------------------------------------------------------

// The super block as it is cached. Changed before any other buffer under s_first_change_lock, then under s_handle_barrier exclusive, or under
// s_orphan_lock (s_last_orphan and orphan_present only).
[[nodiscard]] ext4_super_block super_block_copy(const ext4_sb_info& sb) noexcept;
// The first change of a read-write mount: EXT4_VALID_FS goes (and orphan_present comes, where there is an orphan file) or, with a journal, needs_recovery
// comes, durably, before anything else is written.
[[nodiscard]] result<> begin_writing(ext4_sb_info& sb) XIP_REQUIRES(sb.s_first_change_lock);
// Errors were found that the super block does not know of.
[[nodiscard]] bool has_unwritten_errors(ext4_sb_info& sb);
// Free counts, times and errors go into the super block's buffer.
void update_super_block(ext4_sb_info& sb) XIP_REQUIRES(sb.s_handle_barrier);
// The last write of a mount, or before it becomes read-only: all is durable and in its place, and the mark that it is being changed goes. EXT4_VALID_FS
// does not come back where errors were found, orphan_present does not go where the orphan file holds something.
[[nodiscard]] result<> mark_clean(ext4_sb_info& sb);

}  // namespace xip::ext4lite
