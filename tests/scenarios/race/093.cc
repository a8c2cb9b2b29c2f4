// What: a write whose source is a mapping of the file that it fills, and the mapping goes.
// Why: the source was there when it was asked for, and is not when it is copied with faults disabled: the bytes go through a page of the kernel's
// (xfstests generic/248, 647).
// Operations: pwrite of a word from one page of a mapping into a hole of the same file; madvise and munmap of the source; a store there.
// Invariant: the write returns; it counts what it has written, and that is there.
// Groups: auto mmap dax rw. Needs: DAX.
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};
  user_address source = 0;

  void setup() {
    map_hole(2);
    source = map_file(*this, task(), fd, block(), MAP_SHARED, block());
    expect_store(*this, task(), source, 7);
  }
  void writer(vfs::task& me) {
    const auto written = me.pwrite(fd, mm::user_pointer(source), 8, 0);
    if (!written) return expect_errno(written, EFAULT);
    expect_answer(written, 8);
    expect_equal(read_word(*this, me, fd, 0), 7, "what was written is there");
    expect(load_word(me, at) == 7u, "and in the mapping");
  }
  void remover(vfs::task& me) {
    must(mm::madvise(me, source, block(), MADV_DONTNEED));
    must(mm::munmap(me, source, block()));
  }
  void loader(vfs::task& me) {
    const auto word = load_word(me, at);
    expect(word == 0u || word == 7u, "what is loaded is zero or was written");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax rw", "a write from a mapping that goes", {"writer", &scene::writer}, {"remover", &scene::remover},
         {"loader", &scene::loader})
