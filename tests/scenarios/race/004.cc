// What: while a read of a file stands in mid-copy another task reads the same file to its end; while a write of one file stands in mid-copy
// another task does all its work on another file. Neither ever waits for a lock.
// Why: a lock held too exclusively, or shared by what has nothing to do with each other, would make one wait for the other. Here that wait is
// made certain instead of likely: the first thread goes on only once the second has ended, or is seen waiting.
// Groups: auto race locks. Needs: nothing.
#include <xip/scenario/user_memory.h>

#include "helpers.h"

namespace xip::scenario {
namespace {

constexpr std::size_t size = 1 << 20;

// FIRST(task, at_middle) makes one call whose copy calls at_middle in its middle; SECOND(task) runs while it stands there.
void expect_no_wait(run& t, const char* what, auto&& first, auto&& second) {
  std::atomic<bool> half_way{false};
  progress other;
  t.parallel({[&](vfs::task& me) {
                first(me, [&] {
                  half_way = true;
                  other.wait_until_ended_or_stuck(t);
                });
                t.expect(half_way, "the copy came to its middle");
              },
              [&](vfs::task& me) {
                wait_for(t, [&] { return half_way.load(); });
                other.begin(me);
                second(me);
                t.expect_equal(other.waits(), 0u, what);
                other.end();
              }});
}

// All the work of a file's own: overwriting, growing, preallocating, cutting, reading back.
void work_on(run& t, vfs::task& me, const char* name) {
  const int fd = t.must(me.open(name, O_RDWR));
  for (unsigned i = 0; i < 30; ++i) {
    const stamp who{.file = 5, .generation = i};
    t.put(me, fd, 0, 300'000 + 5000 * i, who);
    t.must(me.fallocate(fd, 0, 600'000, 100'000));
    t.expect_data(me, fd, 0, 300'000 + 5000 * i, who);
    t.must(me.ftruncate(fd, 200'000));
  }
  t.must(me.close(fd));
}

// A write of NAME at OFFSET stands in its middle while another file is worked on.
void expect_files_independent(run& t, const char* name, loff_t offset) {
  std::vector<std::byte> data(size);
  fill(data, offset, {.file = 4, .generation = 1});
  expect_no_wait(
      t, "times a writer of another file had to wait",
      [&](vfs::task& me, std::function<void()> at_middle) {
        const int fd = t.must(me.open(name, O_RDWR));
        const user_memory_calls pause{me, data.data() + size / 2, std::move(at_middle)};
        t.expect_answer(me.pwrite(fd, data.data(), size, offset), size);
      },
      [&](vfs::task& me) { work_on(t, me, "other"); });
  const int fd = t.must(t->open(name, O_RDONLY));
  t.expect_data(fd, offset, size, {.file = 4, .generation = 1});
  t.must(t->close(fd));
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto locks", "readers, and writers of two files, do not wait", .mount = "noatime") {
  const int fd = t.create("file");
  t.put(fd, 0, size, {.file = 4});
  t.put(t.create("other"), 0, 1 << 18, {.file = 5});
  expect_no_wait(
      t, "times a reader of the same file had to wait",
      [&](vfs::task& me, std::function<void()> at_middle) {
        const int mine = t.must(me.open("file", O_RDONLY));
        std::vector<std::byte> data(size);
        const user_memory_calls pause{me, data.data() + size / 2, std::move(at_middle)};
        t.expect_answer(me.pread(mine, data.data(), size, 0), size);
        t.expect_same(compare(data, 0, {.file = 4}));
      },
      [&](vfs::task& me) {
        const int mine = t.must(me.open("file", O_RDONLY));
        t.expect_data(me, mine, 0, size, {.file = 4});
      });
  expect_files_independent(t, "file", 0);                          // an overwrite
  expect_files_independent(t, "file", static_cast<loff_t>(size));  // blocks are allocated, with a handle open
}
