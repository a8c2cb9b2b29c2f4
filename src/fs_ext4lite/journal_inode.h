// Where the journal lies. Found before anything else of the file system is looked at, and with as little as can be: a crash may have left every block
// that the log has half written. Linux: ext4_get_journal_inode (fs/ext4/super.c).
#pragma once

#include <string>

#include <xip/base/result.h>

#include "fs_ext4lite/ext4.h"
#include "jbd2/log_map.h"
#include "jbd2/recovery.h"

namespace xip::ext4lite {

// SB has its geometry, no more. EUCLEAN, EOPNOTSUPP (a journal of its own device), EIO, ENOMEM, with MESSAGE.
[[nodiscard]] result<jbd2::log_map> find_journal(const ext4_sb_info& sb, const ext4_super_block& es, std::string& message);
// What jbd2 has to know to replay LOG, or to look at what it would bring home. SB has its geometry.
[[nodiscard]] inline jbd2::recovery_request recovery_of(ext4_sb_info& sb, const jbd2::log_map& log) noexcept {
  return {.device = sb.s_bdev, .log = log, .block_bits = sb.s_blocksize_bits, .blocks = sb.s_blocks_count, .memory = sb.memory()};
}

}  // namespace xip::ext4lite
