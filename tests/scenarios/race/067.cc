// What: two names for a file that has none, against its last close.
// Why: the first name takes a file off the orphan list under the handle that adds it (Linux: ext4_link, I_LINKABLE).
// Operations: linkat of an O_TMPFILE descriptor; the same to another name; close of the descriptor.
// Invariant: a name that was given stands for the file, and the count says how many there are.
// Groups: auto link tmpfile. Needs: nothing.
#include <atomic>

#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  static constexpr race_options options{.share_files = true};
  std::uint32_t linked = 0;
  int fd = -1;

  void setup() {
    fd = must(task().open(".", O_TMPFILE | O_RDWR, 0644));
    put(task(), fd, 0, 3000, {.file = 1});
  }
  void give(vfs::task& me, const char* name) {
    const auto done = me.linkat(fd, "", AT_FDCWD, name, AT_EMPTY_PATH);
    if (done)
      std::atomic_ref{linked}.fetch_add(1);
    else
      expect_errno(done, EBADF);
  }
  void first(vfs::task& me) { give(me, "one"); }
  void second(vfs::task& me) { give(me, "two"); }
  void closer(vfs::task& me) { must(me.close(fd)); }
  void check() {
    std::uint32_t found = 0;
    for (const char* name : {"one", "two"})
      if (const auto there = task().stat(name)) {
        ++found;
        expect_equal(there->nlink, linked, "links");
        expect_data(task(), must(task().open(name, O_RDONLY)), 0, 3000, {.file = 1});
      }
    expect_equal(found, linked, "names");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto link tmpfile", "two names for a temporary file", {"first", &scene::first}, {"second", &scene::second},
         {"closer", &scene::closer})
