// What: a file is truncated while it is read, and another takes its blocks: the reader sees its own bytes or none, never the other's.
// Why: reads of the 2013 XIP took no lock, so blocks that a truncate freed could be another file's before the copy ended; DAX had the same
// between read and hole punch until reads took a lock (Linux 730633f0b7f9, d4f5258eae7b).
// Groups: auto race rw. Needs: nothing.
#include <atomic>

#include "helpers.h"

XIP_SCENARIO("auto rw", "read, truncate, and blocks taken elsewhere") {
  constexpr std::size_t size = 300'000;
  const int shared = t.create("a");
  t.put(shared, 0, size, {.file = 1});
  std::atomic<bool> done{false};
  t.parallel({[&](vfs::task& me) {
                const int fd = t.must(me.open("a", O_RDWR));
                for (unsigned i = 0; i < 300 && !t.stopping(); ++i) {
                  t.must(me.ftruncate(fd, i % 2 == 0 ? 0 : 5000));
                  if (i % 10 == 0) t.must(me.syncfs(fd));
                  t.put(me, fd, 0, size, {.file = 1});
                }
                done = true;
              },
              [&](vfs::task& me) {
                for (unsigned i = 0; !done && !t.stopping(); ++i) {
                  const int fd = t.must(me.open(numbered("b", i % 4), O_RDWR | O_CREAT | O_TRUNC, 0644));
                  t.put(me, fd, 0, size, {.file = 2});
                  t.expect_data(me, fd, 0, size, {.file = 2});
                  t.must(me.close(fd));
                }
              },
              [&](vfs::task& me) {
                const int fd = t.must(me.open("a", O_RDONLY));
                std::vector<std::byte> data(size);
                while (!done && !t.stopping()) {
                  const std::size_t got = t.must(me.pread(fd, data.data(), size, 0));
                  t.expect(got == 0 || got == 5000 || got == size, "the count is a size the file had");
                  t.expect_same(compare(std::span{data}.first(got), 0, {.file = 1}));
                }
              }});
}
