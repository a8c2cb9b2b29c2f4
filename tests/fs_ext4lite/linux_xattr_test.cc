// Attributes and access control lists that Linux and we change by turns, on a loop mount: root only.
#include <unistd.h>

#include <random>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "fs_ext4lite/attributes.h"
#include "fs_ext4lite/image.h"
#include "fs_ext4lite/loop_mount.h"

namespace xip::ext4lite::test {
namespace {

class linux_attributes : public with_linux {
 protected:
  linux_attributes() : with_linux{"16M"} {}
  // As Linux sees them.
  [[nodiscard]] static xattr_map host_xattrs(const std::filesystem::path& path) {
    std::string names(65536, '\0');
    const ssize_t bytes = ::llistxattr(path.c_str(), names.data(), names.size());
    EXPECT_GE(bytes, 0) << path;
    names.resize(static_cast<std::size_t>(std::max<ssize_t>(bytes, 0)));
    xattr_map all;
    for (std::size_t at = 0; at < names.size();) {
      const std::string name{names.c_str() + at};
      std::string value(65536, '\0');
      const ssize_t size = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
      EXPECT_GE(size, 0) << path << name;
      value.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
      all[name] = value;
      at += name.size() + 1;
    }
    return all;
  }
};

TEST_P(linux_attributes, change_by_turns) {
  std::mt19937 random{11};
  const auto below = [&random](unsigned n) { return std::uniform_int_distribution<unsigned>{0, n - 1}(random); };
  std::vector<xattr_map> model(5);
  const auto path_of = [](std::size_t file) { return fmt::format("f{}", file); };
  {
    mounted fs{disk};
    for (std::size_t f = 0; f < model.size(); ++f) write_file(fs.task(), "/" + path_of(f), "f");
    fs.umount_and_check(disk);
  }
  const auto change = [&](const auto& set, const auto& remove) {
    for (int i = 0; i < 100; ++i) {
      const std::size_t f = below(static_cast<unsigned>(model.size()));
      const std::string name = fmt::format("{}.{}", std::vector{"user", "trusted"}[below(2)], std::string(1 + below(6), 'n'));
      const std::string value = pattern(below(3) == 0 ? below(300) : below(40), below(2));
      if (below(3) == 0)
        EXPECT_EQ(remove(path_of(f), name), model[f].erase(name) != 0 ? 0 : ENODATA);
      else if (set(path_of(f), name, value) == 0)
        model[f][name] = value;
    }
  };
  for (int turn = 0; turn < 4; ++turn) {
    {
      const loop_mount there{disk};
      for (std::size_t f = 0; f < model.size(); ++f) EXPECT_EQ(host_xattrs(there.path(path_of(f))), model[f]) << turn << path_of(f);
      change([&](const std::string& f, const std::string& n,
                 const std::string& v) { return ::lsetxattr(there.path(f).c_str(), n.c_str(), v.data(), v.size(), 0) == 0 ? 0 : errno; },
             [&](const std::string& f, const std::string& n) { return ::lremovexattr(there.path(f).c_str(), n.c_str()) == 0 ? 0 : errno; });
    }
    check();
    mounted fs{disk};
    for (std::size_t f = 0; f < model.size(); ++f) EXPECT_EQ(xattrs_of(fs.task(), "/" + path_of(f)), model[f]) << turn << path_of(f);
    change([&](const std::string& f, const std::string& n, const std::string& v) { return set_xattr(fs.task(), "/" + f, n, v); },
           [&](const std::string& f, const std::string& n) { return remove_xattr(fs.task(), "/" + f, n); });
    fs.umount_and_check(disk);
  }
}

TEST_P(linux_attributes, lists_mean_the_same_to_both) {
  if (run_command({"setfacl", "--version"}).status != 0) GTEST_SKIP() << "needs setfacl and getfacl (package acl)";
  const std::string theirs = acl_for_user(1000, 7, 5, 4, 5, 1), ours = acl_for_user(1001, 6, 2, 0, 3, 4);
  {
    const loop_mount there{disk};
    std::filesystem::create_directory(there.path("d"));
    ASSERT_EQ(run_command({"setfacl", "-m", "u:1000:r-x,g::r--,o::--x,m::r-x", there.path("d").string()}).status, 0);
    ASSERT_EQ(run_command({"setfacl", "-d", "-m", "u:1000:r-x,g::r--,o::--x,m::r-x", there.path("d").string()}).status, 0);
  }
  {
    mounted fs{disk};
    EXPECT_EQ(get_xattr(fs.task(), "/d", acl_access_name), theirs);
    EXPECT_EQ(get_xattr(fs.task(), "/d", acl_default_name), theirs);
    write_file(fs.task(), "/d/f", "f");
    ASSERT_TRUE(fs.task().mkdir("/d/d", 0777));
    write_file(fs.task(), "/g", "g");
    ASSERT_EQ(set_xattr(fs.task(), "/g", acl_access_name, ours), 0);
    fs.umount_and_check(disk);
  }
  const loop_mount there{disk};
  const auto getfacl = [&](const char* name) { return run_command({"getfacl", "-cnp", there.path(name).string()}).output; };
  EXPECT_EQ(getfacl("g"), "user::rw-\nuser:1001:-w-\ngroup::---\nmask::-wx\nother::r--\n\n");
  EXPECT_EQ(getfacl("d/f"), "user::rw-\nuser:1000:r-x\t#effective:r--\ngroup::r--\nmask::r--\nother::---\n\n");
  EXPECT_NE(getfacl("d/d").find("default:user:1000:r-x"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(on, linux_attributes, testing::Values("-b 1024", "-b 4096", "-b 4096 -I 128", "-b 2048 -O ^metadata_csum,^64bit"));

}  // namespace
}  // namespace xip::ext4lite::test
