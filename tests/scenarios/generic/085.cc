// What: 100,000 names in one directory: made, listed, looked up, a part of them removed and made again, all removed.
// Why: the index grows to its second level and splits leaf after leaf; getdents' cookies and every lookup must still be right.
// Groups: auto load dir. Needs: 256 MiB.
#include <linux/fs.h>

#include "helpers.h"

namespace xip::scenario {
namespace {

constexpr unsigned names = 100'000;

std::string path_of(unsigned n) { return numbered("many/a-name-of-some-length-", n); }

// All are links to one file, as many as a file may have, and then the next file's.
constexpr unsigned links = 60'000;
std::string file_of(unsigned n) { return numbered("file-", n / links); }

// Each name is looked for in all of a directory without an index, which takes minutes.
constexpr unsigned names_without_index = 2'000;
bool is_indexed(run& t, const std::string& directory) {
  unsigned flags = 0;
  const int fd = t.must(t->open(directory, O_RDONLY | O_DIRECTORY));
  t.must(t->ioctl(fd, FS_IOC_GETFLAGS, &flags));
  t.must(t->close(fd));
  return (flags & FS_INDEX_FL) != 0;
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto load dir", "100,000 names in a directory", .size = 256 * mib) {
  t.must(t->mkdir("many", 0755));
  for (unsigned n = 0; n < names; n += links) t.must(t->close(t.create(file_of(n))));
  for (unsigned n = 0; n < names; ++n) {
    t.must(t->link(file_of(n), path_of(n)));
    if (n == names_without_index && !is_indexed(t, "many")) t.skip("directories have no index (dir_index)");
  }
  t.expect_equal(t.names_in("many").size(), names, "names listed");
  t.cycle();
  for (unsigned n = 0; n < names; n += 7)
    t.expect_equal(t.must(t->stat(path_of(n))).ino, t.must(t->stat(file_of(n))).ino, "what a name leads to");
  t.expect_errno(t->stat(path_of(names)), ENOENT);
  for (unsigned n = 0; n < names; n += 3) t.must(t->unlink(path_of(n)));
  t.expect_equal(t.names_in("many").size(), names - (names + 2) / 3, "names that are left");
  for (unsigned n = 0; n < names; n += 3) t.must(t->link(file_of(n), path_of(n)));
  t.expect_errno(t->link(file_of(1), path_of(1)), EEXIST);
  for (unsigned n = 0; n < names; ++n) t.must(t->unlink(path_of(n)));
  t.must(t->rmdir("many"));
  for (unsigned n = 0; n < names; n += links) t.expect_equal(t.must(t->stat(file_of(n))).nlink, 1, "links that are left");
}
