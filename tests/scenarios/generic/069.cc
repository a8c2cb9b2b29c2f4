// What: threads change attributes of files that share their blocks, and make and remove such files; whoever reads one sees a value that was set.
// Why: a block is changed where it lies only by its one owner, while others look for a block of the same contents to share.
// Groups: auto attr. Needs: nothing.
#include <sys/xattr.h>

#include "helpers.h"

namespace xip::scenario {
namespace {

constexpr unsigned threads = 4, rounds = 150;

std::string value_of(unsigned which) { return std::string(400, static_cast<char>('a' + which)); }

void expect_some_value(run& t, vfs::task& me, const std::string& path) {
  std::string value(1000, '\0');
  const auto bytes = me.getxattr(path, "user.a", value.data(), value.size());
  if (!bytes) return t.expect_errno(bytes, ENODATA);
  value.resize(*bytes);
  t.expect_equal(value.size() == 400 && value.find_first_not_of(value[0]) == std::string::npos, true, "a whole value");
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto attr", "attributes in shared blocks, by many at once") {
  for (unsigned i = 0; i < threads; ++i) t.must(t->close(t.create(numbered("kept", i))));
  t.parallel(threads, [&](vfs::task& me, unsigned number) {
    random_source random = t.random(number);
    const std::string own = numbered("own", number);
    for (unsigned i = 0; i < rounds && !t.stopping(); ++i) {
      const std::string value = value_of(static_cast<unsigned>(random.below(3)));
      const std::string kept = numbered("kept", random.below(threads));
      t.must(me.setxattr(kept, "user.a", value.data(), value.size(), 0));
      expect_some_value(t, me, numbered("kept", random.below(threads)));
      t.must(me.close(t.must(me.open(own, O_CREAT | O_WRONLY, 0644))));
      t.must(me.setxattr(own, "user.a", value.data(), value.size(), XATTR_CREATE));
      expect_some_value(t, me, own);
      t.must(me.unlink(own));
    }
  });
  for (unsigned i = 0; i < threads; ++i) expect_some_value(t, t.task(), numbered("kept", i));
}
