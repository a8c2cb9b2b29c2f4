// From one end to the other: an image of mke2fs, mounted through the VFS, changed by system calls, unmounted, and shown to e2fsck.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "fs_ext4lite/image.h"
#include "fs_ext4lite/tree.h"

namespace xip::ext4lite::test {
namespace {

using testing::HasSubstr;

class Mount : public testing::TestWithParam<const char*> {};

TEST_P(Mount, FilesAndDirectoriesSurviveAndE2fsckAgrees) {
  const image disk = make_image(GetParam(), "32M");
  const std::string large = pattern(3'000'000);
  {
    mounted m{disk};
    ASSERT_TRUE(m.ok()) << m.failure();
    vfs::task& t = m.task();
    write_file(t, "/small", "hello");
    write_file(t, "/large", large);
    ASSERT_TRUE(t.mkdir("/dir", 0755));
    ASSERT_TRUE(t.mkdir("/dir/sub", 0755));
    for (int i = 0; i < 300; ++i) write_file(t, "/dir/file-" + std::to_string(i), std::to_string(i));
    ASSERT_TRUE(t.symlink("small", "/fast"));
    ASSERT_TRUE(t.symlink(std::string(200, 'x'), "/slow"));
    ASSERT_TRUE(t.mknod("/fifo", S_IFIFO | 0600, 0));
    ASSERT_TRUE(t.link("/small", "/dir/hard"));
    ASSERT_TRUE(t.rename("/dir/file-7", "/moved"));
    for (int i = 10; i < 300; i += 2) ASSERT_TRUE(t.unlink("/dir/file-" + std::to_string(i)));
    EXPECT_EQ(read_file(t, "/large"), large);
    m.umount_and_check(disk);
  }
  mounted m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  vfs::task& t = m.task();
  EXPECT_EQ(read_file(t, "/small"), "hello");
  EXPECT_EQ(read_file(t, "/fast"), "hello");
  EXPECT_EQ(read_file(t, "/moved"), "7");
  EXPECT_EQ(read_file(t, "/dir/file-11"), "11");
  EXPECT_EQ(t.stat("/dir/file-12").error(), ENOENT);
  EXPECT_EQ(t.readlink("/slow").value(), std::string(200, 'x'));
  EXPECT_EQ(t.stat("/small")->nlink, 2u);
  EXPECT_EQ(read_file(t, "/large"), large);
  ASSERT_TRUE(t.truncate("/large", 1'234'567));
  EXPECT_EQ(read_file(t, "/large"), large.substr(0, 1'234'567));
  for (const char* name : {"/small", "/large", "/fast", "/slow", "/fifo", "/moved", "/dir/hard"}) ASSERT_TRUE(t.unlink(name)) << name;
  for (int i = 0; i < 300; ++i) {
    if (i == 7 || (i >= 10 && i % 2 == 0)) continue;
    ASSERT_TRUE(t.unlink("/dir/file-" + std::to_string(i))) << i;
  }
  ASSERT_TRUE(t.rmdir("/dir/sub"));
  ASSERT_TRUE(t.rmdir("/dir"));
  m.umount_and_check(disk);
}

INSTANTIATE_TEST_SUITE_P(Mke2fs, Mount,
                         testing::Values("-b 1024", "-b 2048", "-b 4096", "-b 1024 -O ^metadata_csum", "-b 4096 -O ^metadata_csum",
                                         "-b 4096 -O ^has_journal", "-b 1024 -O ^64bit", "-b 4096 -O ^64bit", "-b 1024 -g 1024",
                                         "-b 1024 -g 1024 -O ^flex_bg", "-b 4096 -O ^flex_bg", "-b 1024 -O uninit_bg,^metadata_csum",
                                         "-b 4096 -O uninit_bg,^metadata_csum,^64bit", "-b 4096 -I 128",
                                         "-b 1024 -O meta_bg,^resize_inode -g 512", "-b 4096 -O metadata_csum_seed", "-b 4096 -O ^filetype",
                                         "-b 1024 -O ^dir_index", "-b 4096 -O large_dir", "-b 4096 -O ^extra_isize,^dir_nlink,^huge_file"));

TEST(MountBehaviour, AnOpenUnlinkedFileLivesUntilItsLastClose) {
  const image disk = make_image();
  mounted m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  vfs::task& t = m.task();
  const auto before = t.statfs("/");
  write_file(t, "/f", pattern(100'000));
  const int fd = *t.open("/f", O_RDONLY);
  ASSERT_TRUE(t.unlink("/f"));
  char byte;
  EXPECT_EQ(t.pread(fd, &byte, 1, 99'999).value(), 1u);
  EXPECT_LT(t.statfs("/")->bfree, before->bfree);
  ASSERT_TRUE(t.close(fd));
  EXPECT_EQ(t.statfs("/")->bfree, before->bfree);
  EXPECT_EQ(t.statfs("/")->ffree, before->ffree);
  m.umount_and_check(disk);
}

TEST(MountBehaviour, AFullDiskRefusesAndRecovers) {
  const image disk = make_image("-b 1024 -O ^has_journal", "2M");
  mounted m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  vfs::task& t = m.task();
  const std::string piece = pattern(10'000);
  int made = 0;
  for (;; ++made) {
    const int fd = *t.open("/f" + std::to_string(made), O_WRONLY | O_CREAT, 0644);
    const auto written = t.write(fd, piece.data(), piece.size());
    ASSERT_TRUE(t.close(fd));
    if (!written || *written < piece.size()) {
      EXPECT_EQ(written ? ENOSPC : written.error().number(), ENOSPC);
      break;
    }
  }
  EXPECT_GT(made, 50);
  for (int i = 0; i < made; ++i) EXPECT_EQ(read_file(t, "/f" + std::to_string(i)), piece) << i;
  for (int i = 0; i <= made; ++i) ASSERT_TRUE(t.unlink("/f" + std::to_string(i)));
  write_file(t, "/again", pattern(1'000'000));
  EXPECT_EQ(read_file(t, "/again"), pattern(1'000'000));
  m.umount_and_check(disk);
}

// No block can be had: nothing has been written when that is said.
TEST(MountBehaviour, AFullDiskIsLeftByteForByte) {
  for (const char* options : {"-b 1024 -O ^has_journal", "-b 1024 -O ^has_journal,^dir_index"}) {
    const image disk = make_image(options, "2M");
    {
      mounted m{disk};
      ASSERT_TRUE(m.ok()) << m.failure();
      vfs::task& t = m.task();
      ASSERT_TRUE(t.mkdir("/d", 0755));
      write_file(t, "/d/f0", "");
      const int fd = t.open("/fill", O_WRONLY | O_CREAT, 0644).value_or(-1);
      const std::string piece = pattern(1024);
      while (fd >= 0 && t.write(fd, piece.data(), piece.size()).value_or(0) == piece.size()) {
      }
      ASSERT_TRUE(t.close(fd));
      for (int i = 0; t.link("/d/f0", "/d/" + std::string(200, 'a') + std::to_string(i)); ++i) {
      }
      m.umount_and_check(disk);
    }
    const auto before = disk.bytes();
    mounted m{disk};
    ASSERT_TRUE(m.ok()) << m.failure();
    vfs::task& t = m.task();
    EXPECT_EQ(errno_of(t.mkdir("/d/" + std::string(200, 'x'), 0755)), ENOSPC) << options;
    EXPECT_EQ(errno_of(t.open("/d/" + std::string(201, 'x'), O_WRONLY | O_CREAT, 0644)), ENOSPC) << options;
    EXPECT_EQ(errno_of(t.symlink(std::string(300, 's'), "/d/s")), ENOSPC) << options;
    EXPECT_EQ(errno_of(t.link("/d/f0", "/d/" + std::string(200, 'y'))), ENOSPC) << options;
    EXPECT_EQ(errno_of(t.rename("/d/f0", "/d/" + std::string(200, 'z'))), ENOSPC) << options;
    ASSERT_TRUE(m.umount());
    store(m.device(), disk);
    EXPECT_EQ(disk.bytes(), before) << options;
  }
}

TEST(MountBehaviour, WithoutAFreeInodeTheImageIsLeftByteForByte) {
  const image disk = make_image("-b 1024 -O ^has_journal -N 16", "2M");
  {
    mounted m{disk};
    ASSERT_TRUE(m.ok()) << m.failure();
    for (int i = 0; m.task().mknod("/i" + std::to_string(i), S_IFIFO | 0600, 0); ++i) {
    }
    m.umount_and_check(disk);
  }
  const auto before = disk.bytes();
  mounted m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  EXPECT_EQ(errno_of(m.task().mkdir("/d", 0755)), ENOSPC);
  EXPECT_EQ(errno_of(m.task().open("/f", O_WRONLY | O_CREAT, 0644)), ENOSPC);
  ASSERT_TRUE(m.umount());
  store(m.device(), disk);
  EXPECT_EQ(disk.bytes(), before);
}

TEST(MountBehaviour, RefusedCallsLeaveTheImageByteForByte) {
  const image disk = make_image();
  const auto before = disk.bytes();
  mounted m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  vfs::task& t = m.task();
  EXPECT_EQ(t.unlink("/nothing").error(), ENOENT);
  EXPECT_EQ(t.rmdir("/").error(), EBUSY);
  EXPECT_EQ(t.mkdir("/lost+found", 0755).error(), EEXIST);
  EXPECT_EQ(t.truncate("/lost+found", 5).error(), EISDIR);
  EXPECT_EQ(t.open("/lost+found", O_WRONLY).error(), EISDIR);
  ASSERT_TRUE(m.umount());
  store(m.device(), disk);
  EXPECT_EQ(disk.bytes(), before);
}

TEST(MountBehaviour, RemountGoesBothWays) {
  const image disk = make_image();
  mounted m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  vfs::task& t = m.task();
  write_file(t, "/f", "one");
  ASSERT_TRUE(m.kernel().remount("/", "ro"));
  store(m.device(), disk);
  EXPECT_TRUE(e2fsck_clean(disk.path())) << "read-only is as clean as unmounted";
  EXPECT_EQ(t.unlink("/f").error(), EROFS);
  ASSERT_TRUE(m.kernel().remount("/", "rw"));
  ASSERT_TRUE(t.unlink("/f"));
  m.umount_and_check(disk);
}

TEST(MountBehaviour, SyncedChangesAreOnTheMedium) {
  const image disk = make_image("-b 4096 -O ^has_journal");
  mounted m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  vfs::task& t = m.task();
  const int fd = *t.open("/f", O_RDWR | O_CREAT, 0644);
  const std::string data = pattern(50'000);
  ASSERT_EQ(t.write(fd, data.data(), data.size()).value(), data.size());
  ASSERT_TRUE(t.fsync(fd));
  store(m.device(), disk);
  EXPECT_EQ(debugfs(disk.path(), "cat f").find(data.substr(8)) != std::string::npos, true);
  ASSERT_TRUE(t.close(fd));
}

// BSD's rule for the groups of new files, asked for by the mount or by the super block. Linux: ext4's grpid.
TEST(MountOptions, SayWhoseGroupANewFileHas) {
  const auto group_of_new_file = [](const image& disk, std::string_view options) {
    mounted m{disk, options};
    EXPECT_TRUE(m.ok()) << m.failure();
    vfs::task& t = m.task();
    EXPECT_TRUE(t.mkdir("/d", 0755));
    EXPECT_TRUE(t.chown("/d", 0, 77));
    EXPECT_TRUE(t.mkdir("/d/sub", 0755));
    write_file(t, "/d/file", "x");
    EXPECT_EQ(t.stat("/d/sub")->mode, static_cast<std::uint32_t>(S_IFDIR | 0755)) << "a set-group-ID is inherited by the other rule only";
    EXPECT_EQ(t.stat("/d/sub")->gid, t.stat("/d/file")->gid);
    return t.stat("/d/file")->gid;
  };
  const image disk = make_image();
  EXPECT_EQ(group_of_new_file(disk, ""), 0u);
  EXPECT_EQ(group_of_new_file(disk, "grpid"), 77u);
  EXPECT_EQ(group_of_new_file(disk, "bsdgroups"), 77u);
  ASSERT_EQ(run_command({"tune2fs", "-o", "bsdgroups", disk.path()}).status, 0);
  EXPECT_EQ(group_of_new_file(disk, ""), 77u);
  EXPECT_EQ(group_of_new_file(disk, "sysvgroups"), 0u);
  EXPECT_EQ(group_of_new_file(disk, "nogrpid"), 0u);
}

// Files and bitmaps that say that the log is theirs: it would be written over what they hold, or they over it.
TEST(MountedJournal, HasItsBlocksForItself) {
  const image disk = make_image("-b 1024", "8M");
  {
    mounted m{disk};
    write_file(m.task(), "/file", pattern(40 * 1024));
    m.umount_and_check(disk);
  }
  // Its last block, as debugfs says it.
  std::string words = debugfs(disk.path(), "blocks <8>");
  words.resize(words.find_last_of("0123456789") + 1);
  debugfs(disk.path(), "sif /file block[5] " + words.substr(words.find_last_of(" \n") + 1), true);
  mounted m{disk};
  ASSERT_TRUE(m.ok()) << m.failure();
  EXPECT_EQ(m.task().open("/file", O_RDWR).error(), EUCLEAN);
  EXPECT_EQ(m.task().truncate("/file", 0).error(), EUCLEAN);
  EXPECT_EQ(m.task().unlink("/file").error(), EUCLEAN);
  EXPECT_THAT(m.log(), HasSubstr("which are no file's"));
}

}  // namespace
}  // namespace xip::ext4lite::test
