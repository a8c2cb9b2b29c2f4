#include "crash/tree.h"

#include <algorithm>
#include <array>
#include <iterator>

#include <sys/stat.h>

#include <fmt/format.h>

#include "crash/file_flags.h"
#include "explore/random.h"

namespace xip::crash {
namespace {

class reader {
 public:
  reader(vfs::task& t, tree& to) : task_{t}, tree_{to} {}

  // Empty: PATH and all below it is in the tree.
  [[nodiscard]] std::string add(const std::string& path) {
    const std::string absolute = "/" + path;
    const auto found = task_.lstat(absolute);
    if (!found) return wrong("stat", path, found.error());
    tree_.names.emplace(path, found->ino);
    const auto [at, fresh] = tree_.nodes.try_emplace(found->ino);
    tree_node& n = at->second;
    n.names.push_back(path);
    if (!fresh) return is_directory(n) ? fmt::format("the directory inode {} has two names: {} and {}", found->ino, n.names[0], path) : "";
    n.mode = found->mode, n.nlink = found->nlink, n.uid = found->uid, n.gid = found->gid;
    n.mtime = nanoseconds_of(found->mtime), n.ctime = nanoseconds_of(found->ctime);
    n.size = is_directory(n) ? 0 : found->size;  // how many blocks a directory needs is its own affair
    if (std::string why = add_xattrs(path, n); !why.empty()) return why;
    if (is_regular(n)) return add_data(path, n);
    if (S_ISLNK(n.mode)) return add_target(path, n);
    return is_directory(n) ? add_entries(path, n) : "";
  }

 private:
  [[nodiscard]] static std::string wrong(std::string_view call, const std::string& path, error why) {
    return fmt::format("{} of /{} says {}", call, path, why.name());
  }

  [[nodiscard]] std::string add_xattrs(const std::string& path, tree_node& n) {
    std::array<char, 4096> list;
    const auto length = task_.llistxattr("/" + path, list.data(), list.size());
    if (!length) return length.error() == EOPNOTSUPP ? "" : wrong("listxattr", path, length.error());
    std::array<char, 65536> value;
    for (std::string_view names{list.data(), *length}; !names.empty();) {
      const std::string_view name = names.substr(0, names.find('\0'));
      const auto bytes = task_.lgetxattr("/" + path, name, value.data(), value.size());
      if (!bytes) return wrong("getxattr", path, bytes.error());
      n.xattrs.emplace(name, std::string{value.data(), *bytes});
      names.remove_prefix(std::min(name.size() + 1, names.size()));
    }
    return {};
  }

  [[nodiscard]] std::string add_flags(int fd, const std::string& path, tree_node& n) {
    const auto flags = durable_flags(task_, fd);
    if (!flags) return wrong("the ioctl for flags", path, flags.error());
    n.flags = *flags;
    return {};
  }

  [[nodiscard]] std::string add_target(const std::string& path, tree_node& n) {
    auto target = task_.readlink("/" + path);
    if (!target) return wrong("readlink", path, target.error());
    n.target = *std::move(target);
    return {};
  }

  [[nodiscard]] std::string add_data(const std::string& path, tree_node& n) {
    if (n.size > largest_file) return fmt::format("/{} has {} bytes, more than anybody wrote", path, n.size);
    const auto fd = task_.open("/" + path, O_RDONLY | O_NOATIME);
    if (!fd) return wrong("open", path, fd.error());
    n.data.resize(static_cast<std::size_t>(n.size));
    std::string flags_wrong = add_flags(*fd, path, n);
    const auto bytes = n.data.empty() ? result<std::size_t>{0u} : task_.pread(*fd, n.data.data(), n.data.size(), 0);
    const auto closed = task_.close(*fd);
    if (!bytes || !closed) return wrong("read", path, bytes ? closed.error() : bytes.error());
    if (!flags_wrong.empty()) return flags_wrong;
    return *bytes == n.data.size() ? "" : fmt::format("read of /{} ends at {} of {} bytes", path, *bytes, n.data.size());
  }

