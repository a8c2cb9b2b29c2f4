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

}  // namespace xip::scenario
