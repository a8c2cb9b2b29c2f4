// The hooks of regular files: what reads, writes, seeks, preallocations and their failures leave behind.
#include <cerrno>

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <sys/uio.h>
#include <unistd.h>

#include <random>

#include <xip/vfs/user_access.h>

#include "fs_ext4lite/open_file.h"
#include "fs_ext4lite/orphans.h"
#include "fs_ext4lite/tree_file.h"

namespace xip::ext4lite {
namespace {

using namespace test;

// Through windows, by requests, and with small blocks.
struct kind {
  const char* name;
  const char* mkfs;
  const char* mount;
};
void PrintTo(const kind& k, std::ostream* out) { *out << k.name; }

class each_kind : public testing::TestWithParam<kind> {
 protected:
  image disk = make_image(GetParam().mkfs, "16M");
};
INSTANTIATE_TEST_SUITE_P(file, each_kind,
                         testing::Values(kind{"dax", "-b 4096", "dax=always"}, kind{"requests", "-b 4096", "dax=never"},
                                         kind{"small_blocks", "-b 1024", "dax=never"}, kind{"zeroed", "-b 4096", "dax=always,zero=alloc"},
                                         kind{"zeroed_requests", "-b 1024", "dax=never,zero=alloc"}),
                         [](const auto& each) { return std::string{each.param.name}; });

TEST_P(each_kind, gives_back_what_was_written) {
  open_file f{disk, GetParam().mount};
  const std::string text = pattern(1'000'003);
  ASSERT_EQ(f.put(text, 0), text.size());
  EXPECT_EQ(f.size(), 1'000'003);
  EXPECT_TRUE(f.get(2'000'000, 0) == text);
  EXPECT_EQ(f.map().size(), 1u);
  f.close_and_check(disk);
}

TEST_P(each_kind, a_write_behind_a_hole_leaves_zeros_before_it) {
  open_file f{disk, GetParam().mount};
  ASSERT_EQ(f.put("head", 0), 4u);
  ASSERT_EQ(f.put("tail", 100'000), 4u);
  std::string expected(100'004, '\0');
  expected.replace(0, 4, "head").replace(100'000, 4, "tail");
  EXPECT_TRUE(f.get(200'000, 0) == expected);
  f.close_and_check(disk);
}

// Bytes past the end of file in its last block are not the file's: a foreign tool may have left something there.
TEST_P(each_kind, what_lay_past_the_end_does_not_appear) {
  {
    open_file f{disk, GetParam().mount};
    ASSERT_EQ(f.put(std::string(5000, 'x'), 0), 5000u);
    f.close_and_check(disk);
  }
  debugfs(disk.path(), "set_inode_field f size 100", true);
  debugfs(disk.path(), "punch f 1 1000", true);
  open_file f{disk, GetParam().mount};
  ASSERT_EQ(f.size(), 100);
  ASSERT_EQ(f.put("y", 200), 1u);
  EXPECT_EQ(f.get(1000, 0), std::string(100, 'x') + std::string(100, '\0') + "y");
  f.close_and_check(disk);
}

TEST_P(each_kind, preallocation_reads_zeros_and_is_lifted_exactly) {
  open_file f{disk, GetParam().mount};
  ASSERT_TRUE(f.t().fallocate(f.fd, 0, 0, 1 << 20).has_value());
  EXPECT_EQ(f.size(), 1 << 20);
  EXPECT_EQ(f.get(4096, 500'000), std::string(4096, '\0'));
  ASSERT_EQ(f.put(std::string(100, 'w'), 500'000), 100u);
  const auto all = f.map();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].flags, FIEMAP_EXTENT_UNWRITTEN);
  EXPECT_EQ(all[1].flags, 0u);
  EXPECT_EQ(all[2].flags, FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_LAST);
  const loff_t block = f.t().fstat(f.fd)->blksize;
  EXPECT_EQ(all[1].logical, 500'000 / block * block);
  EXPECT_EQ(all[1].length, static_cast<std::uint64_t>(block));
  EXPECT_EQ(f.get(102, 499'999), '\0' + std::string(100, 'w') + '\0');
  f.close_and_check(disk);
}

TEST_P(each_kind, seeks_between_data_and_holes) {
  open_file f{disk, GetParam().mount};
  ASSERT_EQ(f.put("x", 8192), 1u);
  ASSERT_TRUE(f.t().fallocate(f.fd, 0, 65536, 65536).has_value());
  ASSERT_EQ(f.put("x", 200'000), 1u);
  EXPECT_EQ(f.t().lseek(f.fd, 0, SEEK_DATA).value_or(-1), 8192);
  const loff_t block = f.t().fstat(f.fd)->blksize;
  EXPECT_EQ(f.t().lseek(f.fd, 8192, SEEK_HOLE).value_or(-1), 8192 + block);
  EXPECT_EQ(f.t().lseek(f.fd, 65536, SEEK_DATA).value_or(-1), 200'000 / block * block);
  EXPECT_EQ(f.t().lseek(f.fd, 200'000, SEEK_HOLE).value_or(-1), 200'001);
  EXPECT_EQ(f.t().lseek(f.fd, 200'001, SEEK_DATA).error(), ENXIO);
  f.close_and_check(disk);
}

// Random calls against a string.
TEST_P(each_kind, does_what_a_string_would_do) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    open_file f{disk, GetParam().mount, O_TRUNC};
    std::mt19937 random{seed};
    std::string model;
    constexpr std::size_t limit = 400'000;
    for (int step = 0; step < 400; ++step) {
      const std::size_t pos = random() % limit;
      const std::size_t bytes = random() % (random() % 8 == 0 ? 100'000 : 6'000);
      switch (random() % 6) {
        case 0:
        case 1: {
          const std::string text = pattern(bytes, static_cast<std::uint32_t>(step + 1));
          ASSERT_EQ(f.put(text, static_cast<loff_t>(pos)), text.size());
          if (bytes != 0 && model.size() < pos + bytes) model.resize(pos + bytes);
          model.replace(pos < model.size() ? pos : model.size(), bytes, text);
          break;
        }
        case 2:
          ASSERT_TRUE(f.get(bytes, static_cast<loff_t>(pos)) == (pos < model.size() ? model.substr(pos, bytes) : ""))
              << seed << ' ' << step;
          break;
        case 3:
          ASSERT_TRUE(f.t().ftruncate(f.fd, static_cast<loff_t>(pos)).has_value());
          model.resize(pos);
          break;
        case 4:
          if (bytes == 0) break;
          ASSERT_TRUE(
              f.t()
                  .fallocate(f.fd, random() % 2 == 0 ? FALLOC_FL_KEEP_SIZE : 0, static_cast<loff_t>(pos), static_cast<loff_t>(bytes))
                  .has_value());
          model.resize(std::max(model.size(), static_cast<std::size_t>(f.size())));
          break;
        default:
          ASSERT_TRUE(random() % 8 != 0 || f.t().fsync(f.fd).has_value());
      }
      ASSERT_EQ(static_cast<std::size_t>(f.size()), model.size()) << seed << ' ' << step;
    }
    ASSERT_TRUE(f.get(limit * 2, 0) == model) << seed;
    f.close_and_check(disk);
  }
}

// ---- failures

// User memory of which only the first GOOD bytes can be had.
struct bad_tail {
  std::size_t good;
  const std::byte* begin = nullptr;

  std::size_t left(const std::byte* user, std::size_t bytes) const {
    const auto offset = static_cast<std::size_t>(user - begin);
    return offset >= good ? 0 : std::min(bytes, good - offset);
  }
  vfs::user_access access() {
    return {
        .fault_in = [](void* c, const std::byte* user, std::size_t bytes, bool) { return static_cast<bad_tail*>(c)->left(user, bytes); },
        .copy_in =
            [](void* c, const std::byte* user, std::size_t bytes, bool, vfs::move_piece move, void* argument) {
              const std::size_t n = static_cast<bad_tail*>(c)->left(user, bytes);
              if (n != 0) move(argument, const_cast<std::byte*>(user), 0, n);
              return n;
            },
        .copy_out =
            [](void* c, std::byte* user, std::size_t bytes, bool, vfs::move_piece move, void* argument) {
              const std::size_t n = static_cast<bad_tail*>(c)->left(user, bytes);
              if (n != 0) move(argument, user, 0, n);
              return n;
            },
        .context = this};
  }
};

TEST_P(each_kind, a_failed_extending_write_leaves_the_size_alone) {
  open_file f{disk, GetParam().mount};
  ASSERT_EQ(f.put("head", 0), 4u);
  bad_tail none{0};
  const vfs::user_access access = none.access();
  f.t().uaccess = &access;
  std::string text(8192, 'x');
  none.begin = reinterpret_cast<const std::byte*>(text.data());
  const auto written = f.t().pwrite(f.fd, text.data(), text.size(), 65536);
  f.t().uaccess = nullptr;
  EXPECT_EQ(written.error(), EFAULT);
  EXPECT_EQ(f.size(), 4);
  EXPECT_EQ(f.t().fstat(f.fd)->blocks * 512, f.t().fstat(f.fd)->blksize);
  f.close_and_check(disk);
}

TEST_P(each_kind, a_short_extending_write_covers_what_arrived) {
  open_file f{disk, GetParam().mount};
  std::string text(600'000, 'x');
  bad_tail some{500'001, reinterpret_cast<const std::byte*>(text.data())};
  const vfs::user_access access = some.access();
  f.t().uaccess = &access;
  const auto written = f.t().pwrite(f.fd, text.data(), text.size(), 1000);
  f.t().uaccess = nullptr;
  ASSERT_EQ(written.value_or(0), 500'001u);
  EXPECT_EQ(f.size(), 501'001);
  const loff_t block = f.t().fstat(f.fd)->blksize;
  EXPECT_EQ(static_cast<loff_t>(f.t().fstat(f.fd)->blocks) * 512, (501'001 + block - 1) / block * block);
  EXPECT_EQ(f.get(600'000, 0), std::string(1000, '\0') + std::string(500'001, 'x'));
  f.close_and_check(disk);
}

// Memory whose pages are there when they are asked for and gone when they are copied from, but for the first GOOD bytes of each piece.
struct vanishing {
  std::size_t good;
  vfs::user_access access() {
    return {.fault_in = [](void*, const std::byte*, std::size_t bytes, bool) { return bytes; },
            .copy_in =
                [](void* c, const std::byte* user, std::size_t bytes, bool nofault, vfs::move_piece move, void* argument) {
                  const std::size_t n = nofault ? std::min(bytes, static_cast<vanishing*>(c)->good) : bytes;
                  if (n != 0) move(argument, const_cast<std::byte*>(user), 0, n);
                  return n;
                },
            .copy_out = nullptr,
            .context = this};
  }
};

TEST_P(each_kind, a_slice_gives_back_the_blocks_that_it_has_not_filled) {
  open_file f{disk, GetParam().mount};
  const std::string text = pattern(200'000);
  const auto free_blocks = [&] { return f.t().statfs("/").value().bfree; };
  ASSERT_EQ(f.put("x", 0), 1u);
  const auto before = free_blocks();
  const auto used = f.t().fstat(f.fd)->blocks;
  for (const std::size_t good : {0u, 1u, 5000u, 70'000u}) {
    vanishing pages{good};
    const vfs::user_access access = pages.access();
    f.t().uaccess = &access;
    const auto written = f.t().pwrite(f.fd, text.data(), text.size(), static_cast<loff_t>(good) * 100);
    f.t().uaccess = nullptr;
    ASSERT_EQ(written.value_or(0), text.size());
    EXPECT_EQ(f.get(text.size(), static_cast<loff_t>(good) * 100), text);
    const auto stat = f.t().fstat(f.fd);
    EXPECT_EQ((before - free_blocks()) * static_cast<std::uint64_t>(stat->blksize), (stat->blocks - used) * 512);
  }
  f.close_and_check(disk);
}

TEST_P(each_kind, a_full_disk_gives_a_short_count_and_then_the_error) {
  open_file f{disk, GetParam().mount};
  const std::string text(32 << 20, 'x');
  const std::size_t written = f.put(text, 0);
  EXPECT_GT(written, 8u << 20);
  EXPECT_LT(written, 16u << 20);
  EXPECT_EQ(f.size(), static_cast<loff_t>(written));
  EXPECT_EQ(f.t().pwrite(f.fd, text.data(), 65536, static_cast<loff_t>(written)).error(), ENOSPC);
  EXPECT_EQ(f.size(), static_cast<loff_t>(written));
  EXPECT_EQ(f.put("y", 0), 1u);
  ASSERT_TRUE(f.t().ftruncate(f.fd, 0).has_value());
  EXPECT_EQ(f.put(text.substr(0, 1 << 20), 0), 1u << 20);  // what was freed can be had after a commit, which the write waits for
  f.close_and_check(disk);
}

// Which of the two ways a write takes, and no block when the tree needs one.
struct zeroing_watch final : point_sink {
  explicit zeroing_watch(vfs::task& t) : task{t} { task.context.points = this; }
  ~zeroing_watch() { task.context.points = nullptr; }
  void on_point(point p, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override {
    zeroed += p == point::ext4_before_zeroing ? 1 : 0;
  }
  int inject(point p, std::uint64_t, std::uint64_t) noexcept override { return p == point::ext4_alloc_blocks && full ? ENOSPC : 0; }
  vfs::task& task;
  bool full = false;
  unsigned zeroed = 0;
};

TEST(file, zero_at_alloc_holds_from_a_remount_to_the_next) {
  const image disk = make_image("-b 4096", "8M");
  open_file f{disk, "dax=always"};
  {
    zeroing_watch watch{f.t()};
    ASSERT_EQ(f.put("a", 0), 1u);
    EXPECT_EQ(watch.zeroed, 0u);
    ASSERT_TRUE(f.fs.kernel().remount("/", "zero=alloc").has_value());
    ASSERT_EQ(f.put("b", 8192), 1u);
    EXPECT_EQ(watch.zeroed, 1u);
    ASSERT_TRUE(f.fs.kernel().remount("/", "zero=convert").has_value());
    ASSERT_EQ(f.put("c", 16'384), 1u);
    EXPECT_EQ(watch.zeroed, 1u);
  }
  EXPECT_EQ(f.get(20'000, 0), "a" + std::string(8191, '\0') + "b" + std::string(8191, '\0') + "c");
  f.close_and_check(disk);
}

TEST(file, zero_at_alloc_needs_no_block_for_the_tree) {
  const image disk = make_image("-b 1024", "8M");
  open_file f{disk, "zero=alloc"};
  ASSERT_TRUE(f.t().fallocate(f.fd, 0, 0, 16 << 10).has_value());
  for (const loff_t at : {1 << 20, 2 << 20, 3 << 20}) ASSERT_EQ(f.put("x", at), 1u);  // the root is full
  {
    zeroing_watch watch{f.t()};
    watch.full = true;
    ASSERT_EQ(f.put(std::string(2000, 'w'), 5000), 2000u);
    EXPECT_EQ(watch.zeroed, 1u);
  }
  EXPECT_EQ(f.get(16 << 10, 0), std::string(5000, '\0') + std::string(2000, 'w') + std::string((16 << 10) - 7000, '\0'));
  EXPECT_EQ(f.map().front().flags, 0u);
  EXPECT_EQ(f.map().front().length, 16u << 10);
  f.close_and_check(disk);
}

TEST(file, fallocate_on_a_full_disk_keeps_what_it_got_inside_the_file) {
  const image disk = make_image("-b 1024", "8M");
  open_file f{disk, ""};
  EXPECT_EQ(f.t().fallocate(f.fd, 0, 0, 64 << 20).error(), ENOSPC);
  EXPECT_GT(f.size(), 4 << 20);
  EXPECT_LT(f.size(), 8 << 20);
  f.close_and_check(disk);
}

TEST(file, fallocate_refuses_as_linux_does) {
  const image disk = make_image("-b 4096", "8M");
  open_file f{disk, ""};
  ASSERT_EQ(f.put(std::string(65536, 'x'), 0), 65536u);
  auto& t = f.t();
  EXPECT_EQ(t.fallocate(f.fd, FALLOC_FL_PUNCH_HOLE, 0, 4096).error(), EOPNOTSUPP);
  EXPECT_EQ(t.fallocate(f.fd, 0, 0, 0).error(), EINVAL);
  EXPECT_EQ(f.size(), 65536);
  f.close_and_check(disk);
}

TEST(file, nowait_never_allocates) {
  const image disk = make_image("-b 4096", "8M");
  open_file f{disk, "dax=always", O_DIRECT};
  ASSERT_EQ(f.put(std::string(8192, 'x'), 0), 8192u);
  const std::string text(4096, 'y');
  const iovec segment{const_cast<char*>(text.data()), text.size()};
  EXPECT_EQ(f.t().pwritev2(f.fd, &segment, 1, 4096, RWF_NOWAIT).value_or(0), 4096u);
  EXPECT_EQ(f.t().pwritev2(f.fd, &segment, 1, 8192, RWF_NOWAIT).error(), EAGAIN);
  EXPECT_EQ(f.size(), 8192);
  ASSERT_TRUE(f.t().fallocate(f.fd, 0, 8192, 8192).has_value());
  EXPECT_EQ(f.t().pwritev2(f.fd, &segment, 1, 8192, RWF_NOWAIT).error(), EAGAIN);
  f.close_and_check(disk);
}

// ---- durability

// What a crash after the last call would leave: the medium as it is, after what a new mount makes of it.
TEST(file, synced_bytes_are_on_the_medium) {
  const image disk = make_image("-b 4096", "8M");
  open_file f{disk, "dax=always"};
  const std::string text = pattern(50'000);
  ASSERT_EQ(f.put(text, 0), text.size());
  ASSERT_TRUE(f.t().fsync(f.fd).has_value());
  store(f.fs.device(), disk);
  {
    mounted again{disk};
    ASSERT_TRUE(again.ok()) << again.failure();
    EXPECT_TRUE(read_file(again.task(), "/f") == text);
  }
  f.close_and_check(disk);
}

TEST(file, a_dsync_write_commits_its_conversion) {
  const image disk = make_image("-b 4096", "8M");
  open_file f{disk, "dax=always"};
  ASSERT_TRUE(f.t().fallocate(f.fd, 0, 0, 65536).has_value());
  ASSERT_TRUE(f.t().fsync(f.fd).has_value());
  const std::string text = pattern(4096);
  const iovec segment{const_cast<char*>(text.data()), text.size()};
  ASSERT_EQ(f.t().pwritev2(f.fd, &segment, 1, 8192, RWF_DSYNC).value_or(0), text.size());
  store(f.fs.device(), disk);
  mounted again{disk};
  ASSERT_TRUE(again.ok()) << again.failure();
  EXPECT_TRUE(read_file(again.task(), "/f").substr(8192, 4096) == text);
}

TEST(file, an_fsync_of_nothing_new_flushes_the_device_and_commits_nothing) {
  const image disk = make_image("-b 4096", "8M");
  open_file f{disk, "dax=always,noatime"};
  ASSERT_EQ(f.put("x", 0), 1u);
  ASSERT_TRUE(f.t().fsync(f.fd).has_value());
  struct counter final : point_sink {
    void on_point(point p, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override { commits += p == point::ext4_commit_start; }
    int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }
    int commits = 0;
  } sink;
  f.t().context.points = &sink;
  ASSERT_TRUE(f.t().fsync(f.fd).has_value());
  f.t().context.points = nullptr;
  EXPECT_EQ(sink.commits, 0);
  f.close_and_check(disk);
}

// An extending write of one slice needs no orphan record; a longer one has it from the first slice that leaves blocks past the end, to the
// last.
TEST(file, an_extending_write_is_on_the_orphan_list_only_between_its_slices) {
  const image disk = make_image("-b 4096", "16M");
  open_file f{disk, "dax=always"};
  orphan_counter sink;
  f.t().context.points = &sink;
  EXPECT_EQ(f.put(std::string(4096, 'x'), 0), 4096u);
  EXPECT_EQ(f.put(std::string(100'000, 'x'), 4096), 100'000u);
  EXPECT_EQ(sink.added, 0);
  EXPECT_EQ(f.put(std::string(1'000'000, 'x'), 104'096), 1'000'000u);
  EXPECT_EQ(sink.added, 1);
  EXPECT_EQ(sink.removed, 1);
  f.t().context.points = nullptr;
  f.close_and_check(disk);
}

}  // namespace
}  // namespace xip::ext4lite
