#include "posix/words.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace xip::posix {

namespace {

#define XIP_NAMED(x) \
  named_value { #x, static_cast<std::uint64_t>(x) }
constexpr named_value names[] = {
    XIP_NAMED(O_RDONLY),
    XIP_NAMED(O_WRONLY),
    XIP_NAMED(O_RDWR),
    XIP_NAMED(O_ACCMODE),
    XIP_NAMED(O_CREAT),
    XIP_NAMED(O_EXCL),
    XIP_NAMED(O_TRUNC),
    XIP_NAMED(O_APPEND),
    XIP_NAMED(O_NONBLOCK),
    XIP_NAMED(O_DIRECTORY),
    XIP_NAMED(O_NOFOLLOW),
    XIP_NAMED(O_NOATIME),
    XIP_NAMED(O_PATH),
    XIP_NAMED(O_TMPFILE),
    XIP_NAMED(O_SYNC),
    XIP_NAMED(O_DSYNC),
    XIP_NAMED(O_CLOEXEC),
    XIP_NAMED(O_DIRECT),
    XIP_NAMED(AT_SYMLINK_NOFOLLOW),
    XIP_NAMED(AT_SYMLINK_FOLLOW),
    XIP_NAMED(AT_EMPTY_PATH),
    XIP_NAMED(AT_REMOVEDIR),
    XIP_NAMED(AT_EACCESS),
    XIP_NAMED(RENAME_NOREPLACE),
    XIP_NAMED(RENAME_EXCHANGE),
    XIP_NAMED(RENAME_WHITEOUT),
    XIP_NAMED(RESOLVE_BENEATH),
    XIP_NAMED(RESOLVE_IN_ROOT),
    XIP_NAMED(RESOLVE_NO_SYMLINKS),
    XIP_NAMED(RESOLVE_NO_MAGICLINKS),
    XIP_NAMED(RESOLVE_NO_XDEV),
    XIP_NAMED(RESOLVE_CACHED),
    XIP_NAMED(S_IFREG),
    XIP_NAMED(S_IFDIR),
    XIP_NAMED(S_IFLNK),
    XIP_NAMED(S_IFIFO),
    XIP_NAMED(S_IFSOCK),
    XIP_NAMED(S_IFCHR),
    XIP_NAMED(S_IFBLK),
    XIP_NAMED(SEEK_SET),
    XIP_NAMED(SEEK_CUR),
    XIP_NAMED(SEEK_END),
    XIP_NAMED(SEEK_DATA),
    XIP_NAMED(SEEK_HOLE),
    XIP_NAMED(R_OK),
    XIP_NAMED(W_OK),
    XIP_NAMED(X_OK),
    XIP_NAMED(F_OK),
    XIP_NAMED(F_GETLK),
    XIP_NAMED(F_SETLK),
    XIP_NAMED(F_OFD_GETLK),
    XIP_NAMED(F_OFD_SETLK),
    XIP_NAMED(F_RDLCK),
    XIP_NAMED(F_WRLCK),
    XIP_NAMED(F_UNLCK),
    XIP_NAMED(F_GETFL),
    XIP_NAMED(F_SETFL),
    XIP_NAMED(F_GETFD),
    XIP_NAMED(F_SETFD),
    XIP_NAMED(FD_CLOEXEC),
    XIP_NAMED(LOCK_SH),
    XIP_NAMED(LOCK_EX),
    XIP_NAMED(LOCK_UN),
    XIP_NAMED(LOCK_NB),
    XIP_NAMED(FS_IMMUTABLE_FL),
    XIP_NAMED(FS_APPEND_FL),
    XIP_NAMED(FS_NOATIME_FL),
    XIP_NAMED(FS_NODUMP_FL),
    XIP_NAMED(FS_SYNC_FL),
    XIP_NAMED(FS_DIRSYNC_FL),
    XIP_NAMED(FS_TOPDIR_FL),
    XIP_NAMED(FS_EXTENT_FL),
    XIP_NAMED(FS_INDEX_FL),
    XIP_NAMED(FS_JOURNAL_DATA_FL),
    XIP_NAMED(FS_SECRM_FL),
    XIP_NAMED(FS_COMPR_FL),
    XIP_NAMED(FS_PROJINHERIT_FL),
    XIP_NAMED(FS_CASEFOLD_FL),
    XIP_NAMED(FS_VERITY_FL),
    XIP_NAMED(FS_ENCRYPT_FL),
    XIP_NAMED(FS_XFLAG_IMMUTABLE),
    XIP_NAMED(FS_XFLAG_APPEND),
    XIP_NAMED(FS_XFLAG_NOATIME),
    XIP_NAMED(FS_XFLAG_NODUMP),
    XIP_NAMED(FS_XFLAG_SYNC),
    XIP_NAMED(FS_XFLAG_EXTSIZE),
    XIP_NAMED(FALLOC_FL_KEEP_SIZE),
    XIP_NAMED(FALLOC_FL_PUNCH_HOLE),
    XIP_NAMED(FALLOC_FL_ZERO_RANGE),
    XIP_NAMED(FALLOC_FL_COLLAPSE_RANGE),
    XIP_NAMED(FALLOC_FL_INSERT_RANGE),
    XIP_NAMED(FALLOC_FL_UNSHARE_RANGE),
    XIP_NAMED(CAP_CHOWN),
    XIP_NAMED(CAP_DAC_OVERRIDE),
    XIP_NAMED(CAP_DAC_READ_SEARCH),
    XIP_NAMED(CAP_FOWNER),
    XIP_NAMED(CAP_FSETID),
    XIP_NAMED(CAP_MKNOD),
    XIP_NAMED(CAP_LINUX_IMMUTABLE),
    XIP_NAMED(CAP_SYS_RESOURCE),
    XIP_NAMED(CAP_SYS_ADMIN),
    XIP_NAMED(CAP_SETFCAP),
    XIP_NAMED(AT_NO_AUTOMOUNT),
    XIP_NAMED(AT_STATX_FORCE_SYNC),
    XIP_NAMED(AT_STATX_DONT_SYNC),
    XIP_NAMED(STATX_SIZE),
    XIP_NAMED(STATX_BTIME),
    XIP_NAMED(STATX_BASIC_STATS),
    XIP_NAMED(RWF_HIPRI),
    XIP_NAMED(RWF_DSYNC),
    XIP_NAMED(RWF_SYNC),
    XIP_NAMED(RWF_NOWAIT),
    XIP_NAMED(RWF_APPEND),
    XIP_NAMED(FS_IOC_SETVERSION),
    XIP_NAMED(XATTR_CREATE),
    XIP_NAMED(XATTR_REPLACE),
};
#undef XIP_NAMED

}  // namespace

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t end = std::min(text.find(at, from), text.size());
    parts.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return parts;
}

