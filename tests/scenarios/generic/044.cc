// What: after sync the image holds files, directories and bytes as debugfs reads them, while it is still mounted.
// Why: what is durable is judged by a foreign reader, not by our own caches.
// Groups: auto quick sync. Needs: debugfs.
#include "helpers.h"

XIP_SCENARIO("auto quick sync", "a synced image as debugfs reads it", .tool = "debugfs") {
  t.must(t->mkdir("dir", 0750));
  const int fd = t.create("dir/file");
  std::string text;
  for (unsigned i = 0; i < 3000; ++i) text += numbered("line ", i) + "\n";
  t.expect_answer(t->pwrite(fd, text.data(), text.size(), 0), text.size());
  for (unsigned i = 0; i < 50; ++i) t.must(t->close(t.create("dir/" + numbered("n", i))));
  t.must(t->syncfs(fd));
  const std::string dir = t.directory() + "/dir";
  t.expect(t.debugfs("cat " + dir + "/file").find(text) != std::string::npos, "debugfs reads the bytes");
  const std::string listing = t.debugfs("ls -p " + dir);
  for (unsigned i = 0; i < 50; ++i)
    t.expect(listing.find("/" + numbered("n", i) + "/") != std::string::npos, numbered("debugfs lists n", i));
  t.expect(t.debugfs("stat " + dir).find("Mode:  0750") != std::string::npos, "debugfs sees the mode");
  t.expect(t.debugfs("stat " + dir + "/file").find("Size: " + std::to_string(text.size())) != std::string::npos, "debugfs sees the size");
  t.must(t->unlink("dir/n7"));
  t.must(t.kernel().sync());
  t.expect(t.debugfs("ls -p " + dir).find("/n7/") == std::string::npos, "debugfs does not list what was removed");
}
