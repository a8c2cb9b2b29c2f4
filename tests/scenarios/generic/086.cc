// What: a million files in one tree, made and removed by eight tasks.
// Why: every group's inodes are used, caches turn over many times, and at the end everything is free again.
// Groups: load. Needs: a fresh image of 1 GiB.
#include "helpers.h"

namespace xip::scenario {
namespace {

constexpr unsigned tasks = 8, directories = 1000, files = 1000;

std::string directory_of(unsigned d) { return numbered("tree/", d); }

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("load", "a million files", .size = 1024 * mib, .mkfs = "-b 4096 -N 1010000") {
  const vfs::kstatfs before = t.must(t->statfs("."));
  t.must(t->mkdir("tree", 0755));
  t.parallel(tasks, [&](vfs::task& me, unsigned i) {
    for (unsigned d = i; d < directories && !t.stopping(); d += tasks) {
      t.must(me.mkdir(directory_of(d), 0755));
      for (unsigned f = 0; f < files; ++f)
        t.must(me.close(t.must(me.open(numbered((directory_of(d) + "/").c_str(), f), O_CREAT | O_EXCL | O_WRONLY, 0644))));
    }
  });
  t.expect_equal(before.ffree - t.must(t->statfs(".")).ffree, std::uint64_t{directories} * files + directories + 1, "inodes in use");
  t.cycle();
  random_source chance = t.random();
  for (unsigned n = 0; n < 10'000; ++n) {
    const std::string path = numbered((directory_of(static_cast<unsigned>(chance.below(directories))) + "/").c_str(), chance.below(files));
    t.expect_equal(t.must(t->stat(path)).nlink, 1, "links of a file");
  }
  t.parallel(tasks, [&](vfs::task& me, unsigned i) {
    for (unsigned d = i; d < directories && !t.stopping(); d += tasks) {
      for (unsigned f = 0; f < files; ++f) t.must(me.unlink(numbered((directory_of(d) + "/").c_str(), f)));
      t.must(me.rmdir(directory_of(d)));
    }
  });
  t.must(t->rmdir("tree"));
  t.must(t.kernel().sync());
  const vfs::kstatfs after = t.must(t->statfs("."));
  t.expect_equal(after.ffree, before.ffree, "free inodes at the end");
  t.expect_equal(after.bfree, before.bfree, "free blocks at the end");
}