std::uint64_t value_of(const std::string& word) {
  const auto* known = std::ranges::find(names, word, &named_value::name);
  if (known != std::end(names)) return known->value;
  std::size_t used = 0;
  const auto value = static_cast<std::uint64_t>(std::stoll(word, &used, 0));
  if (used != word.size()) throw std::runtime_error{"no number: " + word};
  return value;
}

std::uint64_t flags_of(const std::string& word) {
  std::uint64_t flags = 0;
  for (const std::string& part : split(word, '|')) flags |= value_of(part);
  return flags;
}

std::string errno_name(long number) {
  const char* name = ::strerrorname_np(static_cast<int>(number));
  return name == nullptr ? std::to_string(number) : std::string_view{name} == "EWOULDBLOCK" ? "EAGAIN" : name;
}

std::string type_name(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "reg";
    case S_IFDIR:
      return "dir";
    case S_IFLNK:
      return "lnk";
    case S_IFIFO:
      return "fifo";
    case S_IFSOCK:
      return "sock";
    case S_IFCHR:
      return "chr";
    default:
      return "blk";
  }
}

std::string octal(std::uint32_t bits) {
  char text[16];
  std::snprintf(text, sizeof text, "%04o", bits);
  return text;
}

std::string hexadecimal(std::uint64_t bits) {
  char text[24];
  std::snprintf(text, sizeof text, "%#llx", static_cast<unsigned long long>(bits));
  return text;
}

std::string names_of(std::uint64_t bits, std::span<const named_value> known, char between) {
  std::string text;
  const auto add = [&](const std::string& name) { (text += text.empty() ? "" : std::string{between}) += name; };
  for (const named_value& n : known)
    if ((bits & n.value) != 0) add(std::string{n.name});
  for (const named_value& n : known) bits &= ~n.value;
  if (bits != 0) add(hexadecimal(bits));
  return text.empty() ? "-" : text;
}

std::string bytes_to_word(const std::string& bytes) {
  constexpr std::size_t few = 8;
  std::string text;
  for (std::size_t at = 0; at < bytes.size();) {
    const char c = bytes[at];
    const std::size_t run = std::min(bytes.find_first_not_of(c, at), bytes.size()) - at;
    if (c == 0)
      text += "{zero*" + std::to_string(run) + '}';
    else if (run < few)
      text.append(run, c);
    else
      text += std::string{'{'} + c + '*' + std::to_string(run) + '}';
    at += run;
  }
  return text;
}

}  // namespace xip::posix
