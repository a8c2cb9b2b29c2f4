// What: two tasks append 2,000 records each through O_APPEND: none is torn, none is lost, each task's are in its order.
// Why: the position of an append is chosen under the lock.
// Groups: auto race append. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto append", "appends by two tasks") {
  constexpr unsigned records = 2000, bytes = 96;
  t.must(t->close(t.create("file")));
  t.parallel(2, [&](vfs::task& me, unsigned index) {
    const int fd = t.must(me.open("file", O_WRONLY | O_APPEND));
    std::vector<std::byte> record(bytes);
    for (unsigned i = 0; i < records; ++i) {
      fill(record, static_cast<loff_t>(i) * bytes, {.file = 1 + index});
      t.expect_answer(me.write(fd, record.data(), bytes), bytes, "bytes of a record");
    }
  });
  const int fd = t.must(t->open("file", O_RDONLY));
  t.expect_equal(t.size_of(fd), 2 * records * bytes, "the size");
  std::vector<std::byte> record(bytes);
  unsigned next[2] = {0, 0};
  for (unsigned i = 0; i < 2 * records; ++i) {
    t.expect_answer(t->read(fd, record.data(), bytes), bytes);
    const unsigned who = static_cast<unsigned>(record[6]) >> 4 == 1 ? 0 : 1;
    t.expect_same(compare(record, static_cast<loff_t>(next[who]++) * bytes, {.file = 1 + who}));
  }
  t.expect_equal(next[0], records, "records of the first task");
}
