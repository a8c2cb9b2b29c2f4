// Writes into blocks that are mapped, holes or preallocated: what has to hold whichever way a write makes them written.
#pragma once

#include "mapping_helpers.h"

namespace xip::scenario {

// A word is written into a hole, and loaded.
struct write_against_load : race {
  int fd = -1;
  user_address at = 0;

  void setup() {
    fd = create("file");
    must(task().ftruncate(fd, block()));
    at = map_file(*this, task(), fd, block());
  }
  void loader(vfs::task& me) {
    const auto word = load_word(me, at);
    expect(word == 0u || word == 7u, "what is loaded is zero or was written");
  }
  void writer(vfs::task& me) {
    write_word(*this, me, fd, 0, 7);
    expect(load_word(me, at) == 7u, "who has written loads it");
  }
  void check() { expect_word(*this, task(), fd, 0, at, 7); }
};

// A word is written into a preallocated block, and another stored.
struct write_against_store : race {
  int fd = -1;
  user_address at = 0;

  void setup() {
    fd = create("file");
    must(task().fallocate(fd, 0, 0, 2 * block()));
    at = map_file(*this, task(), fd, block());
  }
  void writer(vfs::task& me) {
    write_word(*this, me, fd, 800, 1);
    expect(load_word(me, at + 800) == 1u, "who has written loads it");
  }
  void storer(vfs::task& me) {
    expect_store(*this, me, at + 80, 2);
    expect_equal(read_word(*this, me, fd, 80), 2u, "who has stored reads it");
  }
  void check() {
    expect_word(*this, task(), fd, 800, at + 800, 1);
    expect_word(*this, task(), fd, 80, at + 80, 2);
    expect_word(*this, task(), fd, 8, at + 8, 0);
  }
};

// Four blocks of a hole are written, and a word is stored into page PAGE of them, which so gets its block by a fault; a commit may have to be waited for.
template <unsigned Page>
struct write_over_stored_hole : mapped_race {
  static constexpr std::uint64_t blocks = 4;
  static constexpr stamp written{.file = 1, .generation = 1};
  int other = -1;

  void setup() {
    other = create("other");
    map_hole(blocks);
  }
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

 private:
  [[nodiscard]] loff_t place() const { return static_cast<loff_t>(Page) * block() + 8; }
};

}  // namespace xip::scenario
