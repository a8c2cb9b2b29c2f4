// What: a directory index two levels deep, in blocks of 1 KiB with long names; removed to the last and refilled.
// Why: the root of the index splits, which 4 KiB blocks hardly ever do.
// Groups: auto dir. Needs: a fresh image of its own geometry.
#include "helpers.h"

XIP_SCENARIO("auto dir", "a directory index two levels deep", .mkfs = "-b 1024 -N 16000") {
  t.must(t->mkdir("dir", 0755));
  const auto name = [](unsigned i) { return "dir/" + numbered("n", i) + std::string(150, '-'); };
  constexpr unsigned count = 6000;
  for (unsigned i = 0; i < count; ++i) t.must(t->close(t.must(t->open(name(i), O_WRONLY | O_CREAT | O_EXCL, 0644))));
  t.cycle();
  t.expect_equal(t.names_in("dir").size(), count, "names");
  for (unsigned i = 0; i < count; ++i) t.must(t->stat(name(i)));
  for (unsigned i = 0; i < count; ++i) t.must(t->unlink(name(i * 7 % count)));
  t.expect_equal(t.names_in("dir").size(), 0u, "names after all were removed");
  for (unsigned i = 0; i < 100; ++i) t.must(t->close(t.must(t->open(name(i), O_WRONLY | O_CREAT | O_EXCL, 0644))));
  t.expect_equal(t.names_in("dir").size(), 100u, "names after some were made again");
}
