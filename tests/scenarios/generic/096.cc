// What: a directory of 65,010 directories: its link count is 1 once it has more than 64,998 of them, and stays so when some go.
// Why: a count of 16 bits ends before a directory does; with dir_nlink one that has an index goes on, and 1 says that nobody counts.
// Groups: load dir. Needs: a fresh image with room for so many.
#include "helpers.h"

namespace xip::scenario {
namespace {

constexpr unsigned counted = 64'998;  // and "." and "..": EXT4_LINK_MAX
constexpr unsigned all = counted + 12, removed = 20;

std::string directory(unsigned n) { return numbered("many/", n); }
void expect_links(run& t, unsigned links, const char* when) { t.expect_equal(t.must(t->stat("many")).nlink, links, when); }

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("load dir", "more directories than links", .size = 192 * mib, .mkfs = "-b 1024 -N 66000 -O dir_index,dir_nlink") {
  t.must(t->mkdir("many", 0755));
  for (unsigned n = 0; n < counted; ++n) t.must(t->mkdir(directory(n), 0755));
  expect_links(t, counted + 2, "links while they are counted");
  t.must(t->mkdir(directory(counted), 0755));
  expect_links(t, 1, "links with one directory more");
  for (unsigned n = counted + 1; n < all; ++n) t.must(t->mkdir(directory(n), 0755));
  expect_links(t, 1, "links with all of them");
  t.cycle();
  expect_links(t, 1, "links after a new mount");
  t.expect_errno(t->rmdir("many"), ENOTEMPTY);
  // Fewer than can be counted, and nobody knows how many: it stays uncounted, also when more come again.
  for (unsigned n = 0; n < removed; ++n) t.must(t->rmdir(directory(n * 3'000)));
  expect_links(t, 1, "links after some were removed");
  for (unsigned n = 0; n < removed; ++n) {
    t.must(t->mkdir(directory(n * 3'000), 0755));
    expect_links(t, 1, "links after some were made again");
  }
  t.must(t->mkdir("other", 0755));
  t.must(t->rename(directory(5), "other/moved"));
  t.must(t->rename(directory(7), directory(8)));
  expect_links(t, 1, "links after some were moved");
  t.expect_equal(t.must(t->stat("other")).nlink, 3u, "links of another directory");
  t.expect_equal(t.must(t->stat(directory(100))).nlink, 2u, "links of one of them");
  t.expect_equal(t.names_in("many").size(), std::size_t{all - 2}, "names");
}
