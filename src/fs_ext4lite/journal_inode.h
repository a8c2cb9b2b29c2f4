// Where the journal lies. Found before anything else of the file system is looked at, and with as little as can be: a crash may have left every block
// that the log has half written. Linux: ext4_get_journal_inode (fs/ext4/super.c).
#pragma once

#include <string>

#include <xip/base/result.h>

#include "fs_ext4lite/ext4.h"
#include "jbd2/log_map.h"

namespace xip::ext4lite {

// SB has its geometry, no more. EUCLEAN, EOPNOTSUPP (a journal of its own device), EIO, ENOMEM, with MESSAGE.
[[nodiscard]] result<jbd2::log_map> find_journal(const ext4_sb_info& sb, const ext4_super_block& es, std::string& message);

}  // namespace xip::ext4lite
