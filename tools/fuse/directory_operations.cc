// Reading directories, with or without the attributes of what is in them.
#include <algorithm>
#include <new>

#include <fcntl.h>

#include "fuse/request.h"

namespace xip::fuse {
namespace {

[[nodiscard]] int fd_of(const fuse_file_info& info) noexcept { return static_cast<int>(info.fh); }

// The kernel keeps what it has read of a directory until the directory changes.
void opendir(fuse_req_t req, fuse_ino_t number, fuse_file_info* info) {
  answer(req, [&](request& r) -> result<open_answer> {
    const vfs::node& place = *XIP_TRY(r.place(number));
    info->fh = static_cast<std::uint64_t>(XIP_TRY(r.task().openat(place, {}, O_RDONLY | O_DIRECTORY)));
    info->keep_cache = 1;
    info->cache_readdir = 1;
    return open_answer{number, *info};
  });
}

void releasedir(fuse_req_t req, fuse_ino_t, fuse_file_info* info) {
  answer(req, [&](request& r) -> result<done_answer> {
    XIP_TRY(r.task().close(fd_of(*info)));
    return done_answer{};
  });
}

void fsyncdir(fuse_req_t req, fuse_ino_t, int datasync, fuse_file_info* info) {
  answer(req, [&](request& r) -> result<done_answer> {
    XIP_TRY(datasync != 0 ? r.task().fdatasync(fd_of(*info)) : r.task().fsync(fd_of(*info)));
    return done_answer{};
  });
}

[[nodiscard]] bool is_dot(const std::string& name) noexcept { return name == "." || name == ".."; }

// Fills one answer. Entries that do not fit are read again by the next request, which says where it goes on.
class listing {
 public:
  listing(fuse_req_t req, std::span<std::byte> room) noexcept : req_{req}, room_{room} {}

  int send(fuse_req_t req) const noexcept { return fuse_reply_buf(req, reinterpret_cast<const char*>(room_.data()), used_); }
  void undo(request& r) const noexcept {
    for (const fuse_ino_t number : told_) r.owner().inodes.forget(number, 1);
  }

  // False: no room.
  [[nodiscard]] bool add(const vfs::dirent& d) noexcept {
    struct ::stat s{};
    s.st_ino = d.ino;
    s.st_mode = d.type << 12;
    return took(fuse_add_direntry(req_, next(), left(), d.name.c_str(), &s, d.off));
  }
  // Before the next entry with a number is looked up, which could not be given back without it. False: there is no memory.
  [[nodiscard]] bool make_room() noexcept {
    try {
      told_.push_back(0);
    } catch (const std::bad_alloc&) {
      return false;
    }
    told_.pop_back();
    return true;
  }
  // The kernel is told of ENTRY by this, if it has a number.
  [[nodiscard]] bool add(const vfs::dirent& d, const fuse_entry_param& entry) noexcept {
    if (!took(fuse_add_direntry_plus(req_, next(), left(), d.name.c_str(), &entry, d.off))) return false;
    if (entry.ino != 0) told_.push_back(entry.ino);
    return true;
  }
  [[nodiscard]] std::size_t left() const noexcept { return room_.size() - used_; }
  [[nodiscard]] bool is_empty() const noexcept { return used_ == 0; }

 private:
  [[nodiscard]] char* next() noexcept { return reinterpret_cast<char*>(room_.data() + used_); }
  [[nodiscard]] bool took(std::size_t bytes) noexcept {
    if (bytes > left()) return false;
    used_ += bytes;
    return true;
  }

  fuse_req_t req_;
  std::span<std::byte> room_;
  std::size_t used_ = 0;
  std::vector<fuse_ino_t> told_;
};

// What an answer with attributes says of an entry without them.
[[nodiscard]] fuse_entry_param name_alone(const vfs::dirent& d) noexcept {
  fuse_entry_param entry{};
  entry.attr.st_ino = d.ino;
  entry.attr.st_mode = d.type << 12;
  return entry;
}

// An entry whose inode cannot be read, or that there is no memory for, is listed all the same: whoever looks at it is told.
[[nodiscard]] bool add_with_attributes(request& r, listing& list, const vfs::node& directory, const vfs::dirent& d) {
  fuse_entry_param entry = name_alone(d);
  if (!is_dot(d.name) && list.make_room())
    if (auto known = r.entry_of(directory, d.name.c_str()); known.has_value()) entry = *known;
  if (list.add(d, entry)) return true;
  if (entry.ino != 0) r.forget(entry);
  return false;
}

// ADD(list, entry) until it says that there is no room. SMALLEST: bytes that an entry takes at least.
template <class Add>
[[nodiscard]] result<listing> list_from(request& r, listing list, int fd, off_t offset, std::size_t smallest, Add&& add) {
  (void)XIP_TRY(r.task().lseek(fd, offset, SEEK_SET));
  for (bool room = true; room;) {
    const auto entries = r.task().getdents(fd, std::max<std::size_t>(list.left() / smallest, 1));
    if (!entries.has_value() && list.is_empty()) return fail(entries.error());
    if (!entries.has_value() || entries->empty()) break;
    for (std::size_t i = 0; room && i < entries->size(); ++i) room = add(list, (*entries)[i]);
  }
  return list;
}

[[nodiscard]] listing listing_of(request& r, fuse_req_t req, std::size_t bytes) noexcept {
  return listing{req, r.bytes().first(std::min(bytes, r.bytes().size()))};
}

void readdir(fuse_req_t req, fuse_ino_t, std::size_t bytes, off_t offset, fuse_file_info* info) {
  answer(req, [&](request& r) -> result<listing> {
    constexpr std::size_t smallest = 32;
    return list_from(r, listing_of(r, req, bytes), fd_of(*info), offset, smallest,
                     [](listing& list, const vfs::dirent& d) { return list.add(d); });
  });
}

void readdirplus(fuse_req_t req, fuse_ino_t number, std::size_t bytes, off_t offset, fuse_file_info* info) {
  answer(req, [&](request& r) -> result<listing> {
    constexpr std::size_t smallest = 160;
    const vfs::node& directory = *XIP_TRY(r.place(number));
    const bool names_alone = offset == 0 && !r.owner().listings.with_attributes(number);
    return list_from(r, listing_of(r, req, bytes), fd_of(*info), offset, smallest, [&](listing& list, const vfs::dirent& d) {
      return names_alone ? list.add(d, name_alone(d)) : add_with_attributes(r, list, directory, d);
    });
  });
}

}  // namespace

void add_directory_operations(fuse_lowlevel_ops& table) noexcept {
  table.opendir = opendir;
  table.releasedir = releasedir;
  table.fsyncdir = fsyncdir;
  table.readdir = readdir;
  table.readdirplus = readdirplus;
}

}  // namespace xip::fuse
