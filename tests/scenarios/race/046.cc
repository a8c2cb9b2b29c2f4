// What: two writes through one descriptor that both tasks have.
// Why: a file has one position; a call has it for its whole length, or two of them begin at the same place (Linux: f_pos_lock, 9c225f2655e3).
// Operations: write of 300 bytes; write of 300 bytes, by threads that share their descriptors.
// Invariant: both are there, one behind the other, whole.
// Groups: auto rw. Needs: nothing.
#include <algorithm>
#include <array>

#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

constexpr std::size_t length = 300;

struct scene : race {
  static constexpr race_options options{.share_files = true};
  int fd = -1;

  void setup() { fd = create("file"); }
  void write(vfs::task& me, char what) {
    std::array<char, length> bytes;
    bytes.fill(what);
    expect_answer(me.write(fd, bytes.data(), bytes.size()), length);
  }
  void first(vfs::task& me) { write(me, 'a'); }
  void second(vfs::task& me) { write(me, 'b'); }
  void check() {
    std::array<char, 2 * length + 1> found;
    expect_answer(task().pread(fd, found.data(), found.size(), 0), 2 * length, "the bytes of both");
    const auto whole = [&](std::size_t from) {
      const auto begin = found.begin() + static_cast<std::ptrdiff_t>(from);
      return std::all_of(begin, begin + length, [&](char c) { return c == *begin; });
    };
    expect(whole(0) && whole(length) && found[0] != found[length], "one write behind the other");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rw", "two writes at one position", {"first", &scene::first}, {"second", &scene::second})
