// What: a read against a truncate to nothing and a commit, while another file takes the blocks that become free on a full disk.
// Why: a read without a lock goes on in blocks that are another file's by then (Linux: xip_file_read in mm/filemap_xip.c, and its review of
// 2013).
// Operations: pread of four blocks in two pieces; ftruncate to 0, then fsync; pwrite of four blocks to another file, which waits for space.
// Invariant: the read is all of the old bytes or nothing; the other file has its own bytes, as many as its write counted.
// Groups: auto rw enospc. Needs: nothing.
#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file, other;

  void setup() {
    file = observe("file", 1);
    other = observe("other", 2);
    file.write(task(), 0, 4 * block(), 1);
    leave_free(*this, 2);
  }
  void reader(vfs::task& me) { file.read(me, 0, 4 * block()); }
  void cutter(vfs::task& me) {
    file.truncate(me, 0);
    must(me.fsync(file.fd()));
  }
  void taker(vfs::task& me) { other.write(me, 0, 4 * block(), 1); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rw enospc", "a read, a truncate, and the blocks taken elsewhere", {"reader", &scene::reader},
         {"cutter", &scene::cutter}, {"taker", &scene::taker})
