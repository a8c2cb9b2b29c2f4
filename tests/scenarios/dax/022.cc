// What: with an image whose large pieces are aligned, one stored byte gets 2 MiB, and one fault maps them.
// Why: mke2fs -E stride and stripe_width are how a file system is told to align for entries of 2 MiB.
// Groups: auto mmap prealloc. Needs: DAX, a fresh image.
#include "helpers.h"
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

constexpr auto huge = static_cast<loff_t>(mm::pmd_size);

[[nodiscard]] bool is_aligned(run& t, int fd, std::size_t extent) {
  const auto e = extents_of(t, fd).at(extent);
  constexpr std::uint64_t within = mm::pmd_size - 1;
  return ((e.physical | e.logical) & within) == 0;
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto mmap prealloc", "2 MiB for one stored byte", .dax = true, .size = 64 * mib,
             .mkfs = "-b 4096 -E stride=512,stripe_width=512") {
  // What lies in between keeps free blocks from being aligned by chance.
  const int small = t.create("small"), fd = t.create("file"), whole = t.create("preallocated");
  t.put(small, 0, 3 * page_size, {.file = 1});
  t.must(t->ftruncate(fd, 8 * huge));
  const user_address at = map_file(t, t.task(), fd, static_cast<std::size_t>(8 * huge));
  expect_store(t, t.task(), at + static_cast<user_address>(huge) + 5 * page_size, 1);
  t.expect_equal(t.must(t->fstat(fd)).blocks, static_cast<std::uint64_t>(huge) / 512, "one stored word gets 2 MiB");
  t.expect(is_aligned(t, fd, 0), "which lie at a border");
  t.put(small, 4 * page_size, 3 * page_size, {.file = 1});
  expect_store(t, t.task(), at + static_cast<user_address>(3 * huge), 2);
  t.expect(is_aligned(t, fd, 1), "the next, too");
  const auto faults = mm::mm_struct::of(t.task())->faults();
  for (loff_t page = 0; page < huge; page += static_cast<loff_t>(page_size))
    expect_store(t, t.task(), at + static_cast<user_address>(huge + page) + 8, 3);
  const auto now = mm::mm_struct::of(t.task())->faults();
  t.expect_equal(now.minor + now.major, faults.minor + faults.major, "no page of them faults any more");
  t.must(t->fallocate(whole, 0, 0, 2 * huge));
  t.expect(is_aligned(t, whole, 0), "what is preallocated is aligned as well");
  t.must(mm::munmap(t.task(), at, static_cast<std::size_t>(8 * huge)));
  for (const int open : {small, fd, whole}) t.must(t->close(open));
}
