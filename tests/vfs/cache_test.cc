// The dentry cache and the inode cache: what is remembered, what is dropped, who waits for whom.
#include <xip/locks/mutex.h>
#include <xip/locks/wait_queue.h>

#include "vfs/dcache.h"
#include "vfs/syscall.h"
#include "vfs/vfs_fixture.h"

namespace xip::vfs::test {
namespace {

class caches : public vfs_test {
 protected:
  using vfs_test::vfs_test;
};

TEST_F(caches, a_name_is_looked_up_once) {
  write_file("/f", "");
  k->drop_caches();
  disk.lookups = 0;
  for (int n = 0; n < 5; ++n) EXPECT_OK(t.stat("/f"));
  EXPECT_EQ(disk.lookups, 1u);
}

TEST_F(caches, absence_is_remembered_until_somebody_makes_the_name) {
  for (int n = 0; n < 5; ++n) EXPECT_ERRNO(ENOENT, t.stat("/f"));
  EXPECT_EQ(disk.lookups, 1u);
  write_file("/f", "");
  EXPECT_OK(t.stat("/f"));
  ASSERT_OK(t.unlink("/f"));
  EXPECT_ERRNO(ENOENT, t.stat("/f"));
  EXPECT_EQ(disk.lookups, 1u) << "the name went back to absent";
}

TEST_F(caches, each_way_of_making_a_name_replaces_absence) {
  ASSERT_OK(t.mkdir("/from", 0755));
  write_file("/src", "");
  const std::pair<const char*, std::function<result<>()>> makers[] = {
      {"/mkdir", [&] { return t.mkdir("/mkdir", 0755); }},        {"/mknod", [&] { return t.mknod("/mknod", S_IFIFO | 0600, 0); }},
      {"/symlink", [&] { return t.symlink("src", "/symlink"); }}, {"/link", [&] { return t.link("/src", "/link"); }},
      {"/rename", [&] { return t.rename("/from", "/rename"); }},
  };
  for (const auto& [name, make] : makers) {
    EXPECT_ERRNO(ENOENT, t.stat(name));
    EXPECT_OK(make()) << name;
    EXPECT_OK(t.stat(name)) << name;
  }
  EXPECT_ERRNO(ENOENT, t.stat("/from"));
}

// Whatever a damaged directory says of itself. Were it removed, nothing would lead to what is cached below it, also not at the unmount.
TEST_F(caches, a_directory_with_known_names_is_not_removed) {
  ASSERT_OK(t.mkdir("/d", 0755));
  ASSERT_OK(t.mkdir("/other", 0755));
  ASSERT_OK(t.mkdir("/d/sub", 0755));
  const int fd = open_ok(t, "/d/sub", O_RDONLY | O_DIRECTORY);
  disk.takes_all_for_empty = true;
  EXPECT_ERRNO(ENOTEMPTY, t.rmdir("/d"));
  EXPECT_ERRNO(ENOTEMPTY, t.rename("/other", "/d"));
  EXPECT_OK(t.close(fd));
  EXPECT_OK(t.rmdir("/d/sub"));
  EXPECT_OK(t.rename("/other", "/d"));
}

// A walk holds the name that it has found missing, and no lock, when the directory goes.
TEST_F(caches, who_looks_for_a_name_does_not_keep_a_removed_directory) {
  ASSERT_OK(t.mkdir("/d", 0755));
  auto d = t.lookup_node(AT_FDCWD, "/d", 0);
  ASSERT_OK(d);
  dentry_ref looked_for;
  {
    const syscall_scope scope{t};
    inode_ref none;
    auto added = d_add(*d->get().dent, "none", hash_name("none"), none);
    ASSERT_OK(added);
    looked_for = std::move(*added);
  }
  ASSERT_OK(t.rmdir("/d"));
  {
    const syscall_scope scope{t};
    looked_for = {};
  }
  EXPECT_EQ(disk.deletions, 0u);
  d->reset();
  EXPECT_EQ(disk.deletions, 1u);
}

TEST_F(caches, drop_caches_lets_go_of_what_nobody_uses) {
  ASSERT_OK(t.mkdir("/a", 0755));
  ASSERT_OK(t.mkdir("/a/b", 0755));
  write_file("/a/b/c", "");
  write_file("/open", "");
  const int fd = open_ok(t, "/open", O_RDONLY);
  disk.evictions = 0;
  k->drop_caches();
  EXPECT_EQ(disk.evictions, 3u);
  EXPECT_EQ(disk.deletions, 0u);
  disk.lookups = 0;
  EXPECT_OK(t.stat("/open"));
  EXPECT_EQ(disk.lookups, 0u) << "open files keep their names";
  EXPECT_OK(t.stat("/a/b/c"));
  EXPECT_EQ(disk.lookups, 3u);
  EXPECT_OK(t.close(fd));
}

TEST_F(caches, attributes_survive_being_dropped) {
  write_file("/f", "contents");
  ASSERT_OK(t.chmod("/f", 0600));
  k->drop_caches();
  EXPECT_EQ(t.stat("/f")->mode & 07777, 0600u);
  EXPECT_EQ(read_file("/f"), "contents");
}

TEST_F(caches, one_inode_for_all_of_its_names) {
  write_file("/f", "");
  ASSERT_OK(t.link("/f", "/g"));
  k->drop_caches();
  const int f = open_ok(t, "/f", O_RDWR);
  const int g = open_ok(t, "/g", O_RDWR);
  ASSERT_OK(t.write(f, "x", 1));
  EXPECT_EQ(t.fstat(g)->size, 1);
}

class small_cache : public caches {
 protected:
  small_cache() : caches{kernel_options{.dentry_limit = 100}} {}
};

TEST_F(small_cache, names_beyond_the_limit_push_out_others) {
  ASSERT_OK(t.mkdir("/d", 0755));
  for (int n = 0; n < 1000; ++n) {
    EXPECT_ERRNO(ENOENT, t.stat("/d/" + std::to_string(n)));
    EXPECT_OK(t.stat("/d"));
  }
  disk.lookups = 0;
  EXPECT_OK(t.stat("/d"));
  EXPECT_EQ(disk.lookups, 0u) << "what is used stays";
  unsigned known = 0;
  for (int n = 0; n < 1000; ++n) {
    const unsigned before = disk.lookups;
    EXPECT_ERRNO(ENOENT, t.stat("/d/" + std::to_string(n)));
    known += disk.lookups == before ? 1 : 0;
  }
  EXPECT_LT(known, 200u);
}

TEST_F(small_cache, names_in_use_do_not_make_each_walk_push_out_the_others) {
  ASSERT_OK(t.mkdir("/d", 0755));
  std::vector<node> used;
  for (int n = 0; n < 300; ++n) {
    const std::string name = "/d/used " + std::to_string(n);
    ASSERT_OK(t.mknod(name, S_IFREG | 0644, 0));
    used.push_back(*t.lookup_node(AT_FDCWD, name, 0));
  }
  for (int n = 0; n < 10; ++n) EXPECT_ERRNO(ENOENT, t.stat("/d/" + std::to_string(n)));
  disk.lookups = 0;
  for (int n = 0; n < 10; ++n) EXPECT_ERRNO(ENOENT, t.stat("/d/" + std::to_string(n)));
  EXPECT_LT(disk.lookups, 5u) << "dropped once at most";
}

TEST_F(caches, a_failed_look_up_is_not_remembered) {
  write_file("/f", "");
  k->drop_caches();
  disk.fail_read_inode = EUCLEAN;
  EXPECT_ERRNO(EUCLEAN, t.stat("/f"));
  disk.fail_read_inode = 0;
  EXPECT_OK(t.stat("/f"));
  EXPECT_EQ(disk.deletions, 0u) << "what could not be read is not evicted as if it were unlinked";
}

// ---- who waits for whom. A gate holds one task at a place until the test has seen the other one wait.

class gate {
 public:
  void arrive_and_wait() {
    mutex_guard guard{lock_};
    arrived_ = true;
    changed_.wake_all();
    changed_.wait(lock_, [this] { return open_; });
  }
  void wait_for_arrival() {
    mutex_guard guard{lock_};
    changed_.wait(lock_, [this] { return arrived_; });
  }
  void open() {
    mutex_guard guard{lock_};
    open_ = true;
    changed_.wake_all();
  }

