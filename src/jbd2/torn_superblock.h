// A super block that a crash has torn. Its sequence and start lie in one line of 64 bytes, its checksum in another: where no more than a line reaches the
// medium at once, a crash during a write of it leaves old values with the new checksum, or new values with the old one.
//
// Both are right as they stand. A log's tail moves only when what it passes has gone home: from the old one on, the log is replayed once more and
// ends where it ended; from the new one on, nothing is missing. What must be told apart is damage. So both what stands there and what the checksum is
// right for have to be places of this log: all that a journal can have written there are the beginnings of transactions, the end of the last, and "empty".
#pragma once

#include <xip/base/result.h>

#include "jbd2/superblock.h"

namespace xip::jbd2 {

// LOADED, whose checksum is wrong, is the super block of this log, torn. Reads the log. EIO.
[[nodiscard]] result<bool> superblock_is_torn(const journal_place& at, const loaded_superblock& loaded);

}  // namespace xip::jbd2
