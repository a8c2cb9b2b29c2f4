// What: names of 1 to 255 bytes, any byte but NUL and '/'; 256 is ENAMETOOLONG, as is a path of PATH_MAX.
// Why: record lengths are rounded, the last one reaches the end of the block, and names are bytes, not text.
// Groups: auto quick dir. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick dir", "names of all lengths and bytes") {
  t.must(t->mkdir("dir", 0755));
  for (std::size_t length = 1; length <= 255; ++length) t.must(t->mkdir("dir/" + std::string(length, 'x'), 0755));
  t.expect_errno(t->mkdir("dir/" + std::string(256, 'x'), 0755), ENAMETOOLONG);
  t.expect_errno(t->stat("dir/" + std::string(256, 'y')), ENAMETOOLONG);
  t.expect_errno(t->stat(std::string(4096, '/')), ENAMETOOLONG);
  for (int c = 1; c < 256; ++c)
    if (c != '/') t.must(t->close(t.must(t->open(std::string("dir/byte-") + static_cast<char>(c), O_CREAT | O_EXCL | O_WRONLY, 0644))));
  t.cycle();
  t.expect_equal(t.names_in("dir").size(), 255u + 254u, "names");
  for (std::size_t length = 1; length <= 255; ++length) t.must(t->rmdir("dir/" + std::string(length, 'x')));
  for (int c = 1; c < 256; ++c)
    if (c != '/') t.must(t->unlink(std::string("dir/byte-") + static_cast<char>(c)));
  t.must(t->rmdir("dir"));
}
