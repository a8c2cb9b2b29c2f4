#include "jbd2/torn_superblock.h"

#include "jbd2/checksum.h"
#include "jbd2/log_headers.h"

namespace xip::jbd2 {
namespace {

// Looks for two places in the log: the one that stands in the super block, and the one that its checksum is right for.
class tear_search {
 public:
  explicit tear_search(const loaded_superblock& loaded)
      : jsb_{loaded.jsb},
        stored_{jsb_.s_checksum},
        sequence_{jsb_.s_sequence},
        start_{jsb_.s_start},
        errno_{jsb_.s_errno},
        number_{jsb_.s_header.h_sequence},
        end_{loaded.end} {
    // The first write into a log that has nothing of the transaction yet.
    for (const std::uint32_t other : {sequence_ - 1, sequence_, sequence_ + 1}) summed_ = summed_ || fits(other, 0);
  }

  // What begins or ends in journal block BLOCK, which begins with HEADER.
  void look_at(std::uint32_t block, const journal_header& header) {
    const std::uint32_t sequence = header.h_sequence;
    try_place(sequence, block);
    try_place(sequence, 0);
    if (header.h_blocktype != commit_block) return;
    try_place(sequence + 1, block + 1 == end_ ? jsb_.s_first.load() : block + 1);
    try_place(sequence + 1, 0);
    try_place(sequence + 2, 0);
  }
  [[nodiscard]] bool found_both() const noexcept { return stands_ && summed_; }

 private:
  void try_place(std::uint32_t sequence, std::uint32_t start) {
    stands_ = stands_ || (sequence == sequence_ && start == start_);
    summed_ = summed_ || fits(sequence, start);
  }
  // Before the reason of an abort was written there was none. Linux changes the reason and the checksum, libxip the reason and h_sequence,
  // which is 0 in its logs until then: where only eight bytes reach the medium at once, either may be the first.
  [[nodiscard]] bool fits(std::uint32_t sequence, std::uint32_t start) {
    return fits(sequence, start, errno_, number_) || (errno_ != 0 && fits(sequence, start, 0, number_)) ||
           (number_ != 0 && fits(sequence, start, 0, 0));
  }
  [[nodiscard]] bool fits(std::uint32_t sequence, std::uint32_t start, std::uint32_t code, std::uint32_t number) {
    jsb_.s_sequence = sequence;
    jsb_.s_start = start;
    jsb_.s_errno = code;
    jsb_.s_header.h_sequence = number;
    return superblock_checksum(jsb_) == stored_;
  }

  journal_superblock jsb_;
  const std::uint32_t stored_, sequence_, start_, errno_, number_, end_;
  bool stands_ = false;
  bool summed_ = false;
};

}  // namespace

result<bool> superblock_is_torn(const journal_place& at, const loaded_superblock& loaded) {
  tear_search search{loaded};
  XIP_TRY(for_each_header(at, loaded.jsb.s_first, loaded.end, [&](std::uint32_t block, const journal_header& header) {
    search.look_at(block, header);
    return !search.found_both();
  }));
  return search.found_both();
}

}  // namespace xip::jbd2
