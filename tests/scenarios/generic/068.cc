// What: many files with equal and differing attributes, changed and removed in random order, always have what a model says; in the end every block is free.
// Why: files with the same attributes share a block. One count too few frees a block that somebody still reads, one too many never frees it.
// Groups: auto attr. Needs: nothing.
#include <map>

#include <sys/xattr.h>

#include "helpers.h"

namespace xip::scenario {
namespace {

constexpr unsigned file_count = 120, values = 5;
using attributes = std::map<std::string, std::string>;

// Of a few kinds, so that files come to have the same ones: some lie in the inode, some need a block.
std::string value_of(unsigned which) { return std::string(which == 0 ? 10 : 300 + which, static_cast<char>('a' + which)); }

attributes found(run& t, const std::string& path) {
  std::string names(4096, '\0');
  names.resize(t.must(t->listxattr(path, names.data(), names.size())));
  attributes all;
  for (std::size_t at = 0; at < names.size(); at += std::string_view{names.c_str() + at}.size() + 1) {
    std::string value(4096, '\0');
    value.resize(t.must(t->getxattr(path, names.c_str() + at, value.data(), value.size())));
    all[names.c_str() + at] = value;
  }
  return all;
}

void change(run& t, random_source& random, const std::string& path, attributes& model) {
  const std::string name = numbered("user.", random.below(2));
  const std::string value = value_of(static_cast<unsigned>(random.below(values)));
  if (random.below(4) == 0) {
    const auto gone = t->removexattr(path, name);
    t.expect_equal(gone.has_value(), model.erase(name) != 0, "an attribute was there");
    return;
  }
  t.must(t->setxattr(path, name, value.data(), value.size(), 0));  // both of them fit into the smallest block
  model[name] = value;
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto attr", "attributes in shared blocks against a model") {
  random_source random = t.random();
  std::map<std::string, attributes> model;
  for (unsigned i = 0; i < file_count; ++i) {
    const std::string path = numbered("f", i);
    t.must(t->close(t.create(path)));
    model[path];
  }
  const std::uint64_t free_at_first = free_bytes(t);  // the directory keeps what it has
  for (unsigned round = 0; round < 3; ++round) {
    for (unsigned i = 0; i < 600; ++i) {
      const std::string path = numbered("f", random.below(file_count));
      change(t, random, path, model[path]);
    }
    t.cycle();
    for (const auto& [path, attributes] : model) t.expect_equal(found(t, path) == attributes, true, path + " has what the model has");
  }
  while (!model.empty()) {
    const auto victim = std::next(model.begin(), static_cast<std::ptrdiff_t>(random.below(model.size())));
    t.must(t->unlink(victim->first));
    model.erase(victim);
    if (model.size() % 20 == 0)
      for (const auto& [path, attributes] : model) t.expect_equal(found(t, path) == attributes, true, path + " while others go");
  }
  t.must(t.kernel().sync());
  t.expect_equal(free_bytes(t), free_at_first, "free bytes when all are gone");
}
