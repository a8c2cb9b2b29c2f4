// Directory blocks: as plain bytes, and broken ones on images.
#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "fs_ext4lite/dir.h"
#include "fs_ext4lite/htree_fixture.h"
#include "fs_ext4lite/tree.h"

namespace xip::ext4lite::test {
namespace {

// ---- bytes -------------------------------------------------------------------------------------------------------------------------

struct dir_block_bytes : testing::Test {
  static constexpr dir_rules rules{1000, true, true};
  std::vector<std::byte> block = std::vector<std::byte>(1024);

  bool add(std::string_view name, std::uint32_t inode) {
    dir_block_fault fault;
    const auto room = find_room(block, rules, name.size(), fault);
    EXPECT_FALSE(fault) << fault.what;
    if (room) insert_entry(block, rules, *room, name, ino_t{inode}, ft_reg_file);
    return room.has_value();
  }
  std::uint32_t find(std::string_view name) {
    dir_block_fault fault;
    const auto found = find_in_block(block, rules, name, fault);
    EXPECT_FALSE(fault) << fault.what;
    return found ? found->entry.inode.value() : 0;
  }
  bool remove(std::string_view name) {
    dir_block_fault fault;
    const auto found = find_in_block(block, rules, name, fault);
    if (found) erase_entry(block, *found);
    return found.has_value();
  }
  [[nodiscard]] const char* fault() { return check_dir_block(block, rules, dir_block_shape::leaf).what; }
};

TEST_F(dir_block_bytes, an_empty_leaf_has_one_unused_entry_and_a_tail) {
  init_leaf(block, rules);
  EXPECT_EQ(load_at<ext4_dir_entry>(block, 0).rec_len, 1012);
  EXPECT_EQ(load_at<ext4_dir_entry_tail>(block, 1012).det_reserved_ft, ft_dir_csum);
  EXPECT_EQ(fault(), nullptr);
  EXPECT_EQ(find("a"), 0u);
}

TEST_F(dir_block_bytes, is_filled_to_the_tail_and_not_over_it) {
  init_first_block(block, rules, ino_t{12}, ino_t{2});
  std::uint32_t made = 0;
  while (add(fmt::format("{:03}", made), made + 20)) ++made;
  EXPECT_EQ(made, (1012u - 24) / 12);
  for (std::uint32_t i = 0; i < made; ++i) EXPECT_EQ(find(fmt::format("{:03}", i)), i + 20);
  EXPECT_EQ(find(".."), 2u);
  EXPECT_EQ(load_at<ext4_dir_entry_tail>(block, 1012).det_reserved_ft, ft_dir_csum);
}

TEST_F(dir_block_bytes, what_is_removed_leaves_room_and_no_name) {
  init_leaf(block, rules);
  for (const char* name : {"first", "second", "third"}) ASSERT_TRUE(add(name, 20));
  for (const char* name : {"second", "first", "third"}) {
    EXPECT_TRUE(remove(name));
    EXPECT_EQ(fault(), nullptr);
    const std::string_view bytes{reinterpret_cast<const char*>(block.data()), block.size()};
    EXPECT_EQ(bytes.find(name), std::string_view::npos);
  }
  EXPECT_TRUE(add(std::string(255, 'n'), 21));
  EXPECT_TRUE(add(std::string(255, 'm'), 22));
}

// Every name of one to five letters a and b: each begins or ends like another of its length.
TEST_F(dir_block_bytes, tells_names_apart_that_begin_or_end_alike) {
  init_leaf(block, rules);
  const auto for_each_name = [](const auto& call) {
    for (unsigned letters = 1; letters <= 5; ++letters)
      for (unsigned bits = 0; bits < 1u << letters; ++bits) {
        std::string name;
        for (unsigned i = 0; i < letters; ++i) name += (bits >> i & 1) != 0 ? 'b' : 'a';
        call(name, 1u << letters | bits);
      }
  };
  for_each_name([&](const std::string& name, std::uint32_t inode) {
    EXPECT_EQ(find(name), 0u) << name;
    ASSERT_TRUE(add(name, inode)) << name;
  });
  for_each_name([&](const std::string& name, std::uint32_t inode) { EXPECT_EQ(find(name), inode) << name; });
}

TEST_F(dir_block_bytes, agrees_with_a_map_under_random_changes) {
  std::mt19937 random{1};
  init_leaf(block, rules);
  std::map<std::string, std::uint32_t> model;
  for (std::uint32_t i = 1; i < 5000; ++i) {
    const std::string name(1 + random() % 40, static_cast<char>('a' + random() % 26));
    if (model.erase(name) != 0) {
      ASSERT_TRUE(remove(name));
    } else if (add(name, i % 900 + 1)) {
      model[name] = i % 900 + 1;
    }
    ASSERT_EQ(fault(), nullptr);
  }
  for (const auto& [name, inode] : model) EXPECT_EQ(find(name), inode);
}

TEST_F(dir_block_bytes, each_bad_entry_is_named) {
  struct bad {
    std::uint16_t rec_len;
    std::uint8_t name_len;
    std::uint32_t inode;
  };
  for (const bad& b :
       {bad{0, 3, 5}, bad{8, 0, 0}, bad{13, 1, 5}, bad{12, 5, 5}, bad{1016, 3, 5}, bad{1004, 3, 5}, bad{1012, 3, 1001}, bad{1012, 0, 5}}) {
    init_leaf(block, rules);
    auto raw = load_at<ext4_dir_entry>(block, 0);
    raw.rec_len = b.rec_len;
    raw.name_len = b.name_len;
    raw.inode = b.inode;
    store_at(block, 0, raw);
    EXPECT_NE(fault(), nullptr) << b.rec_len << ' ' << int{b.name_len} << ' ' << b.inode;
    dir_block_fault found;
    EXPECT_FALSE(find_in_block(block, rules, "abc", found));
    EXPECT_TRUE(found);
  }
}

// Run under AddressSanitizer this says that nothing outside the block is touched.
TEST_F(dir_block_bytes, any_bytes_can_be_walked) {
  std::mt19937 random{2};
  for (int round = 0; round < 2000; ++round) {
    init_leaf(block, rules);
    for (int i = 0; i < 5; ++i) (void)add(fmt::format("name{}", i), 20);
    for (unsigned i = 0; i < 1 + random() % 8; ++i)
      block[random() % (round % 2 == 0 ? 80 : block.size())] = static_cast<std::byte>(random());
    dir_block_fault ignored;
    (void)find_in_block(block, rules, "name3", ignored);
    if (const auto room = find_room(block, rules, 4, ignored)) insert_entry(block, rules, *room, "four", ino_t{4}, ft_reg_file);
    (void)check_dx_root(block, rules, 2);
    (void)check_dx_node(block, rules);
    (void)dx_hashes_ascend(block, dir_block_shape::dx_root);
  }
}

struct dx_bytes : testing::Test {
  static constexpr dir_rules rules{1000, true, true};
  std::vector<std::byte> root = std::vector<std::byte>(1024);
  std::vector<std::byte> node = std::vector<std::byte>(1024);

