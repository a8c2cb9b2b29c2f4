// The words of a table's lines, and what they call. One entry a call; see README.md.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <stdexcept>

#include <dirent.h>
#include <linux/fiemap.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "posix/acl_text.h"
#include "posix/table.h"
#include "posix/words.h"
#include "posix/world.h"

namespace xip::posix {

namespace {

// ---- answers -------------------------------------------------------------------------------------------------------------------------------

[[nodiscard]] std::string text_of(const attributes& a) {
  std::string text = type_name(a.mode) + ' ' + octal(a.mode & 07777) + " n" + std::to_string(a.nlink) + ' ' + std::to_string(a.uid) + ':' +
                     std::to_string(a.gid) + " s" + std::to_string(a.size);
  if (S_ISCHR(a.mode) || S_ISBLK(a.mode)) text += " d" + std::to_string(major(a.rdev)) + ':' + std::to_string(minor(a.rdev));
  return text;
}

constexpr named_value attribute_names[] = {
    {"COMPRESSED", STATX_ATTR_COMPRESSED}, {"IMMUTABLE", STATX_ATTR_IMMUTABLE}, {"APPEND", STATX_ATTR_APPEND},
    {"NODUMP", STATX_ATTR_NODUMP},         {"ENCRYPTED", STATX_ATTR_ENCRYPTED}, {"AUTOMOUNT", STATX_ATTR_AUTOMOUNT},
    {"MOUNT_ROOT", STATX_ATTR_MOUNT_ROOT}, {"VERITY", STATX_ATTR_VERITY},       {"DAX", STATX_ATTR_DAX},
};
constexpr named_value extent_names[] = {
    {"LAST", FIEMAP_EXTENT_LAST},           {"UNKNOWN", FIEMAP_EXTENT_UNKNOWN}, {"DELALLOC", FIEMAP_EXTENT_DELALLOC},
    {"UNWRITTEN", FIEMAP_EXTENT_UNWRITTEN}, {"MERGED", FIEMAP_EXTENT_MERGED},
};

// "kept": blocks that are free, and not for everybody. How many blocks there are depends on who made the image.
[[nodiscard]] std::string text_of(const space& s) {
  return "type " + hexadecimal(s.type) + " bsize " + std::to_string(s.bsize) + " frsize " + std::to_string(s.frsize) + " namelen " +
         std::to_string(s.namelen) + " flags " + hexadecimal(s.flags) + (s.fsid != 0 ? " fsid" : " no fsid") + " kept " +
         std::to_string(s.bfree - s.bavail) + " files " + std::to_string(s.files);
}

[[nodiscard]] std::string signed_text(std::uint64_t now, std::uint64_t before) {
  const auto change = static_cast<std::int64_t>(now - before);
  return (change < 0 ? "" : "+") + std::to_string(change);
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
  static void add_contents(std::map<std::string, call>& all);
  static void add_descriptions(std::map<std::string, call>& all);
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
  [[nodiscard]] outcome extents(int descriptor, std::int64_t start, std::uint64_t length);
  [[nodiscard]] outcome room(const std::string& name);
  [[nodiscard]] outcome version(int descriptor);
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
  std::optional<space> room_;               // when it was first asked for
  std::vector<std::uint32_t> generations_;  // in the order in which they were met
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

// Each as PLACE+LENGTH:FLAGS.
outcome runner::extents(int descriptor, std::int64_t start, std::uint64_t length) {
  std::vector<stretch> all;
  const long done = w_.fiemap(descriptor, start, length, all);
  std::string text = "-";
  for (const stretch& s : all)
    text += ' ' + std::to_string(s.logical) + '+' + std::to_string(s.length) + ':' + names_of(s.flags, extent_names, ',');
  return {done, text};
}

// How many blocks and inodes are free, counted from when the case has asked for the first time.
outcome runner::room(const std::string& name) {
  space now;
  const long done = w_.statfs(path(name), now);
  if (done < 0) return {done, {}};
  if (!room_) room_ = now;
  return {0, "free " + signed_text(now.bfree, room_->bfree) + " available " + signed_text(now.bavail, room_->bavail) + " inodes " +
                 signed_text(now.ffree, room_->ffree)};
}

// Generations are numbers by chance: the first that a case has met is v1, the next v2.
outcome runner::version(int descriptor) {
  std::uint32_t answered[2] = {};  // of the 8 bytes that the call's number speaks of, 4 are written
  const long done = w_.ioctl(descriptor, FS_IOC_GETVERSION, answered);
  if (done < 0) return {done, {}};
  const auto known = std::ranges::find(generations_, answered[0]);
  const auto place = known - generations_.begin();
  if (known == generations_.end()) generations_.push_back(answered[0]);
  return {done, 'v' + std::to_string(place + 1)};
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

// A position, or "here": the file's own.
[[nodiscard]] std::optional<std::int64_t> position(const std::string& word) {
  return word == "here" ? std::nullopt : std::optional{length(word)};
}

void runner::add_contents(std::map<std::string, call>& all) {
  // FD BYTES POSITION FLAGS
  all["preadv2"] = {4, [](runner& r, const words& w) {
                      std::string text;
                      const long done =
                          r.w_.preadv2(r.fd(w[0]), static_cast<std::size_t>(value_of(w[1])), length(w[2]), number(w[3]), text);
                      return outcome{done, bytes_to_word(text)};
                    }};
  // FD TEXT POSITION FLAGS
  all["pwritev2"] = {4, [](runner& r, const words& w) { return plain(r.w_.pwritev2(r.fd(w[0]), w[1], length(w[2]), number(w[3]))); }};
  // FROM POSITION TO POSITION LENGTH [FLAGS]
  all["copy_file_range"] = {5, [](runner& r, const words& w) {
                              return plain(r.w_.copy_file_range(r.fd(w[0]), position(w[1]), r.fd(w[2]), position(w[3]),
                                                                static_cast<std::size_t>(value_of(w[4])), bits(word(w, 5, "0"))));
                            }};
  // FD [START LENGTH]
  all["fiemap"] = {1, [](runner& r, const words& w) {
                     return r.extents(r.fd(w[0]), length(word(w, 1, "0")), value_of(word(w, 2, "9223372036854775807")));
                   }};
}

void runner::add_descriptions(std::map<std::string, call>& all) {
  // DIR PATH FLAGS MASK: which of these fields there are, and the attributes. What else is told differs between versions of Linux.
  all["statx"] = {4, [](runner& r, const words& w) {
                    description d;
                    const long done = r.w_.statx(r.fd(w[0]), r.path(w[1]), number(w[2]), bits(w[3]), d);
                    return outcome{done, hexadecimal(d.mask & bits(w[3])) + ' ' + names_of(d.attributes, attribute_names, ' ')};
                  }};
  // DIR PATH FLAGS: which attributes there can be.
  all["attributes"] = {3, [](runner& r, const words& w) {
                         description d;
                         const long done = r.w_.statx(r.fd(w[0]), r.path(w[1]), number(w[2]), STATX_BASIC_STATS, d);
                         return outcome{done, names_of(d.attributes_mask, attribute_names, ' ')};
                       }};
  all["statfs"] = {1, [](runner& r, const words& w) {
                     space s;
                     const long done = r.w_.statfs(r.path(w[0]), s);
                     return outcome{done, text_of(s)};
                   }};
  all["fstatfs"] = {1, [](runner& r, const words& w) {
                      space s;
                      const long done = r.w_.fstatfs(r.fd(w[0]), s);
                      return outcome{done, text_of(s)};
                    }};
  all["room"] = {1, [](runner& r, const words& w) { return r.room(w[0]); }};
  all["getversion"] = {1, [](runner& r, const words& w) { return r.version(r.fd(w[0])); }};
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
    add_contents(made);
    add_descriptions(made);
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
