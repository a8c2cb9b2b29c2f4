// What: the times of a file that is changed through a mapping.
// Why: mtime and ctime move with the first store, and with the first one behind a sync, which write-protects; a load and later stores move nothing (xfstests
// generic/080; POSIX leaves the moment between store and msync open).
// Groups: auto quick mmap. Needs: DAX.
#include "helpers.h"
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

// One step of a long past: whatever moves a time moves it away from there.
constexpr vfs::timespec64 long_ago{.seconds = 1'000'000'000, .nanoseconds = 0};

void age(run& t, int fd) {
  const vfs::timespec64 times[2] = {long_ago, long_ago};
  t.must(t->futimens(fd, times));
}
[[nodiscard]] bool has_moved(run& t, int fd) {
  const vfs::kstat now = t.must(t->fstat(fd));
  const bool moved = now.mtime.seconds != long_ago.seconds;
  if (moved) t.expect(now.ctime == now.mtime, "ctime goes along");
  return moved;
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick mmap", "times of a file that is stored to", .dax = true) {
  const int fd = t.create("file");
  t.must(t->ftruncate(fd, 4096));
  const user_address at = map_file(t, t.task(), fd, 4096);
  age(t, fd);
  t.expect(load_word(t.task(), at) == 0u, "a hole is zeros");
  t.expect(!has_moved(t, fd), "a load changes no mtime");
  expect_store(t, t.task(), at, 1);
  t.expect(has_moved(t, fd), "the first store does");
  age(t, fd);
  expect_store(t, t.task(), at + 8, 2);
  t.expect(!has_moved(t, fd), "the next one needs no fault");
  t.must(mm::msync(t.task(), at, 4096, MS_ASYNC));
  expect_store(t, t.task(), at + 8, 3);
  t.expect(!has_moved(t, fd), "MS_ASYNC changes nothing");
  t.must(mm::msync(t.task(), at, 4096, MS_SYNC));
  t.expect(!has_moved(t, fd), "a sync stores nothing");
  expect_store(t, t.task(), at + 8, 4);
  t.expect(has_moved(t, fd), "the first store behind a sync does");
  const user_address copy = map_file(t, t.task(), fd, 4096, MAP_PRIVATE);
  age(t, fd);
  expect_store(t, t.task(), copy, 5);
  t.expect(!has_moved(t, fd), "a private store is none of the file's");
  t.must(mm::munmap(t.task(), at, 4096));
  t.must(mm::munmap(t.task(), copy, 4096));
  t.must(t->close(fd));
}
