// Mapped files of ext4lite: what loads and stores do to the file, and what the file's own calls do to its mappings.
#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>

#include <gtest/gtest.h>

#include <xip/locks/kthread.h>
#include <xip/mm/mm.h>

#include "fs_ext4lite/image.h"

namespace xip::ext4lite {
namespace {

using namespace test;
using mm::access_signal;
using mm::user_address;

constexpr std::size_t page = page_size;

class mapped_file : public testing::Test {
 protected:
  void mount(std::string_view options = "dax=always", int flags = O_RDWR | O_CREAT) {
    fs.emplace(disk, options);
    ASSERT_TRUE(fs->ok()) << fs->failure();
    fd = t().open("/f", flags, 0644).value_or(-1);
    ASSERT_GE(fd, 0);
  }
  void end() {
    ASSERT_TRUE(mm::mm_struct::make_for(t()).has_value());  // the old one goes with its mappings
    ASSERT_TRUE(t().close(fd));
    fs->umount_and_check(disk);
    fs.reset();
  }
  [[nodiscard]] vfs::task& t() { return fs->task(); }
  [[nodiscard]] user_address map(std::size_t pages, int prot = PROT_READ | PROT_WRITE, int flags = MAP_SHARED) {
    const auto at = mm::mmap(t(), 0, pages * page, prot, flags, fd, 0);
    EXPECT_TRUE(at.has_value());
    return at.value_or(0);
  }
  void put(std::string_view text, loff_t pos) { ASSERT_EQ(t().pwrite(fd, text.data(), text.size(), pos).value_or(0), text.size()); }
  [[nodiscard]] std::string get(std::size_t bytes, loff_t pos) {
    std::string text(bytes, '?');
    text.resize(t().pread(fd, text.data(), bytes, pos).value_or(0));
    return text;
  }
  [[nodiscard]] mm::access_result store(user_address at, std::string_view text) { return mm::store(t(), at, text.data(), text.size()); }
  [[nodiscard]] std::string load(user_address at, std::size_t bytes) {
    std::string text(bytes, '?');
    EXPECT_TRUE(mm::load(t(), at, text.data(), bytes));
    return text;
  }
  [[nodiscard]] access_signal signal_of(const mm::access_result& r) { return r ? access_signal{255} : r.error().signal; }
  [[nodiscard]] std::uint64_t blocks() { return t().fstat(fd)->blocks / (page / 512); }
  void resize(loff_t size) { ASSERT_TRUE(t().ftruncate(fd, size)); }
  // Takes all room but for PAGES pages.
  void fill_up(loff_t pages) {
    const int ballast = t().open("/ballast", O_RDWR | O_CREAT, 0644).value();
    const auto free = static_cast<loff_t>(t().fstatfs(ballast)->bfree);
    EXPECT_EQ(t().fallocate(ballast, 0, 0, (free + 1) * static_cast<loff_t>(page)).error(), ENOSPC);
    ASSERT_TRUE(t().ftruncate(ballast, t().fstat(ballast)->size - pages * static_cast<loff_t>(page)));
    ASSERT_TRUE(t().fsync(ballast));
    ASSERT_TRUE(t().close(ballast));
  }