  dx_bytes() {
    init_first_block(root, rules, ino_t{12}, ino_t{2});
    init_dx_root(root, rules, hash_half_md4, lblk_t{1});
  }
};

TEST_F(dx_bytes, a_new_root_has_one_leaf_and_room_for_122_more) {
  EXPECT_EQ(check_dx_root(root, rules, 2), nullptr);
  const dx_view view{root, dir_block_shape::dx_root};
  EXPECT_EQ(view.limit(), 123u);
  EXPECT_EQ(view.count(), 1u);
  EXPECT_EQ(view.find(0xFFFFFFFF), 0u);
  EXPECT_EQ(view.block(0).value(), 1u);
}

TEST_F(dx_bytes, entries_are_found_by_the_hash_they_begin_with) {
  for (std::uint32_t i = 1; i <= 50; ++i) insert_dx_entry(root, dir_block_shape::dx_root, i - 1, i * 100, lblk_t{i + 1});
  const dx_view view{root, dir_block_shape::dx_root};
  EXPECT_EQ(view.find(0), 0u);
  EXPECT_EQ(view.find(99), 0u);
  EXPECT_EQ(view.find(100), 1u);
  EXPECT_EQ(view.find(4999), 49u);
  EXPECT_EQ(view.find(~0u), 50u);
}

TEST_F(dx_bytes, a_root_grows_and_its_node_splits_in_halves) {
  for (std::uint32_t i = 1; i < 123; ++i) insert_dx_entry(root, dir_block_shape::dx_root, i - 1, i * 100, lblk_t{i + 1});
  EXPECT_TRUE(dx_view(root, dir_block_shape::dx_root).full());
  deepen_dx_root(root, node, rules, lblk_t{200});
  EXPECT_EQ(check_dx_root(root, rules, 2), nullptr);
  EXPECT_EQ(dx_info_of(root).indirect_levels, 1);
  EXPECT_EQ(dx_view(root, dir_block_shape::dx_root).block(0).value(), 200u);
  EXPECT_EQ(check_dx_node(node, rules), nullptr);
  EXPECT_EQ(dx_view(node, dir_block_shape::dx_node).count(), 123u);
  std::vector<std::byte> upper(1024);
  EXPECT_EQ(split_dx_node(node, upper, rules), 6100u);
  EXPECT_EQ(dx_view(node, dir_block_shape::dx_node).count(), 61u);
  EXPECT_EQ(dx_view(upper, dir_block_shape::dx_node).count(), 62u);
  EXPECT_EQ(dx_view(upper, dir_block_shape::dx_node).block(0).value(), 62u);
  EXPECT_TRUE(dx_hashes_ascend(upper, dir_block_shape::dx_node));
}

// ---- broken images -----------------------------------------------------------------------------------------------------------------

// A directory /d, linear or indexed, in an image that e2fsck would not let pass.
struct broken_dir : testing::Test {
  image disk = make_image("-b 1024 -O ^metadata_csum", "16M");
  std::vector<std::string> names;

