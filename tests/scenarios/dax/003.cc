// What: a DAX write is in the device's memory when it returns; a foreign store into that memory is what the next read returns.
// Why: there is no cache between. The place is asked of fiemap, the bytes of the device.
// Groups: auto quick dax. Needs: DAX.
#include "helpers.h"

XIP_SCENARIO("auto quick", "no cache between file and device", .dax = true) {
  const int fd = t.create("file");
  t.put(fd, 0, 100'000, {.file = 3});
  std::vector<std::byte> found;
  for (const auto& e : extents_of(t, fd)) {
    found.resize(e.length);
    t.must(t.device().read(e.physical, found));
    const std::size_t in_file = std::min<std::size_t>(e.length, static_cast<std::size_t>(100'000 - e.logical));
    t.expect_same(compare(std::span{found}.first(in_file), e.logical, {.file = 3}));
    t.expect_same(compare_zeros(std::span{found}.subspan(in_file), e.logical + static_cast<loff_t>(in_file)));
  }
  const auto first = extents_of(t, fd).front();
  std::vector<std::byte> ours(4096);
  fill(ours, 0, {.file = 4});
  t.must(t.device().write(first.physical, ours));
  t.expect_data(fd, 0, 4096, {.file = 4});
}