  image disk = make_image("-b 4096", "16M");
  std::optional<mounted> fs;
  int fd = -1;
};

TEST_F(mapped_file, shows_what_was_written_and_keeps_what_was_stored) {
  mount();
  const std::string text = pattern(5 * page);
  put(text, 0);
  const user_address at = map(5);
  EXPECT_TRUE(load(at, 5 * page) == text);
  ASSERT_TRUE(store(at + page + 10, "stored"));
  EXPECT_EQ(get(6, page + 10), "stored");
  put("written", 3 * page);
  EXPECT_EQ(load(at + 3 * page, 7), "written");
  end();
  mount();
  EXPECT_EQ(get(6, page + 10), "stored");
  end();
}

TEST_F(mapped_file, has_holes_that_loads_leave_and_stores_fill) {
  mount();
  resize(64 * page);
  const user_address at = map(64);
  for (unsigned i = 0; i < 64; i += 8) EXPECT_EQ(load(at + i * page, 3), std::string(3, '\0'));
  EXPECT_EQ(blocks(), 0u);
  ASSERT_TRUE(store(at + 9 * page + 5, "x"));
  EXPECT_EQ(blocks(), 1u);
  EXPECT_EQ(load(at + 9 * page, 7), std::string("\0\0\0\0\0x\0", 7));
  EXPECT_EQ(get(page, 9 * page).substr(6), std::string(page - 6, '\0'));
  end();
}

TEST_F(mapped_file, does_not_show_what_its_blocks_held_before) {
  mount();
  put(std::string(64 * page, 'o'), 0);
  ASSERT_TRUE(t().fsync(fd));
  resize(0);
  ASSERT_TRUE(t().fsync(fd));
  ASSERT_TRUE(t().fallocate(fd, 0, 0, 64 * page));
  const user_address at = map(64);
  for (unsigned i = 0; i < 64; ++i) {
    ASSERT_TRUE(store(at + i * page, "n"));
    EXPECT_EQ(load(at + i * page, page), "n" + std::string(page - 1, '\0'));
  }
  end();
}

TEST_F(mapped_file, is_read_on_a_full_disk_and_signals_only_what_needs_a_block) {
  mount();
  resize(8 * page);
  ASSERT_TRUE(t().fallocate(fd, FALLOC_FL_KEEP_SIZE, 4 * page, 2 * page));
  ASSERT_TRUE(t().fsync(fd));
  fill_up(0);
  const user_address at = map(8);
  EXPECT_EQ(load(at, 1), std::string(1, '\0'));
  EXPECT_EQ(signal_of(store(at, "x")), access_signal::bus_adrerr);
  EXPECT_EQ(load(at, 1), std::string(1, '\0'));
  EXPECT_TRUE(store(at + 4 * page, "x"));
  EXPECT_TRUE(store(at + 5 * page, "x"));
  ASSERT_TRUE(t().unlink("/ballast"));
  EXPECT_TRUE(store(at, "x"));  // what is freed can be had when a commit was waited for
  end();
}

TEST_F(mapped_file, ends_where_the_file_ends) {
  mount();
  put(std::string(3 * page, 'a'), 0);
  const user_address at = map(4), copy = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  EXPECT_EQ(signal_of(store(at + 3 * page, "x")), access_signal::bus_adrerr);
  ASSERT_TRUE(store(copy + 2 * page, "private"));
  resize(page + 10);
  EXPECT_EQ(signal_of(store(at + 2 * page, "x")), access_signal::bus_adrerr);
  EXPECT_EQ(signal_of(store(copy + 2 * page, "x")), access_signal::bus_adrerr);
  EXPECT_EQ(load(at + page, 12), std::string(10, 'a') + std::string(2, '\0'));
  resize(3 * page);
  EXPECT_EQ(load(at + page + 10, page - 10), std::string(page - 10, '\0'));
  EXPECT_EQ(load(at + 2 * page, 1), std::string(1, '\0'));
  end();
}

TEST_F(mapped_file, grows_without_what_was_stored_behind_its_end) {
  mount();
  for (int how = 0; how < 3; ++how) {
    resize(0);
    put(std::string(100, 'a'), 0);
    const user_address at = map(2);
    ASSERT_TRUE(store(at + 100, "behind"));
    if (how == 0) resize(2 * page);
    if (how == 1) {
      put("b", 2 * page - 1);
    }
    if (how == 2) {
      ASSERT_TRUE(t().fallocate(fd, 0, 0, 2 * page));
    }
    EXPECT_EQ(load(at + 99, 8), "a" + std::string(7, '\0')) << how;
    EXPECT_EQ(get(8, 99), "a" + std::string(7, '\0')) << how;
    ASSERT_TRUE(mm::munmap(t(), at, 2 * page));
  }
  end();
}

TEST_F(mapped_file, is_copied_by_private_stores_even_where_nothing_can_be_written) {
  mount();
  put("shared", 0);
  resize(2 * page);
  end();
  mount("dax=always,ro", O_RDONLY);
  const user_address at = map(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  ASSERT_TRUE(store(at, "p"));
  ASSERT_TRUE(store(at + page, "q"));
  EXPECT_EQ(load(at, 6), "phared");
  EXPECT_EQ(get(6, 0), "shared");
  EXPECT_EQ(mm::mmap(t(), 0, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0).error(), EACCES);
  EXPECT_EQ(mm::mprotect(t(), map(1, PROT_READ), page, PROT_WRITE).error(), EACCES);
  end();
}

TEST_F(mapped_file, needs_windows) {
  mount("dax=never");
  put("x", 0);
  EXPECT_EQ(mm::mmap(t(), 0, page, PROT_READ, MAP_SHARED, fd, 0).error(), ENODEV);
  EXPECT_EQ(mm::mmap(t(), 0, page, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0).error(), EOPNOTSUPP);
  end();
}

TEST_F(mapped_file, takes_map_sync_and_has_its_metadata_durable_before_the_store) {
  mount();
  resize(4 * page);
  EXPECT_EQ(mm::mmap(t(), 0, page, PROT_READ, MAP_SHARED_VALIDATE | 0x800000, fd, 0).error(), EOPNOTSUPP);
  const user_address at = map(4, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC);
  ASSERT_TRUE(store(at, "x"));
  EXPECT_EQ(get(1, 0), "x");
  end();
}

TEST_F(mapped_file, changes_its_times_with_the_first_store_after_a_sync) {
  mount();
  put(std::string(page, 'a'), 0);
  ASSERT_TRUE(t().fchmod(fd, 04755));
  const vfs::timespec64 old[2] = {{1000, 0}, {1000, 0}};
  const user_address at = map(1);
  const auto touched = [&] {
    const bool now = t().fstat(fd)->mtime.seconds != 1000;
    EXPECT_TRUE(t().futimens(fd, old));
    return now;
  };
  ASSERT_TRUE(t().futimens(fd, old));
  EXPECT_EQ(load(at, 1), "a");
  EXPECT_FALSE(touched());
  ASSERT_TRUE(store(at, "b"));
  EXPECT_TRUE(touched());
  ASSERT_TRUE(store(at, "c"));
  EXPECT_FALSE(touched());
  ASSERT_TRUE(mm::msync(t(), at, page, MS_SYNC));
  ASSERT_TRUE(store(at, "d"));
  EXPECT_TRUE(touched());
  EXPECT_EQ(t().fstat(fd)->mode & 07777, 04755u);
  end();
}

TEST_F(mapped_file, is_written_back_by_whoever_comes_first) {
  mount();
  resize(4 * page);
  user_address at = map(4);
  vfs::node place = t().node_of(fd).value();
  vfs::super_block& super = place.get_inode().i_sb;
  const auto make_dirty = [&] {
    ASSERT_TRUE(store(at, "x"));
    EXPECT_EQ(super.s_dirty_mappings, 1u);
  };
  make_dirty();
  ASSERT_TRUE(t().fsync(fd));
  EXPECT_EQ(super.s_dirty_mappings, 0u);
  make_dirty();
  ASSERT_TRUE(fs->kernel().sync());
  EXPECT_EQ(super.s_dirty_mappings, 0u);
  make_dirty();
  ASSERT_TRUE(mm::munmap(t(), at, 4 * page));
  place.reset();
  ASSERT_TRUE(t().close(fd));
  fs->kernel().drop_caches();
  EXPECT_EQ(super.s_dirty_mappings, 0u);
  fd = t().open("/f", O_RDWR).value();
  end();
}

TEST_F(mapped_file, lives_as_long_as_its_mapping) {
  mount();
  put("still here", 0);
  const user_address at = map(1);
  const auto free = t().statfs("/")->bfree;
  ASSERT_TRUE(t().unlink("/f"));
  ASSERT_TRUE(t().close(fd));
  EXPECT_EQ(load(at, 10), "still here");
  EXPECT_EQ(fs->kernel().umount("/").error(), EBUSY);
  ASSERT_TRUE(mm::munmap(t(), at, page));
  ASSERT_TRUE(fs->kernel().sync());
  EXPECT_GT(t().statfs("/")->bfree, free);
  fd = t().open("/g", O_RDWR | O_CREAT, 0644).value();
  end();
}

TEST_F(mapped_file, is_source_and_target_of_its_own_calls) {
  mount();
  resize(8 * page);
  const user_address at = map(8);
  ASSERT_TRUE(store(at + page, "source"));
  EXPECT_EQ(t().pwrite(fd, mm::user_pointer(at + page), page, 0).value_or(0), page);
  EXPECT_EQ(load(at, 6), "source");
  EXPECT_EQ(t().pwrite(fd, mm::user_pointer(at + page), 2 * page, page).value_or(0), 2 * page);  // onto itself, and a hole onto itself
  EXPECT_EQ(load(at + page, 6), "source");
  EXPECT_EQ(t().pread(fd, mm::user_pointer(at + 5 * page), page, 0).value_or(0), page);
  EXPECT_EQ(get(6, 5 * page), "source");
  resize(page);
  EXPECT_EQ(t().pwrite(fd, mm::user_pointer(at), 3 * page, 10 * page).value_or(0), page);  // the source ends with the file that was
  end();
}

TEST_F(mapped_file, keeps_its_kind_of_map_while_it_is_mapped) {
  mount();
  put("direct", 0);
  const user_address at = map(3);
  ASSERT_TRUE(store(at, "D"));
  unsigned flags = 0;
  ASSERT_TRUE(t().ioctl(fd, FS_IOC_GETFLAGS, &flags));
  flags &= ~unsigned{FS_EXTENT_FL};
  ASSERT_TRUE(t().ioctl(fd, FS_IOC_SETFLAGS, &flags));
  resize(3 * page);
  ASSERT_TRUE(store(at + 2 * page, "mapped"));  // by a block map
  EXPECT_EQ(load(at, 6), "Direct");
  EXPECT_EQ(get(6, 2 * page), "mapped");
  end();
}

// Of pages 0 to 7 each begins with its digit.
class range_of_mapped_file : public mapped_file {
 protected:
  void make() {
    mount();
    std::string text;
    for (char digit = '0'; digit < '8'; ++digit) text += std::string(page, digit);
    put(text, 0);
    ASSERT_TRUE(t().fsync(fd));
    at = map(9);
    copy = map(9, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (std::size_t i = 0; i < 8; ++i) {
      ASSERT_TRUE(store(at + i * page + 1, "stored"));
      EXPECT_EQ(load(copy + i * page, 7), first_of(i) + "stored");
    }
  }
  void change(int mode, loff_t offset, loff_t bytes) { ASSERT_TRUE(t().fallocate(fd, mode, offset, bytes)); }
  [[nodiscard]] static std::string first_of(std::size_t i) { return std::string(1, static_cast<char>('0' + i)); }
  // How the pages begin: in the mapping, and in the file.
  [[nodiscard]] std::string digits(std::size_t pages) {
    std::string mapped, read;
    for (std::size_t i = 0; i < pages; ++i) {
      mapped += load(at + i * page, 1);
      read += get(1, static_cast<loff_t>(i * page));
      std::string whole = get(page, static_cast<loff_t>(i * page));
      whole.resize(page);
      EXPECT_TRUE(load(at + i * page, page) == whole) << "page " << i;
    }
    EXPECT_EQ(mapped, read);
    std::ranges::replace(mapped, '\0', '.');
    return mapped;
  }
  [[nodiscard]] bool has_dirty() { return t().node_of(fd).value().get_inode().i_sb.s_dirty_mappings != 0; }

  user_address at = 0, copy = 0;
};

TEST_F(range_of_mapped_file, has_no_page_where_it_was_punched) {
  make();
  ASSERT_TRUE(store(copy + 2 * page, "private"));
  change(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, page + 100, 3 * page);
  EXPECT_EQ(digits(8), "01...567");
  EXPECT_EQ(blocks(), 6u);
  EXPECT_EQ(load(at + page + 98, 4), std::string("11\0\0", 4));
  EXPECT_EQ(load(at + 4 * page + 98, 4), std::string(2, '\0') + "44");
  EXPECT_EQ(load(copy + 2 * page, 7), "private");
  EXPECT_EQ(load(copy + 3 * page, 1), std::string(1, '\0'));
  ASSERT_TRUE(store(at + 3 * page, "3"));
  put("2", 2 * page);
  EXPECT_EQ(digits(8), "0123.567");
  EXPECT_EQ(blocks(), 8u);
  end();
}

TEST_F(range_of_mapped_file, is_zero_where_it_was_zeroed) {
  make();
  ASSERT_TRUE(store(copy + 2 * page, "private"));
  change(FALLOC_FL_ZERO_RANGE, page + 100, 3 * page);
  EXPECT_EQ(digits(8), "01...567");
  EXPECT_EQ(blocks(), 8u);
  EXPECT_EQ(load(copy + 2 * page, 7), "private");
  ASSERT_TRUE(store(at + 3 * page, "3"));
  put("2", 2 * page);
  EXPECT_EQ(digits(8), "0123.567");
  ASSERT_TRUE(store(at + 7 * page + page - 1, "x"));
  change(FALLOC_FL_ZERO_RANGE, 8 * page - 50, 60);
  EXPECT_EQ(digits(9), "0123.567.");
  EXPECT_EQ(load(at + 8 * page - 50, 60), std::string(60, '\0'));
  end();
}

TEST_F(range_of_mapped_file, moves_its_pages_when_it_collapses) {
  make();
  ASSERT_TRUE(store(copy + 3 * page, "private"));
  ASSERT_TRUE(store(copy + 7 * page, "private"));
  change(FALLOC_FL_COLLAPSE_RANGE, 2 * page, 2 * page);
  EXPECT_EQ(digits(6), "014567");
  EXPECT_EQ(load(at + 5 * page, 7), "7stored");
  EXPECT_EQ(signal_of(store(at + 6 * page, "x")), access_signal::bus_adrerr);
  EXPECT_EQ(load(copy + 3 * page, 7), "private");
  EXPECT_EQ(load(copy + 4 * page, 7), "6stored");
  EXPECT_EQ(signal_of(store(copy + 7 * page, "x")), access_signal::bus_adrerr);
  ASSERT_TRUE(store(at + 5 * page, "S"));
  EXPECT_EQ(digits(6), "01456S");
  end();
}

TEST_F(range_of_mapped_file, moves_its_pages_when_a_range_is_inserted) {
  make();
  change(FALLOC_FL_INSERT_RANGE, 3 * page, page);
  EXPECT_EQ(digits(9), "012.34567");
  EXPECT_EQ(load(at + 8 * page, 7), "7stored");
  EXPECT_EQ(load(copy + 4 * page, 7), "3stored");
  ASSERT_TRUE(store(at + 3 * page, "new"));
  ASSERT_TRUE(store(at + 4 * page, "S"));
  EXPECT_EQ(digits(9), "012nS4567");
  end();
}

// Nobody would know of them behind the change.
TEST_F(range_of_mapped_file, has_its_stores_durable_before_pages_move) {
  make();
  EXPECT_TRUE(has_dirty());
  change(FALLOC_FL_COLLAPSE_RANGE, 0, page);
  EXPECT_FALSE(has_dirty());
  ASSERT_TRUE(store(at + 6 * page, "x"));
  EXPECT_TRUE(has_dirty());
  change(FALLOC_FL_INSERT_RANGE, 6 * page, page);
  EXPECT_FALSE(has_dirty());
  end();
}

// ---- a slice that converts more than its own

// At a point, once, another task writes two pages: first the one before PAGE_NUMBER, for whose conversion the tree finds no block, then that one.
class meddler final : public point_sink {
 public:
  meddler(point where, vfs::task& other, int fd, loff_t page_number) : where_{where}, other_{other}, fd_{fd}, page_{page_number} {
    other_.context.points = &no_space_;
  }
  ~meddler() { other_.context.points = nullptr; }
  void on_point(point p, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override {
    if (p != where_ || std::exchange(done_, true)) return;
    auto meanwhile = kthread::run("meddler", *std::pmr::new_delete_resource(), [this] {
      const std::string text(page, 'n');
      for (const loff_t at : {page_ - 1, page_})
        wrote_ += other_.pwrite(fd_, text.data(), page, at * static_cast<loff_t>(page)).value_or(0);
    });
    if (meanwhile) meanwhile->join();
  }
  int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }
  [[nodiscard]] std::size_t wrote() const noexcept { return wrote_; }

 private:
  struct no_space final : point_sink {
    void on_point(point, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override {}
    int inject(point p, std::uint64_t, std::uint64_t) noexcept override { return p == point::ext4_alloc_blocks ? ENOSPC : 0; }
  } no_space_;
  const point where_;
  vfs::task& other_;
  const int fd_;
  const loff_t page_;
  bool done_ = false;
  std::size_t wrote_ = 0;
};

class converted_together : public mapped_file {
 protected:
  // Three preallocated pages in a root that is full.
  void SetUp() override {
    mount();
    ASSERT_TRUE(t().fallocate(fd, 0, 0, 3 * page));
    for (const loff_t at : {10, 20, 30}) put("x", at * static_cast<loff_t>(page));
    at = map(31);
    other = *fs->kernel().make_task();
    other_fd = other->open("/f", O_RDWR).value_or(-1);
    ASSERT_GE(other_fd, 0);
  }
  void finish() {
    EXPECT_EQ(get(page, 2 * page), std::string(page, 'n')) << "what was written last";
    EXPECT_EQ(load(at + 2 * page, page), std::string(page, 'n'));
    fs->kernel().exit_task(other);
    end();
  }
  user_address at = 0;
  vfs::task* other = nullptr;
  int other_fd = -1;
};

TEST_F(converted_together, a_load_that_found_them_unwritten_maps_no_zeros_over_what_was_written) {
  {
    meddler m{point::xip_before_entry, *other, other_fd, 2};
    t().context.points = &m;
    (void)load(at + 2 * page, 1);
    t().context.points = nullptr;
    ASSERT_EQ(m.wrote(), 2 * page);
  }
  finish();
}

TEST_F(converted_together, a_store_that_found_them_unwritten_zeroes_nothing_that_was_written) {
  {
    meddler m{point::ext4_before_zeroing, *other, other_fd, 2};
    t().context.points = &m;
    ASSERT_TRUE(store(at + 2 * page, "n"));
    t().context.points = nullptr;
    ASSERT_EQ(m.wrote(), 2 * page);
  }
  finish();
}

}  // namespace
}  // namespace xip::ext4lite