  // The inode of each entry has to be the one that its name leads to.
  [[nodiscard]] std::string add_entries(const std::string& path, tree_node& n) {
    const auto fd = task_.open("/" + path, O_RDONLY | O_DIRECTORY | O_NOATIME);
    if (!fd) return wrong("open", path, fd.error());
    if (std::string why = add_flags(*fd, path, n); !why.empty()) return why;
    std::vector<vfs::dirent> entries;
    for (;;) {
      auto some = task_.getdents(*fd);
      if (!some) return wrong("getdents", path, some.error());
      if (some->empty()) break;
      std::ranges::move(*some, std::back_inserter(entries));
    }
    if (const auto closed = task_.close(*fd); !closed) return wrong("close", path, closed.error());
    for (const vfs::dirent& e : entries) {
      if (e.name == "." || e.name == "..") continue;
      const std::string below = path.empty() ? e.name : path + "/" + e.name;
      if (tree_.names.contains(below)) return fmt::format("/{} is there twice", below);
      if (std::string why = add(below); !why.empty()) return why;
      if (tree_.names.find(below)->second != e.ino)
        return fmt::format("/{} is inode {}, its entry says {}", below, tree_.names[below], e.ino);
    }
    return {};
  }

  vfs::task& task_;
  tree& tree_;
};

constexpr char type_letter(std::uint32_t mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return 'd';
    case S_IFREG:
      return '-';
    case S_IFLNK:
      return 'l';
    case S_IFIFO:
      return 'p';
    default:
      return '?';
  }
}

std::uint64_t hash_of(std::span<const std::byte> bytes) noexcept { return explore::hash_bytes(bytes.data(), bytes.size()); }

}  // namespace

std::string read_tree_of(vfs::task& t, tree& to) {
  std::string why = reader{t, to}.add("");
  for (auto& [ino, n] : to.nodes) std::ranges::sort(n.names);
  return why;
}

bool is_regular(const tree_node& n) noexcept { return S_ISREG(n.mode); }
bool is_directory(const tree_node& n) noexcept { return S_ISDIR(n.mode); }

std::string text_of_time(std::int64_t nanoseconds) {
  constexpr std::int64_t second = 1'000'000'000;
  return fmt::format("{}.{:09}", nanoseconds / second, nanoseconds % second);
}

std::string attributes_of(const tree_node& n) {
  return fmt::format("{}{:04o} {} {}:{} {}", type_letter(n.mode), n.mode & 07777, n.nlink, n.uid, n.gid, n.size);
}

namespace {

// Names and attributes of a line.
void add_shape(fmt::memory_buffer& text, std::string_view path, std::uint64_t ino, const tree_node& n) {
  const auto to = std::back_inserter(text);
  fmt::format_to(to, "/{} {} {}", path, ino, attributes_of(n));
  if (!n.target.empty()) fmt::format_to(to, " -> {}", n.target);
  if (n.flags != 0)
    fmt::format_to(to, " chattr {}{}", (n.flags & syncs_flag) != 0 ? "S" : "", (n.flags & syncs_names_flag) != 0 ? "D" : "");
  for (const auto& [name, value] : n.xattrs) fmt::format_to(to, " {}={:x}", name, hash_of(std::as_bytes(std::span{value})));
}

}  // namespace

std::string text_of(const tree& t, const std::function<bool(std::uint64_t)>& with_times) {
  fmt::memory_buffer text;
  for (const auto& [path, ino] : t.names) {
    const tree_node& n = t.nodes.find(ino)->second;
    add_shape(text, path, ino, n);
    const auto to = std::back_inserter(text);
    if (with_times && with_times(ino)) fmt::format_to(to, " {} {}", text_of_time(n.mtime), text_of_time(n.ctime));
    if (!n.data.empty()) fmt::format_to(to, " {:x}", hash_of(n.data));
    text.push_back('\n');
  }
  return fmt::to_string(text);
}

// Each name counts: which number its file has is the same in all trees of one run, or does not matter.
std::uint64_t shape_of(const tree& t) {
  std::uint64_t sum = 0;
  for (const auto& [path, ino] : t.names) {
    fmt::memory_buffer line;
    add_shape(line, path, 0, *t.node(ino));
    sum = explore::mix(sum ^ explore::hash_bytes(reinterpret_cast<const std::byte*>(line.data()), line.size()));
  }
  return sum;
}

}  // namespace xip::crash
