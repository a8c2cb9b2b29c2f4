// What scenarios and races about mapped files need beyond the API.
#pragma once

#include <cstdint>
#include <optional>

#include <xip/mm/mm.h>
#include <xip/scenario/race.h>
#include <xip/scenario/user_accesses.h>

namespace xip::scenario {

using mm::user_address;

inline constexpr int read_write = PROT_READ | PROT_WRITE;

// Maps BYTES bytes of a file from OFFSET on.
[[nodiscard]] inline user_address map_file(const expectations& e, vfs::task& me, int fd, std::size_t bytes, int flags = MAP_SHARED,
                                           loff_t offset = 0, int prot = read_write) {
  return e.must(mm::mmap(me, 0, bytes, prot, flags, fd, offset));
}

// The word at ADDRESS; none: the access was signalled.
[[nodiscard]] inline std::optional<std::uint64_t> load_word(vfs::task& me, user_address address) {
  std::uint64_t word = 0;
  if (!load_user(me, address, &word, sizeof word)) return std::nullopt;
  return word;
}
// False: it was signalled.
[[nodiscard]] inline bool store_word(vfs::task& me, user_address address, std::uint64_t word) {
  return store_user(me, address, &word, sizeof word).has_value();
}
inline void expect_store(const expectations& e, vfs::task& me, user_address address, std::uint64_t word) {
  e.expect(store_word(me, address, word), "a store succeeds");
}

// Words of a file, by calls.
[[nodiscard]] inline std::uint64_t read_word(const expectations& e, vfs::task& me, int fd, loff_t offset) {
  std::uint64_t word = 0;
  e.expect_answer(me.pread(fd, &word, sizeof word, offset), sizeof word);
  return word;
}
inline void write_word(const expectations& e, vfs::task& me, int fd, loff_t offset, std::uint64_t word) {
  e.expect_answer(me.pwrite(fd, &word, sizeof word, offset), sizeof word);
}

// A word is WORD both in the file and in a mapping of it.
inline void expect_word(const expectations& e, vfs::task& me, int fd, loff_t offset, user_address address, std::uint64_t word) {
  e.expect_equal(read_word(e, me, fd, offset), word, "the word in the file");
  const auto mapped = load_word(me, address);
  e.expect(mapped.has_value(), "a load succeeds");
  e.expect_equal(*mapped, word, "the word in the mapping");
}

// A file that is mapped by its tasks.
struct mapped_race : race {
  int fd = -1;
  user_address at = 0;

  // BLOCKS blocks of nothing, all of them mapped.
  void map_hole(std::uint64_t blocks) {
    fd = create("file");
    must(task().ftruncate(fd, static_cast<loff_t>(blocks * block())));
    at = map_file(*this, task(), fd, blocks * block());
  }
  // What a crash has left of it.
  [[nodiscard]] std::uint64_t recovered_word(vfs::task& me, loff_t offset) const {
    const int again = must(me.open("/file", O_RDONLY));
    const std::uint64_t word = read_word(*this, me, again, offset);
    must(me.close(again));
    return word;
  }
};

}  // namespace xip::scenario
