// What: a write into holes whose blocks lie apart, on a disk that a commit has to make room on.
// Why: who finds no block waits for a commit that frees some: with a handle open, or a page locked that the owner of a handle waits for, that commit never comes.
// Operations: pwrite of four blocks, for which two are free and two only behind a commit; a store into the second of them; fsync of another file.
// Invariant: all return, and nothing fails; every byte is there but for the word that was stored.
// Groups: auto mmap dax enospc locks. Needs: DAX.
#include "mapping_helpers.h"
#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};
  static constexpr std::uint64_t blocks = 4;
  static constexpr stamp written{.file = 1, .generation = 1};
  int other = -1;

  // Every second block of a row of eight comes free, half of them durably.
  void setup() {
    map_hole(blocks);
    other = create("other");
    constexpr std::array names{"k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"};
    for (const char* name : names) {
      const int kept = create(name);
      put(task(), kept, 0, block(), {.file = 2, .generation = 1});
      must(task().close(kept));
    }
    leave_free(*this, 0);
    for (const std::size_t i : {1, 3}) must(task().unlink(names[i]));
    must(kernel().sync());
    for (const std::size_t i : {5, 7}) must(task().unlink(names[i]));
  }
  [[nodiscard]] loff_t place() const { return static_cast<loff_t>(block()) + 8; }
  void writer(vfs::task& me) { put(me, fd, 0, blocks * block(), written); }
  void storer(vfs::task& me) { expect_store(*this, me, at + static_cast<user_address>(place()), 5); }
  void syncer(vfs::task& me) { must(me.fsync(other)); }
  void check() {
    const std::uint64_t word = read_word(*this, task(), fd, place());
    expect(word == 5 || word == pattern_word(place(), written), "the word is what was stored or what was written");
    expect_data(task(), fd, 0, static_cast<std::size_t>(place()), written);
    expect_data(task(), fd, place() + 8, blocks * block() - static_cast<std::size_t>(place()) - 8, written);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax enospc locks", "a write that waits for space against a store and a commit", {"writer", &scene::writer},
         {"storer", &scene::storer}, {"syncer", &scene::syncer})
