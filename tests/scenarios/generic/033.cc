// What: readv and writev: empty segments, many, too many, at the file position and at an offset; short at the end of the file.
// Why: the iterator's border cases.
// Groups: auto quick rw. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick rw", "vectors of segments") {
  const int fd = t.create("file");
  constexpr std::size_t size = 50'000;
  std::vector<std::byte> data(size);
  fill(data, 0, {.file = 33});
  std::vector<iovec> parts;
  auto chance = t.random();
  for (std::size_t at = 0; at < size;) {
    const std::size_t bytes = std::min<std::size_t>(chance.below(400), size - at);
    parts.push_back({data.data() + at, bytes});
    at += bytes;
  }
  const int count = static_cast<int>(parts.size());
  t.expect(count < 1024, "the vector is not too long");
  t.expect_answer(t->writev(fd, parts.data(), count), size, "bytes written");
  t.expect_answer(t->lseek(fd, 0, SEEK_CUR), size, "the position");
  t.expect_data(fd, 0, size, {.file = 33});
  std::ranges::fill(data, std::byte{0});
  t.expect_answer(t->readv(fd, parts.data(), count), 0, "bytes read at the end");
  t.expect_answer(t->preadv2(fd, parts.data(), count, 0, 0), size, "bytes read at an offset");
  t.expect_same(compare(data, 0, {.file = 33}));
  t.expect_answer(t->lseek(fd, 100, SEEK_SET), 100);
  t.expect_answer(t->preadv2(fd, parts.data(), count, -1, 0), size - 100, "bytes read at the position");
  t.expect_answer(t->lseek(fd, 0, SEEK_CUR), size, "the position");
  t.expect_answer(t->writev(fd, parts.data(), 0), 0, "no segment");
  t.expect_errno(t->writev(fd, parts.data(), -1), EINVAL);
  const std::vector<iovec> many(1025, {data.data(), 1});
  t.expect_errno(t->writev(fd, many.data(), 1025), EINVAL);
  t.expect_answer(t->writev(fd, many.data(), 1024), 1024, "as many segments as there may be");
  t.expect_errno(t->preadv2(fd, parts.data(), count, -2, 0), EINVAL);
  t.expect_errno(t->preadv2(fd, parts.data(), count, 0, 1 << 20), EOPNOTSUPP);
}
