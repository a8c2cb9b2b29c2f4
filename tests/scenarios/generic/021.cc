// What: 10,000 names in one directory: all found, each listed once, half removed, more added, after new mounts.
// Why: hashed directories split, and linear ones would crawl.
// Groups: auto dir. Needs: nothing.
#include <set>

#include "helpers.h"

namespace xip::scenario {
namespace {

void expect_names(run& t, const std::set<std::string>& expected) {
  const auto found = t.names_in("dir");
  t.expect_equal(found.size(), expected.size(), "the number of names");
  t.expect(std::set<std::string>(found.begin(), found.end()) == expected, "each name is listed, once");
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto dir", "10,000 names in a directory") {
  std::set<std::string> names;
  t.must(t->mkdir("dir", 0755));
  for (unsigned i = 0; i < 10'000; ++i) {
    const std::string name = numbered("a-name-of-some-length-", i);
    t.must(t->close(t.must(t->open("dir/" + name, O_WRONLY | O_CREAT | O_EXCL, 0644))));
    names.insert(name);
  }
  expect_names(t, names);
  t.cycle();
  expect_names(t, names);
  for (const std::string& name : names) t.must(t->stat("dir/" + name));
  t.expect_errno(t->stat("dir/a-name-of-some-length-10000"), ENOENT);
  for (unsigned i = 0; i < 10'000; i += 2) {
    const std::string name = numbered("a-name-of-some-length-", i);
    t.must(t->unlink("dir/" + name));
    names.erase(name);
  }
  for (unsigned i = 0; i < 500; ++i) {
    const std::string name = numbered("added-", i);
    t.must(t->mkdir("dir/" + name, 0755));
    names.insert(name);
  }
  t.cycle();
  expect_names(t, names);
  t.expect_equal(t.must(t->stat("dir")).nlink, 502u, "links of the directory");
  t.expect_errno(t->rmdir("dir"), ENOTEMPTY);
}
