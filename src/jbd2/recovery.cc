#include "jbd2/recovery.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include <xip/dev/decorator.h>

#include "jbd2/checksum.h"
#include "jbd2/log_headers.h"
#include "jbd2/superblock.h"
#include "jbd2/torn_superblock.h"

namespace xip::jbd2 {
namespace {

// A block as the log has it.
struct logged_block {
  std::uint64_t block;  // where it goes home
  std::uint32_t at;     // where it is in the journal
  std::uint32_t sequence;
  std::uint32_t checksum;  // of those bytes, as the descriptor has it
  bool escaped;
  bool revoked = false;
  std::size_t place = 0;  // among all that are committed
};

// The same, as a tag says it.
struct block_in_descriptor {
  std::uint64_t block;
  std::uint32_t flags, checksum;
};

// A revoke block.
struct logged_revokes {
  std::uint32_t at;  // where it is in the journal
  std::uint32_t sequence;
};

class replay {
 public:
  replay(const recovery_request& request, std::string& message)
      : device_{request.device},
        log_{request.log},
        bits_{request.block_bits},
        blocks_{request.blocks},
        message_{message},
        journal_blocks_{log_.by_place()},
        pending_{&request.memory},
        committed_{&request.memory},
        pending_revokes_{&request.memory},
        revokes_{&request.memory},
        block_{std::size_t{1} << bits_, &request.memory},
        data_{std::size_t{1} << bits_, &request.memory} {}

  [[nodiscard]] result<recovered> run();
  // In the order of blocks. Nothing is written.
  [[nodiscard]] result<std::pmr::vector<logged_block>> copies();

 private:
  enum class step { more, end };

  [[nodiscard]] std::unexpected<error> damaged(std::string what) {
    message_ = "the journal is damaged: " + std::move(what);
    return fail(EUCLEAN);
  }
  [[nodiscard]] bool has(std::uint32_t incompat) const noexcept { return (incompat_ & incompat) != 0; }
  [[nodiscard]] bool has_checksums() const noexcept { return jbd2::has_checksums(incompat_); }
  [[nodiscard]] std::uint64_t byte_of(std::uint64_t block) const noexcept { return block << bits_; }

  [[nodiscard]] result<> load();
  [[nodiscard]] result<> read_block(std::uint32_t at, std::pmr::vector<std::byte>& to);
  [[nodiscard]] const journal_header& header() const noexcept { return *reinterpret_cast<const journal_header*>(block_.data()); }

  // The log, from s_start on.
  [[nodiscard]] result<> scan();
  [[nodiscard]] result<step> scan_block();
  [[nodiscard]] result<step> scan_descriptor();
  [[nodiscard]] result<step> scan_revokes();
  [[nodiscard]] result<step> scan_commit();
  [[nodiscard]] block_in_descriptor decode_tag(const std::byte* tag) const noexcept;
  [[nodiscard]] bool may_go_home(std::uint64_t block) const noexcept;
  // Of the revoke block that was read: bytes in use, and whether so many can be.
  [[nodiscard]] std::uint32_t revoke_bytes() const noexcept { return reinterpret_cast<const revoke_header*>(block_.data())->r_count; }
  [[nodiscard]] bool revoke_count_is_right(std::uint32_t count) const noexcept;
  [[nodiscard]] result<std::string> find_bad_block();  // of the transaction that the scan is in; empty: there is none
  [[nodiscard]] bool tail_is_right() const noexcept;
  [[nodiscard]] result<> check_end();
  [[nodiscard]] result<> check_doubt();
  // The next block of the log; false: it has been gone around.
  [[nodiscard]] bool advance() noexcept;
  [[nodiscard]] step torn(const char* what) {
    torn_ = fmt::format("the checksum of the {} of transaction {} in journal block {} is wrong", what, expected_, at_);
    return step::end;
  }

  // What is wrong with the transaction that the scan is in. Without checksums a crash that has torn one of its blocks leaves that, too.
  [[nodiscard]] step doubtful(std::string what) {
    doubt_ = std::move(what);
    return step::end;
  }

  [[nodiscard]] result<> keep_last_copies();
  [[nodiscard]] result<> find_revoked();
  [[nodiscard]] result<> mark_revoked(const logged_revokes& r);
  [[nodiscard]] result<> read_copy(const logged_block& b);
  [[nodiscard]] result<> write_home();
  [[nodiscard]] result<> mark_empty();

  dev::device& device_;
  const log_map& log_;
  const unsigned bits_;
  const std::uint64_t blocks_;
  std::string& message_;
  const std::pmr::vector<log_extent> journal_blocks_;

