// What: a write into new blocks of a file that takes the block device's path, an fsync, and the power fails between data and metadata.
// Why: a device may keep what it has acknowledged in a cache of its own, in any order. The commit flushes the data out of it before it writes the
// metadata that leads there (Linux: ordered mode; 06bd3c36a733).
// Operations: pwrite of two blocks, then fsync; pwrite of a block to another file.
// Invariant: after a crash each word of the files is zero or written, never what the blocks held before.
// Groups: auto sync. Needs: nothing.
#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : race {
  static constexpr race_options options{.mount = "dax=never"};
  observed_file file, other;

  void setup() {
    fill_free_blocks(*this);
    file = observe("file", 1);
    other = observe("other", 2);
  }
  void writer(vfs::task& me) {
    file.write(me, 0, 2 * block(), 1);
    must(me.fsync(file.fd()));
  }
  void second(vfs::task& me) { other.write(me, 0, block(), 1); }
  void recovered(vfs::task& me) {
    expect_words(*this, me, "/file", 0, static_cast<std::size_t>(must(me.stat("/file")).size), 1, {1});
    expect_words(*this, me, "/other", 0, static_cast<std::size_t>(must(me.stat("/other")).size), 2, {1});
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto sync", "a crash between data and metadata", {"writer", &scene::writer}, {"second", &scene::second})
