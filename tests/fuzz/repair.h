// Puts the checksums of an image right, so that damage done to it gets past them.
#pragma once

#include "fuzz/sparse_image.h"

namespace xip::fuzz {

// Of the super block, descriptors, bitmaps, inodes, extent blocks, directory blocks, attribute blocks and blocks of the orphan file, as far as they can be found.
void repair_checksums(sparse_image& image);

}  // namespace xip::fuzz
