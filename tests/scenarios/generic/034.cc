// What: O_SYNC, O_DSYNC, RWF_DSYNC, RWF_SYNC, fsync, fdatasync, syncfs: each flushes the device; what was written is on it.
// Why: the XIP of 2013 ignored O_SYNC. The image is read by debugfs behind the mount's back.
// Groups: auto quick sync. Needs: debugfs.
#include "helpers.h"

namespace xip::scenario {
namespace {

// DURABLE ran with a write of ours behind it: the device was flushed, and a foreign reader finds the bytes.
void expect_durable(run& t, const char* name, auto&& durable) {
  const int fd = t.create(name);
  const auto before = t.device().stats().flushes;
  durable(fd);
  t.expect(t.device().stats().flushes > before, std::string{"the device was flushed by "} + name);
  const std::string found = t.debugfs("cat " + t.directory() + "/" + name);
  t.expect(found.find("these bytes last") != std::string::npos, std::string{"debugfs finds the bytes after "} + name);
  t.must(t->close(fd));
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick sync", "what is synced is on the device", .tool = "debugfs") {
  constexpr std::string_view text = "these bytes last";
  const iovec one{const_cast<char*>(text.data()), text.size()};
  const auto write = [&](int fd) { t.expect_answer(t->pwrite(fd, text.data(), text.size(), 0), text.size()); };
  expect_durable(t, "fsync", [&](int fd) {
    write(fd);
    t.must(t->fsync(fd));
  });
  expect_durable(t, "fdatasync", [&](int fd) {
    write(fd);
    t.must(t->fdatasync(fd));
  });
  expect_durable(t, "syncfs", [&](int fd) {
    write(fd);
    t.must(t->syncfs(fd));
  });
  expect_durable(t, "sync", [&](int fd) {
    write(fd);
    t.must(t.kernel().sync());
  });
  expect_durable(t, "dsync", [&](int fd) { t.expect_answer(t->pwritev2(fd, &one, 1, 0, RWF_DSYNC), text.size()); });
  expect_durable(t, "rwf-sync", [&](int fd) { t.expect_answer(t->pwritev2(fd, &one, 1, 0, RWF_SYNC), text.size()); });
  expect_durable(t, "o-sync", [&](int) {
    const int fd = t.must(t->open("o-sync", O_WRONLY | O_SYNC));
    write(fd);
    t.must(t->close(fd));
  });
  expect_durable(t, "o-dsync", [&](int) {
    const int fd = t.must(t->open("o-dsync", O_WRONLY | O_DSYNC));
    write(fd);
    t.must(t->close(fd));
  });
  // Nothing is left to commit, but data may have been overwritten in place since.
  const int fd = t.must(t->open("fsync", O_RDWR));
  for (const bool datasync : {false, true}) {
    const auto before = t.device().stats().flushes;
    t.must(datasync ? t->fdatasync(fd) : t->fsync(fd));
    t.expect(t.device().stats().flushes > before, "a second fsync flushes the device too");
  }
  t.must(t->close(fd));
}
