// Indexed directories, built name by name; e2fsck judges the index.
#include "fs_ext4lite/htree_fixture.h"

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <utility>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "fs_ext4lite/dir.h"
#include "fs_ext4lite/tree.h"

namespace xip::ext4lite::test {
namespace {

// What mke2fs is told, and what tune2fs and debugfs change afterwards.
struct variety {
  const char* mke2fs;
  const char* size;
  const char* hash;  // tune2fs -E hash_alg=
  bool unsigned_char;
  int names;
};

class htree_variety : public testing::TestWithParam<variety> {};

TEST_P(htree_variety, ten_thousand_names_come_and_go) {
  const variety& v = GetParam();
  const image disk = make_image(v.mke2fs, v.size);
  ASSERT_EQ(run_command({"/usr/sbin/tune2fs", "-E", fmt::format("hash_alg={}", v.hash), disk.path()}).status, 0);
  debugfs(disk.path(), v.unsigned_char ? "set_super_value flags 2" : "set_super_value flags 1", true);
  std::vector<std::string> names = random_names(v.names, 1, 255);
  {
    mounted fs{disk};
    make_directory(fs.task(), "/d", names);
    EXPECT_EQ(names_in(fs.task(), "/d"), with_dots(names));
    fs.umount_and_check(disk);
  }
  EXPECT_NE(debugfs(disk.path(), "stat /d").find("Flags: 0x81000"), std::string::npos) << "no index";
  std::mt19937 random{7};
  std::ranges::shuffle(names, random);
  const std::vector<std::string> kept{names.begin(), names.begin() + v.names / 2};
  mounted fs{disk};
  for (std::size_t i = kept.size(); i < names.size(); ++i) ASSERT_TRUE(fs.task().unlink("/d/" + names[i])) << names[i];
  for (const std::string& name : kept) ASSERT_TRUE(fs.task().stat("/d/" + name)) << name;
  EXPECT_EQ(errno_of(fs.task().stat("/d/" + names.back())), ENOENT);
  EXPECT_EQ(names_in(fs.task(), "/d", 13), with_dots(kept));
  fs.umount_and_check(disk);
}

INSTANTIATE_TEST_SUITE_P(of, htree_variety,
                         testing::Values(variety{"-b 1024", "32M", "half_md4", false, 10000},
                                         variety{"-b 2048", "32M", "tea", false, 10000}, variety{"-b 4096", "32M", "half_md4", true, 10000},
                                         variety{"-b 4096", "32M", "legacy", false, 3000},
                                         variety{"-b 1024 -O ^metadata_csum", "32M", "legacy", true, 3000},
                                         variety{"-b 4096 -O ^metadata_csum,uninit_bg", "32M", "tea", true, 3000},
                                         variety{"-b 1024 -O ^filetype", "16M", "half_md4", false, 2000}));

// ---- the shape of the index --------------------------------------------------------------------------------------------------------

struct htree : testing::Test {
  [[nodiscard]] static std::uint32_t levels_of(const image& disk) {
    const std::string dump = debugfs(disk.path(), "htree_dump /d");
    const std::size_t at = dump.find("Indirect levels: ");
    return at == std::string::npos ? ~0u : static_cast<std::uint32_t>(std::stoul(dump.substr(at + 17)));
  }
};

TEST_F(htree, a_directory_gets_an_index_with_its_second_block) {
  const image disk = make_image("-b 1024");
  mounted fs{disk};
  ASSERT_TRUE(fs.task().mkdir("/d", 0755));
  int made = 0;
  for (; fs.task().stat("/d")->size == 1024; ++made) write_file(fs.task(), fmt::format("/d/name-{:03}", made), "");
  EXPECT_EQ(fs.task().stat("/d")->size, 2048);
  EXPECT_EQ(names_in(fs.task(), "/d").size(), static_cast<std::size_t>(made) + 2);
  fs.umount_and_check(disk);
  EXPECT_EQ(levels_of(disk), 0u);
}

TEST_F(htree, without_dir_index_a_directory_stays_linear) {
  const image disk = make_image("-b 1024 -O ^dir_index");
  const auto names = random_names(400, 1, 100);
  mounted fs{disk};
  make_directory(fs.task(), "/d", names);
  EXPECT_EQ(names_in(fs.task(), "/d", 5), with_dots(names));
  fs.umount_and_check(disk);
  EXPECT_EQ(debugfs(disk.path(), "stat /d").find("Flags: 0x81000"), std::string::npos);
}

TEST_F(htree, names_that_share_a_hash_are_all_found) {
  const image disk = make_image("-b 1024");
  ASSERT_EQ(run_command({"/usr/sbin/tune2fs", "-E", "hash_alg=legacy", disk.path()}).status, 0);
  // Four names of one hash do not fit into a leaf of 1 KiB.
  const std::string head(247, 'x');
  const std::vector<std::string> alike{head + "kd24lqre", head + "qnh2stke", head + "lj2xlbd1", head + "lz1vjvyd"};
  std::vector<std::string> names = random_names(100, 200, 255);
  names.insert(names.begin() + 50, alike.begin(), alike.end());
  mounted fs{disk};
  make_directory(fs.task(), "/d", names);
  for (const std::string& name : alike) EXPECT_TRUE(fs.task().stat("/d/" + name));
  for (std::size_t count : {1u, 2u, 3u, 512u}) EXPECT_EQ(names_in(fs.task(), "/d", count), with_dots(names)) << count << " a call";
  for (const std::string& name : alike) EXPECT_TRUE(fs.task().unlink("/d/" + name));
  fs.umount_and_check(disk);
}

// With 1 KiB blocks an index of two levels has room for at most 123 * 126 leaves.
TEST_F(htree, a_full_index_is_no_space_and_large_dir_makes_it_deeper) {
  for (const bool large : {false, true}) {
    const image disk = make_image(large ? "-b 1024 -O large_dir" : "-b 1024", "64M");
    bare_mount fs{disk};
    ASSERT_TRUE(fs.ok()) << fs.failure();
    ext4_inode_info& dir = fs.root();
    std::optional<exclusive_guard<decltype(dir.i_rwsem)>> guard{std::in_place, dir.i_rwsem};
    result<> added;
    int made = 0;
    for (; added && made < 50000; ++made) {
      handle h = journal_start(fs.sb(), credits_dir_add(dir)).value();
      added = dir_add(h, dir, fmt::format("{:0255}", made), ino_t{11}, S_IFREG);
    }
    EXPECT_EQ(errno_of(added), large ? 0 : ENOSPC) << made;
    EXPECT_GT(made, 15000);
    EXPECT_EQ(dx_open(dir).value().bottom, large ? 2u : 1u);
    for (int i = 0; i < made - 1; i += 997) EXPECT_TRUE(dir_find(dir, fmt::format("{:0255}", i))) << i;
    for (int i = 0; i < made - (large ? 0 : 1); ++i) {
      handle h = journal_start(fs.sb(), credits_dir_remove(dir)).value();
      ASSERT_TRUE(dir_remove(h, dir, fmt::format("{:0255}", i), ino_t{11})) << i;
    }
    guard.reset();
    fs.unmount_and_check(disk);
  }
}

// ---- positions ---------------------------------------------------------------------------------------------------------------------

struct positions : testing::Test {
  image disk = make_image("-b 1024", "16M");
  mounted fs{disk};
  vfs::task& t{fs.task()};

