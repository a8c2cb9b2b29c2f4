// What: one task appends, another truncates to the half, a third reads: sizes and contents always fit together.
// Why: the position of an append, i_size and the tail's zeroing in one lock.
// Groups: auto race append. Needs: nothing.
#include <atomic>

#include "helpers.h"

XIP_SCENARIO("auto append", "append against truncate") {
  t.must(t->close(t.create("file")));
  std::atomic<bool> done{false};
  constexpr std::size_t record = 3000;
  t.parallel({[&](vfs::task& me) {
                const int fd = t.must(me.open("file", O_WRONLY | O_APPEND));
                const std::vector<std::byte> data(record, std::byte{0x5a});
                for (unsigned i = 0; i < 1500 && !t.stopping(); ++i) t.expect_answer(me.write(fd, data.data(), record), record);
                done = true;
              },
              [&](vfs::task& me) {
                while (!done && !t.stopping()) {
                  const auto size = t.must(me.stat("file")).size;
                  if (size > 60'000) t.must(me.truncate("file", size / 2));
                }
              },
              [&](vfs::task& me) {
                const int fd = t.must(me.open("file", O_RDONLY));
                std::vector<std::byte> data(200'000);
                while (!done && !t.stopping()) {
                  const std::size_t got = t.must(me.pread(fd, data.data(), data.size(), 0));
                  for (std::size_t i = 0; i < got; i += 97)
                    t.expect(data[i] == std::byte{0x5a} || data[i] == std::byte{0}, "a byte is data, or a zero of a grown tail");
                }
              }});
}
