// What: 2 MiB of a file that lie at a border of the device are mapped by one fault, and cut, written and synced like pages.
// Why: an entry of 2 MiB is one thing to the page tables and 512 to everybody else (xfstests generic/344, 346, 437; dax_iomap_pmd_fault).
// Groups: auto mmap. Needs: DAX, a fresh image.
#include <xip/scenario/scenario.h>

#include "helpers.h"
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

constexpr auto huge = static_cast<loff_t>(mm::pmd_size);

// Where the blocks of the first file to come will lie; it is gone again.
loff_t probe(run& t) {
  const int fd = t.create("probe");
  t.must(t->fallocate(fd, 0, 0, 4 * huge));
  const auto first = static_cast<loff_t>(extents_of(t, fd).at(0).physical);
  t.must(t->close(fd));
  t.must(t->unlink("probe"));
  const int other = t.create("other");
  t.must(t->syncfs(other));
  t.must(t->close(other));
  return first;
}

// A preallocated file, and the first of its bytes from which on 2 MiB lie at a border of the device.
int aligned_file(run& t, loff_t& from) {
  const loff_t offset = probe(t) & (huge - 1);
  const int fd = t.create("file");
  t.must(t->fallocate(fd, 0, offset, 4 * huge));
  const auto extents = extents_of(t, fd);
  from = (offset + huge - 1) & -huge;
  const auto& e = extents.at(0);
  if (((static_cast<loff_t>(e.physical) - e.logical) & (huge - 1)) != 0 || static_cast<loff_t>(e.length) < 3 * huge)
    t.skip("the file does not lie in one piece at a border of 2 MiB");
  return fd;
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto mmap", "2 MiB are mapped at once", .dax = true, .size = 64 * mib, .mkfs = "-b 4096") {
  loff_t from = 0;
  const int fd = aligned_file(t, from);
  const user_address at = map_file(t, t.task(), fd, 2 * huge, MAP_SHARED, from);
  mm::mm_struct& mm = *mm::mm_struct::of(t.task());
  t.expect(load_word(t.task(), at + 8) == 0u, "preallocated blocks are zeros");
  for (loff_t page = 0; page < huge; page += static_cast<loff_t>(page_size)) expect_store(t, t.task(), at + page, page + 1);
  t.expect_equal(mm.faults().minor + mm.faults().major, 2u, "one load and one store have faulted");
  t.must(t->fsync(fd));
  expect_store(t, t.task(), at + 4096, 9);
  t.expect_equal(mm.faults().minor + mm.faults().major, 3u, "the first store after a sync faults");
  expect_word(t, t.task(), fd, from + 4096, at + 4096, 9);
  write_word(t, t.task(), fd, from + 8192, 10);
  t.expect(load_word(t.task(), at + 8192) == 10u, "a write shows in the mapping");

  const user_address page = map_file(t, t.task(), fd, 4096, MAP_SHARED, from + 12288);
  expect_store(t, t.task(), page, 11);
  t.expect(load_word(t.task(), at + 12288) == 11u, "a page of it, mapped alone");
  const user_address copy = map_file(t, t.task(), fd, 2 * huge, MAP_PRIVATE, from);
  t.expect(load_word(t.task(), copy + 12288) == 11u, "a private mapping");
  expect_store(t, t.task(), copy + 12288, 12);
  t.expect(load_word(t.task(), at + 12288) == 11u, "which keeps what is stored there to itself");

  t.must(t->ftruncate(fd, from + huge / 2 + 100));
  t.expect(!load_word(t.task(), at + huge / 2 + 4096), "behind the end there is nothing");
  t.expect(load_word(t.task(), at + 4096) == 9u, "before it everything");
  t.expect(load_word(t.task(), at + huge / 2 + 104) == 0u, "zeros behind the end");
  t.must(t->ftruncate(fd, from + 2 * huge));
  t.expect(load_word(t.task(), at + huge + 4096) == 0u, "the file has grown");
  for (const user_address mapped : {at, copy}) t.must(mm::munmap(t.task(), mapped, 2 * huge));
  t.must(mm::munmap(t.task(), page, 4096));
  t.must(t->close(fd));
  t.cycle();
  const int again = t.must(t->open("file", O_RDONLY));
  t.expect_equal(read_word(t, t.task(), again, from + 4096), 9u, "what was stored, after a new mount");
}