  journal_superblock jsb_;
  bool superblock_whole_ = true;  // not torn
  std::uint32_t incompat_ = 0;
  std::uint32_t seed_ = 0;
  std::uint32_t end_ = 0;  // of the log, in blocks of the journal

  std::uint32_t at_ = 0;        // where the scan is
  std::uint32_t scanned_ = 0;   // blocks of the log so far
  std::uint32_t expected_ = 0;  // the transaction that the scan is in
  std::string torn_;            // why the log ends here, if its form does not say so
  std::string doubt_;           // the same, if that is damage should the transaction be committed
  std::pmr::vector<logged_block> pending_;
  std::pmr::vector<logged_block> committed_;
  std::pmr::vector<logged_revokes> pending_revokes_;
  std::pmr::vector<logged_revokes> revokes_;
  std::pmr::vector<std::byte> block_, data_;
  recovered done_;
};

result<> replay::read_block(std::uint32_t at, std::pmr::vector<std::byte>& to) {
  const auto read = device_.read(byte_of(log_.find(at).value()), to);
  if (!read) message_ = fmt::format("journal block {} cannot be read: {}", at, read.error().message());
  return read;
}

// ---- the super block ------------------------------------------------------------------------------------------------------------------

result<> replay::load() {
  const journal_place place{device_, log_, bits_};
  const loaded_superblock loaded = XIP_TRY(load_superblock(place, message_));
  if (loaded.state == superblock_state::bad && !XIP_TRY(superblock_is_torn(place, loaded)))
    return damaged("the checksum of its super block is wrong");
  superblock_whole_ = loaded.state == superblock_state::good;
  jsb_ = loaded.jsb;
  if (XIP_EXHIBIT(stock_tail_update) && !superblock_whole_) jsb_.s_start = 0;  // so does e2fsck -p
  end_ = loaded.end;
  incompat_ = incompat_of(jsb_);
  if (has_checksums()) seed_ = checksum_seed(jsb_);
  return {};
}

// ---- the log --------------------------------------------------------------------------------------------------------------------------

bool replay::advance() noexcept {
  if (++at_ == end_) at_ = jsb_.s_first;
  return ++scanned_ < end_ - jsb_.s_first;
}

bool replay::tail_is_right() const noexcept {
  if (!has_checksums()) return true;
  const std::size_t field = block_.size() - sizeof(block_tail);
  be32 stored;
  std::memcpy(&stored, block_.data() + field, sizeof stored);
  return block_checksum(seed_, block_, field) == stored;
}

block_in_descriptor replay::decode_tag(const std::byte* tag) const noexcept {
  if (has(incompat_csum_v3)) {
    block_tag3 t;
    std::memcpy(&t, tag, sizeof t);
    const std::uint64_t high = has(incompat_64bit) ? t.t_blocknr_high.load() : 0;
    return {t.t_blocknr | high << 32, t.t_flags, t.t_checksum};
  }
  block_tag t{};
  std::memcpy(&t, tag, has(incompat_64bit) ? sizeof t : sizeof t - sizeof t.t_blocknr_high);
  return {t.t_blocknr | std::uint64_t{t.t_blocknr_high} << 32, t.t_flags, t.t_checksum};
}

bool replay::may_go_home(std::uint64_t block) const noexcept { return block < blocks_ && !contains(journal_blocks_, block); }

// Only of what is committed: until then nobody has to read it.
result<std::string> replay::find_bad_block() {
  if (!has_checksums()) return {};
  for (const logged_block& b : pending_) {
    XIP_TRY(read_block(b.at, data_));
    const std::uint32_t sum = data_checksum(seed_, expected_, data_);
    if ((has(incompat_csum_v3) ? sum : sum & 0xFFFF) != b.checksum)
      return fmt::format("the checksum of block {} of transaction {}, in journal block {}, is wrong", b.block, expected_, b.at);
  }
  return {};
}

result<replay::step> replay::scan_descriptor() {
  if (!tail_is_right()) return torn("descriptor");
  const std::size_t bytes = tag_bytes(incompat_);
  const std::size_t end = block_.size() - (has_checksums() ? sizeof(block_tail) : 0);
  for (std::size_t at = sizeof(journal_header); at + bytes <= end;) {
    if (!advance()) return doubtful(fmt::format("transaction {} is longer than the log", expected_));
    const block_in_descriptor tag = decode_tag(&block_[at]);
    if (!may_go_home(tag.block))
      return doubtful(fmt::format("transaction {} has block {}, which is none of the file system's", expected_, tag.block));
    if ((tag.flags & flag_deleted) == 0)
      pending_.push_back(
          {.block = tag.block, .at = at_, .sequence = expected_, .checksum = tag.checksum, .escaped = (tag.flags & flag_escape) != 0});
    if ((tag.flags & flag_last_tag) != 0) break;
    at += bytes + ((tag.flags & flag_same_uuid) != 0 ? 0 : tag_uuid_size);
  }
  return step::more;
}

bool replay::revoke_count_is_right(std::uint32_t count) const noexcept {
  return count >= sizeof(revoke_header) && count <= block_.size() - (has_checksums() ? sizeof(block_tail) : 0);
}

// Which numbers it has is looked at when it is known of which blocks the log has copies: a log may have many more numbers than blocks.
result<replay::step> replay::scan_revokes() {
  if (!tail_is_right()) return torn("revoke block");
  if (const std::uint32_t count = revoke_bytes(); !revoke_count_is_right(count))
    return doubtful(fmt::format("the revoke block in journal block {} has {} bytes", at_, count));
  pending_revokes_.push_back({at_, expected_});
  return step::more;
}

result<replay::step> replay::scan_commit() {
  commit_header h;
  std::memcpy(&h, block_.data(), sizeof h);
  if (has_checksums() && block_checksum(seed_, block_, offsetof(commit_header, h_chksum)) != h.h_chksum[0]) return torn("commit block");
  if (std::string bad = XIP_TRY(find_bad_block()); !bad.empty()) {
    // Whoever wrote the commit block had the others on disk before it, but for this:
    if (!has(incompat_async_commit)) return damaged(std::move(bad));
    torn_ = std::move(bad);
    return step::end;
  }
  for (logged_block& b : pending_) {
    b.place = committed_.size();
    committed_.push_back(b);
  }
  revokes_.insert(revokes_.end(), pending_revokes_.begin(), pending_revokes_.end());
  pending_.clear();
  pending_revokes_.clear();
  ++done_.transactions;
  if (XIP_EXHIBIT(replay_stops_early)) return step::end;
  ++expected_;
  return step::more;
}

result<replay::step> replay::scan_block() {
  XIP_TRY(read_block(at_, block_));
  if (header().h_magic != journal_magic || header().h_sequence != expected_) return step::end;
  switch (header().h_blocktype) {
    case descriptor_block:
      return scan_descriptor();
    case revoke_block:
      return XIP_EXHIBIT(replay_without_revokes) ? result<step>{step::more} : scan_revokes();
    case commit_block:
      return scan_commit();
    default:
      return step::end;
  }
}

result<> replay::scan() {
  at_ = jsb_.s_start;
  expected_ = jsb_.s_sequence;
  for (;;) {
    if (XIP_TRY(scan_block()) == step::end) break;
    if (!advance()) break;
  }
  if (!doubt_.empty()) return check_doubt();
  return torn_.empty() ? result<>{} : check_end();
}

// Whoever wrote the commit block had the others on disk before it. Where it is, the blocks in between do not say any more.
result<> replay::check_doubt() {
  bool committed = false;
  XIP_TRY(for_each_header({device_, log_, bits_}, jsb_.s_first, end_, [&](std::uint32_t, const journal_header& h) {
    committed = h.h_sequence == expected_ && h.h_blocktype == commit_block;
    return !committed;
  }));
  if (committed) return damaged(std::move(doubt_));
  return {};
}

// The next transaction is only begun when this one is on disk: with one there, this one was not torn by a crash.
result<> replay::check_end() {
  if (has(incompat_async_commit)) return {};
  bool follows = false;
  XIP_TRY(for_each_header({device_, log_, bits_}, jsb_.s_first, end_, [&](std::uint32_t, const journal_header& h) {
    follows = h.h_sequence == expected_ + 1;
    return !follows;
  }));
  if (follows) return damaged(fmt::format("{}, and transaction {} follows it", torn_, expected_ + 1));
  return {};
}

// ---- going home -----------------------------------------------------------------------------------------------------------------------

// Of each block the last that was committed, unless it is revoked; in the order of blocks.
result<> replay::keep_last_copies() {
  std::ranges::sort(committed_, {}, [](const logged_block& b) { return std::pair{b.block, b.place}; });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < committed_.size(); ++i)
    if (i + 1 == committed_.size() || committed_[i + 1].block != committed_[i].block) committed_[kept++] = committed_[i];
  committed_.resize(kept);
  XIP_TRY(find_revoked());
  done_.revoked = std::erase_if(committed_, [](const logged_block& b) { return b.revoked; });
  return {};
}

result<> replay::find_revoked() {
  if (committed_.empty()) return {};
  for (const logged_revokes& r : revokes_) XIP_TRY(mark_revoked(r));
  return {};
}

// A revoke counts for copies of its own transaction and of those before it.
result<> replay::mark_revoked(const logged_revokes& r) {
  XIP_TRY(read_block(r.at, block_));
  const std::uint32_t end = revoke_count_is_right(revoke_bytes()) ? revoke_bytes() : 0;  // as it was when the log was checked
  const std::size_t bytes = has(incompat_64bit) ? sizeof(be64) : sizeof(be32);
  for (std::size_t at = sizeof(revoke_header); at + bytes <= end; at += bytes) {
    be64 wide;
    be32 narrow;
    std::memcpy(has(incompat_64bit) ? static_cast<void*>(&wide) : &narrow, &block_[at], bytes);
    const std::uint64_t block = has(incompat_64bit) ? wide.load() : narrow.load();
    const auto copy = std::ranges::lower_bound(committed_, block, {}, &logged_block::block);
    if (copy != committed_.end() && copy->block == block && !tid_after(copy->sequence, r.sequence)) copy->revoked = true;
  }
  return {};
}

result<> replay::read_copy(const logged_block& b) {
  XIP_TRY(read_block(b.at, data_));
  if (b.escaped) unescape(data_);
  return {};
}

result<> replay::write_home() {
  for (const logged_block& b : committed_) {
    XIP_TRY(read_copy(b));
    if (auto written = device_.write(byte_of(b.block), data_); !written) {
      message_ = fmt::format("block {} of the journal cannot be written home: {}", b.block, written.error().message());
      return written;
    }
    ++done_.written;
  }
  return device_.flush_cache();
}

// Nothing of the log is needed any more. Without checksums, a transaction that was not committed keeps its number, so that the next one is not taken for a part
// of it; with them whoever writes the log next sees to that.
result<> replay::mark_empty() {
  const journal_place place{device_, log_, bits_};
  if (!superblock_whole_) XIP_TRY(write_superblock(place, jsb_));
  return move_log(place, jsb_, has_checksums() ? sequence_that_keeps_checksum(jsb_, 0) : expected_ + 1, 0);
}

result<recovered> replay::run() {
  XIP_TRY(load());
  const auto code = static_cast<std::int32_t>(jsb_.s_errno.load());
  done_.aborted = code > INT32_MIN ? std::abs(code) : 0;
  expected_ = jsb_.s_sequence;
  if (jsb_.s_start != 0) {
    XIP_TRY(scan());
    XIP_TRY(keep_last_copies());
    XIP_TRY(write_home());
  }
  XIP_TRY(mark_empty());
  return done_;
}

result<std::pmr::vector<logged_block>> replay::copies() {
  XIP_TRY(load());
  if (jsb_.s_start != 0) {
    XIP_TRY(scan());
    XIP_TRY(keep_last_copies());
  }
  return std::move(committed_);
}

class recovered_device final : public dev::decorator<dev::device> {
 public:
  recovered_device(const recovery_request& request, std::pmr::vector<logged_block> copies)
      : decorator{request.device, ""}, log_{request.log}, bits_{request.block_bits}, copies_{std::move(copies)} {}

