// What: private stores into files of a file system that may not be changed.
// Why: a private copy is nobody's business but the task's: no handle, no allocation, no error (Linux fd96b8da68d3; xfstests generic/452).
// Groups: auto quick mmap. Needs: DAX.
#include "helpers.h"
#include "mapping_helpers.h"

XIP_SCENARIO("auto quick mmap", "private stores on a read-only mount", .dax = true) {
  const loff_t block = t.block_size();
  int fd = t.create("file");
  write_word(t, t.task(), fd, 0, 5);
  t.must(t->ftruncate(fd, 3 * block));
  t.must(t->close(fd));
  t.umount();
  const std::uint32_t before = t.device_checksum();
  t.mount("ro");
  fd = t.must(t->open("file", O_RDONLY));
  const user_address copy = map_file(t, t.task(), fd, 3 * block, MAP_PRIVATE);
  for (const loff_t at : {loff_t{0}, block, 2 * block}) expect_store(t, t.task(), copy + at + 8, 7);
  t.expect(load_word(t.task(), copy) == 5u, "beside it lies what is in the file");
  t.expect(load_word(t.task(), copy + block) == 0u, "or the zeros of a hole");
  t.expect_equal(read_word(t, t.task(), fd, 8), 0u, "the file is as it was");
  t.expect_errno(mm::mmap(t.task(), 0, 3 * block, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
  const user_address shared = map_file(t, t.task(), fd, 3 * block, MAP_SHARED, 0, PROT_READ);
  t.expect(load_word(t.task(), shared) == 5u && load_word(t.task(), shared + block) == 0u, "a shared mapping can be loaded from");
  t.expect(!store_word(t.task(), shared, 1), "and not stored to");
  t.must(mm::munmap(t.task(), copy, 3 * block));
  t.must(mm::munmap(t.task(), shared, 3 * block));
  t.must(t->close(fd));
  t.umount();
  t.expect_equal(t.device_checksum(), before, "not a byte of the device has changed");
  t.mount();
}
