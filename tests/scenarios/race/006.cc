// What: a writer fills a preallocated file block by block; a reader of what is written already never sees zeros.
// Why: XFS once answered a DAX write before the extent was converted: a read that came in between found it unwritten (Linux dccaf33fa37a).
// Groups: auto race prealloc. Needs: nothing.
#include <atomic>

#include "helpers.h"

XIP_SCENARIO("auto prealloc", "what a write returned for is there") {
  const auto block = static_cast<loff_t>(t.block_size());
  constexpr loff_t blocks = 500;
  const int shared = t.create("file");
  t.must(t->fallocate(shared, 0, 0, blocks * block));
  std::atomic<loff_t> written{0};
  t.parallel({[&](vfs::task& me) {
                const int fd = t.must(me.open("file", O_WRONLY));
                for (loff_t i = 0; i < blocks && !t.stopping(); ++i) {
                  t.put(me, fd, i * block, static_cast<std::size_t>(block), {.file = 6});
                  written = i + 1;
                }
              },
              [&](vfs::task& me) {
                const int fd = t.must(me.open("file", O_RDONLY));
                for (loff_t there = 0; there < blocks && !t.stopping();) {
                  wait_for(t, [&] { return written > there; });  // each time something new
                  there = written;
                  const loff_t from = there > 4 ? there - 4 : 0;
                  t.expect_data(me, fd, from * block, static_cast<std::size_t>((there - from) * block), {.file = 6});
                }
              }});
}
