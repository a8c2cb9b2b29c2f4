// What: a read into a mapping of the same file, while the address space changes.
// Why: the copy of a read faults with i_rwsem held, and mmap holds mmap_lock: whichever takes the other's lock inside deadlocks (Linux a05b0855fd, 4879e0dfe9c9).
// So a fault takes no i_rwsem, and mmap no lock of a file that a fault may come under.
// Operations: pread of a written block into a hole of the same file; mmap and munmap; ftruncate to the same size.
// Invariant: all return, and the bytes arrive.
// Groups: auto mmap dax locks. Needs: DAX.
#include <array>

#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};

  void setup() {
    fd = create("file");
    put(task(), fd, 0, block(), {.file = 1, .generation = 1});
    must(task().ftruncate(fd, 2 * block()));
    at = map_file(*this, task(), fd, 2 * block());
  }
  void reader(vfs::task& me) { expect_answer(me.pread(fd, mm::user_pointer(at + block()), 64, 0), 64); }
  void mapper(vfs::task& me) {
    const user_address mine = map_file(*this, me, fd, block(), MAP_SHARED, block());
    must(mm::munmap(me, mine, block()));
  }
  void cutter(vfs::task& me) { must(me.ftruncate(fd, 2 * block())); }
  void check() {
    std::array<std::byte, 64> bytes;
    expect_answer(task().pread(fd, bytes.data(), bytes.size(), block()), bytes.size());
    expect_same(compare(bytes, 0, {.file = 1, .generation = 1}));
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax locks", "a read into a mapping of its own file", {"reader", &scene::reader}, {"mapper", &scene::mapper},
         {"cutter", &scene::cutter})
