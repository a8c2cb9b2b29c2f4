// Replaying a journal: what its log has committed goes home. Linux: fs/jbd2/recovery.c.
//
// The log is read once and checked whole, before the first block is written. It ends at the first block that is not the next one of its
// transaction; a transaction without its commit block never happened. A checksum that is wrong in the last transaction is a commit that a crash
// has torn; one that is wrong with a later transaction behind it, or in a block whose commit is whole, is damage, and nothing is replayed.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>

#include <xip/base/result.h>
#include <xip/dev/device.h>

#include "jbd2/log_map.h"

namespace xip::jbd2 {

struct recovery_request {
  dev::device& device;
  const log_map& log;
  unsigned block_bits;   // a block has 1 << this bytes
  std::uint64_t blocks;  // that can be named: those of the file system
  std::pmr::memory_resource& memory;
};

struct recovered {
  std::uint32_t transactions = 0;
  std::uint64_t written = 0;  // blocks that went home
  std::uint64_t revoked = 0;  // blocks that did not: freed later in the log
  int aborted = 0;            // the errno that made somebody abort the journal; 0: nobody did
};

// Replays the log, makes that durable, and marks the log empty. Why somebody aborted it stays there until it is written again (journal::prepare_to_begin). MESSAGE says what an error is about.
// EUCLEAN: the journal is damaged. EOPNOTSUPP: it has a feature that is not known. Neither has written anything. EIO. ENOMEM.
[[nodiscard]] result<recovered> recover(const recovery_request& request, std::string& message);
// The device as recover would leave it, while it stays as it is: what the log has of a block is read from the log. It cannot be written: EROFS. The log and the device
// of REQUEST outlive it. Errors as recover.
[[nodiscard]] result<std::unique_ptr<dev::device>> as_recovered(const recovery_request& request, std::string& message);

}  // namespace xip::jbd2