  [[nodiscard]] int open_dir() { return t.open("/d", O_RDONLY | O_DIRECTORY).value(); }
};

TEST_F(positions, every_offset_leads_back_to_the_entry_after_it) {
  make_directory(t, "/d", random_names(500, 1, 60));
  const auto all = list(t, "/d");
  const int fd = open_dir();
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    ASSERT_EQ(t.lseek(fd, all[i].off, SEEK_SET).value(), all[i].off);
    const auto next = t.getdents(fd, 1);
    ASSERT_EQ(next->size(), 1u);
    EXPECT_EQ((*next)[0].name, all[i + 1].name);
  }
  ASSERT_TRUE(t.lseek(fd, all.back().off, SEEK_SET));
  EXPECT_TRUE(t.getdents(fd, 1)->empty());
  ASSERT_TRUE(t.lseek(fd, 0, SEEK_SET));
  EXPECT_EQ(t.getdents(fd, 1000)->size(), all.size());
  ASSERT_TRUE(t.close(fd));
}

TEST_F(positions, hold_while_others_come_and_go) {
  const auto stable = random_names(300, 20, 40);
  make_directory(t, "/d", stable);
  std::map<std::string, int> seen;
  const int fd = open_dir();
  for (int round = 0;; ++round) {
    const auto some = t.getdents(fd, 7).value();
    if (some.empty()) break;
    for (const auto& d : some) ++seen[d.name];
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(t.link("/lost", fmt::format("/d/come-{}-{}", round, i)));
    for (int i = 0; round != 0 && i < 15; ++i) ASSERT_TRUE(t.unlink(fmt::format("/d/come-{}-{}", round - 1, i)));
  }
  ASSERT_TRUE(t.close(fd));
  for (const std::string& name : stable) EXPECT_EQ(seen[name], 1) << name;
  for (const auto& [name, times] : seen) EXPECT_EQ(times, 1) << name;
  fs.umount_and_check(disk);
}

TEST_F(positions, hold_while_a_block_becomes_an_index) {
  const auto stable = random_names(20, 20, 20);
  make_directory(t, "/d", stable);
  const int fd = open_dir();
  std::map<std::string, int> seen;
  for (int i = 0; i < 8; ++i) {
    const auto some = t.getdents(fd, 1).value();
    ++seen[some.at(0).name];
  }
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(t.link("/lost", fmt::format("/d/come-{}", i)));
  for (;;) {
    const auto some = t.getdents(fd, 64).value();
    if (some.empty()) break;
    for (const auto& d : some) ++seen[d.name];
  }
  ASSERT_TRUE(t.close(fd));
  EXPECT_EQ(seen["."], 1);
  EXPECT_EQ(seen[".."], 1);
  for (const std::string& name : stable) EXPECT_EQ(seen[name], 1) << name;
}

TEST_F(positions, show_what_has_changed_since_the_last_call) {
  const auto names = random_names(12, 20, 20);
  make_directory(t, "/d", names);
  const int fd = open_dir();
  const auto first = t.getdents(fd, 5).value();
  for (const std::string& name : names) ASSERT_TRUE(t.unlink("/d/" + name));
  EXPECT_TRUE(t.getdents(fd, 512)->empty());
  ASSERT_TRUE(t.close(fd));
}

// Four names at one position; another comes while they are read one by one.
TEST_F(positions, are_shared_by_names_of_one_hash) {
  const image legacy = make_image("-b 4096", "16M");
  ASSERT_EQ(run_command({"/usr/sbin/tune2fs", "-E", "hash_alg=legacy", legacy.path()}).status, 0);
  mounted other{legacy};
  const std::string head(247, 'x');
  const std::vector<std::string> alike{head + "kd24lqre", head + "qnh2stke", head + "lj2xlbd1", head + "lz1vjvyd"};
  make_directory(other.task(), "/d", alike);
  std::map<std::string, int> seen;
  const int fd = other.task().open("/d", O_RDONLY | O_DIRECTORY).value();
  for (int round = 0;; ++round) {
    const auto some = other.task().getdents(fd, 1).value();
    if (some.empty()) break;
    ++seen[some[0].name];
    ASSERT_TRUE(other.task().link("/lost", fmt::format("/d/new-{}", round)));
    ASSERT_LT(round, 100);
  }
  ASSERT_TRUE(other.task().close(fd));
  for (const std::string& name : alike) EXPECT_EQ(seen[name], 1) << name;
}

TEST_F(positions, a_removed_directory_is_read_no_more) {
  ASSERT_TRUE(t.mkdir("/d", 0755));
  const int fd = open_dir();
  ASSERT_TRUE(t.rmdir("/d"));
  EXPECT_EQ(errno_of(t.getdents(fd, 10)), ENOENT);
  ASSERT_TRUE(t.close(fd));
  fs.umount_and_check(disk);
}

}  // namespace
}  // namespace xip::ext4lite::test
