// Extended attributes. Access control lists are among them: the kernel reads them through these requests, and decides by them.
#include <algorithm>
#include <string_view>

#include <fcntl.h>
#include <linux/xattr.h>

#include "fuse/request.h"

namespace xip::fuse {
namespace {

constexpr int itself = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;

// The kernel first asks how much there is (ROOM 0), or gives the room that the caller has. READ(to, room): a call of the task.
template <class Read>
[[nodiscard]] result<attribute_answer> read_attribute(request& r, std::size_t room, Read&& read) {
  const auto to = r.bytes().first(std::min(room, r.bytes().size()));
  const std::size_t bytes = XIP_TRY(read(to.data(), to.size()));
  return attribute_answer{room == 0 ? to : to.first(bytes), bytes, room == 0};
}

void getxattr(fuse_req_t req, fuse_ino_t number, const char* name, std::size_t room) {
  answer(req, [&](request& r) -> result<attribute_answer> {
    const vfs::node& place = *XIP_TRY(r.place(number));
    return read_attribute(r, room,
                          [&](std::byte* to, std::size_t bytes) { return r.task().getxattrat(place, {}, itself, name, to, bytes); });
  });
}

// The kernel does not look at the names: those of trusted attributes are root's to see.
void listxattr(fuse_req_t req, fuse_ino_t number, std::size_t room) {
  answer(req, [&](request& r) -> result<attribute_answer> {
    vfs::cred& who = r.task().who;
    if (who.uid != 0) who.capabilities = who.cap_effective() & ~vfs::capability_bit(CAP_SYS_ADMIN);
    const vfs::node& place = *XIP_TRY(r.place(number));
    return read_attribute(r, room, [&](std::byte* to, std::size_t bytes) {
      return r.task().listxattrat(place, {}, itself, reinterpret_cast<char*>(to), bytes);
    });
  });
}

void setxattr(fuse_req_t req, fuse_ino_t number, const char* name, const char* value, std::size_t bytes, int flags) {
  answer(req, [&](request& r) -> result<done_answer> {
    const vfs::node& place = *XIP_TRY(r.place(number));
    if (fuse_req_ctx(req)->uid != 0 && std::string_view{name} == XATTR_NAME_POSIX_ACL_ACCESS) r.give_up_set_id_bits(place, req);
    XIP_TRY(r.task().setxattrat(place, {}, itself, name, value, bytes, flags));
    return done_answer{};
  });
}

void removexattr(fuse_req_t req, fuse_ino_t number, const char* name) {
  answer(req, [&](request& r) -> result<done_answer> {
    const vfs::node& place = *XIP_TRY(r.place(number));
    XIP_TRY(r.task().removexattrat(place, {}, itself, name));
    return done_answer{};
  });
}

}  // namespace

void add_xattr_operations(fuse_lowlevel_ops& table) noexcept {
  table.getxattr = getxattr;
  table.listxattr = listxattr;
  table.setxattr = setxattr;
  table.removexattr = removexattr;
}

}  // namespace xip::fuse
