#include "null_server.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <system_error>
#include <vector>

#include <poll.h>
#include <sys/stat.h>

#include "fuse/connection.h"
#include "fuse/server.h"

namespace xip::tool {
namespace {

constexpr fuse_ino_t file_number = 2, many_number = 3, first_of_many = 4;
// What has been made is known by its number alone: nothing is kept of it.
constexpr fuse_ino_t made_directory = fuse_ino_t{1} << 40, made_symlink = fuse_ino_t{1} << 41;

struct nothing {
  std::uint64_t file_bytes;
  bool direct_io;
  std::vector<char> zeros = std::vector<char>(fuse::max_transfer);
  std::atomic<fuse_ino_t> next{first_of_many + null_many};

  [[nodiscard]] fuse_ino_t new_number() noexcept { return next.fetch_add(1, std::memory_order_relaxed); }
};

[[nodiscard]] nothing& of(fuse_req_t req) noexcept { return *static_cast<nothing*>(fuse_req_userdata(req)); }

[[nodiscard]] mode_t mode_of(fuse_ino_t number) noexcept {
  if (number == FUSE_ROOT_ID || number == many_number || (number & made_directory) != 0) return S_IFDIR | 0755;
  return (number & made_symlink) != 0 ? S_IFLNK | 0777 : S_IFREG | 0644;
}

[[nodiscard]] std::uint64_t size_of(const nothing& n, fuse_ino_t number) noexcept {
  if (number == file_number) return n.file_bytes;
  return (number & made_symlink) != 0 ? null_symlink.size() : 0;
}

[[nodiscard]] fuse_entry_param entry_for(const nothing& n, fuse_ino_t number) noexcept {
  fuse_entry_param entry{};
  entry.ino = number;
  entry.attr.st_ino = number;
  entry.attr.st_mode = mode_of(number);
  entry.attr.st_nlink = 1;
  entry.attr.st_size = static_cast<off_t>(size_of(n, number));
  entry.attr.st_blksize = 4096;
  entry.attr_timeout = entry.entry_timeout = fuse::forever;
  return entry;
}

// 0: there is none of that name.
[[nodiscard]] fuse_ino_t number_of(fuse_ino_t parent, std::string_view name) noexcept {
  if (parent == FUSE_ROOT_ID) return name == "file" ? file_number : name == "many" ? many_number : 0;
  unsigned i = 0;
  const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), i);
  const bool there = parent == many_number && wrong == std::errc{} && end == name.data() + name.size() && i < null_many;
  return there ? first_of_many + i : 0;
}

void fill_in_lookup(fuse_lowlevel_ops& table) noexcept {
  table.init = [](void*, fuse_conn_info* conn) { fuse::negotiate(*conn); };
  table.lookup = [](fuse_req_t req, fuse_ino_t parent, const char* name) {
    fuse_entry_param entry{};
    entry.entry_timeout = fuse::forever;
    if (const fuse_ino_t number = number_of(parent, name); number != 0) entry = entry_for(of(req), number);
    fuse_reply_entry(req, &entry);
  };
  table.getattr = [](fuse_req_t req, fuse_ino_t number, fuse_file_info*) {
    const fuse_entry_param entry = entry_for(of(req), number);
    fuse_reply_attr(req, &entry.attr, fuse::forever);
  };
  table.setattr = [](fuse_req_t req, fuse_ino_t number, struct ::stat* wanted, int to_set, fuse_file_info*) {
    fuse_entry_param entry = entry_for(of(req), number);
    if ((to_set & FUSE_SET_ATTR_SIZE) != 0) entry.attr.st_size = wanted->st_size;
    fuse_reply_attr(req, &entry.attr, fuse::forever);
  };
  table.forget = [](fuse_req_t req, fuse_ino_t, std::uint64_t) { fuse_reply_none(req); };
  table.forget_multi = [](fuse_req_t req, std::size_t, fuse_forget_data*) { fuse_reply_none(req); };
  table.getxattr = [](fuse_req_t req, fuse_ino_t, const char*, std::size_t) { fuse_reply_err(req, ENODATA); };
}

void fill_in_open_file(const nothing& n, fuse_file_info& info) noexcept {
  info.keep_cache = 1;
  info.noflush = 1;
  if (n.direct_io) info.direct_io = 1;
}

void fill_in_names(fuse_lowlevel_ops& table) noexcept {
  table.create = [](fuse_req_t req, fuse_ino_t, const char*, mode_t, fuse_file_info* info) {
    fill_in_open_file(of(req), *info);
    const fuse_entry_param entry = entry_for(of(req), of(req).new_number());
    fuse_reply_create(req, &entry, info);
  };
  table.mkdir = [](fuse_req_t req, fuse_ino_t, const char*, mode_t) {
    const fuse_entry_param entry = entry_for(of(req), of(req).new_number() | made_directory);
    fuse_reply_entry(req, &entry);
  };
  table.symlink = [](fuse_req_t req, const char*, fuse_ino_t, const char*) {
    const fuse_entry_param entry = entry_for(of(req), of(req).new_number() | made_symlink);
    fuse_reply_entry(req, &entry);
  };
  table.readlink = [](fuse_req_t req, fuse_ino_t) { fuse_reply_readlink(req, null_symlink.data()); };
  table.unlink = table.rmdir = [](fuse_req_t req, fuse_ino_t, const char*) { fuse_reply_err(req, 0); };
  table.rename = [](fuse_req_t req, fuse_ino_t, const char*, fuse_ino_t, const char*, unsigned) { fuse_reply_err(req, 0); };
}

