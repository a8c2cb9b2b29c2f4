// What: whatever lies past the end of a file in its last block, the file reads zeros there after it grew: by write, truncate or fallocate.
// Why: other systems, and stores through a mapping, leave bytes there. Whoever moves the end past them must zero them first; that the block was
// zeroed when it was cut, or when it was allocated, is not enough. The bytes are planted on the device while nothing is mounted.
// Groups: auto quick rw prealloc. Needs: nothing.
#include "helpers.h"

namespace xip::scenario {
namespace {

constexpr stamp old_data{.file = 67}, new_data{.file = 67, .generation = 1};

// One way for a file of SIZE bytes to become longer.
struct growth {
  const char* name;
  // Grows the file; from where on there is new data, and how much.
  std::pair<loff_t, loff_t> (*grow)(run& t, int fd, loff_t size);
};

constexpr growth ways[] = {
    {"write-near", [](run& t, int fd, loff_t size) { return t.put(fd, size + 50, 20, new_data), std::pair{size + 50, loff_t{20}}; }},
    {"write-far",
     [](run& t, int fd, loff_t size) {
       const loff_t from = size + 3 * static_cast<loff_t>(t.block_size());
       return t.put(fd, from, 700, new_data), std::pair{from, loff_t{700}};
     }},
    {"append-and-truncate",
     [](run& t, int fd, loff_t size) {
       t.put(fd, size, 30, new_data);
       return t.must(t->ftruncate(fd, size + 9000)), std::pair{size, loff_t{30}};
     }},
    {"truncate-near", [](run& t, int fd, loff_t size) { return t.must(t->ftruncate(fd, size + 90)), std::pair{size + 90, loff_t{0}}; }},
    {"truncate-far", [](run& t, int fd, loff_t size) { return t.must(t->ftruncate(fd, size + 9000)), std::pair{size + 9000, loff_t{0}}; }},
    {"fallocate-near", [](run& t, int fd, loff_t size) { return t.must(t->fallocate(fd, 0, size, 80)), std::pair{size + 80, loff_t{0}}; }},
    {"fallocate-far",
     [](run& t, int fd, loff_t size) { return t.must(t->fallocate(fd, 0, size + 5000, 5000)), std::pair{size + 10000, loff_t{0}}; }},
    {"keep-size-and-truncate",
     [](run& t, int fd, loff_t size) {
       t.must(t->fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, size + 20000));
       return t.must(t->ftruncate(fd, size + 9000)), std::pair{size + 9000, loff_t{0}};
     }},
};

// Makes a file of SIZE bytes; where on the device its last block is.
std::uint64_t make_file(run& t, const std::string& name, loff_t size) {
  const int fd = t.create(name);
  t.put(fd, 0, static_cast<std::size_t>(size), old_data);
  const auto last = extents_of(t, fd).back();
  t.must(t->close(fd));
  const loff_t start = (size - 1) & -loff_t{t.block_size()};
  return last.physical + static_cast<std::uint64_t>(start - last.logical);
}

// Bytes 0xa5 from SIZE to the end of its block, which is at byte BLOCK of the device.
void plant(run& t, std::uint64_t block, loff_t size) {
  std::vector<std::byte> data(t.block_size());
  t.must(t.device().read(block, data));
  const auto used = static_cast<std::size_t>((size - 1) & (loff_t{t.block_size()} - 1)) + 1;
  t.expect_same(compare(std::span{data}.first(used), size - static_cast<loff_t>(used), old_data));
  std::fill(data.begin() + static_cast<std::ptrdiff_t>(used), data.end(), std::byte{0xa5});
  t.must(t.device().write(block, data));
}

void expect_zeros_between(run& t, const std::string& name, loff_t size, std::pair<loff_t, loff_t> fresh) {
  const int fd = t.must(t->open(name, O_RDONLY));
  const auto [from, bytes] = fresh;
  t.expect_data(fd, 0, static_cast<std::size_t>(size), old_data);
  t.expect_zeros(fd, size, static_cast<std::size_t>(from - size));
  t.expect_data(fd, from, static_cast<std::size_t>(bytes), new_data);
  const loff_t behind = from + bytes;
  t.expect_zeros(fd, behind, static_cast<std::size_t>(t.size_of(fd) - behind));
  t.must(t->close(fd));
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick rw prealloc", "bytes planted past the end stay hidden") {
  const loff_t block = t.block_size();
  struct one {
    std::string name;
    const growth& way;
    loff_t size;
    std::uint64_t place;
    std::pair<loff_t, loff_t> fresh{};
  };
  std::vector<one> all;
  for (const growth& way : ways)
    for (const loff_t size : {loff_t{1}, loff_t{100}, block - 1, 2 * block + 400}) {
      const std::string name = std::string{way.name} + std::to_string(size);
      all.push_back({name, way, size, make_file(t, name, size)});
    }
  t.umount();
  for (const one& f : all) plant(t, f.place, f.size);
  t.mount();
  for (one& f : all) {
    const int fd = t.must(t->open(f.name, O_RDWR));
    f.fresh = f.way.grow(t, fd, f.size);
    t.must(t->close(fd));
    expect_zeros_between(t, f.name, f.size, f.fresh);
  }
  t.cycle();
  for (const one& f : all) expect_zeros_between(t, f.name, f.size, f.fresh);
}
