// The XIP core as it was in 2013, from its description: what stands in mm/filemap_xip.c of Linux 3.x.
#pragma once

#include <xip/xip/mapping.h>

namespace xip::exhibits {

#if XIP_EXHIBITS
extern const xip_core core_2013;
// What a VFS calls that goes straight to the core of today: its read_iter takes no lock of the file.
extern const vfs::file_operations hookless_file_operations;
#endif

}  // namespace xip::exhibits
