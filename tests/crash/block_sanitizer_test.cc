// The block sanitizer below a real file system: silent about all that is done right, and not silent about a planted mistake.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <linux/falloc.h>

#include <gmock/gmock.h>

#include <xip/dev/devices.h>
#include <xip/explore/block_sanitizer.h>
#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/locks/kthread.h>
#include <xip/vfs/kernel.h>
#include <xip/vfs/task.h>

#include "crash/ext4_image.h"

namespace xip::crash::test {
namespace {

using explore::block_misuse;
using explore::block_report;
using testing::HasSubstr;

struct geometry {
  const char* name;
  const char* mkfs;
  const char* options;
};

constexpr geometry geometries[] = {
    {"Extents1k", "-t ext4 -b 1024", "noatime"},
    {"Extents4kWindows", "-t ext4 -b 4096", "dax=always"},
    {"Extents4kBatches", "-t ext4 -b 4096", "dax=never"},
    {"BlockMap1k", "-t ext2 -b 1024", "noatime"},
    {"BlockMap4kWindows", "-t ext2 -b 4096", "dax=always"},
};

// A memory device with what mke2fs makes.
std::unique_ptr<dev::device> make_disk(const std::string& mkfs) {
  const std::vector<std::byte> image = make_image("-O ^has_journal " + mkfs, 24);
  auto disk = dev::open_memory(image.size()).value();
  EXPECT_TRUE(disk->write(0, image));
  return disk;
}

class Sanitized : public testing::TestWithParam<geometry> {
 protected:
  void SetUp() override {
    sanitizer_.report_to([this](const block_report& r) {
      if (expected_ == 0) ADD_FAILURE() << r.text;
      reports_.push_back(r);
    });
    ASSERT_TRUE(kernel_.register_filesystem(ext4lite_file_system()));
    mount();
    task_ = *kernel_.make_task({}, "main");
  }
  void TearDown() override {
    kernel_.exit_task(task_);
    EXPECT_TRUE(kernel_.umount("/"));
    EXPECT_EQ(sanitizer_.reports(), static_cast<std::uint64_t>(expected_));
  }
  void mount() {
    const auto mounted = kernel_.mount("ext4", *disk_, "/", GetParam().options);
    ASSERT_TRUE(mounted) << mounted.error().message;
  }