  void fill(int count) {
    names = random_names(count, 8, 40);
    mounted fs{disk};
    make_directory(fs.task(), "/d", names);
    fs.umount_and_check(disk);
  }
  [[nodiscard]] std::uint64_t block(std::uint32_t lblk) const { return std::stoull(debugfs_value(fmt::format("bmap /d {}", lblk))) * 1024; }
  [[nodiscard]] std::string debugfs_value(const std::string& command) const {
    const std::string output = debugfs(disk.path(), command);
    return output.substr(output.find('\n') + 1);
  }
};

TEST_F(broken_dir, bad_entries_are_corruption_for_every_call) {
  fill(10);
  disk.poke_value(block(0) + 24 + 4, le16{7});
  mounted fs{disk};
  vfs::task& t = fs.task();
  int failure = 0;
  (void)list(t, "/d", 512, &failure);
  EXPECT_EQ(failure, EUCLEAN);
  EXPECT_EQ(errno_of(t.stat("/d/none")), EUCLEAN);
  EXPECT_EQ(errno_of(t.mkdir("/d/new", 0755)), EUCLEAN);
  EXPECT_EQ(errno_of(t.rmdir("/d")), EUCLEAN);
  EXPECT_NE(fs.log().find(fmt::format("block {}", block(0) / 1024)), std::string::npos) << fs.log();
}

TEST_F(broken_dir, names_that_lead_astray_are_not_listed) {
  fill(10);
  const std::uint64_t first_name = block(0) + 24 + 8;
  for (const char byte : {'/', '\0'}) {
    disk.poke_value(first_name, byte);
    mounted fs{disk};
    int failure = 0;
    (void)list(fs.task(), "/d", 512, &failure);
    EXPECT_EQ(failure, EUCLEAN);
  }
}

TEST_F(broken_dir, names_of_impossible_inodes_are_not_opened) {
  fill(10);
  const std::uint64_t entry = block(0) + 24;
  const std::string name{reinterpret_cast<const char*>(disk.bytes(entry + 8, 8).data()), 8};
  const auto full = std::ranges::find_if(names, [&](const std::string& n) { return n.starts_with(name); });
  ASSERT_NE(full, names.end());
  const std::uint32_t self = disk.peek_value<le32>(block(0));
  for (const std::uint32_t inode : {1u, 7u, 8u, self, 1000u, 0xFFFFFFu}) {
    disk.poke_value(entry, le32{inode});
    mounted fs{disk};
    EXPECT_EQ(errno_of(fs.task().stat("/d/" + *full)), EUCLEAN) << inode;
  }
}

TEST_F(broken_dir, a_size_that_cannot_be_is_corruption) {
  fill(3);
  for (const char* size : {"0", "1023", "1536", "0x40000000", "0xfffffc00", "0x7fffffff00000000"}) {
    debugfs(disk.path(), fmt::format("set_inode_field /d size {}", size), true);
    mounted fs{disk};
    int failure = 0;
    const auto found = list(fs.task(), "/d", 512, &failure);
    EXPECT_TRUE(failure == EUCLEAN || found.empty()) << size;
    EXPECT_FALSE(fs.task().open("/d/new", O_CREAT | O_WRONLY, 0644)) << size;
  }
}

// The index is not believed: names are still found and listed, but none is added.
TEST_F(broken_dir, a_bad_index_is_read_around) {
  fill(300);
  struct damage {
    std::uint32_t offset;
    std::vector<std::uint8_t> bytes;
  };
  const std::vector<damage> damages{
      {24, {1}},                       // reserved
      {28, {9}},                       // hash version
      {28, {6}},                       // siphash
      {29, {7}},                       // header length
      {30, {2}},                       // levels
      {32, {200}},                     // limit
      {34, {0, 0}},                    // no entry
      {34, {0xFF, 0x7F}},              // more than the limit
      {36, {0xFF, 0xFF, 0xFF, 0x0F}},  // a leaf that is not there
      {36, {0}},                       // the root as a leaf
      {40, {0xFE, 0xFF, 0xFF, 0xFF}},  // hashes that do not ascend
      {40, {2, 0, 0, 0}},              // names that are not where their hash leads
  };
  const std::uint64_t root = block(0);
  const auto whole = disk.bytes(root, 1024);
  for (const damage& d : damages) {
    disk.poke(root + d.offset, std::as_bytes(std::span{d.bytes}));
    mounted fs{disk};
    vfs::task& t = fs.task();
    int failure = 0;
    std::vector<std::string> listed;
    for (const auto& e : list(t, "/d", 50, &failure)) listed.push_back(e.name);
    std::ranges::sort(listed);
    EXPECT_EQ(failure, 0) << d.offset << fs.log();
    EXPECT_EQ(listed, with_dots(names)) << d.offset;
    EXPECT_NE(fs.log().find("directory block"), std::string::npos) << d.offset << fs.log();
    disk.poke(root, whole);
  }
}

TEST_F(broken_dir, a_bad_index_still_finds_names_and_takes_no_new_one) {
  fill(300);
  disk.poke_value(block(0) + 30, std::uint8_t{3});
  mounted fs{disk};
  for (const std::string& name : names) EXPECT_TRUE(fs.task().stat("/d/" + name)) << name;
  EXPECT_EQ(errno_of(fs.task().open("/d/new", O_CREAT | O_WRONLY, 0644)), EUCLEAN);
  EXPECT_TRUE(fs.task().unlink("/d/" + names[0]));
}

TEST_F(broken_dir, a_leaf_named_twice_is_listed_once) {
  fill(300);
  const std::uint64_t root = block(0);
  disk.poke_value(root + 36 + 8, disk.peek_value<le32>(root + 36));
  mounted fs{disk};
  int failure = 0;
  std::vector<std::string> listed;
  for (const auto& e : list(fs.task(), "/d", 50, &failure)) listed.push_back(e.name);
  std::ranges::sort(listed);
  EXPECT_EQ(std::ranges::adjacent_find(listed), listed.end());
}

TEST(dir_checksum, is_looked_at_once_as_long_as_the_block_is_cached) {
  const image disk = make_image("-b 1024 -O metadata_csum");
  bare_mount fs{disk, vfs::sb_rdonly};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  const pblk_t block = (*dir_block(fs.root(), lblk_t{0}))->block();
  {
    const dev::buffer_ref cached = fs.sb().s_buffers->find(block);
    ASSERT_TRUE(cached);
    std::byte& last = cached->writable().back();  // of the checksum
    last ^= std::byte{1};
    EXPECT_TRUE(dir_block(fs.root(), lblk_t{0}).has_value()) << "checked again though it is cached";
    last ^= std::byte{1};
    // On the medium, for the next time that it is read.
    std::vector<std::byte> bytes{cached->data().begin(), cached->data().end()};
    bytes.back() ^= std::byte{1};
    ASSERT_TRUE(fs.device().write(block.value() * 1024, bytes).has_value());
  }
  fs.sb().s_buffers->forget(block);
  EXPECT_EQ(errno_of(dir_block(fs.root(), lblk_t{0})), EUCLEAN);
}

TEST(broken_dir_checksums, are_found_out) {
  const image disk = make_image("-b 1024", "16M");
  const auto names = random_names(300, 8, 40);
  {
    mounted fs{disk};
    make_directory(fs.task(), "/d", names);
    fs.umount_and_check(disk);
  }
  const auto block = [&](std::uint32_t lblk) {
    const std::string output = debugfs(disk.path(), fmt::format("bmap /d {}", lblk));
    return std::stoull(output.substr(output.find('\n') + 1)) * 1024;
  };
  disk.poke_value(block(1) + 8, 'Z');
  {
    mounted fs{disk};
    int failure = 0;
    (void)list(fs.task(), "/d", 512, &failure);
    EXPECT_EQ(failure, EUCLEAN);
    EXPECT_NE(fs.log().find("wrong checksum of directory block 1"), std::string::npos) << fs.log();
  }
}

TEST(broken_dir_checksums, of_the_root_lose_the_index_only) {
  const image disk = make_image("-b 1024", "16M");
  const auto names = random_names(300, 8, 40);
  {
    mounted fs{disk};
    make_directory(fs.task(), "/d", names);
    fs.umount_and_check(disk);
  }
  const std::string output = debugfs(disk.path(), "bmap /d 0");
  disk.poke_value(std::stoull(output.substr(output.find('\n') + 1)) * 1024 + 44, std::uint8_t{1});
  mounted fs{disk};
  for (const std::string& name : names) EXPECT_TRUE(fs.task().stat("/d/" + name)) << name;
  EXPECT_EQ(errno_of(fs.task().mkdir("/d/new", 0755)), EUCLEAN);
}

}  // namespace
}  // namespace xip::ext4lite::test
