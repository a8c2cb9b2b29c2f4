// What: a file comes to share another's block of attributes while that one leaves it.
// Why: the block is found by what it holds, its last owner frees it: the count is looked at and changed in one step, or the new owner has a freed block.
// Operations: setxattr of what another file has; unlink of that file; getxattr of the first.
// Invariant: the first file has no value or a whole one, and in the end the one that was set.
// Groups: auto attr. Needs: nothing.
#include <sys/xattr.h>

#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  static constexpr std::size_t bytes = 300;

  void set(vfs::task& me, std::string_view path) {
    const std::string value(bytes, 'v');
    must(me.setxattr(path, "user.a", value.data(), value.size(), 0));
  }
  void setup() {
    must(task().close(create("one")));
    must(task().close(create("two")));
    set(task(), "one");
  }
  void sharer(vfs::task& me) { set(me, "two"); }
  void leaver(vfs::task& me) { must(me.unlink("one")); }
  void reader(vfs::task& me) {
    char value[bytes + 1] = {};
    const auto found = me.getxattr("two", "user.a", value, sizeof value);
    if (!found) return expect_errno(found, ENODATA);
    expect_equal(std::string_view{value}, std::string_view{std::string(bytes, 'v')}, "the value");
  }
  void check() {
    kernel().drop_caches();
    char value[bytes + 1] = {};
    expect_answer(task().getxattr("two", "user.a", value, sizeof value), bytes);
    expect_equal(std::string_view{value}, std::string_view{std::string(bytes, 'v')}, "the value in the end");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto attr", "a block of attributes found and freed", {"sharer", &scene::sharer}, {"leaver", &scene::leaver},
         {"reader", &scene::reader})
