// What: an append against a truncate.
// Why: the end at which an append begins may not move before its bytes are in place, and what the truncate cut may not come back between
// them (Linux: ext4_dax_write_iter, ext4_setattr).
// Operations: O_APPEND write of 5,000 bytes; ftruncate to 100 bytes; fstat and pread.
// Invariant: one of the two orders, with nothing but zeros or the append behind byte 100.
// Groups: auto append. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;

  void setup() {
    file = observe("file", 1);
    file.write(task(), 0, 6000, 1);
  }
  void appender(vfs::task& me) { file.append(me, 5000, 2); }
  void cutter(vfs::task& me) { file.truncate(me, 100); }
  void reader(vfs::task& me) {
    file.ask_size(me);
    file.read(me, 0, 4 * block());
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto append", "an append against a truncate", {"appender", &scene::appender}, {"cutter", &scene::cutter},
         {"reader", &scene::reader})
