// The words of a table's lines, and what they call. One entry a call; see README.md.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <stdexcept>

#include <dirent.h>
#include <linux/capability.h>
#include <linux/falloc.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "posix/acl_text.h"
#include "posix/table.h"
#include "posix/world.h"

namespace xip::posix {

namespace {

// ---- words --------------------------------------------------------------------------------------------------------------------------------

struct named_value {
  std::string_view name;
  std::uint64_t value;
};
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
    XIP_NAMED(XATTR_CREATE),
    XIP_NAMED(XATTR_REPLACE),
};
#undef XIP_NAMED

[[nodiscard]] std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t end = std::min(text.find(at, from), text.size());
    parts.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return parts;
}

// 0x..., 0 and octal digits, decimal, or a name.
[[nodiscard]] std::uint64_t value_of(const std::string& word) {
  const auto* known = std::ranges::find(names, word, &named_value::name);
  if (known != std::end(names)) return known->value;
  std::size_t used = 0;
  const auto value = static_cast<std::uint64_t>(std::stoll(word, &used, 0));
  if (used != word.size()) throw std::runtime_error{"no number: " + word};
  return value;
}
// A|B|017
[[nodiscard]] std::uint64_t flags_of(const std::string& word) {
  std::uint64_t flags = 0;
  for (const std::string& part : split(word, '|')) flags |= value_of(part);
  return flags;
}

[[nodiscard]] std::string errno_name(long number) {
  const char* name = ::strerrorname_np(static_cast<int>(number));
  return name == nullptr ? std::to_string(number) : std::string_view{name} == "EWOULDBLOCK" ? "EAGAIN" : name;
}

