// What: times with nanoseconds, before 1970, after 2038, up to 2446, kept over a new mount; UTIME_NOW, UTIME_OMIT. Inodes of 128 bytes keep
// whole seconds up to 2038: what is beyond becomes the nearest that they can hold. The first and the last second have no nanoseconds (Linux:
// timestamp_truncate).
// Why: ext4 keeps 34 bits of seconds and 30 of nanoseconds in two places, and one of them is behind the first 128 bytes.
// Groups: auto quick times. Needs: nothing.
#include <algorithm>

#include <sys/stat.h>

#include "helpers.h"

namespace xip::scenario {
namespace {

// TIME as an inode of BYTES bytes keeps it.
vfs::timespec64 kept_by_inode(vfs::timespec64 time, std::uint32_t bytes) {
  constexpr std::int64_t first = INT32_MIN, last = 15032385535;
  if (bytes <= 128) return {std::clamp<std::int64_t>(time.seconds, first, INT32_MAX), 0};
  return time.seconds <= first || time.seconds >= last ? vfs::timespec64{std::clamp(time.seconds, first, last), 0} : time;
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick times", "nanosecond times and their range") {
  const std::vector<vfs::timespec64> times{{0, 0},
                                           {0, 999'999'999},
                                           {-1, 1},
                                           {-2147483648, 0},
                                           {2147483647, 123'456'789},
                                           {2147483648, 5},
                                           {4294967296, 6},
                                           {1'700'000'000, 999'999'999},
                                           {15032385535, 7}};
  for (std::size_t i = 0; i < times.size(); ++i) {
    t.must(t->close(t.create(numbered("f", i))));
    const vfs::timespec64 both[2] = {times[i], times[times.size() - 1 - i]};
    t.must(t->utimensat(AT_FDCWD, numbered("f", i), both, 0));
  }
  t.cycle();
  const auto kept = [&](vfs::timespec64 time) { return kept_by_inode(time, t.inode_size()); };
  for (std::size_t i = 0; i < times.size(); ++i) {
    const auto s = t.must(t->stat(numbered("f", i)));
    t.expect_equal(s.atime, kept(times[i]), "atime");
    t.expect_equal(s.mtime, kept(times[times.size() - 1 - i]), "mtime");
  }
  const vfs::timespec64 omit[2] = {{0, UTIME_OMIT}, {5, 5}};
  t.must(t->utimensat(AT_FDCWD, "f0", omit, 0));
  t.expect_equal(t.must(t->stat("f0")).atime, kept(times[0]), "atime that was to be left");
  t.expect_equal(t.must(t->stat("f0")).mtime, kept({5, 5}), "mtime");
  const vfs::timespec64 now[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
  t.must(t->utimensat(AT_FDCWD, "f0", now, 0));
  t.expect(t.must(t->stat("f0")).atime.seconds > 1'700'000'000, "UTIME_NOW is now");
  const vfs::timespec64 bad[2] = {{0, 1'000'000'000}, {0, 0}};
  t.expect_errno(t->utimensat(AT_FDCWD, "f0", bad, 0), EINVAL);
  const auto stranger = t.new_task({.uid = 1000, .gid = 1000});
  const vfs::timespec64 some[2] = {{1, 0}, {1, 0}};
  t.expect_errno(stranger->utimensat(AT_FDCWD, "f0", some, 0), EPERM);
  t.expect_errno(stranger->utimensat(AT_FDCWD, "f0", nullptr, 0), EACCES);
}
