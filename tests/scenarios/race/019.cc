// What: directories are removed while others make files in them: either the file is made and rmdir says ENOTEMPTY, or it is gone for all.
// Why: no name may end in a directory that is gone.
// Groups: auto race dir. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto dir", "rmdir against create") {
  for (unsigned round = 0; round < 150; ++round) {
    t.must(t->mkdir("dir", 0755));
    bool made = false, removed = false;
    t.parallel({[&](vfs::task& me) {
                  const auto fd = me.open("dir/file", O_WRONLY | O_CREAT, 0644);
                  made = fd.has_value();
                  if (!fd) t.expect_errno(fd, ENOENT);
                },
                [&](vfs::task& me) {
                  const auto gone = me.rmdir("dir");
                  removed = gone.has_value();
                  if (!gone) t.expect_errno(gone, ENOTEMPTY);
                }});
    t.expect(made != removed, "either the file was made or the directory removed");
    if (made) {
      t.must(t->unlink("dir/file"));
      t.must(t->rmdir("dir"));
    }
  }
}
