// What: a file and its mappings are the same bytes, in every order of calls, loads and stores.
// Why: what ext4 with DAX was measured to answer, and where it is wrong about bytes behind the end of the file (xfstests generic/029, 030, 141, 248,
// 647).
// Groups: auto quick rw mmap. Needs: DAX.
#include <xip/scenario/scenario.h>

#include "helpers.h"
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

void holes_and_calls(run& t, loff_t block) {
  const int fd = t.create("holes");
  t.must(t->ftruncate(fd, 4 * block));
  const user_address at = map_file(t, t.task(), fd, 4 * block);
  for (int i = 0; i < 4; ++i) t.expect(load_word(t.task(), at + i * block) == 0u, "a hole is zeros");
  t.expect_equal(t.must(t->fstat(fd)).blocks, 0u, "loads allocate nothing");
  write_word(t, t.task(), fd, block, 5);
  t.expect(load_word(t.task(), at + block) == 5u, "a write shows where zeros were mapped");
  expect_store(t, t.task(), at + 2 * block + 8, 6);
  expect_word(t, t.task(), fd, 2 * block + 8, at + 2 * block + 8, 6);
  expect_word(t, t.task(), fd, 2 * block, at + 2 * block, 0);
  t.expect_equal(extents_of(t, fd).size(), 1u, "two blocks side by side");
  t.must(mm::munmap(t.task(), at, 4 * block));
  t.must(t->close(fd));
}

void ends(run& t, loff_t block) {
  const int fd = t.create("ends");
  t.put(fd, 0, static_cast<std::size_t>(2 * block), {.file = 1, .generation = 1});
  const user_address at = map_file(t, t.task(), fd, 4 * block), copy = map_file(t, t.task(), fd, 4 * block, MAP_PRIVATE);
  t.expect(!store_word(t.task(), at + 2 * block, 1), "behind the last page there is nothing");
  expect_store(t, t.task(), copy + block, 9);
  t.must(t->ftruncate(fd, 100));
  t.expect(!load_word(t.task(), at + block), "a page that was cut off");
  t.expect(!load_word(t.task(), copy + block), "its private copy, too");
  t.expect(load_word(t.task(), at + 104) == 0u, "zeros behind the end, in its page");
  expect_store(t, t.task(), at + 200, 7);
  t.must(t->ftruncate(fd, 4 * block));
  t.expect(load_word(t.task(), at + 200) == 0u, "what was stored behind the end is gone when the file has grown");
  t.expect(load_word(t.task(), at + block) == 0u, "zeros where the file was cut");
  t.must(mm::munmap(t.task(), at, 4 * block));
  t.must(mm::munmap(t.task(), copy, 4 * block));
  t.must(t->close(fd));
}

void own_pages(run& t, loff_t block) {
  const int fd = t.create("own");
  t.must(t->ftruncate(fd, 4 * block));
  const user_address at = map_file(t, t.task(), fd, 8 * block);
  expect_store(t, t.task(), at, 3);
  const auto bytes = static_cast<std::size_t>(block);
  t.expect_answer(t->pwrite(fd, mm::user_pointer(at), bytes, 0), bytes, "a page onto itself");
  t.expect_answer(t->pwrite(fd, mm::user_pointer(at + block), bytes, block), bytes, "a hole onto itself");
  t.expect_answer(t->pwrite(fd, mm::user_pointer(at), 2 * bytes, 2 * block), 2 * bytes, "into holes");
  t.expect(load_word(t.task(), at + 2 * block) == 3u, "what was copied");
  t.expect_answer(t->pread(fd, mm::user_pointer(at + 3 * block), bytes, 0), bytes, "a read into a mapping of its file");
  expect_word(t, t.task(), fd, 3 * block, at + 3 * block, 3);
  t.expect_answer(t->pwrite(fd, mm::user_pointer(at + 3 * block), 2 * bytes, 3 * block), bytes, "a source that ends");
  t.expect_errno(t->pwrite(fd, mm::user_pointer(at + 6 * block), bytes, 0), EFAULT);
  t.must(mm::munmap(t.task(), at, 8 * block));
  t.must(t->close(fd));
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick rw mmap", "a file and its mappings are the same bytes", .dax = true) {
  const loff_t block = t.block_size();
  holes_and_calls(t, block);
  ends(t, block);
  own_pages(t, block);
  t.cycle();
  const int fd = t.must(t->open("own", O_RDONLY));
  t.expect_equal(read_word(t, t.task(), fd, 3 * block), 3u, "what was stored, after a new mount");
}
