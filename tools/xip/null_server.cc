#include "null_server.h"

#include <cerrno>
#include <cstring>
#include <vector>

#include <poll.h>
#include <sys/stat.h>

#include "fuse/connection.h"
#include "fuse/server.h"

namespace xip::tool {
namespace {

constexpr fuse_ino_t file_number = 2;

struct nothing {
  std::uint64_t file_bytes;
  std::vector<char> zeros = std::vector<char>(fuse::max_transfer);
  std::atomic<fuse_ino_t> next{file_number + 1};
};

[[nodiscard]] nothing& of(fuse_req_t req) noexcept { return *static_cast<nothing*>(fuse_req_userdata(req)); }

[[nodiscard]] fuse_entry_param entry_for(const nothing& n, fuse_ino_t number) noexcept {
  fuse_entry_param entry{};
  entry.ino = number;
  entry.attr.st_ino = number;
  entry.attr.st_mode = number == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
  entry.attr.st_nlink = 1;
  entry.attr.st_size = number == file_number ? static_cast<off_t>(n.file_bytes) : 0;
  entry.attr.st_blksize = 4096;
  entry.attr_timeout = entry.entry_timeout = fuse::forever;
  return entry;
}

void fill_in_lookup(fuse_lowlevel_ops& table) noexcept {
  table.init = [](void*, fuse_conn_info* conn) { fuse::negotiate(*conn); };
  table.lookup = [](fuse_req_t req, fuse_ino_t, const char* name) {
    fuse_entry_param absent{};
    absent.entry_timeout = fuse::forever;
    const fuse_entry_param entry = std::strcmp(name, "file") == 0 ? entry_for(of(req), file_number) : absent;
    fuse_reply_entry(req, &entry);
  };
  table.getattr = [](fuse_req_t req, fuse_ino_t number, fuse_file_info*) {
    const fuse_entry_param entry = entry_for(of(req), number);
    fuse_reply_attr(req, &entry.attr, fuse::forever);
  };
  table.forget = [](fuse_req_t req, fuse_ino_t, std::uint64_t) { fuse_reply_none(req); };
  table.forget_multi = [](fuse_req_t req, std::size_t, fuse_forget_data*) { fuse_reply_none(req); };
  table.getxattr = [](fuse_req_t req, fuse_ino_t, const char*, std::size_t) { fuse_reply_err(req, ENODATA); };
}

void fill_in_names(fuse_lowlevel_ops& table) noexcept {
  table.create = [](fuse_req_t req, fuse_ino_t, const char*, mode_t, fuse_file_info* info) {
    info->keep_cache = 1;
    info->noflush = 1;
    const fuse_entry_param entry = entry_for(of(req), of(req).next.fetch_add(1, std::memory_order_relaxed));
    fuse_reply_create(req, &entry, info);
  };
  table.unlink = [](fuse_req_t req, fuse_ino_t, const char*) { fuse_reply_err(req, 0); };
}

void fill_in_contents(fuse_lowlevel_ops& table) noexcept {
  table.open = [](fuse_req_t req, fuse_ino_t, fuse_file_info* info) {
    info->keep_cache = 1;
    info->noflush = 1;
    fuse_reply_open(req, info);
  };
  table.release = [](fuse_req_t req, fuse_ino_t, fuse_file_info*) { fuse_reply_err(req, 0); };
  table.read = [](fuse_req_t req, fuse_ino_t, std::size_t bytes, off_t, fuse_file_info*) {
    fuse_reply_buf(req, of(req).zeros.data(), bytes);
  };
  table.write = [](fuse_req_t req, fuse_ino_t, const char*, std::size_t bytes, off_t, fuse_file_info*) { fuse_reply_write(req, bytes); };
}

}  // namespace

bool serve_nothing(const std::string& directory, std::uint64_t file_bytes, unsigned threads, const std::function<void()>& ready) {
  fuse_lowlevel_ops table{};
  fill_in_lookup(table);
  fill_in_names(table);
  fill_in_contents(table);
  nothing n{file_bytes};
  auto opened = fuse::connection::open({directory, "fsname=null,subtype=null,default_permissions", false}, table, &n);
  if (!opened.has_value() || !(*opened)->start(threads, [](unsigned) {}).has_value()) return false;
  ready();
  pollfd end{.fd = (*opened)->ended(), .events = POLLIN, .revents = 0};
  while (::poll(&end, 1, -1) < 0 && errno == EINTR) continue;
  return true;
}

}  // namespace xip::tool