[[nodiscard]] std::string type_name(std::uint32_t mode) {
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

[[nodiscard]] std::string octal(std::uint32_t bits) {
  char text[16];
  std::snprintf(text, sizeof text, "%04o", bits);
  return text;
}

[[nodiscard]] std::string text_of(const attributes& a) {
  std::string text = type_name(a.mode) + ' ' + octal(a.mode & 07777) + " n" + std::to_string(a.nlink) + ' ' + std::to_string(a.uid) + ':' +
                     std::to_string(a.gid) + " s" + std::to_string(a.size);
  if (S_ISCHR(a.mode) || S_ISBLK(a.mode)) text += " d" + std::to_string(major(a.rdev)) + ':' + std::to_string(minor(a.rdev));
  return text;
}

// ---- a case under way -----------------------------------------------------------------------------------------------------------------------

struct outcome {
  long returned = 0;
  std::string text;  // instead of 0
};

class runner {
 public:
  runner(world& w, std::string directory) : w_{w}, directory_{std::move(directory)} {
    w_.become({});
    (void)w_.mkdirat(AT_FDCWD, directory_, 0755);
    (void)w_.fchmodat(AT_FDCWD, directory_, 0777, 0);
    (void)w_.chdir(directory_);
  }

  [[nodiscard]] std::string run(const table_line& line);

 private:
  using words = std::vector<std::string>;
  struct call {
    std::size_t least;
    std::function<outcome(runner&, const words&)> make;
  };
  [[nodiscard]] static const std::map<std::string, call>& calls();
  static void add_opens(std::map<std::string, call>& all);
  static void add_names(std::map<std::string, call>& all);
  static void add_attributes(std::map<std::string, call>& all);
  static void add_times_and_sizes(std::map<std::string, call>& all);
  static void add_descriptors(std::map<std::string, call>& all);
  static void add_locks_and_flags(std::map<std::string, call>& all);
  static void add_xattrs(std::map<std::string, call>& all);
  static void add_acls(std::map<std::string, call>& all);

  [[nodiscard]] std::string path(const std::string& word) const { return word.starts_with("$C") ? directory_ + word.substr(2) : word; }
  // A descriptor's name, cwd, or a number.
  [[nodiscard]] int fd(const std::string& word) const {
    if (word == "cwd") return AT_FDCWD;
    if (const auto known = fds_.find(word); known != fds_.end()) return known->second;
    return static_cast<int>(value_of(word));
  }
  [[nodiscard]] outcome keep(const std::string& name, long opened) {
    fds_[name] = opened < 0 ? -1 : static_cast<int>(opened);
    return {opened < 0 ? opened : 0, {}};
  }
  [[nodiscard]] static std::string word(const words& w, std::size_t i, const char* otherwise) { return i < w.size() ? w[i] : otherwise; }

  [[nodiscard]] outcome put(const words& w);
  [[nodiscard]] outcome list(int descriptor);
  [[nodiscard]] outcome stat(int dir, const std::string& name, int flags);
  [[nodiscard]] outcome lock(const words& w);
  // What the first word of a call named with this letter in front (f, l, or none) means.
  [[nodiscard]] xattr_subject subject(char kind, const std::string& word) const {
    return kind == 'f' ? xattr_subject{fd(word), {}, true} : xattr_subject{-1, path(word), kind != 'l'};
  }
  void become(const words& w);
  [[nodiscard]] std::vector<std::optional<attributes>> look() const;
  [[nodiscard]] std::string moved(const std::vector<std::optional<attributes>>& before) const;

  world& w_;
  std::string directory_;
  std::map<std::string, int> fds_;
  words watched_;
};

// ---- watched times

std::vector<std::optional<attributes>> runner::look() const {
  std::vector<std::optional<attributes>> all;
  for (const std::string& name : watched_) {
    attributes a;
    all.push_back(w_.fstatat(AT_FDCWD, path(name), AT_SYMLINK_NOFOLLOW, a) == 0 ? std::optional{a} : std::nullopt);
  }
  return all;
}

std::string runner::moved(const std::vector<std::optional<attributes>>& before) const {
  const auto after = look();
  std::string text;
  for (std::size_t i = 0; i < watched_.size(); ++i) {
    if (!before[i] || !after[i]) continue;
    std::string which;
    if (before[i]->atime != after[i]->atime) which += 'a';
    if (before[i]->mtime != after[i]->mtime) which += 'm';
    if (before[i]->ctime != after[i]->ctime) which += 'c';
    if (!which.empty()) text += ' ' + watched_[i] + '~' + which;
  }
  return text;
}

std::string runner::run(const table_line& line) {
  const std::string& name = line.words.at(0);
  const words arguments{line.words.begin() + 1, line.words.end()};
  if (name == "watch") {
    watched_ = arguments;
    return {};
  }
  if (name == "as") {
    become(arguments);
    return {};
  }
  const auto known = calls().find(name);
  if (known == calls().end() || arguments.size() < known->second.least)
    throw std::runtime_error{"line " + std::to_string(line.number) + ": no such call, or too few words: " + name};
  std::vector<std::optional<attributes>> before;
  if (!watched_.empty()) {
    w_.tick();
    before = look();
    w_.tick();
  }
  const outcome o = known->second.make(*this, arguments);
  const std::string text = o.returned < 0 ? errno_name(-o.returned) : o.text.empty() ? std::to_string(o.returned) : o.text;
  return watched_.empty() ? text : text + moved(before);
}

// ---- calls of several steps

// NAME [TEXT [MODE]]: a file with this text, closed again.
outcome runner::put(const words& w) {
  const long opened = w_.openat(AT_FDCWD, path(w[0]), O_CREAT | O_WRONLY | O_TRUNC, static_cast<unsigned>(value_of(word(w, 2, "0644"))));
  if (opened < 0) return {opened, {}};
  const std::string text = word(w, 1, "");
  const long written = text.empty() ? 0 : w_.write(static_cast<int>(opened), text);
  (void)w_.close(static_cast<int>(opened));
  return {written < 0 ? written : 0, {}};
}

// All names from the position on, sorted, with their types.
outcome runner::list(int descriptor) {
  std::vector<listed> all;
  for (;;) {
    const std::size_t before = all.size();
    const long done = w_.getdents(descriptor, all);
    if (done < 0) return {done, {}};
    if (all.size() == before) break;
  }
  std::vector<std::string> lines;
  for (const listed& l : all) lines.push_back(l.name + ':' + (l.type == DT_UNKNOWN ? "unknown" : type_name(DTTOIF(l.type))));
  std::ranges::sort(lines);
  std::string text = "-";
  for (const std::string& l : lines) text += ' ' + l;
  return {0, text};
}

outcome runner::stat(int dir, const std::string& name, int flags) {
  attributes a;
  const long done = w_.fstatat(dir, name, flags, a);
  return {done, done < 0 ? "" : text_of(a)};
}

// FD COMMAND TYPE WHENCE START LENGTH [PID]
outcome runner::lock(const words& w) {
  struct flock l{};
  l.l_type = static_cast<short>(value_of(w[2]));
  l.l_whence = static_cast<short>(value_of(w[3]));
  l.l_start = static_cast<std::int64_t>(value_of(w[4]));
  l.l_len = static_cast<std::int64_t>(value_of(w[5]));
  l.l_pid = static_cast<pid_t>(value_of(word(w, 6, "0")));
  const int command = static_cast<int>(value_of(w[1]));
  const long done = w_.lock(fd(w[0]), command, l);
  if (done < 0 || (command != F_GETLK && command != F_OFD_GETLK)) return {done, {}};
  const std::string type = l.l_type == F_UNLCK ? "F_UNLCK" : l.l_type == F_WRLCK ? "F_WRLCK" : "F_RDLCK";
  std::string text = type + ' ' + std::to_string(l.l_whence) + ' ' + std::to_string(l.l_start) + ' ' + std::to_string(l.l_len);
  if (l.l_type != F_UNLCK) text += l.l_pid == -1 ? " of-file" : " of-process";
  return {0, text};
}

// UID:GID[:GROUP,GROUP] [caps=A,B] [real=UID:GID]
void runner::become(const words& w) {
  identity who;
  const auto ids = split(w.at(0), ':');
  who.uid = static_cast<std::uint32_t>(value_of(ids.at(0)));
  who.gid = static_cast<std::uint32_t>(value_of(ids.at(1)));
  if (ids.size() > 2)
    for (const std::string& g : split(ids[2], ',')) who.groups.push_back(static_cast<std::uint32_t>(value_of(g)));
  for (std::size_t i = 1; i < w.size(); ++i) {
    if (w[i].starts_with("caps=")) {
      std::uint64_t set = 0;
      for (const std::string& c : split(w[i].substr(5), ','))
        if (!c.empty()) set |= std::uint64_t{1} << value_of("CAP_" + c);
      who.capabilities = set;
    } else if (w[i].starts_with("real=")) {
      const auto real = split(w[i].substr(5), ':');
      who.real_uid = static_cast<std::uint32_t>(value_of(real.at(0)));
      who.real_gid = static_cast<std::uint32_t>(value_of(real.at(1)));
    } else {
      throw std::runtime_error{"as: " + w[i]};
    }
  }
  w_.become(who);
}

// ---- the calls, one entry each --------------------------------------------------------------------------------------------------------------

[[nodiscard]] int number(const std::string& word) { return static_cast<int>(flags_of(word)); }
[[nodiscard]] unsigned bits(const std::string& word) { return static_cast<unsigned>(flags_of(word)); }
[[nodiscard]] std::uint32_t id(const std::string& word) { return static_cast<std::uint32_t>(value_of(word)); }
[[nodiscard]] std::int64_t length(const std::string& word) { return static_cast<std::int64_t>(value_of(word)); }
[[nodiscard]] outcome plain(long returned) { return {returned, {}}; }
[[nodiscard]] outcome only_success(long returned) { return {returned < 0 ? returned : 0, {}}; }

[[nodiscard]] std::uint64_t device(const std::string& word) {
  const auto parts = split(word, ':');
  return makedev(static_cast<unsigned>(value_of(parts.at(0))), static_cast<unsigned>(value_of(parts.at(1))));
}

// now, omit, bad, or seconds.
[[nodiscard]] std::optional<time_pair> times(const std::string& atime, const std::string& mtime) {
  if (atime == "null") return std::nullopt;
  time_pair t;
  const std::string words[] = {atime, mtime};
  for (int i : {0, 1}) {
    if (words[i] == "now")
      t.nanoseconds[i] = UTIME_NOW;
    else if (words[i] == "omit")
      t.nanoseconds[i] = UTIME_OMIT;
    else if (words[i] == "bad")
      t.nanoseconds[i] = 1'000'000'000;
    else
      t.seconds[i] = length(words[i]);
  }
  return t;
}

void runner::add_opens(std::map<std::string, call>& all) {
  all["put"] = {1, [](runner& r, const words& w) { return r.put(w); }};
  all["open"] = {
      3, [](runner& r, const words& w) { return r.keep(w[0], r.w_.openat(AT_FDCWD, r.path(w[1]), number(w[2]), bits(word(w, 3, "0")))); }};
  all["openat"] = {4, [](runner& r, const words& w) {
                     return r.keep(w[1], r.w_.openat(r.fd(w[0]), r.path(w[2]), number(w[3]), bits(word(w, 4, "0"))));
                   }};
  all["openat2"] = {6, [](runner& r, const words& w) {
                      return r.keep(w[1], r.w_.openat2(r.fd(w[0]), r.path(w[2]), flags_of(w[3]), flags_of(w[4]), flags_of(w[5])));
                    }};
  all["close"] = {1, [](runner& r, const words& w) { return plain(r.w_.close(r.fd(w[0]))); }};
  all["dup"] = {2, [](runner& r, const words& w) { return r.keep(w[0], r.w_.dup(r.fd(w[1]))); }};
  all["chdir"] = {1, [](runner& r, const words& w) { return plain(r.w_.chdir(r.path(w[0]))); }};
  all["fchdir"] = {1, [](runner& r, const words& w) { return plain(r.w_.fchdir(r.fd(w[0]))); }};
  all["getcwd"] = {0, [](runner& r, const words&) {
                     std::string text;
                     const long done = r.w_.getcwd(text);
                     if (text.starts_with(r.directory_)) text = "$C" + text.substr(r.directory_.size());
                     return outcome{done, text};
                   }};
  all["umask"] = {1, [](runner& r, const words& w) { return outcome{0, octal(static_cast<std::uint32_t>(r.w_.umask(bits(w[0]))))}; }};
}

void runner::add_names(std::map<std::string, call>& all) {
  all["mkdir"] = {2, [](runner& r, const words& w) { return plain(r.w_.mkdirat(AT_FDCWD, r.path(w[0]), bits(w[1]))); }};
  all["mkdirat"] = {3, [](runner& r, const words& w) { return plain(r.w_.mkdirat(r.fd(w[0]), r.path(w[1]), bits(w[2]))); }};
  all["rmdir"] = {1, [](runner& r, const words& w) { return plain(r.w_.unlinkat(AT_FDCWD, r.path(w[0]), AT_REMOVEDIR)); }};
  all["unlink"] = {1, [](runner& r, const words& w) { return plain(r.w_.unlinkat(AT_FDCWD, r.path(w[0]), 0)); }};
  all["unlinkat"] = {3, [](runner& r, const words& w) { return plain(r.w_.unlinkat(r.fd(w[0]), r.path(w[1]), number(w[2]))); }};
  all["symlink"] = {2, [](runner& r, const words& w) { return plain(r.w_.symlinkat(r.path(w[0]), AT_FDCWD, r.path(w[1]))); }};
  all["symlinkat"] = {3, [](runner& r, const words& w) { return plain(r.w_.symlinkat(r.path(w[0]), r.fd(w[1]), r.path(w[2]))); }};
  all["link"] = {2, [](runner& r, const words& w) { return plain(r.w_.linkat(AT_FDCWD, r.path(w[0]), AT_FDCWD, r.path(w[1]), 0)); }};
  all["linkat"] = {
      5, [](runner& r, const words& w) { return plain(r.w_.linkat(r.fd(w[0]), r.path(w[1]), r.fd(w[2]), r.path(w[3]), number(w[4]))); }};
  all["rename"] = {2, [](runner& r, const words& w) { return plain(r.w_.renameat2(AT_FDCWD, r.path(w[0]), AT_FDCWD, r.path(w[1]), 0)); }};
  all["rename2"] = {
      3, [](runner& r, const words& w) { return plain(r.w_.renameat2(AT_FDCWD, r.path(w[0]), AT_FDCWD, r.path(w[1]), bits(w[2]))); }};
  all["renameat2"] = {
      5, [](runner& r, const words& w) { return plain(r.w_.renameat2(r.fd(w[0]), r.path(w[1]), r.fd(w[2]), r.path(w[3]), bits(w[4]))); }};
  all["mknod"] = {3, [](runner& r, const words& w) { return plain(r.w_.mknodat(AT_FDCWD, r.path(w[0]), bits(w[1]), device(w[2]))); }};
  all["readlink"] = {1, [](runner& r, const words& w) {
                       std::string text;
                       const long done = r.w_.readlinkat(AT_FDCWD, r.path(w[0]), text);
                       return outcome{done, text.size() > 64 ? std::to_string(text.size()) + " bytes" : text};
                     }};
  all["readlinkat"] = {2, [](runner& r, const words& w) {
                         std::string text;
                         const long done = r.w_.readlinkat(r.fd(w[0]), r.path(w[1]), text);
                         return outcome{done, text};
                       }};
  all["ls"] = {1, [](runner& r, const words& w) { return r.list(r.fd(w[0])); }};
}

void runner::add_attributes(std::map<std::string, call>& all) {
  all["stat"] = {1, [](runner& r, const words& w) { return r.stat(AT_FDCWD, r.path(w[0]), 0); }};
  all["lstat"] = {1, [](runner& r, const words& w) { return r.stat(AT_FDCWD, r.path(w[0]), AT_SYMLINK_NOFOLLOW); }};
  all["fstat"] = {1, [](runner& r, const words& w) { return r.stat(r.fd(w[0]), "", AT_EMPTY_PATH); }};
  all["statat"] = {3, [](runner& r, const words& w) { return r.stat(r.fd(w[0]), r.path(w[1]), number(w[2])); }};
  all["access"] = {2, [](runner& r, const words& w) { return plain(r.w_.faccessat(AT_FDCWD, r.path(w[0]), number(w[1]), 0)); }};
  all["faccessat"] = {
      4, [](runner& r, const words& w) { return plain(r.w_.faccessat(r.fd(w[0]), r.path(w[1]), number(w[2]), number(w[3]))); }};
  all["chmod"] = {2, [](runner& r, const words& w) { return plain(r.w_.fchmodat(AT_FDCWD, r.path(w[0]), bits(w[1]), 0)); }};
  all["fchmod"] = {2, [](runner& r, const words& w) { return plain(r.w_.fchmod(r.fd(w[0]), bits(w[1]))); }};
  all["fchmodat"] = {4, [](runner& r, const words& w) { return plain(r.w_.fchmodat(r.fd(w[0]), r.path(w[1]), bits(w[2]), number(w[3]))); }};
  all["chown"] = {3, [](runner& r, const words& w) { return plain(r.w_.fchownat(AT_FDCWD, r.path(w[0]), id(w[1]), id(w[2]), 0)); }};
  all["lchown"] = {
      3, [](runner& r, const words& w) { return plain(r.w_.fchownat(AT_FDCWD, r.path(w[0]), id(w[1]), id(w[2]), AT_SYMLINK_NOFOLLOW)); }};
  all["fchown"] = {3, [](runner& r, const words& w) { return plain(r.w_.fchown(r.fd(w[0]), id(w[1]), id(w[2]))); }};
  all["fchownat"] = {
      5, [](runner& r, const words& w) { return plain(r.w_.fchownat(r.fd(w[0]), r.path(w[1]), id(w[2]), id(w[3]), number(w[4]))); }};
}

void runner::add_times_and_sizes(std::map<std::string, call>& all) {
  all["utimens"] = {3, [](runner& r, const words& w) {
                      const auto t = times(w[1], w[2]);
                      return plain(r.w_.utimensat(AT_FDCWD, r.path(w[0]), t ? &*t : nullptr, 0));
                    }};
  all["utimensat"] = {5, [](runner& r, const words& w) {
                        const auto t = times(w[2], w[3]);
                        return plain(r.w_.utimensat(r.fd(w[0]), r.path(w[1]), t ? &*t : nullptr, number(w[4])));
                      }};
  all["futimens"] = {3, [](runner& r, const words& w) {
                       const auto t = times(w[1], w[2]);
                       return plain(r.w_.futimens(r.fd(w[0]), t ? &*t : nullptr));
                     }};
  // The times in seconds, after utimens.
  all["times"] = {1, [](runner& r, const words& w) {
                    attributes a;
                    const long done = r.w_.fstatat(AT_FDCWD, r.path(w[0]), AT_SYMLINK_NOFOLLOW, a);
                    return outcome{done, std::to_string(a.atime.seconds) + ' ' + std::to_string(a.mtime.seconds)};
                  }};
  all["truncate"] = {2, [](runner& r, const words& w) { return plain(r.w_.truncate(r.path(w[0]), length(w[1]))); }};
  all["ftruncate"] = {2, [](runner& r, const words& w) { return plain(r.w_.ftruncate(r.fd(w[0]), length(w[1]))); }};
  all["fallocate"] = {
      4, [](runner& r, const words& w) { return plain(r.w_.fallocate(r.fd(w[0]), number(w[1]), length(w[2]), length(w[3]))); }};
}

void runner::add_descriptors(std::map<std::string, call>& all) {
  all["write"] = {2, [](runner& r, const words& w) { return plain(r.w_.write(r.fd(w[0]), w[1])); }};
  all["read"] = {2, [](runner& r, const words& w) {
                   std::string text;
                   const long done = r.w_.read(r.fd(w[0]), static_cast<std::size_t>(value_of(w[1])), text);
                   return outcome{done, done > 0 ? text : ""};
                 }};
  all["lseek"] = {3, [](runner& r, const words& w) { return plain(r.w_.lseek(r.fd(w[0]), length(w[1]), number(w[2]))); }};
  all["fsync"] = {1, [](runner& r, const words& w) { return plain(r.w_.fsync(r.fd(w[0]))); }};
  all["fcntl"] = {2, [](runner& r, const words& w) {
                    const long done = r.w_.fcntl(r.fd(w[0]), number(w[1]), static_cast<long>(flags_of(word(w, 2, "0"))));
                    return number(w[1]) == F_GETFL && done >= 0 ? outcome{0, octal(static_cast<std::uint32_t>(done))} : plain(done);
                  }};
}

void runner::add_locks_and_flags(std::map<std::string, call>& all) {
  all["lock"] = {6, [](runner& r, const words& w) { return r.lock(w); }};
  all["flock"] = {2, [](runner& r, const words& w) { return plain(r.w_.flock(r.fd(w[0]), number(w[1]))); }};
  all["getflags"] = {1, [](runner& r, const words& w) {
                       unsigned flags = 0;
                       const long done = r.w_.ioctl(r.fd(w[0]), FS_IOC_GETFLAGS, &flags);
                       char text[16];
                       std::snprintf(text, sizeof text, "%#x", flags);
                       return outcome{done, text};
                     }};
  // What is there, and these besides; or without them (clearflags).
  const auto change = [](runner& r, const words& w, bool sets) -> outcome {
    unsigned flags = 0;
    if (const long done = r.w_.ioctl(r.fd(w[0]), FS_IOC_GETFLAGS, &flags); done < 0) return plain(done);
    flags = sets ? flags | bits(w[1]) : flags & ~bits(w[1]);
    return only_success(r.w_.ioctl(r.fd(w[0]), FS_IOC_SETFLAGS, &flags));
  };
  all["setflags"] = {2, [change](runner& r, const words& w) { return change(r, w, true); }};
  all["clearflags"] = {2, [change](runner& r, const words& w) { return change(r, w, false); }};
  all["getxflags"] = {1, [](runner& r, const words& w) {
                        fsxattr x{};
                        const long done = r.w_.ioctl(r.fd(w[0]), FS_IOC_FSGETXATTR, &x);
                        return outcome{done, std::to_string(x.fsx_xflags) + ' ' + std::to_string(x.fsx_projid)};
                      }};
  all["setxflags"] = {2, [](runner& r, const words& w) {
                        fsxattr x{};
                        x.fsx_xflags = bits(w[1]);
                        x.fsx_projid = bits(word(w, 2, "0"));
                        return only_success(r.w_.ioctl(r.fd(w[0]), FS_IOC_FSSETXATTR, &x));
                      }};
  all["ioctl"] = {2, [](runner& r, const words& w) {
                    unsigned long room[64] = {};
                    return only_success(r.w_.ioctl(r.fd(w[0]), value_of(w[1]), room));
                  }};
}

void runner::add_xattrs(std::map<std::string, call>& all) {
  for (const char kind : {' ', 'l', 'f'}) {
    const auto called = [kind](const char* name) { return kind == ' ' ? name : kind + std::string{name}; };
    all[called("setxattr")] = {3, [kind](runner& r, const words& w) {
                                 return plain(r.w_.setxattr(r.subject(kind, w[0]), w[1], value_from_word(w[2]), number(word(w, 3, "0"))));
                               }};
    // OF NAME [ROOM]: the value, or its size where ROOM is 0.
    all[called("getxattr")] = {2, [kind](runner& r, const words& w) {
                                 std::string value;
                                 const auto room = static_cast<std::size_t>(value_of(word(w, 2, "65536")));
                                 const long done = r.w_.getxattr(r.subject(kind, w[0]), w[1], room, value);
                                 if (done <= 0 || room == 0) return plain(done);
                                 return outcome{done, value_to_word(value.substr(0, static_cast<std::size_t>(done)))};
                               }};
    all[called("listxattr")] = {1, [kind](runner& r, const words& w) {
                                  std::string text;
                                  const auto room = static_cast<std::size_t>(value_of(word(w, 1, "65536")));
                                  const long done = r.w_.listxattr(r.subject(kind, w[0]), room, text);
                                  if (done <= 0 || room == 0) return plain(done);
                                  auto all_names = split(text.substr(0, static_cast<std::size_t>(done) - 1), '\0');
                                  std::ranges::sort(all_names);
                                  std::string sorted = "-";
                                  for (const std::string& name : all_names) sorted += ' ' + name;
                                  return outcome{done, sorted};
                                }};
    all[called("removexattr")] = {2, [kind](runner& r, const words& w) { return plain(r.w_.removexattr(r.subject(kind, w[0]), w[1])); }};
  }
}

// Access control lists, and default ones of directories: u::6,u:1000:7,g::4,m::6,o::0
void runner::add_acls(std::map<std::string, call>& all) {
  for (const char* which : {"acl", "defacl"}) {
    const std::string name = std::string{which} == "acl" ? "system.posix_acl_access" : "system.posix_acl_default";
    all[std::string{"set"} + which] = {
        2, [name](runner& r, const words& w) { return plain(r.w_.setxattr(r.subject(' ', w[0]), name, acl_from_word(w[1]), 0)); }};
    all[std::string{"get"} + which] = {1, [name](runner& r, const words& w) {
                                         std::string value;
                                         const long done = r.w_.getxattr(r.subject(' ', w[0]), name, 65536, value);
                                         if (done <= 0) return plain(done);
                                         return outcome{done, acl_to_word(value.substr(0, static_cast<std::size_t>(done)))};
                                       }};
    all[std::string{"rm"} + which] = {1, [name](runner& r, const words& w) { return plain(r.w_.removexattr(r.subject(' ', w[0]), name)); }};
  }
}

const std::map<std::string, runner::call>& runner::calls() {
  static const std::map<std::string, call> all = [] {
    std::map<std::string, call> made;
    add_opens(made);
    add_names(made);
    add_attributes(made);
    add_times_and_sizes(made);
    add_descriptors(made);
    add_locks_and_flags(made);
    add_xattrs(made);
    add_acls(made);
    return made;
  }();
  return all;
}

}  // namespace

std::vector<std::string> run_case(world& w, const table_case& c, const std::string& directory) {
  runner r{w, directory};
  std::vector<std::string> answers;
  for (const table_line& line : c.lines) answers.push_back(r.run(line));
  return answers;
}

}  // namespace xip::posix
