// Calls when something fails in their middle: a read error, no memory, no space, at every place in turn. A call that fails has changed nothing,
// one that succeeds has changed all, and e2fsck agrees either way.
#include <linux/fs.h>

#include <map>

#include <sys/stat.h>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <xip/fs_ext4lite/ext4lite.h>

#include "fs_ext4lite/attributes.h"
#include "fs_ext4lite/image.h"
#include "fs_ext4lite/tree.h"
#include "vfs/dcache.h"

namespace xip::ext4lite::test {
namespace {

// Fails once: the time after SKIP others that POINT is asked.
class fails_once final : public point_sink {
 public:
  fails_once(point p, int number, unsigned skip) : point_{p}, number_{number}, skip_{skip} {}
  void on_point(point, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override {}
  int inject(point p, std::uint64_t, std::uint64_t) noexcept override {
    if (p != point_ || struck_) return 0;
    if (skip_ != 0) {
      --skip_;
      return 0;
    }
    struck_ = true;
    return number_;
  }
  [[nodiscard]] bool struck() const noexcept { return struck_; }

 private:
  const point point_;
  const int number_;
  unsigned skip_;
  bool struck_ = false;
};

// What a call that fails may leave.
enum class on_failure {
  nothing,    // has changed
  all_done,   // or all that can be seen has happened: what is left is freed by the next mount at the latest
  some_done,  // or a part of it
};

struct call {
  const char* name;
  int (*make)(vfs::task& t);  // 0, or the errno
  on_failure leaves = on_failure::nothing;
};

[[nodiscard]] int create(vfs::task& t, std::string_view path) {
  const auto fd = t.open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
  if (fd) (void)t.close(*fd);
  return errno_of(fd);
}

// Over holes and written blocks by turns. A short count is no failure.
[[nodiscard]] int write_over_holes(vfs::task& t) {
  const auto fd = t.open("/b/scattered", O_WRONLY);
  if (!fd) return errno_of(fd);
  const std::string text = pattern(200 * 1024, 2);
  const auto written = t.pwrite(*fd, text.data(), text.size(), 500);
  (void)t.close(*fd);
  return errno_of(written);
}

// A file without a name gets some bytes, and the name PATH where there is one. 0, or the errno of what failed first.
[[nodiscard]] int nameless_file(vfs::task& t, std::string_view path) {
  const auto fd = t.open("/a", O_TMPFILE | O_RDWR, 0640);
  if (!fd) return errno_of(fd);
  const std::string text = pattern(5000);
  const auto written = t.write(*fd, text.data(), text.size());
  int failed = written ? (*written == text.size() ? 0 : ENOSPC) : errno_of(written);
  if (failed == 0 && !path.empty()) failed = errno_of(t.linkat(*fd, "", AT_FDCWD, path, AT_EMPTY_PATH));
  (void)t.close(*fd);
  return failed;
}

// A block map cannot have blocks that are not written, nor be moved: that is no failure.
[[nodiscard]] int allocate(vfs::task& t, std::string_view path, int mode, loff_t offset, loff_t bytes) {
  const auto fd = t.open(path, O_WRONLY);
  if (!fd) return errno_of(fd);
  const int failed = errno_of(t.fallocate(*fd, mode, offset, bytes));
  (void)t.close(*fd);
  return failed == EOPNOTSUPP ? 0 : failed;
}
[[nodiscard]] int allocate(vfs::task& t, int mode, loff_t offset, loff_t bytes) { return allocate(t, "/b/scattered", mode, offset, bytes); }

// What these calls set: V of 300 bytes is in a block that /attrs/one and /attrs/two share, /attrs/own has one of its own.
[[nodiscard]] std::string in_block(char c) { return std::string(300, c); }
const std::string long_acl = [] {
  std::vector<vfs::posix_acl_entry> entries{{vfs::acl_user_obj, 7}};
  for (std::uint32_t id = 1; id <= 20; ++id) entries.push_back({vfs::acl_user, 7, id});
  for (const std::uint16_t tag : {vfs::acl_group_obj, vfs::acl_mask, vfs::acl_other}) entries.push_back({tag, 5});
  return acl_value(entries);
}();

const call calls[] = {
    {"create", [](vfs::task& t) { return create(t, "/a/new"); }},
    {"mkdir", [](vfs::task& t) { return errno_of(t.mkdir("/a/new", 0755)); }},
    {"mknod", [](vfs::task& t) { return errno_of(t.mknod("/a/new", S_IFCHR | 0600, 0x103)); }},
    {"short_symlink", [](vfs::task& t) { return errno_of(t.symlink("file", "/a/new")); }},
    {"long_symlink", [](vfs::task& t) { return errno_of(t.symlink(std::string(200, 'l'), "/a/new")); }},
    {"link", [](vfs::task& t) { return errno_of(t.link("/a/file", "/b/new")); }},
    {"unlink", [](vfs::task& t) { return errno_of(t.unlink("/a/file")); }},
    {"unlink_one_of_two", [](vfs::task& t) { return errno_of(t.unlink("/a/twice")); }},
    {"unlink_symlink", [](vfs::task& t) { return errno_of(t.unlink("/b/slow")); }},
    {"rmdir", [](vfs::task& t) { return errno_of(t.rmdir("/a/empty")); }},
    {"create_in_a_full_block", [](vfs::task& t) { return create(t, "/full/new-name"); }},
    {"create_in_a_full_leaf", [](vfs::task& t) { return create(t, "/fuller/new-name"); }},
    {"mkdir_in_a_full_block", [](vfs::task& t) { return errno_of(t.mkdir("/full/new-name", 0755)); }},
    {"rename", [](vfs::task& t) { return errno_of(t.rename("/a/file", "/a/new")); }},
    {"rename_to_another_directory", [](vfs::task& t) { return errno_of(t.rename("/a/file", "/b/new")); }},
    {"rename_over_a_file", [](vfs::task& t) { return errno_of(t.rename("/a/file", "/b/other")); }},
    {"rename_over_one_of_two", [](vfs::task& t) { return errno_of(t.rename("/a/file", "/b/twice")); }},
    {"rename_a_directory", [](vfs::task& t) { return errno_of(t.rename("/a/empty", "/b/new")); }},
    {"rename_a_directory_over_another", [](vfs::task& t) { return errno_of(t.rename("/a/empty", "/b/empty")); }},
    {"rename_into_a_full_block", [](vfs::task& t) { return errno_of(t.rename("/a/file", "/full/new-name")); }},
    {"rename_within_a_full_leaf", [](vfs::task& t) { return errno_of(t.rename("/fuller/name-0001", "/fuller/longer-name-than-before")); }},
    {"unlink_scattered", [](vfs::task& t) { return errno_of(t.unlink("/b/scattered")); }},
    {"truncate", [](vfs::task& t) { return errno_of(t.truncate("/b/scattered", 9000)); }, on_failure::all_done},
    {"truncate_to_nothing", [](vfs::task& t) { return errno_of(t.truncate("/b/scattered", 0)); }, on_failure::all_done},
    {"write", write_over_holes, on_failure::some_done},
    {"make_a_nameless_file", [](vfs::task& t) { return nameless_file(t, {}); }},
    {"name_a_nameless_file", [](vfs::task& t) { return nameless_file(t, "/b/new"); }},
    {"allocate_in_holes", [](vfs::task& t) { return allocate(t, 0, 500, 250 * 1024); }, on_failure::some_done},
    {"allocate_behind_the_end", [](vfs::task& t) { return allocate(t, FALLOC_FL_KEEP_SIZE, 300 * 1024, 50 * 1024); },
     on_failure::some_done},
    {"punch", [](vfs::task& t) { return allocate(t, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 500, 250 * 1024); }, on_failure::some_done},
    {"punch_in_an_extent", [](vfs::task& t) { return allocate(t, "/a/file", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1024, 1024); },
     on_failure::some_done},
    {"zero", [](vfs::task& t) { return allocate(t, FALLOC_FL_ZERO_RANGE, 100 * 1024 + 500, 20 * 1024); }, on_failure::some_done},
    {"collapse", [](vfs::task& t) { return allocate(t, FALLOC_FL_COLLAPSE_RANGE, 5 * 1024, 20 * 1024); }, on_failure::some_done},
    {"insert", [](vfs::task& t) { return allocate(t, FALLOC_FL_INSERT_RANGE, 10 * 1024, 20 * 1024); }, on_failure::some_done},
    {"insert_in_an_extent", [](vfs::task& t) { return allocate(t, "/a/file", FALLOC_FL_INSERT_RANGE, 1024, 1024); }, on_failure::some_done},
    {"set_an_attribute_in_the_inode", [](vfs::task& t) { return set_xattr(t, "/attrs/none", "user.a", "1"); }},
    {"set_an_attribute_in_a_new_block", [](vfs::task& t) { return set_xattr(t, "/attrs/none", "user.a", in_block('n')); }},
    {"set_an_attribute_and_share", [](vfs::task& t) { return set_xattr(t, "/attrs/none", "user.a", in_block('v')); }},
    {"set_an_attribute_in_a_shared_block", [](vfs::task& t) { return set_xattr(t, "/attrs/one", "user.b", in_block('b')); }},
    {"set_an_attribute_and_share_another", [](vfs::task& t) { return set_xattr(t, "/attrs/own", "user.a", in_block('v')); }},
    {"set_an_attribute_in_a_block_of_its_own", [](vfs::task& t) { return set_xattr(t, "/attrs/own", "user.b", in_block('b')); }},
    {"move_an_attribute_into_the_inode", [](vfs::task& t) { return set_xattr(t, "/attrs/own", "user.a", "1"); }},
    {"remove_an_attribute_that_is_shared", [](vfs::task& t) { return remove_xattr(t, "/attrs/one", "user.a"); }},
    {"remove_the_last_attribute_of_a_block", [](vfs::task& t) { return remove_xattr(t, "/attrs/own", "user.a"); }},
    {"unlink_with_attributes", [](vfs::task& t) { return errno_of(t.unlink("/attrs/own")); }},
    {"unlink_with_shared_attributes", [](vfs::task& t) { return errno_of(t.unlink("/attrs/two")); }},
    {"set_an_access_list", [](vfs::task& t) { return set_xattr(t, "/attrs/none", acl_access_name, long_acl); }},
    {"chmod_with_an_access_list", [](vfs::task& t) { return errno_of(t.chmod("/attrs/listed", 0711)); }},
    {"create_with_inherited_lists", [](vfs::task& t) { return create(t, "/attrs/heirs/new"); }},
    {"mkdir_with_inherited_lists", [](vfs::task& t) { return errno_of(t.mkdir("/attrs/heirs/new", 0700)); }},
    {"rename_with_a_whiteout_that_inherits",
     [](vfs::task& t) { return errno_of(t.renameat2(AT_FDCWD, "/attrs/heirs/old", AT_FDCWD, "/attrs/heirs/new", RENAME_WHITEOUT)); }},
    {"exchange", [](vfs::task& t) { return errno_of(t.renameat2(AT_FDCWD, "/a/file", AT_FDCWD, "/b/empty", RENAME_EXCHANGE)); }},
};

// A file of many extents: every second block is a hole.
void scatter(vfs::task& t, std::string_view path) {
  const auto fd = t.open(path, O_CREAT | O_WRONLY, 0644);
  ASSERT_TRUE(fd);
  const std::string text = pattern(1024);
  for (loff_t i = 0; i < 300; i += 2) ASSERT_EQ(t.pwrite(*fd, text.data(), text.size(), i * 1024).value_or(0), text.size());
  ASSERT_TRUE(t.close(*fd));
}

// Names until DIRECTORY is about to get another block: the next one of the same length needs it.
void fill(vfs::task& t, const std::string& directory, loff_t size) {
  ASSERT_TRUE(t.mkdir(directory, 0755));
  for (int i = 0;; ++i) {
    const std::string path = directory + fmt::format("/name-{:04}", i);
    ASSERT_TRUE(t.link("/a/twice", path));
    if (t.stat(directory)->size <= size) continue;
    // One too many: again, without it.
    for (int n = 0; n <= i; ++n) ASSERT_TRUE(t.unlink(directory + fmt::format("/name-{:04}", n)));
    ASSERT_TRUE(t.rmdir(directory));
    ASSERT_TRUE(t.mkdir(directory, 0755));
    for (int n = 0; n < i; ++n) ASSERT_TRUE(t.link("/a/twice", directory + fmt::format("/name-{:04}", n)));
    return;
  }
}

// Inodes that calls have to do with lie in different blocks of the inode tables: four others are made between two of them.
void spread(vfs::task& t) {
  static int count = 0;
  for (int i = 0; i < 4; ++i) ASSERT_EQ(create(t, fmt::format("/between-{}", count++)), 0);
}

void make_attributes(vfs::task& t) {
  ASSERT_TRUE(t.mkdir("/attrs", 0755));
  for (const char* file : {"none", "one", "two", "own", "listed"}) {
    write_file(t, std::string{"/attrs/"} + file, file);
    spread(t);
  }
  ASSERT_EQ(set_xattr(t, "/attrs/one", "user.a", in_block('v')), 0);
  ASSERT_EQ(set_xattr(t, "/attrs/two", "user.a", in_block('v')), 0);
  ASSERT_EQ(set_xattr(t, "/attrs/own", "user.a", in_block('o')), 0);
  ASSERT_EQ(set_xattr(t, "/attrs/listed", acl_access_name, long_acl), 0);
  ASSERT_TRUE(t.mkdir("/attrs/heirs", 0755));
  write_file(t, "/attrs/heirs/old", "old");
  ASSERT_EQ(set_xattr(t, "/attrs/heirs", acl_default_name, long_acl), 0);
}

void make_tree(vfs::task& t) {
  for (const char* directory : {"/a", "/b", "/a/empty", "/b/empty"}) {
    ASSERT_TRUE(t.mkdir(directory, 0755));
    spread(t);
  }
  write_file(t, "/a/file", pattern(3000));
  spread(t);
  write_file(t, "/b/other", pattern(5000));
  spread(t);
  write_file(t, "/a/twice", "two names");
  ASSERT_TRUE(t.link("/a/twice", "/b/twice"));
  ASSERT_TRUE(t.symlink(std::string(200, 's'), "/b/slow"));
  scatter(t, "/b/scattered");
  fill(t, "/full", 1024);
  fill(t, "/fuller", 3 * 1024);
  make_attributes(t);
}

// Inodes by the order in which names lead to them: which number one got is not looked at.
struct description {
  std::string text;
  std::map<std::uint64_t, std::size_t> inodes;

