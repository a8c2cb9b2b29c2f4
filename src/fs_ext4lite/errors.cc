// Corruption found at run time: said, remembered, and answered as errors= demands. Linux: __ext4_error (fs/ext4/super.c).
//
// The record goes into the super block with the next write of it. A mount that never changed anything writes it nowhere: an image that was only
// read, or whose change was refused, stays byte for byte as it was.
//
// Lock chains:
//   i_data_sem -> s_error_lock
#include <algorithm>
#include <cstring>

#include "fs_ext4lite/ext4.h"
#include "fs_ext4lite/message.h"

namespace xip::ext4lite {
namespace {

// "check_root" of "result<> ns::check_root(int)".
[[nodiscard]] std::string_view bare_name(std::string_view function) noexcept {
  constexpr std::string_view unnamed = "(anonymous namespace)::";  // as clang says it
  if (const std::size_t at = function.rfind(unnamed); at != function.npos) function.remove_prefix(at + unnamed.size());
  function = function.substr(0, function.find('('));
  return function.substr(function.find_last_of(": ") + 1);
}

void remember(ext4_sb_info& sb, std::uint32_t ino, const std::source_location& where) {
  mutex_guard guard{sb.s_error_lock};
  error_record& r = sb.s_error_record;
  const std::string_view function = bare_name(where.function_name());
  const auto copy_name = [&](char(&to)[32]) {
    std::memset(to, 0, sizeof to);
    function.copy(to, sizeof to - 1);
  };
  r.last_time = vfs::current_time().seconds;
  r.last_ino = ino;
  r.last_line = where.line();
  copy_name(r.last_func);
  if (r.count++ != 0) return;
  r.first_time = r.last_time;
  r.first_ino = ino;
  r.first_line = r.last_line;
  copy_name(r.first_func);
}

void follow_errors_option(ext4_sb_info& sb) {
  if (sb.is_rdonly()) return;
  switch (sb.s_errors.load(std::memory_order_relaxed)) {
    case errors_mode::continue_:
      return;
    case errors_mode::remount_ro:
      sb.s_flags.fetch_or(vfs::sb_rdonly, std::memory_order_relaxed);
      ext4_msg(sb, vfs::log_level::error, "read-only from now on (errors=remount-ro)");
      return;
    case errors_mode::panic:
      sb.s_shutdown.store(true, std::memory_order_relaxed);
      ext4_msg(sb, vfs::log_level::error, "shut down, every change fails from now on (errors=panic)");
      return;
  }
}

[[nodiscard]] std::unexpected<error> follow(ext4_sb_info& sb, std::uint32_t ino, const std::source_location& where) {
  sb.s_error_seen.store(true, std::memory_order_relaxed);
  remember(sb, ino, where);
  follow_errors_option(sb);
  return fail(EUCLEAN);
}

}  // namespace

std::unexpected<error> corrupted(ext4_sb_info& sb, std::string_view what, std::source_location where) {
  ext4_msg(sb, vfs::log_level::error, "{}", what);
  return follow(sb, 0, where);
}

std::unexpected<error> corrupted(const vfs::inode& inode, std::string_view what, std::source_location where) {
  ext4_sb_info& sb = sbi_of(inode);
  ext4_msg(sb, vfs::log_level::error, "inode {}: {}", inode.i_ino.value(), what);
  return follow(sb, inode.i_ino.value(), where);
}

}  // namespace xip::ext4lite
