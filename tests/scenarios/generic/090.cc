// What: a file and a directory whose blocks are to be kept in a map, and then in a tree again, stay what they are; a file that no map can say keeps its tree.
// Why: chattr -e and +e rewrite the root of where the blocks are.
// Groups: auto quick perms. Needs: extents.
#include <linux/fs.h>

#include "helpers.h"

namespace xip::scenario {
namespace {

[[nodiscard]] unsigned flags_of(run& t, const char* name) {
  const int fd = t.must(t->open(name, O_RDONLY));
  unsigned flags = 0;
  t.must(t->ioctl(fd, FS_IOC_GETFLAGS, &flags));
  t.must(t->close(fd));
  return flags;
}

[[nodiscard]] result<> keep(run& t, const char* name, bool in_tree) {
  const int fd = t.must(t->open(name, O_RDONLY));
  unsigned flags = flags_of(t, name);
  flags = in_tree ? flags | FS_EXTENT_FL : flags & ~static_cast<unsigned>(FS_EXTENT_FL);
  const auto answer = t->ioctl(fd, FS_IOC_SETFLAGS, &flags);
  t.must(t->close(fd));
  if (!answer) return fail(answer.error());
  return {};
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick perms", "blocks kept in a tree, in a map, and in a tree again") {
  const stamp first{.file = 1}, second{.file = 1, .generation = 1};
  const loff_t block = t.block_size();
  const int fd = t.create("file");
  t.put(fd, 0, 3 * block, first);
  if ((flags_of(t, "file") & FS_EXTENT_FL) == 0) t.skip("the image has no extents");
  t.must(t->mkdir("dir", 0755));
  t.must(t->close(t.create("dir/before")));

  t.must(keep(t, "file", false));
  t.must(keep(t, "dir", false));
  t.expect_equal(flags_of(t, "file") & FS_EXTENT_FL, 0u, "the flag of a tree");
  t.put(fd, 5 * block, block, second);
  t.must(t->close(t.create("dir/in_a_map")));
  t.must(t->close(fd));
  t.cycle();
  t.must(keep(t, "file", true));
  t.must(keep(t, "dir", true));
  t.must(t->close(t.create("dir/after")));
  const int again = t.must(t->open("file", O_RDWR));
  t.expect_data(again, 0, 3 * block, first);
  t.expect_zeros(again, 3 * block, 2 * block);
  t.expect_data(again, 5 * block, block, second);
  t.expect(t.names_in("dir") == std::vector<std::string>{"after", "before", "in_a_map"}, "the names in dir are those that were made");

  t.expect_errno(keep(t, "file", false), EOPNOTSUPP);
  t.expect_data(again, 0, 3 * block, first);
  t.must(t->close(again));
}
