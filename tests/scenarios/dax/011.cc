// What: threads load, store, read, write, cut, grow and sync one file at once, through mappings of their own.
// Why: each call and each fault takes its locks in its own order (xfstests generic/340, 344, 346); what lockdep and ThreadSanitizer see of it.
// Groups: auto rw mmap. Needs: DAX.
#include <array>

#include <xip/scenario/scenario.h>

#include "helpers.h"
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

constexpr std::uint64_t pages = 16;
constexpr unsigned rounds = 300;

// Each thread has words of its own in every page, and knows what it has left there as long as nobody cuts the page away.
class worker {
 public:
  worker(run& t, unsigned number, loff_t block) : t_{t}, number_{number}, block_{block}, chance_{t.random(number)} {}

  void work(vfs::task& me) {
    t_.must(mm::mm_struct::make_for(me));
    fd_ = t_.must(me.open("file", O_RDWR));
    const user_address at = map_file(t_, me, fd_, pages * static_cast<std::size_t>(block_));
    for (unsigned i = 0; i < rounds && !t_.stopping(); ++i) one(me, at, i);
    t_.must(mm::munmap(me, at, pages * static_cast<std::size_t>(block_)));
    t_.must(me.close(fd_));
  }

 private:
  void one(vfs::task& me, user_address at, unsigned round) {
    const auto page = static_cast<loff_t>(chance_.below(pages));
    const loff_t place = page * block_ + 64 * static_cast<loff_t>(number_);
    const std::uint64_t word = (std::uint64_t{number_} + 1) << 32 | round;
    switch (chance_.below(6)) {
      case 0:
        return check(load_word(me, at + static_cast<user_address>(place)).value_or(0));
      case 1: {
        std::uint64_t found = 0;
        static_cast<void>(t_.must(me.pread(fd_, &found, sizeof found, place)));
        return check(found);
      }
      case 2:
        return write_word(t_, me, fd_, place, word);
      case 3:
        return static_cast<void>(t_.must(me.fsync(fd_)));
      case 4:
        if (number_ == 0) t_.must(me.ftruncate(fd_, static_cast<loff_t>(chance_.below(pages * static_cast<std::uint64_t>(block_)))));
        return;
      default:
        return static_cast<void>(store_word(me, at + static_cast<user_address>(place), word));
    }
  }
  // Nobody else's words.
  void check(std::uint64_t found) const { t_.expect(found == 0 || found >> 32 == number_ + 1, "a word that another has left"); }

  run& t_;
  int fd_ = -1;
  const unsigned number_;
  const loff_t block_;
  random_source chance_;
};

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto rw mmap", "mapped by many", .dax = true) {
  t.must(t->close(t.create("file")));
  std::vector<run::thread_body> bodies;
  for (unsigned i = 0; i < 4; ++i)
    bodies.emplace_back([&t, i](vfs::task& me) { worker{t, i, static_cast<loff_t>(t.block_size())}.work(me); });
  t.parallel(bodies);
}
