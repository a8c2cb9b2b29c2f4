// Blocks that no file may own: metadata at fixed places, and what belongs to inodes that have no name. Linux: fs/ext4/block_validity.c.
#pragma once

#include <string>

#include <xip/base/result.h>

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite {

// The journal's blocks are nobody else's from now on. EUCLEAN: they are the file system's own already; or as find_journal; with MESSAGE. Only before anybody else
// knows SB.
[[nodiscard]] result<> protect_journal(ext4_sb_info& sb, const ext4_super_block& es, std::string& message);
// The same for the orphan file of a mount that only reads, as far as its map makes sense. Who takes the file into use (load_orphan_file) protects it then. bad_alloc.
void protect_orphan_file(ext4_sb_info& sb);
// The blocks are their owner's from now on, unless they are somebody's already. Only before anybody else knows SB. bad_alloc.
void add_system_zone(ext4_sb_info& sb, const system_zone& zone);

}  // namespace xip::ext4lite