  [[nodiscard]] std::size_t number_of(std::uint64_t ino) { return inodes.try_emplace(ino, inodes.size()).first->second; }
};

void describe(vfs::task& t, const std::string& directory, description& out) {
  for (const std::string& name : names_in(t, directory)) {
    const std::string path = (directory == "/" ? "" : directory) + "/" + name;
    const auto s = t.lstat(path);
    ASSERT_TRUE(s) << path << ": " << s.error().name();
    out.text += fmt::format("{} {} {:o} {}\n", path, out.number_of(s->ino), s->mode, s->nlink);
    if (name == "." || name == "..") continue;
    if (S_ISDIR(s->mode)) describe(t, path, out);
    if (S_ISREG(s->mode)) out.text += read_file(t, path) + '\n';
    if (S_ISLNK(s->mode)) out.text += *t.readlink(path) + '\n';
    for (const auto& [attribute, value] : xattrs_of(t, path)) out.text += fmt::format("{} {} {}\n", path, attribute, value);
  }
}

// All names, what they stand for, and what is in it.
[[nodiscard]] std::string tree_of(vfs::task& t) {
  description d;
  describe(t, "/", d);
  return std::move(d.text);
}

struct fault {
  const char* name;
  point at;
  int number;
};
const fault faults[] = {
    {"a_read_error", point::buffer_read, EIO},
    {"no_memory", point::alloc_memory, ENOMEM},
    {"no_space", point::ext4_alloc_blocks, ENOSPC},
    {"no_inode", point::ext4_alloc_inode, ENOSPC},
};

struct format {
  const char* name;
  const char* options;
  const char* mount_options = "noatime";
};
const format formats[] = {
    {"extents", "-b 1024 -g 1024 -N 512 -O ^has_journal"},
    {"block_maps", "-b 1024 -g 1024 -N 512 -O ^has_journal,^extent,^64bit"},
};
constexpr format with_journal{"journal", "-b 1024 -g 1024 -N 512"};
constexpr format with_dirsync{"dirsync", "-b 1024 -g 1024 -N 512", "noatime,dirsync"};

// What the medium holds after the next mount has cleaned up. Where an error was recorded, e2fsck cleans up.
[[nodiscard]] std::string look_again(dev::device& device) {
  const image judged = make_image("-b 1024", "4M");
  const auto judge = [&judged](const char* how) { return run_command({"/sbin/e2fsck", how, judged.path()}); };
  store(device, judged);
  if ((judged.peek_value<ext4_super_block>(super_offset).s_state & error_fs) != 0) {
    const command_outcome repaired = judge("-fy");
    EXPECT_TRUE(repaired.status == 0 || repaired.status == 1) << repaired.output;
  }
  mounted fs{judged};
  EXPECT_TRUE(fs.ok()) << fs.failure();
  if (!fs.ok()) return {};
  std::string tree = tree_of(fs.task());
  fs.umount_and_check(judged);
  return tree;
}

// All inodes are in memory, and nothing else is: every block has to be read again, but for those that a mount holds as long as it lives.
void forget_blocks(vfs::task& t) {
  (void)tree_of(t);
  auto& sb = static_cast<ext4_sb_info&>(t.cwd.dent->get_inode()->i_sb);
  std::vector<pblk_t> blocks;
  const auto note = [](void* all, dev::buffer& b) { static_cast<std::vector<pblk_t>*>(all)->push_back(b.block()); };
  sb.s_buffers->for_each(note, &blocks);
  std::erase(blocks, sb.s_sbh->block());
  for (const dev::buffer_ref& held : sb.s_group_desc) std::erase(blocks, held->block());
  for (const pblk_t b : blocks) sb.s_buffers->forget(b);
}

// A sanitizer makes each place several times as dear, and sees in a part of them what it sees in all; a build without one goes through all.
#if defined(__SANITIZE_THREAD__)
constexpr unsigned places_at_once = 8;
#elif defined(__SANITIZE_ADDRESS__)
constexpr unsigned places_at_once = 3;
#else
constexpr unsigned places_at_once = 1;
#endif

class call_with_fault : public testing::TestWithParam<std::tuple<format, call, fault>> {};

TEST_P(call_with_fault, does_all_or_nothing) {
  const auto& [format, what, fault] = GetParam();
  const image disk = make_image(format.options, "4M");
  std::string before, after;
  {
    mounted fs{disk};
    make_tree(fs.task());
    before = tree_of(fs.task());
    fs.umount_and_check(disk);
  }
  {
    const std::unique_ptr<dev::device> device = load(disk);
    {
      mounted fs{*device};
      ASSERT_EQ(what.make(fs.task()), 0);
    }
    after = look_again(*device);
  }
  for (unsigned skip = 0;; skip += places_at_once) {
    SCOPED_TRACE(fmt::format("{} passed", skip));
    const std::unique_ptr<dev::device> device = load(disk);
    fails_once sink{fault.at, fault.number, skip};
    int answer = 0;
    std::string seen;
    {
      mounted fs{*device, format.mount_options};
      forget_blocks(fs.task());
      fs.task().context.points = &sink;
      answer = what.make(fs.task());
      fs.task().context.points = nullptr;
      seen = tree_of(fs.task());
      EXPECT_TRUE(fs.umount()) << fs.log();
    }
    if (!sink.struck()) break;
    EXPECT_TRUE(answer == 0 || answer == fault.number) << answer;
    const bool done = answer == 0 || (what.leaves == on_failure::all_done && seen == after);
    EXPECT_TRUE(what.leaves == on_failure::some_done || seen == (done ? after : before)) << "answer " << answer;
    EXPECT_TRUE(look_again(*device) == seen) << "after the next mount, answer " << answer;
    if (HasFailure()) break;
  }
}

[[nodiscard]] std::string name_of(const testing::TestParamInfo<std::tuple<format, call, fault>>& each) {
  return fmt::format("{}_{}_with_{}", std::get<0>(each.param).name, std::get<1>(each.param).name, std::get<2>(each.param).name);
}

INSTANTIATE_TEST_SUITE_P(on, call_with_fault,
                         testing::Combine(testing::ValuesIn(formats), testing::ValuesIn(calls), testing::ValuesIn(faults)), name_of);
// What the blocks are taken from does not depend on the journal. It keeps more in memory.
INSTANTIATE_TEST_SUITE_P(on_a, call_with_fault,
                         testing::Combine(testing::Values(with_journal, with_dirsync), testing::ValuesIn(calls),
                                          testing::Values(faults[1])),
                         name_of);

class mount_with_fault : public testing::TestWithParam<fault> {};

[[nodiscard]] std::vector<std::byte> all_bytes(dev::device& device) {
  std::vector<std::byte> bytes(device.size());
  EXPECT_TRUE(device.read(0, bytes));
  return bytes;
}

TEST_P(mount_with_fault, is_refused_and_changes_nothing) {
  const image disk = make_image("-b 1024 -g 1024 -N 512", "4M");
  unsigned refused = 0;
  for (unsigned skip = 0;; ++skip) {
    SCOPED_TRACE(fmt::format("{} passed", skip));
    const std::unique_ptr<dev::device> device = load(disk);
    const std::vector<std::byte> before = all_bytes(*device);
    fails_once sink{GetParam().at, GetParam().number, skip};
    vfs::kernel kernel{{.log = [](vfs::log_level, std::string_view) {}, .points = &sink}};
    if (kernel.register_filesystem(ext4lite_file_system())) {
      const auto mounted = kernel.mount("ext4", *device, "/", "noatime");
      if (!mounted) {
        EXPECT_TRUE(sink.struck());
        EXPECT_EQ(mounted.error().code.number(), GetParam().number) << mounted.error().message;
        ++refused;
      } else {
        EXPECT_TRUE(kernel.umount("/"));
      }
    }
    EXPECT_TRUE(all_bytes(*device) == before);
    if (!sink.struck() || HasFailure()) break;
  }
  EXPECT_GT(refused, 0u);
}

// A mount that had no memory to clean up leaves all of it to the next one, and calls nothing a corruption.
TEST(orphans_without_memory, are_cleaned_up_by_the_next_mount) {
  const image disk = make_image("-b 1024 -g 1024 -N 512", "4M");
  for (const char* command : {"write /etc/services a", "write /etc/services b", "unlink a", "set_inode_field <12> links_count 0",
                              "set_inode_field <12> dtime 13", "set_inode_field b size 10", "ssv last_orphan 12"})
    (void)debugfs(disk.path(), command, true);
  unsigned refused = 0;
  for (unsigned skip = 0;; skip += places_at_once) {
    SCOPED_TRACE(fmt::format("{} passed", skip));
    const std::unique_ptr<dev::device> device = load(disk);
    fails_once sink{point::alloc_memory, ENOMEM, skip};
    std::string log;
    vfs::kernel kernel{{.log = [&log](vfs::log_level, std::string_view text) { log += text; }, .points = &sink}};
    if (kernel.register_filesystem(ext4lite_file_system())) {
      if (const auto mounted = kernel.mount("ext4", *device, "/", "noatime"); mounted) {
        EXPECT_TRUE(kernel.umount("/") || sink.struck());
      } else {
        EXPECT_EQ(mounted.error().code.number(), ENOMEM) << mounted.error().message;
        ++refused;
      }
    }
    EXPECT_EQ(log.find("left to e2fsck"), log.npos) << log;
    const image judged = make_image("-b 1024", "4M");
    store(*device, judged);
    mounted fs{judged};
    ASSERT_TRUE(fs.ok()) << fs.failure();
    EXPECT_EQ(fs.task().stat("/b")->size, 10);
    fs.umount_and_check(judged);
    if (!sink.struck() || HasFailure()) break;
  }
  EXPECT_GT(refused, 0u);
}

INSTANTIATE_TEST_SUITE_P(on, mount_with_fault, testing::Values(faults[0], faults[1]), [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace xip::ext4lite::test
