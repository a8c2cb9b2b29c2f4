// What: a read against a truncate to less, and a third task that asks for the size.
// Why: a read that samples i_size once and holds no lock returns bytes past the new end, or zeros that were never in the file (Linux:
// do_xip_mapping_read in mm/filemap_xip.c, and its review of 2013).
// Operations: pread of three blocks in two pieces; ftruncate to 5,000 bytes; two fstat.
// Invariant: the read is all of the old bytes or all of the new ones; sizes do not go back.
// Groups: auto quick rw. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;

  void setup() {
    file = observe("file", 1);
    file.write(task(), 0, 3 * block(), 1);
  }
  void reader(vfs::task& me) { file.read(me, 0, 3 * block()); }
  void cutter(vfs::task& me) { file.truncate(me, 5000); }
  void asker(vfs::task& me) {
    file.ask_size(me);
    file.ask_size(me);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto quick rw", "a read against a truncate", {"reader", &scene::reader}, {"cutter", &scene::cutter},
         {"asker", &scene::asker})
