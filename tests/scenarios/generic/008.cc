// What: O_DIRECT is accepted, aligned and unaligned, and mixes with ordinary descriptors.
// Why: ext4-dax takes any O_DIRECT request; there is no page cache to disagree with.
// Groups: auto quick rw. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick rw", "O_DIRECT, aligned or not") {
  constexpr std::size_t bytes = 16384;  // blocks of any size, and more than what is written over below
  const int direct = t.must(t->open("file", O_RDWR | O_CREAT | O_DIRECT, 0644));
  const int plain = t.must(t->open("file", O_RDWR));
  t.put(direct, 0, bytes, {.file = 8, .generation = 1});
  t.expect_data(plain, 0, bytes, {.file = 8, .generation = 1});
  t.put(direct, 4321, 777, {.file = 8, .generation = 2});
  t.expect_data(plain, 4321, 777, {.file = 8, .generation = 2});
  t.put(plain, 5000, 10, {.file = 8, .generation = 3});
  t.expect_data(direct, 5000, 10, {.file = 8, .generation = 3});
  t.expect_data(direct, 0, 4321, {.file = 8, .generation = 1});
}
