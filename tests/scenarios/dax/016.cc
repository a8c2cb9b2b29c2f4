// What: pages and 2 MiB of one file are mapped side by side, one after the other, and over each other.
// Why: each of the two must find what the other has put: zeros of 2 MiB under a block of one page, pages anywhere in a range that is asked for as a whole (Linux
// cd656375f946, de14b9cb5e02, e2093926a098, 0e40de0338d0; xfstests generic/437).
// Groups: auto mmap. Needs: DAX.
#include <utility>

#include <xip/base/points.h>

#include "helpers.h"
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

constexpr auto huge = static_cast<loff_t>(mm::pmd_size);
constexpr auto page = static_cast<loff_t>(page_size);

struct two_spaces {
  two_spaces(run& t, const char* name, loff_t size) : t{t}, fd{t.create(name)}, other{t.new_task()}, bytes{static_cast<std::size_t>(size)} {
    t.must(t->ftruncate(fd, size));
    t.must(mm::mm_struct::make_for(*other));
    their_fd = t.must(other->open(std::string{t.directory()} + "/" + name, O_RDWR));
    mine = map_file(t, t.task(), fd, bytes);
    theirs = map_file(t, *other, their_fd, bytes);
  }
  ~two_spaces() {
    (void)mm::munmap(t.task(), mine, bytes);
    (void)mm::munmap(*other, theirs, bytes);
    (void)other->close(their_fd);
    (void)t->close(fd);
  }
  two_spaces(const two_spaces&) = delete;
  two_spaces& operator=(const two_spaces&) = delete;
  // All three ways to it show WORD.
  void expect_everywhere(loff_t at, std::uint64_t word) const {
    expect_word(t, t.task(), fd, at, mine + static_cast<user_address>(at), word);
    expect_word(t, *other, their_fd, at, theirs + static_cast<user_address>(at), word);
  }

  run& t;
  int fd, their_fd = -1;
  vfs::task_ptr other;
  std::size_t bytes;
  user_address mine = 0, theirs = 0;
};

// How often 2 MiB were mapped at once.
class huge_faults final : public point_sink {
 public:
  void on_point(point p, std::uint64_t, std::uint64_t pages, std::uint64_t) noexcept override {
    if (p == point::mm_before_pte && pages == mm::pages_per_pmd) ++count;
  }
  int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }
  unsigned count = 0;
};

// A hole is zeros of 2 MiB in both; then one page of it gets a block, by a call and by a store.
void zeros_of_a_hole(run& t) {
  const two_spaces s{t, "hole", 2 * huge};
  huge_faults heard;
  point_sink* const before = std::exchange(s.other->context.points, &heard);
  s.expect_everywhere(5 * page, 0);
  s.other->context.points = before;
  // A fault of the host is not the task's own, and heard by nobody here.
  t.expect(heard.count == (t.has_pointers() ? 0 : 1), "a hole is mapped as 2 MiB");
  s.expect_everywhere(huge + 5 * page, 0);
  write_word(t, t.task(), s.fd, 9 * page, 1);
  s.expect_everywhere(9 * page, 1);
  s.expect_everywhere(5 * page, 0);
  expect_store(t, *s.other, s.theirs + static_cast<user_address>(huge + 300 * page), 2);
  s.expect_everywhere(huge + 300 * page, 2);
  s.expect_everywhere(huge + 301 * page, 0);
}

// Zeros of single pages, far apart; then a store asks for all of it.
void pages_before_all(run& t) {
  const two_spaces s{t, "pages", 2 * huge};
  write_word(t, t.task(), s.fd, 65 * page, 3);  // no 2 MiB of zeros any more
  for (const loff_t at : {loff_t{0}, 64 * page, 65 * page, 200 * page, 511 * page}) s.expect_everywhere(at, at == 65 * page ? 3 : 0);
  for (const loff_t at : {511 * page, loff_t{0}, 66 * page}) expect_store(t, t.task(), s.mine + static_cast<user_address>(at), 4);
  for (const loff_t at : {511 * page, loff_t{0}, 66 * page}) s.expect_everywhere(at, 4);
  s.expect_everywhere(64 * page, 0);
  t.must(t->fallocate(s.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, huge));
  for (const loff_t at : {loff_t{0}, 65 * page, 511 * page}) s.expect_everywhere(at, 0);
  expect_store(t, *s.other, s.theirs + 7 * page, 5);
  s.expect_everywhere(7 * page, 5);
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto mmap", "pages and 2 MiB of one file", .dax = true) {
  zeros_of_a_hole(t);
  pages_before_all(t);
}
