// What several races need beyond the API.
#pragma once

#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <linux/fiemap.h>

#include <xip/scenario/race.h>

namespace xip::scenario {

// A number in a file, which tasks count up while they keep each other out: what they lose is missing at the end.
struct counting_race : race {
  int count = -1;  // the main task's descriptor, and its children's

  void setup() {
    count = create("count");
    const std::uint64_t zero = 0;
    must(task().pwrite(count, &zero, sizeof zero, 0));
  }
  void add(vfs::task& me) const {
    std::uint64_t n = 0;
    must(me.pread(count, &n, sizeof n, 0));
    ++n;
    must(me.pwrite(count, &n, sizeof n, 0));
  }
  void expect_count(std::uint64_t changes) const {
    std::uint64_t n = 0;
    must(task().pread(count, &n, sizeof n, 0));
    expect_equal(n, changes, "changes");
  }
};

// A file that takes all free blocks but BLOCKS.
inline void leave_free(const race& r, loff_t blocks) {
  const int fd = r.create("ballast");
  const auto free = static_cast<loff_t>(r.must(r->fstatfs(fd)).bfree);
  // More than there is: what there was stays allocated. What the file system keeps for itself it does not give.
  const auto full = r->fallocate(fd, 0, 0, (free + 1) * r.block());
  if (!full && full.error() == EOPNOTSUPP) r.skip("the file system cannot preallocate");
  r.expect_errno(full, ENOSPC);
  r.must(r->ftruncate(fd, r.must(r->fstat(fd)).size - blocks * r.block()));
  r.must(r->fsync(fd));
  r.must(r->close(fd));
}

// Free blocks, as many as a race may come to use, hold the bytes of a file that is no more.
inline void fill_free_blocks(const race& r) {
  const int fd = r.create("ballast");
  const auto blocks = std::min<loff_t>(static_cast<loff_t>(r.must(r->fstatfs(fd)).bfree) - 4, 64);
  for (loff_t at = 0; at < blocks; ++at) r.put(r.task(), fd, at * r.block(), r.block(), {.file = 99, .generation = 99});
  r.must(r->fsync(fd));
  r.must(r->close(fd));
  r.must(r->unlink("ballast"));
  r.must(r.kernel().sync());
}

// Each word of the BYTES bytes at OFFSET is zero or one that GENERATIONS of FILE have written there. All of them are there.
inline void expect_words(const race& r, vfs::task& task, std::string_view path, loff_t offset, std::size_t bytes, std::uint32_t file,
                         std::initializer_list<std::uint32_t> generations, bool zeros = true) {
  std::vector<std::byte> found(bytes), written(bytes);
  const int fd = r.must(task.open(path, O_RDONLY));
  r.expect_answer(task.pread(fd, found.data(), bytes, offset), bytes);
  r.must(task.close(fd));
  std::vector<bool> known(bytes / 8);
  for (std::size_t word = 0; word < known.size(); ++word)
    known[word] = zeros && std::all_of(&found[word * 8], &found[word * 8] + 8, [](std::byte b) { return b == std::byte{0}; });
  for (const std::uint32_t generation : generations) {
    fill(written, offset, {.file = file, .generation = generation});
    for (std::size_t word = 0; word < known.size(); ++word)
      known[word] = known[word] || std::equal(&found[word * 8], &found[word * 8] + 8, &written[word * 8]);
  }
  const auto foreign = std::ranges::find(known, false);
  if (foreign == known.end()) return;
  const auto word = static_cast<std::size_t>(foreign - known.begin());
  r.fail("a word that nobody has written there: " +
         describe(std::span{found}.subspan(word * 8, 8), offset + static_cast<loff_t>(word * 8)));
}

// Which blocks of the device an open file has, first to last. Asked by TASK.
struct block_run {
  std::uint64_t first = 0, last = 0;
};
[[nodiscard]] inline std::vector<block_run> blocks_of(const race& r, vfs::task& task, int fd) {
  std::vector<vfs::fiemap_extent> extents;
  r.must(task.fiemap(fd, 0, INT64_MAX, extents));
  std::vector<block_run> runs;
  for (const vfs::fiemap_extent& e : extents)
    if (e.physical != 0) runs.push_back({e.physical / r.block(), (e.physical + e.length) / r.block() - 1});
  return runs;
}

}  // namespace xip::scenario
