// What: an extending write whose source ends early, against another that extends, and a question for the size.
// Why: what a failed extension has allocated behind the end of file is given back by the same call; nobody else knows of it (Linux:
// ext4_inode_extension_cleanup; __xip_file_write left it there).
// Operations: pwrite of 24,576 bytes of which 6,000 can be read; pwrite of 500 bytes behind them; fstat.
// Invariant: the first write counts 6,000 bytes, and the file has no block that its size does not cover.
// Groups: auto rw. Needs: nothing.
#include <array>

#include "race_helpers.h"

namespace xip::scenario {
namespace {

constexpr std::size_t length = 24'576, there = 6000;

struct scene : race {
  int fd = -1;
  std::array<std::byte, length> buffer{};

  // User memory that is there when it is asked for, and ends when it is used: as if another thread had unmapped the rest between the two.
  static std::size_t fault_in(void*, const std::byte*, std::size_t bytes, bool) { return bytes; }
  static std::size_t copy_in(void* context, const std::byte* user, std::size_t bytes, bool, vfs::move_piece move, void* argument) {
    const auto at = static_cast<std::size_t>(user - static_cast<scene*>(context)->buffer.data());
    const std::size_t part = at >= there ? 0 : std::min(bytes, there - at);
    if (part != 0) move(argument, const_cast<std::byte*>(user), 0, part);
    return part;
  }
  static std::size_t copy_out(void*, std::byte*, std::size_t, bool, vfs::move_piece, void*) { return 0; }

  void setup() {
    fd = create("file");
    fill(buffer, 0, {.file = 1, .generation = 1});
  }
  void writer(vfs::task& me) {
    const vfs::user_access memory{fault_in, copy_in, copy_out, this};
    me.uaccess = &memory;
    const auto count = me.pwrite(fd, buffer.data(), buffer.size(), 0);
    me.uaccess = nullptr;
    expect_answer(count, there);
  }
  void other(vfs::task& me) { put(me, fd, 8000, 500, {.file = 1, .generation = 2}); }
  void asker(vfs::task& me) {
    const loff_t size = must(me.fstat(fd)).size;
    expect(size == 0 || size == static_cast<loff_t>(there) || size == 8500, "the size is one that a write has made");
  }
  void check() {
    const auto covered = (static_cast<std::uint64_t>(must(task().fstat(fd)).size) + block() - 1) / block() * block();
    std::vector<vfs::fiemap_extent> extents;
    must(task().fiemap(fd, 0, INT64_MAX, extents));
    for (const vfs::fiemap_extent& e : extents) expect(e.logical + e.length <= covered, "no block behind the end of file");
    expect_data(task(), fd, 0, there, {.file = 1, .generation = 1});
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rw", "an extending write that fails on its way", {"writer", &scene::writer}, {"other", &scene::other},
         {"asker", &scene::asker})
