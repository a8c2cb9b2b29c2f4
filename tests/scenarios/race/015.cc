// What: two tasks share a descriptor table and write through one descriptor: no two writes land on the same place.
// Why: the file position is taken under f_pos_lock for the whole call.
// Groups: auto race rw. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto rw", "a shared file position") {
  constexpr unsigned records = 1000, bytes = 64;
  const int fd = t.create("file");
  const vfs::task_ptr one{t.must(t.kernel().fork_task(t.task(), "one", true))};
  const vfs::task_ptr two{t.must(t.kernel().fork_task(t.task(), "two", true))};
  t.parallel(2, [&](vfs::task&, unsigned index) {
    vfs::task& me = index == 0 ? *one : *two;
    std::vector<std::byte> record(bytes);
    for (unsigned i = 0; i < records; ++i) {
      fill(record, i * bytes, {.file = 1 + index});
      t.expect_answer(me.write(fd, record.data(), bytes), bytes);
    }
  });
  t.expect_equal(t.size_of(fd), 2 * records * bytes, "the size");
  unsigned next[2] = {0, 0};
  std::vector<std::byte> record(bytes);
  for (unsigned i = 0; i < 2 * records; ++i) {
    t.expect_answer(t->pread(fd, record.data(), bytes, i * bytes), bytes);
    const unsigned who = static_cast<unsigned>(record[6]) >> 4 == 1 ? 0 : 1;
    t.expect_same(compare(record, next[who]++ * bytes, {.file = 1 + who}));
  }
}
