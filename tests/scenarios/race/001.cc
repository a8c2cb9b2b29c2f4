// What: 1 MiB reads race truncates: each count is the exact size at some instant, no byte is stale or foreign, none past the count is touched.
// Why: the review of 2013: a read that holds no lock races with truncate. i_rwsem makes reads atomic against truncates and writes.
// Groups: auto race rw. Needs: nothing.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "helpers.h"

namespace xip::scenario {
namespace {

constexpr std::size_t large = 1 << 20, small = 100'001;
constexpr std::uint32_t generations = 4;
constexpr std::uint32_t rounds = 3000;  // of two truncates each
constexpr std::byte untouched{0xee};

// What the file holds after a write of each generation.
std::vector<std::vector<std::byte>> all_contents() {
  std::vector<std::vector<std::byte>> all(generations, std::vector<std::byte>(large));
  for (std::uint32_t g = 0; g < generations; ++g) fill(all[g], 0, {.file = 1, .generation = g});
  return all;
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto rw", "reads racing truncates and writes") {
  const int shared = t.create("file");
  t.put(shared, 0, large, {.file = 1, .generation = 0});
  const auto contents = all_contents();
  const std::vector<std::byte> blank(large + 4096, untouched);
  std::atomic<bool> done{false};
  const auto reader = [&](vfs::task& me) {
    const int fd = t.must(me.open("file", O_RDONLY));
    std::vector<std::byte> data(blank.size());
    while (!done && !t.stopping()) {
      std::ranges::fill(data, untouched);
      const std::size_t got = t.must(me.pread(fd, data.data(), data.size(), 0));
      t.expect(got == 0 || got == small || got == large, "the count is a size the file had: " + std::to_string(got));
      t.expect(std::memcmp(data.data() + got, blank.data(), data.size() - got) == 0, "no byte of the buffer behind the count is written");
      const auto is_read = [&](const std::vector<std::byte>& one) { return std::memcmp(one.data(), data.data(), got) == 0; };
      if (std::ranges::any_of(contents, is_read)) continue;
      // Not all of one generation: named after the write that left the first word.
      const std::uint32_t generation = static_cast<std::uint32_t>(data[5]) >> 1 | (static_cast<std::uint32_t>(data[6]) & 0xf) << 7;
      t.expect_same(compare(std::span{data}.first(got), 0, {.file = 1, .generation = generation}));
      t.fail("data of a generation that was never written");
    }
  };
  t.parallel({[&](vfs::task& me) {
                const int fd = t.must(me.open("file", O_RDWR));
                for (std::uint32_t i = 1; i <= rounds && !t.stopping(); ++i) {
                  t.must(me.ftruncate(fd, small));
                  t.must(me.ftruncate(fd, 0));
                  t.expect_answer(me.pwrite(fd, contents[i % generations].data(), large, 0), large);
                }
                done = true;
              },
              reader, reader});
}
