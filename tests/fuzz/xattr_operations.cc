// The calls on extended attributes and access control lists. On a sound image what was set is what is read.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <xip/base/endian.h>
#include <xip/vfs/posix_acl.h>

#include "fuzz/session.h"

namespace xip::fuzz {
namespace {

constexpr std::size_t value_bytes_max = 65536;
constexpr const char* access_list = "system.posix_acl_access";
constexpr const char* default_list = "system.posix_acl_default";

// Names that seeds have among them, and some that nobody may have.
[[nodiscard]] std::string some_name(session& s) {
  constexpr const char* names[] = {"user.small", "security.mark", "user.large", "user.d",    "user.x", "user.a",         "trusted.t",
                                   "security.s", "user.n",        "trusted.n",  access_list, "user.",  "gnu.translator", "other.n"};
  const std::string name = s.in().one_of(names);
  return name.ends_with('n') ? name + std::string(s.in().byte(), 'n') : name;
}

// For an inode, for a block, for neither.
[[nodiscard]] std::string some_value(session& s) {
  constexpr std::uint32_t in_inode = 100, in_small_block = 1000, in_block = 4100;
  constexpr std::uint32_t below[] = {in_inode, in_inode, in_small_block, in_small_block, in_block, value_bytes_max + 2};
  const std::uint32_t most = s.in().one_of(below);
  const std::uint32_t bytes = most > value_bytes_max ? most - 1 - s.in().below(3) * 100 : s.in().below(most);
  return std::string(bytes, static_cast<char>(s.in().byte() % 4));
}

// As user space writes it: in order in most cases, then whatever the program says.
[[nodiscard]] std::string some_list(session& s) {
  std::string value;
  const auto put = [&value](const auto& v) { value.append(reinterpret_cast<const char*>(&v), sizeof v); };
  const auto entry = [&](std::uint16_t tag, std::uint16_t perm, std::uint32_t id) {
    put(le16{tag});
    put(le16{perm});
    put(le32{id});
  };
  const auto perm = [&s] { return static_cast<std::uint16_t>(s.in().byte() & 7); };
  put(le32{2});
  const std::uint8_t shape = s.in().byte();
  const std::uint32_t users = (shape & 8) != 0 ? s.in().byte() : shape & 3;
  entry(vfs::acl_user_obj, perm(), vfs::acl_undefined_id);
  for (std::uint32_t i = 0; i < users; ++i) entry(vfs::acl_user, 7 & (i + shape), 1000 + i);
  entry(vfs::acl_group_obj, perm(), vfs::acl_undefined_id);
  if (users != 0) entry(vfs::acl_mask, perm(), vfs::acl_undefined_id);
  entry(vfs::acl_other, perm(), vfs::acl_undefined_id);
  constexpr std::uint32_t left_alone_in_4 = 3;
  if ((shape >> 4 & 3) >= left_alone_in_4) value[s.in().word() % value.size()] = static_cast<char>(s.in().byte());
  if ((shape & 0xC0) == 0xC0) value.resize(value.size() - 1 - s.in().below(8));
  return value;
}

// The value, or why it cannot be had.
[[nodiscard]] std::string read_value(session& s, const std::string& path, const std::string& name) {
  auto bytes = s.task().lgetxattr(path, name, nullptr, 0);
  std::string value(bytes.value_or(0), '\0');
  if (!value.empty()) bytes = s.task().lgetxattr(path, name, value.data(), value.size());
  return bytes ? value : std::string{bytes.error().name()};
}

void set_value(session& s, const std::string& path, const std::string& name, const std::string& value, int flags) {
  const bool set = s.task().lsetxattr(path, name, value.data(), value.size(), flags).has_value();
  if (!set || !s.on().sound() || name == access_list || name == default_list) return;
  if (read_value(s, path, name) != value) finding("an attribute is not what it was set to", path + " " + name);
}

void set(session& s) {
  constexpr int flags[] = {0, 0, XATTR_CREATE, XATTR_REPLACE};
  const std::string path = s.path();
  const std::string name = some_name(s);
  const int flag = s.in().one_of(flags);
  set_value(s, path, name, some_value(s), flag);
}

void set_by_fd(session& s) {
  const int fd = s.fd();
  const std::string name = some_name(s);
  const std::string value = some_value(s);
  (void)s.task().fsetxattr(fd, name, value.data(), value.size(), 0);
  (void)s.task().fgetxattr(fd, name, s.buffer(), s.in().word() % session::buffer_bytes);
  if ((s.in().byte() & 1) != 0) (void)s.task().fremovexattr(fd, name);
}

void remove(session& s) {
  const std::string path = s.path();
  (void)s.task().lremovexattr(path, some_name(s));
}

// With no room, little room, enough.
void get(session& s) {
  const std::string path = s.path();
  const std::string name = some_name(s);
  const auto bytes = s.task().lgetxattr(path, name, nullptr, 0);
  (void)s.task().lgetxattr(path, name, s.buffer(), 1 + s.in().byte());
  (void)s.task().getxattr(path, name, s.buffer(), session::buffer_bytes);
  if (bytes && s.on().sound() && s.task().lgetxattr(path, name, s.buffer(), session::buffer_bytes).value_or(*bytes) != *bytes)
    finding("a value has another size", path + " " + name);
}

void list(session& s) {
  const std::string path = s.path();
  auto* names = reinterpret_cast<char*>(s.buffer());
  (void)s.task().llistxattr(path, nullptr, 0);
  (void)s.task().llistxattr(path, names, 1 + s.in().byte());
  (void)s.task().listxattr(path, names, session::buffer_bytes);
  (void)s.task().flistxattr(s.fd(), names, session::buffer_bytes);
}

void set_list(session& s) {
  const std::string path = s.path();
  const char* name = (s.in().byte() & 1) != 0 ? access_list : default_list;
  set_value(s, path, name, some_list(s), 0);
  (void)read_value(s, path, name);
}

void remove_list(session& s) {
  const std::string path = s.path();
  (void)s.task().removexattr(path, (s.in().byte() & 1) != 0 ? access_list : default_list);
}

// What is made in a directory gets its lists.
void inherit(session& s) {
  const std::string directory = s.path();
  if ((s.in().byte() & 1) != 0) set_value(s, directory, default_list, some_list(s), 0);
  const std::string stem = directory + "/i" + std::to_string(s.in().byte());
  const unsigned mode = s.in().word() & 07777;
  (void)s.task().mkdir(stem, mode);
  (void)s.task().mknod(stem + "/file", S_IFREG | mode, 0);
  (void)s.task().mkdir(stem + "/dir", mode);
  (void)s.task().symlink("file", stem + "/link");
  s.keep(s.task().open(stem, O_TMPFILE | O_RDWR, mode));
  for (const char* child : {"", "/file", "/dir", "/link"}) {
    (void)read_value(s, stem + child, access_list);
    (void)read_value(s, stem + child, default_list);
  }
}

// The lists decide, and attributes of users have owners.
void as_another_user(session& s) {
  const std::string path = s.path();
  const vfs::cred root = std::exchange(s.task().who, vfs::cred{.uid = 1000u + s.in().below(4), .gid = s.in().below(2) * 1000});
  (void)s.task().access(path, s.in().byte() & 7);
  (void)s.task().lsetxattr(path, "user.a", "mine", 4, 0);
  (void)s.task().lgetxattr(path, "trusted.t", s.buffer(), session::buffer_bytes);
  s.keep(s.task().open(path, O_RDWR));
  set_value(s, path, access_list, some_list(s), 0);
  s.task().who = root;
}

// Files with the same attributes have one block together; then one goes, and another gets something else.
void share(session& s) {
  const std::string value(200 + s.in().below(256) * 3, static_cast<char>(s.in().byte() % 4));
  const std::string first = s.path();
  std::string last = first;
  for (std::uint32_t left = 2 + s.in().below(4); left != 0; --left) {
    set_value(s, last, "user.shared", value, 0);
    last = s.path();
  }
  switch (s.in().byte() & 3) {
    case 0:
      (void)s.task().unlink(first);
      break;
    case 1:
      set_value(s, first, "user.shared", value + "other", 0);
      break;
    case 2:
      (void)s.task().lremovexattr(first, "user.shared");
      break;
    default:
      s.on().kernel().drop_caches();
      (void)s.task().unlink(last);
      break;
  }
}

// As many as there is room for; then every other one goes.
void fill(session& s) {
  constexpr std::uint32_t most = 64;
  const std::string path = s.path();
  const std::string stem = "user." + std::string(s.in().below(32), 'f');
  const std::string value(s.in().byte(), 'v');
  const std::uint32_t count = s.in().below(most);
  for (std::uint32_t i = 0; i < count; ++i) set_value(s, path, stem + std::to_string(i), value, 0);
  for (std::uint32_t i = 0; i < count; i += 2) (void)s.task().lremovexattr(path, stem + std::to_string(i));
}

// A write takes it away.
void set_capability(session& s) {
  const std::string path = s.path();
  std::string value(20, static_cast<char>(s.in().byte()));
  const le32 revision{0x02000001};
  std::memcpy(value.data(), &revision, sizeof revision);
  set_value(s, path, "security.capability", value, 0);
  const auto fd = s.task().open(path, O_WRONLY);
  if (fd && (s.in().byte() & 1) != 0) (void)s.task().pwrite(*fd, "x", 1, 0);
  s.keep(fd);
}

constexpr operation calls[] = {set,         set,     set_by_fd,       remove, get,  list,          set_list,
                               remove_list, inherit, as_another_user, share,  fill, set_capability};

}  // namespace

std::span<const operation> xattr_operations() noexcept { return calls; }

attribute_map attributes_of(session& s) {
  attribute_map all;
  for (const std::string& path : s.paths()) {
    std::string names(s.task().llistxattr(path, nullptr, 0).value_or(0), '\0');
    const std::size_t bytes = names.empty() ? 0 : s.task().llistxattr(path, names.data(), names.size()).value_or(0);
    const std::string_view listed{names.data(), bytes};
    for (std::size_t at = 0; at < listed.size();) {
      const std::string name{listed.substr(at, listed.find('\0', at) - at)};
      at += name.size() + 1;
      all[path + " " + name] = read_value(s, path, name);
    }
    for (const char* name : {access_list, default_list}) all[path + " " + name] = read_value(s, path, name);
  }
  return all;
}

}  // namespace xip::fuzz