  [[nodiscard]] int open(vfs::task& t, const std::string& path) { return t.open(path, O_RDWR | O_CREAT, 0644).value(); }
  void write(vfs::task& t, int fd, loff_t at, std::size_t bytes) {
    const std::vector<char> data(bytes, 'x');
    ASSERT_EQ(t.pwrite(fd, data.data(), bytes, at).value(), bytes);
  }
  void read(vfs::task& t, int fd, loff_t at, std::size_t bytes) {
    std::vector<char> data(bytes);
    ASSERT_TRUE(t.pread(fd, data.data(), bytes, at));
  }
  // Grows in pieces, with holes, behind the end, at and across block ends.
  void work_on_file(vfs::task& t, const std::string& path) {
    const int fd = open(t, path);
    for (const loff_t at : {0, 100, 1020, 5000, 40'000, 300'000, 4090}) write(t, fd, at, 3000);
    for (const loff_t at : {0, 999, 40'000}) write(t, fd, at, 500);
    read(t, fd, 0, 310'000);
    ASSERT_TRUE(t.ftruncate(fd, 41'111));
    ASSERT_TRUE(t.ftruncate(fd, 90'000));
    write(t, fd, 60'000, 30'000);
    ASSERT_TRUE(t.fsync(fd));
    fallocate(t, fd);
    ASSERT_TRUE(t.ftruncate(fd, 0));
    write(t, fd, 7, 20'000);
    const int appending = t.open(path, O_WRONLY | O_APPEND).value();
    for (int n = 0; n < 10; ++n) ASSERT_EQ(t.write(appending, "0123456789", 10).value(), 10u);
    ASSERT_TRUE(t.close(appending));
    ASSERT_TRUE(t.close(fd));
  }
  // Files with block maps cannot.
  void fallocate(vfs::task& t, int fd) {
    const auto kept = t.fallocate(fd, FALLOC_FL_KEEP_SIZE, 200'000, 50'000);
    if (!kept) {
      ASSERT_EQ(kept.error(), EOPNOTSUPP);
      return;
    }
    ASSERT_TRUE(t.fallocate(fd, 0, 100'000, 80'000));
    write(t, fd, 120'000, 9000);
    write(t, fd, 101'001, 10);
    read(t, fd, 90'000, 90'000);
  }
  void work_in_directory(vfs::task& t, const std::string& path) {
    ASSERT_TRUE(t.mkdir(path, 0755));
    const std::string stem = path + "/a_rather_long_name_so_that_the_directory_soon_needs_another_block_";
    for (int n = 0; n < 120; ++n) ASSERT_TRUE(t.close(open(t, stem + std::to_string(n))));
    ASSERT_TRUE(t.symlink(std::string(500, 'y'), path + "/link"));
    ASSERT_EQ(t.readlink(path + "/link").value().size(), 500u);
    ASSERT_TRUE(t.rename(stem + "3", path + "/renamed"));
    work_on_file(t, path + "/renamed");
    const int directory = t.open(path, O_RDONLY | O_DIRECTORY).value();
    while (!t.getdents(directory).value().empty()) {
    }
    ASSERT_TRUE(t.close(directory));
    for (int n = 0; n < 120; ++n) ASSERT_EQ(t.unlink(stem + std::to_string(n)).has_value(), n != 3);
    ASSERT_TRUE(t.unlink(path + "/link"));
    ASSERT_TRUE(t.unlink(path + "/renamed"));
    ASSERT_TRUE(t.rmdir(path));
  }
  // An open file without a name, freed when it is closed.
  void work_on_orphan(vfs::task& t, const std::string& path) {
    const int fd = open(t, path);
    write(t, fd, 0, 50'000);
    ASSERT_TRUE(t.unlink(path));
    read(t, fd, 0, 50'000);
    write(t, fd, 60'000, 1000);
    ASSERT_TRUE(t.close(fd));
  }
  void work(vfs::task& t, const std::string& prefix) {
    work_on_file(t, prefix + "file");
    work_in_directory(t, prefix + "directory");
    work_on_orphan(t, prefix + "orphan");
    ASSERT_TRUE(kernel_.sync());
    ASSERT_TRUE(t.unlink(prefix + "file"));
  }
  // The first block of the file on the device.
  [[nodiscard]] pblk_t first_block(int fd) {
    std::vector<vfs::fiemap_extent> extents;
    EXPECT_TRUE(task_->fiemap(fd, 0, 1, extents));
    const std::uint64_t block_bytes = std::uint64_t{task_->fstat(fd).value().blksize};
    return pblk_t{extents.at(0).physical / block_bytes};
  }

  std::unique_ptr<dev::device> disk_ = make_disk(GetParam().mkfs);
  explore::block_sanitizer sanitizer_{*disk_};
  vfs::kernel kernel_{{.points = &sanitizer_}};
  vfs::task* task_ = nullptr;
  std::vector<block_report> reports_;
  int expected_ = 0;
};

INSTANTIATE_TEST_SUITE_P(On, Sanitized, testing::ValuesIn(geometries),
                         [](const testing::TestParamInfo<geometry>& i) { return std::string{i.param.name}; });

TEST_P(Sanitized, IsSilentAboutAllThatOneTaskDoes) {
  // The second round takes the blocks of the first.
  for (int round = 0; round < 2 && !HasFatalFailure(); ++round) work(*task_, "/");
}

TEST_P(Sanitized, IsSilentAboutSeveralTasks) {
  std::vector<kthread> threads;
  std::vector<vfs::task*> tasks;
  for (const char* prefix : {"/a_", "/b_", "/c_"}) {
    tasks.push_back(*kernel_.make_task({}, "worker"));
    auto made = kthread::run("worker", kernel_.memory(), [this, prefix, t = tasks.back()] { work(*t, prefix); });
    ASSERT_TRUE(made);
    threads.push_back(std::move(*made));
  }
  for (kthread& t : threads) t.join();
  for (vfs::task* t : tasks) kernel_.exit_task(t);
}

// What is on the device when it comes is unknown at first.
TEST_P(Sanitized, LearnsWhatIsThereWithoutAFalseReport) {
  const int fd = open(*task_, "/file");
  write(*task_, fd, 0, 100'000);
  ASSERT_TRUE(task_->close(fd));
  ASSERT_TRUE(task_->mkdir("/directory", 0755));
  kernel_.exit_task(task_);
  ASSERT_TRUE(kernel_.umount("/"));
  sanitizer_.forget();
  mount();
  task_ = *kernel_.make_task({}, "main");
  const int again = open(*task_, "/file");
  read(*task_, again, 0, 100'000);
  EXPECT_EQ(sanitizer_.owner_of(first_block(again)).state, explore::block_state::file);
  write(*task_, again, 50'000, 100'000);
  ASSERT_TRUE(task_->ftruncate(again, 10));
  ASSERT_TRUE(task_->close(again));
  ASSERT_TRUE(task_->unlink("/file"));
  ASSERT_TRUE(task_->rmdir("/directory"));
  ASSERT_TRUE(kernel_.sync());
  work(*task_, "/");
}

// As if a truncate had taken the block away while the mapping was still in use.
TEST_P(Sanitized, ReportsAMappingThatIsStale) {
  const int fd = open(*task_, "/file");
  write(*task_, fd, 0, 10'000);
  const pblk_t block = first_block(fd);
  const explore::block_owner_state owner = sanitizer_.owner_of(block);
  ASSERT_EQ(owner.state, explore::block_state::file);
  expected_ = 3;
  disk_->observer()->on_free(block, 1);
  read(*task_, fd, 0, 10);
  disk_->observer()->on_commit();
  write(*task_, fd, 0, 10);
  disk_->observer()->on_alloc(block, 1, dev::block_owner::file, ino_t{owner.ino.value() + 1}, 1);
  read(*task_, fd, 0, 10);
  ASSERT_EQ(reports_.size(), 3u);
  EXPECT_EQ(reports_[0].what, block_misuse::used_while_pending);
  EXPECT_THAT(reports_[0].text, HasSubstr("xip_read_block 0 10000 "));
  EXPECT_EQ(reports_[1].what, block_misuse::used_after_free);
  EXPECT_EQ(reports_[2].what, block_misuse::foreign_use);
  for (const block_report& r : reports_) {
    EXPECT_EQ(r.block, block);
    EXPECT_EQ(r.expected.ino, owner.ino);
  }
  // Theirs again, so that the end is clean.
  disk_->observer()->on_free(block, 1);
  disk_->observer()->on_commit();
  disk_->observer()->on_alloc(block, 1, dev::block_owner::file, owner.ino, owner.generation);
  ASSERT_TRUE(task_->close(fd));
}

}  // namespace
}  // namespace xip::crash::test
