// What: on a full file system an attribute that needs a block is refused and nothing else has changed; where one is free again, it is set.
// Why: attributes move between inode, own block and shared block, and each way may lack a block in its middle.
// Groups: auto quick enospc attr. Needs: nothing.
#include <sys/xattr.h>

#include "helpers.h"

namespace xip::scenario {
namespace {

std::string get(run& t, const char* path, const char* name) {
  std::string value(4096, '\0');
  const auto bytes = t->getxattr(path, name, value.data(), value.size());
  if (!bytes) return std::string{bytes.error().name()};
  value.resize(*bytes);
  return value;
}

auto set(run& t, const char* path, const char* name, const std::string& value) {
  return t->setxattr(path, name, value.data(), value.size(), 0);
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick enospc attr", "attributes on a full file system") {
  if (t.inode_size() > 512) t.skip("an inode holds all of it");
  const std::string shared(500, 's'), other(500, 'o'), third(400, 't');
  for (const char* file : {"a", "b", "c"}) t.must(t->close(t.create(file)));
  t.must(set(t, "a", "user.x", shared));
  t.must(set(t, "b", "user.x", shared));
  const int ballast = t.create("ballast");
  (void)t.fill_up(ballast, 0, {.file = 1});
  t.must(t.kernel().sync());
  t.expect_errno(set(t, "a", "user.x", other), ENOSPC);  // it shares its block, and needs one of its own
  t.expect_equal(get(t, "a", "user.x"), shared, "the value that it had");
  t.expect_errno(set(t, "c", "user.x", other), ENOSPC);
  t.expect_equal(get(t, "c", "user.x"), "ENODATA", "the value that it had not");
  t.must(set(t, "c", "user.x", shared));  // no block is needed
  t.must(t->removexattr("b", "user.x"));
  t.must(t->removexattr("c", "user.x"));
  t.must(set(t, "a", "user.x", third));  // it is the only owner now
  t.must(t->ftruncate(ballast, 0));
  t.must(t.kernel().sync());
  t.must(set(t, "b", "user.x", other));
  t.cycle();
  t.expect_equal(get(t, "a", "user.x"), third, "a");
  t.expect_equal(get(t, "b", "user.x"), other, "b");
  t.expect_equal(get(t, "c", "user.x"), "ENODATA", "c");
}
