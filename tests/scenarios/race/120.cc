// What: private stores into one page, and into a hole, on a mount that is read-only.
// Why: a store into a private page changes nothing, so it opens no handle, which such a mount has none of (Linux fd96b8da68d3; xfstests generic/452); and a page is copied
// once, whoever comes first.
// Operations: each of two tasks stores a word into the same page of a private mapping, and one into a page of its own; loads and a read.
// Invariant: no store is signalled, each loads what it has stored beside what is in the file, and the file is as it was.
// Groups: auto mmap dax mount. Needs: DAX.
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};
  static constexpr race_options options{.rounds = 30};

  void setup() {
    const int written = create("file");
    write_word(*this, task(), written, 0, 5);
    must(task().ftruncate(written, 3 * block()));
    must(task().close(written));
    fd = must(task().open("file", O_RDONLY));
    at = map_file(*this, task(), fd, 3 * block(), MAP_PRIVATE);
    mount_again("ro");
  }
  void first(vfs::task& me) { store_and_load(me, 1); }
  void second(vfs::task& me) { store_and_load(me, 2); }
  void check() {
    for (const std::uint64_t word : {1, 2}) {
      expect(load_word(task(), at + 8 * word) == word, "both words are in the copy");
      expect_equal(read_word(*this, task(), fd, static_cast<loff_t>(8 * word)), 0u, "and not in the file");
    }
    mount_again("rw");
  }

 private:
  void store_and_load(vfs::task& me, std::uint64_t word) const {
    expect_store(*this, me, at + 8 * word, word);
    expect(load_word(me, at + 8 * word) == word, "what was stored is loaded");
    expect(load_word(me, at) == 5u, "beside what is in the file");
    expect_store(*this, me, at + word * block(), word);
    expect(load_word(me, at + word * block() + 8) == 0u, "or in a hole of it");
    expect_equal(read_word(*this, me, fd, 0), 5u, "the file");
  }
  void mount_again(std::string_view options) const {
    const auto done = kernel().remount("/", options);
    expect(done.has_value(), "it is mounted again");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax mount", "private stores on a read-only mount", {"first", &scene::first}, {"second", &scene::second})
