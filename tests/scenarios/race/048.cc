// What: a read into memory that ends within the second page, against a write of the same bytes.
// Why: bytes that have arrived when a copy meets bad memory are counted, or the caller does not know what it has (Linux: do_xip_mapping_read
// in mm/filemap_xip.c left its loop before it counted them).
// Operations: pread of 8,192 bytes into memory of which 6,000 are there; pwrite of 8,192 bytes.
// Invariant: the read counts 6,000 bytes, all of them of before or of after the write, and touches none behind them.
// Groups: auto rw. Needs: nothing.
#include <algorithm>
#include <array>

#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

constexpr std::size_t length = 8192, there = 6000;
constexpr std::byte untouched{0xee};

struct scene : race {
  int fd = -1;
  std::array<std::byte, length> buffer{};

  // User memory: the first bytes of the buffer. What lies behind them is not mapped.
  [[nodiscard]] std::size_t mapped(const std::byte* user, std::size_t bytes) const {
    const auto at = static_cast<std::size_t>(user - buffer.data());
    return at >= there ? 0 : std::min(bytes, there - at);
  }
  static std::size_t fault_in(void* context, const std::byte* user, std::size_t bytes, bool) {
    return static_cast<scene*>(context)->mapped(user, bytes);
  }
  static std::size_t copy(void* context, std::byte* user, std::size_t bytes, bool, vfs::move_piece move, void* argument) {
    const std::size_t part = fault_in(context, user, bytes, true);
    if (part != 0) move(argument, user, 0, part);
    return part;
  }
  static std::size_t copy_in(void* context, const std::byte* user, std::size_t bytes, bool nofault, vfs::move_piece move, void* argument) {
    return copy(context, const_cast<std::byte*>(user), bytes, nofault, move, argument);
  }

  void setup() {
    fd = create("file");
    put(task(), fd, 0, length, {.file = 1, .generation = 1});
    buffer.fill(untouched);
  }
  void reader(vfs::task& me) {
    const vfs::user_access memory{fault_in, copy_in, copy, this};
    me.uaccess = &memory;
    const auto count = me.pread(fd, buffer.data(), buffer.size(), 0);
    me.uaccess = nullptr;
    expect_answer(count, there);
  }
  void writer(vfs::task& me) { put(me, fd, 0, length, {.file = 1, .generation = 2}); }
  void check() {
    const auto is = [&](std::uint32_t generation) {
      std::array<std::byte, length> whole;
      fill(whole, 0, {.file = 1, .generation = generation});
      return std::equal(buffer.begin(), buffer.begin() + there, whole.begin());
    };
    expect(is(1) || is(2), "the bytes are those of before or of after the write");
    expect(std::all_of(buffer.begin() + there, buffer.end(), [](std::byte b) { return b == untouched; }), "nothing behind them is touched");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rw", "a read into memory that ends, against a write", {"reader", &scene::reader}, {"writer", &scene::writer})
