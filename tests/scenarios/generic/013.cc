// What: a write or truncate by a non-root owner clears set-user-ID, and set-group-ID of a file its group may execute; root's write keeps them.
// Why: a program that others can write to must not keep its privileges.
// Groups: auto quick perms. Needs: nothing.
#include "helpers.h"

namespace xip::scenario {
namespace {

unsigned mode_after(run& t, unsigned mode, vfs::task& who, auto&& change) {
  t.must(t->chown("file", 1000, 1000));
  t.must(t->chmod("file", mode));
  t.expect_equal(t.must(t->stat("file")).mode & 07777u, mode, "the mode as it was set");
  const int fd = t.must(who.open("file", O_RDWR));
  change(fd);
  t.must(who.close(fd));
  return t.must(t->stat("file")).mode & 07777u;
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick perms", "writes clear set-id bits") {
  t.must(t->close(t.create("file")));
  const auto owner = t.new_task({.uid = 1000, .gid = 1000});
  const auto write_by = [&](vfs::task& who) { return [&](int fd) { t.put(who, fd, 0, 10, {}); }; };
  t.expect_equal(mode_after(t, 06777, *owner, write_by(*owner)), 0777u, "the mode after the owner's write");
  t.expect_equal(mode_after(t, 04755, *owner, write_by(*owner)), 0755u, "the mode after the owner's write to a set-user-ID file");
  t.expect_equal(mode_after(t, 02755, *owner, write_by(*owner)), 0755u, "the mode after the owner's write to a set-group-ID file");
  t.expect_equal(mode_after(t, 06777, t.task(), write_by(t.task())), 06777u, "the mode after root's write");
  t.expect_equal(mode_after(t, 06777, *owner, [&](int fd) { t.must(owner->ftruncate(fd, 5)); }), 0777u,
                 "the mode after the owner's truncate");
  t.expect_equal(mode_after(t, 04755, *owner, [&](int fd) { t.must(owner->pread(fd, nullptr, 0, 0)); }), 04755u, "the mode after a read");
  t.must(t->chmod("file", 06755));
  t.must(t->chown("file", 1001, 1001));
  t.expect_equal(t.must(t->stat("file")).mode & 07777u, 0755u, "the mode after chown");
}
