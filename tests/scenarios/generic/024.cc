// What: 300 directories within each other: walked down and up, named through "..", made and removed; link counts.
// Why: path walk does not recurse, and ".." is what the directory on disk says.
// Groups: auto quick dir. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick dir", "deep directories") {
  constexpr unsigned depth = 300;
  std::string path = "d";
  t.must(t->mkdir(path, 0755));
  for (unsigned i = 1; i < depth; ++i) t.must(t->mkdir(path += "/d", 0755));
  t.must(t->close(t.create(path + "/leaf")));
  t.cycle();
  for (unsigned i = 0; i < depth; ++i) t.must(t->chdir("d"));
  t.must(t->stat("leaf"));
  const std::string cwd = t.must(t->getcwd());
  t.expect_equal(cwd.size(), t.directory().size() + 2u * depth, "the length of the working directory's path");
  for (unsigned i = 0; i + 1 < depth; ++i) t.must(t->chdir(".."));
  t.expect_equal(t.must(t->stat(".")).nlink, 3u, "links of the outermost directory");
  t.must(t->chdir(".."));
  t.must(t->unlink(path + "/leaf"));
  t.expect_errno(t->rmdir("d"), ENOTEMPTY);
  for (; !path.empty(); path.resize(path.size() == 1 ? 0 : path.size() - 2)) t.must(t->rmdir(path));
  t.expect_errno(t->stat("d"), ENOENT);
}
