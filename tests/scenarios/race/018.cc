// What: fallocate, write and truncate on one file from three tasks, and reads that compare: a byte is what was written there, or zero.
// Why: unwritten extents come, split and go under each other.
// Groups: auto race prealloc. Needs: nothing.
#include <atomic>

#include "helpers.h"

XIP_SCENARIO("auto prealloc", "fallocate, write and truncate on one file") {
  constexpr loff_t size = 400'000;
  t.must(t->close(t.create("file")));
  std::atomic<unsigned> working{3};
  const auto work = [&](vfs::task& me, unsigned kind) {
    auto chance = t.random(kind);
    const int fd = t.must(me.open("file", O_RDWR));
    for (unsigned i = 0; i < 300 && !t.stopping(); ++i) {
      const auto at = static_cast<loff_t>(chance.below(size - 40'000)), bytes = static_cast<loff_t>(chance.between(1, 40'000));
      if (kind == 0) t.must(me.fallocate(fd, chance.one_in(2) ? FALLOC_FL_KEEP_SIZE : 0, at, bytes));
      if (kind == 1) t.put(me, fd, at, static_cast<std::size_t>(bytes), {.file = 18});
      if (kind == 2) t.must(me.ftruncate(fd, at));
    }
    --working;
  };
  const auto read = [&](vfs::task& me) {
    const int fd = t.must(me.open("file", O_RDONLY));
    std::vector<std::byte> data(size);
    while (working != 0 && !t.stopping()) {
      const std::size_t got = t.must(me.pread(fd, data.data(), data.size(), 0));
      for (std::size_t i = 0; i < got; ++i)
        if (data[i] != std::byte{0})
          t.expect(data[i] == pattern_byte(static_cast<loff_t>(i), {.file = 18}), "a byte is what was written there");
    }
  };
  t.parallel({[&](vfs::task& me) { work(me, 0); }, [&](vfs::task& me) { work(me, 1); }, [&](vfs::task& me) { work(me, 2); }, read});
}
