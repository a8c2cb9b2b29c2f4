// A super block that a crash has torn: where no more than 64 bytes reach the medium at once, its checksum may be of another age than the rest.
//
// With a journal it is written home in three ways only, and each can be told from damage:
//   - needs_recovery comes or goes, or the mark of an error comes, and nothing else changes: the checksum is right with the one or the other turned over. The
//     log is empty then.
//   - it goes home from the log, which has it still, whole, in a committed transaction.
//   - the mark of an error that ended everything; what that may leave is for e2fsck.
#include "fs_ext4lite/checksum.h"
#include "fs_ext4lite/journal_inode.h"
#include "fs_ext4lite/message.h"
#include "fs_ext4lite/super.h"
#include "jbd2/recovery.h"

namespace xip::ext4lite {
namespace {

[[nodiscard]] bool checksum_right(const ext4_super_block& es) noexcept {
  return (es.s_feature_ro_compat & ro_compat_metadata_csum) == 0 || es.s_checksum == super_block_checksum(es);
}

}  // namespace

super_tear look_for_tear(ext4_super_block& es) noexcept {
  const bool has_journal = (es.s_feature_compat & compat_has_journal) != 0;
  if (es.s_magic != super_magic || es.s_rev_level == good_old_rev || !has_journal || checksum_right(es)) return super_tear::none;
  ext4_super_block flag_turned = es, mark_turned = es;
  flag_turned.s_feature_incompat = flag_turned.s_feature_incompat ^ incompat_recover;
  mark_turned.s_state = mark_turned.s_state ^ error_fs;
  const bool torn_flag = checksum_right(flag_turned), torn_mark = checksum_right(mark_turned);
  if (torn_flag) es.s_feature_incompat = es.s_feature_incompat | incompat_recover;
  if (torn_mark) es.s_state = es.s_state | error_fs;
  es.s_checksum = super_block_checksum(es);
  return torn_flag || torn_mark ? super_tear::flag : super_tear::unknown;
}

result<ext4_super_block> super_block_in_log(ext4_sb_info& sb, const ext4_super_block& es) {
  if ((es.s_feature_incompat & incompat_recover) == 0) return fail(EUCLEAN);
  std::string message;
  const jbd2::log_map log = XIP_TRY(find_journal(sb, es, message));
  const auto recovered = XIP_TRY(jbd2::as_recovered(recovery_of(sb, log), message));
  ext4_super_block logged;
  XIP_TRY(recovered->read(super_offset, std::as_writable_bytes(std::span{&logged, 1})));
  XIP_TRY(check_super_block(logged, sb.s_bdev.size(), message));
  return logged;
}

result<> write_mended(ext4_sb_info& sb, const ext4_super_block& es) {
  XIP_TRY(sb.s_bdev.write(super_offset, std::as_bytes(std::span{&es, 1})));
  XIP_TRY(sb.s_bdev.flush_cache());
  ext4_msg(sb, vfs::log_level::notice, "the super block was torn by a crash, and is whole again");
  return {};
}

}  // namespace xip::ext4lite