 private:
  static constexpr lock_class gate_class{"test_gate"};
  mutex<gate_class> lock_;
  wait_queue changed_;
  bool arrived_ = false, open_ = false;
};

TEST_F(caches, a_number_comes_back_only_after_its_eviction_is_over) {
  write_file("/f", "old");
  const auto number = t.stat("/f")->ino;
  auto one = make_task(), two = make_task();
  gate deleted;
  std::atomic<bool> gone{false};
  disk.after_delete = [&](inode&) {
    deleted.arrive_and_wait();
    gone = true;
  };
  run_at_once({
      [&] { EXPECT_OK(one->unlink("/f")); },
      [&] {
        deleted.wait_for_arrival();
        const auto fd = two->open("/g", O_CREAT | O_RDWR, 0644);
        EXPECT_TRUE(gone) << "one number, two inodes";
        ASSERT_OK(fd);
        EXPECT_EQ(two->fstat(*fd)->ino, number) << "the same number again";
      },
      [&] {
        deleted.wait_for_arrival();
        const auto taken = [&] {
          mutex_guard guard{disk.lock};
          return disk.nodes.contains(static_cast<std::uint32_t>(number));
        };
        while (!taken()) {
        }
        deleted.open();
      },
  });
  disk.after_delete = nullptr;
}

TEST_F(caches, an_inode_is_filled_in_by_one_and_waited_for_by_the_others) {
  write_file("/f", "x");
  ASSERT_OK(t.link("/f", "/g"));
  k->drop_caches();
  gate reading;
  std::atomic<unsigned> fills{0};
  disk.in_read_inode = [&](inode& i) {
    if (i.is_dir()) return;
    if (fills++ == 0) reading.arrive_and_wait();
  };
  auto one = make_task(), two = make_task();
  std::atomic<bool> opened{false};
  run_at_once({
      [&] {
        EXPECT_OK(one->stat("/f"));
        EXPECT_TRUE(opened);
      },
      [&] {
        reading.wait_for_arrival();
        EXPECT_EQ(two->stat("/g")->size, 1);
        EXPECT_TRUE(opened) << "not before it was complete";
      },
      [&] {
        reading.wait_for_arrival();
        while (disk.lookups < 4) {
        }  // the second one is in its look-up, for the number that is being filled in
        opened = true;
        reading.open();
      },
  });
  EXPECT_EQ(fills, 1u);
}

TEST_F(caches, those_who_wait_for_a_failure_are_told_why) {
  write_file("/f", "x");
  ASSERT_OK(t.link("/f", "/g"));
  k->drop_caches();
  gate reading;
  std::atomic<unsigned> fills{0};
  disk.in_read_inode = [&](inode&) {
    if (fills++ == 0) reading.arrive_and_wait();
  };
  disk.fail_read_inode = EUCLEAN;
  auto one = make_task(), two = make_task();
  run_at_once({
      [&] { EXPECT_ERRNO(EUCLEAN, one->stat("/f")); },
      [&] {
        reading.wait_for_arrival();
        EXPECT_ERRNO(EUCLEAN, two->stat("/g"));
      },
      [&] {
        reading.wait_for_arrival();
        while (disk.lookups < 4) {
        }
        reading.open();
      },
  });
}

TEST_F(caches, two_look_ups_of_one_name_make_one_dentry) {
  write_file("/f", "");
  ASSERT_OK(t.mkdir("/dir", 0755));
  k->drop_caches();
  gate first;
  std::atomic<unsigned> inside{0};
  disk.in_lookup = [&](inode&) {
    if (inside++ == 0) first.arrive_and_wait();
  };
  auto one = make_task(), two = make_task();
  run_at_once({
      [&] { EXPECT_OK(one->stat("/dir")); },
      [&] {
        first.wait_for_arrival();
        EXPECT_OK(two->stat("/dir")) << "look-ups in one directory run at once";
        first.open();
      },
  });
  disk.in_lookup = nullptr;
  disk.lookups = 0;
  EXPECT_OK(t.stat("/dir"));
  EXPECT_EQ(disk.lookups, 0u);
}

}  // namespace
}  // namespace xip::vfs::test
