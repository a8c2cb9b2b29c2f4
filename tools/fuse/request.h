// One request: whose it is, and its answer.
#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <xip/base/result.h>
#include <xip/vfs/ops.h>

#include "fuse/lost_memory.h"
#include "fuse/server.h"

namespace xip::fuse {

class request {
 public:
  // The worker's task acts as the one who asked.
  explicit request(fuse_req_t req) noexcept;

  [[nodiscard]] vfs::task& task() noexcept { return *worker_.task; }
  [[nodiscard]] server& owner() const noexcept { return worker_.owner; }
  [[nodiscard]] std::span<std::byte> bytes() noexcept { return worker_.bytes; }
  // The place that the kernel calls NUMBER.
  [[nodiscard]] result<const vfs::node*> place(fuse_ino_t number) noexcept { return owner().inodes.find(number); }
  // Before something is made that the kernel is to be told of, which cannot fail then for want of memory. ENOMEM.
  [[nodiscard]] result<> make_room() noexcept { return inode_table::fill(spare_); }
  // The kernel is told of PLACE, or of what DIRECTORY has under NAME.
  [[nodiscard]] result<fuse_entry_param> entry_of(vfs::node place);
  [[nodiscard]] result<fuse_entry_param> entry_of(const vfs::node& directory, const char* name);
  // From here on the caller has no CAP_FSETID: what changes of PLACE takes set-id bits along.
  void give_up_set_id_bits(const vfs::node& place, fuse_req_t req);
  void forget(const fuse_entry_param& entry) noexcept { owner().inodes.forget(entry.ino, 1); }
  // What the kernel had open as INFO, of the inode NUMBER.
  void close(fuse_ino_t number, const fuse_file_info& info) noexcept;

  // The answer has been sent, or tried to be, by the body itself: the kernel's request is gone, whatever the body meets from here on.
  void set_answered() noexcept { answered_ = true; }
  [[nodiscard]] bool answered() const noexcept { return answered_; }

 private:
  worker& worker_;
  inode_table::spare spare_;
  bool answered_ = false;
};

[[nodiscard]] inline bool opens_for_writing(const fuse_file_info& info) noexcept { return (info.flags & O_ACCMODE) != O_RDONLY; }

[[nodiscard]] struct ::stat host_stat(const vfs::kstat& from) noexcept;

// ---- answers; each can be sent, and what was done for one that is not sent or arrives nowhere is undone

struct done_answer {
  int send(fuse_req_t req) const noexcept { return fuse_reply_err(req, 0); }
  void undo(request&) const noexcept {}
};
struct entry_answer {
  fuse_entry_param entry;
  int send(fuse_req_t req) const noexcept { return fuse_reply_entry(req, &entry); }
  void undo(request& r) const noexcept {
    if (entry.ino != 0) r.forget(entry);
  }
};
struct attributes_answer {
  struct ::stat attributes;
  int send(fuse_req_t req) const noexcept { return fuse_reply_attr(req, &attributes, forever); }
  void undo(request&) const noexcept {}
};
struct open_answer {
  fuse_ino_t number;
  fuse_file_info info;
  int send(fuse_req_t req) const noexcept { return fuse_reply_open(req, &info); }
  void undo(request& r) const noexcept { r.close(number, info); }
};
struct create_answer {
  fuse_entry_param entry;
  fuse_file_info info;
  int send(fuse_req_t req) const noexcept { return fuse_reply_create(req, &entry, &info); }
  void undo(request& r) const noexcept {
    r.close(entry.ino, info);
    r.forget(entry);
  }
};
struct read_answer {
  std::span<const std::byte> bytes;
  int send(fuse_req_t req) const noexcept { return fuse_reply_buf(req, reinterpret_cast<const char*>(bytes.data()), bytes.size()); }
  void undo(request&) const noexcept {}
};
struct attribute_answer {
  std::span<const std::byte> value;
  std::size_t bytes;
  bool size_only;
  int send(fuse_req_t req) const noexcept {
    return size_only ? fuse_reply_xattr(req, bytes) : fuse_reply_buf(req, reinterpret_cast<const char*>(value.data()), value.size());
  }
  void undo(request&) const noexcept {}
};
struct link_answer {
  std::string target;
  int send(fuse_req_t req) const noexcept { return fuse_reply_readlink(req, target.c_str()); }
  void undo(request&) const noexcept {}
};
struct written_answer {
  std::size_t bytes;
  int send(fuse_req_t req) const noexcept { return fuse_reply_write(req, bytes); }
  void undo(request&) const noexcept {}
};
struct position_answer {
  off_t position;
  int send(fuse_req_t req) const noexcept { return fuse_reply_lseek(req, position); }
  void undo(request&) const noexcept {}
};
struct statfs_answer {
  struct ::statvfs status;
  int send(fuse_req_t req) const noexcept { return fuse_reply_statfs(req, &status); }
  void undo(request&) const noexcept {}
};
struct ioctl_answer {
  std::span<const std::byte> bytes;
  int returned;
  int send(fuse_req_t req) const noexcept { return fuse_reply_ioctl(req, returned, bytes.data(), bytes.size()); }
  void undo(request&) const noexcept {}
};

// BODY(request) makes the answer to REQ: a result of one of the above.
template <class Body>
void answer(fuse_req_t req, Body&& body) noexcept {
  request r{req};
  auto made = [&]() -> decltype(body(r)) {
    try {
      return body(r);
    } catch (const std::bad_alloc&) {
      return fail(ENOMEM);
    }
  }();
  const bool lost = met_lost_memory();  // asked for each request, so that it is never the next one's
  if (r.answered()) return;
  if (made.has_value() && lost) [[unlikely]] {
    made->undo(r);
    made = fail(EIO);
  }
  if (!made.has_value()) {
    fuse_reply_err(req, made.error().number());
  } else if (made->send(req) != 0) {
    made->undo(r);  // whoever asked was interrupted, or the mount is gone
  }
}

}  // namespace xip::fuse
