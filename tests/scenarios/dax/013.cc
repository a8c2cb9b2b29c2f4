// What: loads and stores on a disk that is full.
// Why: a load allocates nothing; a store that needs a block ends with a signal and leaves no trace, and one into a preallocated block needs none (xfstests generic/274,
// 371; D11 of the 2013 review).
// Groups: auto enospc mmap. Needs: DAX.
#include "helpers.h"
#include "mapping_helpers.h"

XIP_SCENARIO("auto enospc mmap", "mappings on a full disk", .dax = true) {
  const loff_t block = t.block_size();
  const int fd = t.create("file"), kept = t.create("preallocated"), filler = t.create("filler");
  t.must(t->ftruncate(fd, 8 * block));
  t.must(t->fallocate(kept, 0, 0, 8 * block));
  const user_address at = map_file(t, t.task(), fd, 8 * block), ready = map_file(t, t.task(), kept, 8 * block);
  t.expect(t.fill_up(filler, 0, {.file = 9}) > mib, "the disk was written full");
  t.must(t->fsync(filler));
  for (int i = 0; i < 8; ++i) t.expect(load_word(t.task(), at + i * block) == 0u, "a hole is loaded on a full disk");
  unsigned signals = 0;
  for (int i = 0; i < 8; ++i) signals += store_word(t.task(), at + i * block, 1) ? 0 : 1;
  t.expect(signals >= 6, "a store that needs a block is signalled");
  for (int i = 0; i < 8; ++i) {
    const auto word = load_word(t.task(), at + i * block);
    t.expect(word == 0u || word == 1u, "what could not be stored is zero still");
    t.expect_equal(read_word(t, t.task(), fd, i * block), *word, "the file says the same");
  }
  // From its first page on: the border between written and unwritten moves, and the root has room for both.
  for (int i = 0; i < 8; ++i) expect_store(t, t.task(), ready + i * block, 2);
  t.must(t->fsync(kept));
  t.must(t->close(filler));
  t.must(t->unlink("filler"));
  for (int i = 0; i < 8; ++i) expect_store(t, t.task(), at + i * block, 3);
  for (int i = 0; i < 8; ++i) expect_word(t, t.task(), fd, i * block, at + i * block, 3);
  t.must(mm::munmap(t.task(), at, 8 * block));
  t.must(mm::munmap(t.task(), ready, 8 * block));
  t.must(t->close(fd));
  t.must(t->close(kept));
}