  [[nodiscard]] result<> read_batch(std::span<const dev::io_piece> pieces) noexcept override {
    XIP_TRY(decorator::read_batch(pieces));
    for (const dev::io_piece& piece : pieces) XIP_TRY(read_copies(piece));
    return {};
  }
  [[nodiscard]] result<> write_batch(std::span<const dev::io_piece>) noexcept override { return fail(EROFS); }

 private:
  // What PIECE has of blocks that the log has.
  [[nodiscard]] result<> read_copies(const dev::io_piece& piece) noexcept {
    const std::uint64_t end = piece.offset + piece.bytes;
    auto copy = std::ranges::lower_bound(copies_, piece.offset >> bits_, {}, &logged_block::block);
    for (; copy != copies_.end() && copy->block << bits_ < end; ++copy) {
      const std::uint64_t home = copy->block << bits_;
      const std::uint64_t from = std::max(home, piece.offset), behind = std::min(home + (std::uint64_t{1} << bits_), end);
      if (from >= behind) continue;
      const std::span to{static_cast<std::byte*>(piece.memory) + (from - piece.offset), behind - from};
      const std::uint64_t skipped = from - home;
      XIP_TRY(below_.read((log_.find(copy->at).value() << bits_) + skipped, to));
      if (copy->escaped) unescape(to, skipped);
    }
    return {};
  }

  const log_map& log_;
  const unsigned bits_;
  const std::pmr::vector<logged_block> copies_;
};

}  // namespace

result<std::unique_ptr<dev::device>> as_recovered(const recovery_request& request, std::string& message) {
  try {
    auto copies = replay{request, message}.copies();
    if (!copies) return fail(copies.error());
    return std::make_unique<recovered_device>(request, std::move(*copies));
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

result<recovered> recover(const recovery_request& request, std::string& message) {
  try {
    return replay{request, message}.run();
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
}

}  // namespace xip::jbd2