// ADD(to, room, name, number, position behind it), which answers how many bytes that takes, for one name after the other from OFFSET on. There are "." and ".."
// in front of those of "many", with a number of 0. Nobody looks at them, so there are no attributes in an answer that may have them.
template <class Add>
void reply_names(fuse_req_t req, fuse_ino_t directory, std::size_t bytes, off_t offset, Add&& add) noexcept {
  std::array<char, std::size_t{64} << 10> room;
  const std::size_t size = std::min(bytes, room.size());
  const off_t last = directory == many_number ? off_t{2} + null_many : 2;
  std::size_t used = 0;
  for (off_t at = offset; at < last; ++at) {
    char name[16] = "..";
    if (at >= 2)
      *std::to_chars(name, name + sizeof name - 1, at - 2).ptr = 0;
    else
      name[at + 1] = 0;
    const std::size_t more =
        add(room.data() + used, size - used, name, at < 2 ? 0 : first_of_many + static_cast<fuse_ino_t>(at - 2), at + 1);
    if (more > size - used) break;
    used += more;
  }
  fuse_reply_buf(req, room.data(), used);
}

void fill_in_directories(fuse_lowlevel_ops& table) noexcept {
  table.opendir = [](fuse_req_t req, fuse_ino_t, fuse_file_info* info) {
    info->keep_cache = 1;
    info->cache_readdir = 1;
    fuse_reply_open(req, info);
  };
  table.releasedir = [](fuse_req_t req, fuse_ino_t, fuse_file_info*) { fuse_reply_err(req, 0); };
  table.readdir = [](fuse_req_t req, fuse_ino_t directory, std::size_t bytes, off_t offset, fuse_file_info*) {
    reply_names(req, directory, bytes, offset, [req](char* to, std::size_t room, const char* name, fuse_ino_t number, off_t behind) {
      struct ::stat s{};
      s.st_ino = number != 0 ? number : fuse_ino_t{FUSE_ROOT_ID};
      s.st_mode = number != 0 ? mode_of(number) : mode_t{S_IFDIR};
      return fuse_add_direntry(req, to, room, name, &s, behind);
    });
  };
  table.readdirplus = [](fuse_req_t req, fuse_ino_t directory, std::size_t bytes, off_t offset, fuse_file_info*) {
    reply_names(req, directory, bytes, offset, [req](char* to, std::size_t room, const char* name, fuse_ino_t number, off_t behind) {
      fuse_entry_param entry{};
      entry.attr.st_ino = number != 0 ? number : fuse_ino_t{FUSE_ROOT_ID};
      entry.attr.st_mode = number != 0 ? mode_of(number) : mode_t{S_IFDIR};
      return fuse_add_direntry_plus(req, to, room, name, &entry, behind);
    });
  };
}

void fill_in_contents(fuse_lowlevel_ops& table) noexcept {
  table.open = [](fuse_req_t req, fuse_ino_t, fuse_file_info* info) {
    fill_in_open_file(of(req), *info);
    fuse_reply_open(req, info);
  };
  table.release = [](fuse_req_t req, fuse_ino_t, fuse_file_info*) { fuse_reply_err(req, 0); };
  table.read = [](fuse_req_t req, fuse_ino_t, std::size_t bytes, off_t, fuse_file_info*) {
    fuse_reply_buf(req, of(req).zeros.data(), bytes);
  };
  table.write = [](fuse_req_t req, fuse_ino_t, const char*, std::size_t bytes, off_t, fuse_file_info*) { fuse_reply_write(req, bytes); };
  table.fsync = [](fuse_req_t req, fuse_ino_t, int, fuse_file_info*) { fuse_reply_err(req, 0); };
}

}  // namespace

bool serve_nothing(const null_settings& settings, const std::function<void()>& ready) {
  fuse_lowlevel_ops table{};
  fill_in_lookup(table);
  fill_in_names(table);
  fill_in_directories(table);
  fill_in_contents(table);
  nothing n{settings.file_bytes, settings.direct_io};
  auto opened = fuse::connection::open({.directory = settings.directory,
                                        .options = "fsname=null,subtype=null,default_permissions",
                                        .debug = false,
                                        .mapped_direct_io = settings.direct_io},
                                       table, &n);
  if (!opened.has_value() || !(*opened)->start(settings.threads, [](unsigned) {}).has_value()) return false;
  ready();
  pollfd end{.fd = (*opened)->ended(), .events = POLLIN, .revents = 0};
  while (::poll(&end, 1, -1) < 0 && errno == EINTR) continue;
  return true;
}

}  // namespace xip::tool
