// What: mappings over mappings, mappings that are filled at once, and pages that are given back.
// Why: what lies in a range has to go as a whole before something else is mapped there, and what MADV_DONTNEED takes comes back from the file (mmap(2), madvise(2)).
// Groups: auto quick mmap. Needs: DAX.
#include "helpers.h"
#include "mapping_helpers.h"

XIP_SCENARIO("auto quick mmap", "mappings over mappings, filled and emptied", .dax = true) {
  const loff_t block = t.block_size();
  const auto bytes = static_cast<std::size_t>(4 * block);
  const int first = t.create("first"), second = t.create("second");
  for (int i = 0; i < 4; ++i) {
    write_word(t, t.task(), first, i * block, 10u + static_cast<unsigned>(i));
    write_word(t, t.task(), second, i * block, 20u + static_cast<unsigned>(i));
  }
  for (const int fd : {first, second}) t.must(t->ftruncate(fd, 4 * block));
  const user_address at = map_file(t, t.task(), first, bytes);
  for (int i = 0; i < 4; ++i) expect_store(t, t.task(), at + static_cast<user_address>(i * block) + 8, 1);
  // The two in the middle become the other file's, at the other offset.
  const user_address middle = at + static_cast<user_address>(block);
  t.expect_answer(mm::mmap(t.task(), middle, bytes / 2, read_write, MAP_SHARED | MAP_FIXED, second, 0), middle);
  t.expect(load_word(t.task(), at) == 10u && load_word(t.task(), at + static_cast<user_address>(3 * block)) == 13u,
           "what lies beside it stays");
  t.expect(load_word(t.task(), middle) == 20u && load_word(t.task(), middle + static_cast<user_address>(block)) == 21u,
           "the other file's blocks");
  expect_store(t, t.task(), middle + 16, 2);
  t.expect_equal(read_word(t, t.task(), second, 16), 2u, "what is stored there is the other file's");
  t.expect_equal(read_word(t, t.task(), first, block + 16), 0u, "and not that of the first");
  t.expect_errno(mm::mmap(t.task(), middle, bytes / 2, read_write, MAP_SHARED | MAP_FIXED_NOREPLACE, second, 0), EEXIST);

  // All at once: no access faults any more. A private mapping that can be written to is copied.
  const user_address filled = map_file(t, t.task(), first, bytes, MAP_SHARED | MAP_POPULATE, 0, PROT_READ);
  const user_address copied = map_file(t, t.task(), first, bytes, MAP_PRIVATE | MAP_POPULATE);
  const auto before = mm::mm_struct::of(t.task())->faults();
  for (int i = 0; i < 4; ++i) {
    t.expect(load_word(t.task(), filled + static_cast<user_address>(i * block)) == 10u + static_cast<unsigned>(i), "what was filled in");
    expect_store(t, t.task(), copied + static_cast<user_address>(i * block) + 24, 9);
  }
  const auto after = mm::mm_struct::of(t.task())->faults();
  t.expect_equal(after.minor + after.major, before.minor + before.major, "nothing of it faults");

  // A shared page comes back from the file with what was stored into it, a private one without.
  for (const user_address mapped : {at, copied}) t.must(mm::madvise(t.task(), mapped, static_cast<std::size_t>(block), MADV_DONTNEED));
  t.expect(load_word(t.task(), at + 8) == 1u, "what was stored into a shared mapping");
  t.expect(load_word(t.task(), copied + 24) == 0u && load_word(t.task(), copied) == 10u, "a private copy is forgotten");
  for (const user_address mapped : {at, filled, copied}) t.must(mm::munmap(t.task(), mapped, bytes));
  t.must(t->close(first));
  t.must(t->close(second));
}
