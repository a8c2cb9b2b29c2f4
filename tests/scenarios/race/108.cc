// What: a write over a hole in whose middle a store gets a block, and a commit.
// Why: what a slice has looked up before it locked its pages may have become two pieces: it gives up what lies behind the first, and what it has locked keeps no
// commit waiting.
// Operations: pwrite of four blocks; a store into the third of them; fsync of another file.
// Invariant: all return; but for the word that was stored, every byte is the one written, in the file and in its mapping.
// Groups: auto mmap dax rw locks. Needs: DAX.
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};
  static constexpr std::uint64_t blocks = 4;
  static constexpr stamp written{.file = 1, .generation = 1};
  int other = -1;

  void setup() {
    other = create("other");
    map_hole(blocks);
  }
  [[nodiscard]] loff_t place() const { return 2 * block() + 8; }
  void writer(vfs::task& me) { put(me, fd, 0, blocks * block(), written); }
  void storer(vfs::task& me) { expect_store(*this, me, at + static_cast<user_address>(place()), 5); }
  void syncer(vfs::task& me) { must(me.fsync(other)); }
  void check() {
    const std::uint64_t word = read_word(*this, task(), fd, place());
    expect(word == 5 || word == pattern_word(place(), written), "the word is what was stored or what was written");
    expect_word(*this, task(), fd, place(), at + static_cast<user_address>(place()), word);
    expect_data(task(), fd, 0, static_cast<std::size_t>(place()), written);
    expect_data(task(), fd, place() + 8, blocks * block() - static_cast<std::size_t>(place()) - 8, written);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax rw locks", "a write over a hole that a store fills in its middle", {"writer", &scene::writer},
         {"storer", &scene::storer}, {"syncer", &scene::syncer})
