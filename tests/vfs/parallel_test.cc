// Many tasks at once: what contends on nothing, and what must stay true under load.
#include <xip/locks/lockdep.h>

#include "vfs/vfs_fixture.h"

namespace xip::vfs::test {
namespace {

class parallel : public vfs_test {
 protected:
  // COUNT tasks, each running BODY(task, number) in a thread of its own.
  void in_parallel(unsigned count, const std::function<void(task&, unsigned)>& body) {
    std::vector<task_ptr> tasks;
    std::vector<std::function<void()>> bodies;
    for (unsigned n = 0; n < count; ++n) {
      tasks.push_back(make_task());
      bodies.push_back([&body, who = tasks.back().get(), n] { body(*who, n); });
    }
    run_at_once(std::move(bodies));
  }
};

TEST_F(parallel, opening_cached_files_contends_on_nothing) {
  if (!lockdep_compiled_in) GTEST_SKIP() << "contentions are counted where lockdep is compiled in";
  ASSERT_OK(t.mkdir("/d", 0755));
  for (int n = 0; n < 4; ++n) write_file("/d/" + std::to_string(n), "x");
  for (int n = 0; n < 4; ++n) EXPECT_OK(t.close(*t.open("/d/" + std::to_string(n), O_RDWR)));
  EXPECT_ERRNO(ENOENT, t.stat("/d/none"));
  const std::uint64_t before = k->deps().contentions();
  in_parallel(4, [&](task& who, unsigned n) {
    const std::string name = "/d/" + std::to_string(n);
    for (int i = 0; i < 1000; ++i) {
      EXPECT_OK(who.close(*who.open(name, O_RDWR)));
      EXPECT_ERRNO(ENOENT, who.stat("/d/none")) << "nor does absence, once it is known";
    }
  });
  EXPECT_EQ(k->deps().contentions(), before);
}

TEST_F(parallel, readers_of_one_file_never_wait) {
  write_file("/f", std::string(4096, 'x'));
  in_parallel(4, [&](task& who, unsigned) {
    const int fd = *who.open("/f", O_RDONLY);
    const std::uint64_t waited = who.context.contended;
    char text[256];
    for (loff_t i = 0; i < 2000; ++i) EXPECT_EQ(*who.pread(fd, text, sizeof text, i % 2048), sizeof text);
    EXPECT_EQ(who.context.contended, waited);
  });
}

TEST_F(parallel, appends_are_whole) {
  write_file("/log", "");
  in_parallel(4, [&](task& who, unsigned n) {
    const int fd = *who.open("/log", O_WRONLY | O_APPEND);
    const std::string record(16, static_cast<char>('a' + n));
    for (int i = 0; i < 250; ++i) EXPECT_EQ(*who.pwrite(fd, record.data(), record.size(), 0), record.size());
  });
  const std::string all = read_file("/log");
  ASSERT_EQ(all.size(), 16u * 1000);
  for (std::size_t at = 0; at < all.size(); at += 16) EXPECT_EQ(all.substr(at, 16), std::string(16, all[at]));
}

TEST_F(parallel, one_position_serves_all_who_share_it) {
  write_file("/f", std::string(4000, 'x'));
  (void)open_ok(t, "/f", O_RDONLY);
  std::vector<task_ptr> tasks;
  std::vector<std::function<void()>> bodies;
  std::atomic<std::size_t> total{0};
  for (int n = 0; n < 4; ++n) {
    tasks.emplace_back(*k->fork_task(t, "reader", n % 2 == 0));
    bodies.push_back([&total, who = tasks.back().get()] {
      char text[10];
      while (const std::size_t moved = who->read(0, text, sizeof text).value_or(0)) total += moved;
    });
  }
  run_at_once(std::move(bodies));
  EXPECT_EQ(total, 4000u) << "each byte was read once";
}

TEST_F(parallel, making_and_removing_the_same_names) {
  std::atomic<unsigned> made{0}, removed{0};
  in_parallel(4, [&](task& who, unsigned) {
    for (int i = 0; i < 500; ++i) {
      const std::string name = "/" + std::to_string(i % 7);
      if (const auto fd = who.open(name, O_CREAT | O_EXCL | O_RDWR, 0644)) {
        ++made;
        EXPECT_OK(who.close(*fd));
      }
      if (who.unlink(name)) ++removed;
    }
  });
  EXPECT_EQ(made - removed, names_in("/").size() - 2);
  EXPECT_EQ(disk.deletions, removed);
}

TEST_F(parallel, renames_across_directories_and_dropped_caches) {
  for (const char* name : {"/a", "/b", "/a/x", "/b/y"}) ASSERT_OK(t.mkdir(name, 0755));
  write_file("/a/f", "f");
  in_parallel(4, [&](task& who, unsigned n) {
    for (int i = 0; i < 300; ++i) {
      switch (n) {
        case 0:
          (void)who.rename("/a/f", "/b/y/f");
          (void)who.rename("/b/y/f", "/a/f");
          break;
        case 1:
          (void)who.rename("/a/x", "/b/y/x");
          (void)who.rename("/b/y/x", "/a/x");
          break;
        case 2:
          (void)who.rename("/b/y", "/a/x/y");
          (void)who.rename("/a/x/y", "/b/y");
          break;
        default:
          (void)who.stat("/a/x/y/../../f");
          (void)who.chdir("/b/y");
          (void)who.getcwd();
          (void)who.chdir("/");
          k->drop_caches();
      }
    }
  });
  // Whatever happened, each of them is still there once.
  unsigned found = 0;
  for (const char* name : {"/a/f", "/b/y/f", "/a/x/y/f"}) found += t.stat(name) ? 1 : 0;
  EXPECT_EQ(found, 1u);
  EXPECT_EQ(disk.deletions, 0u);
}

TEST_F(parallel, exchanging_names_loses_none) {
  write_file("/a", "a");
  write_file("/b", "b");
  in_parallel(3, [&](task& who, unsigned n) {
    for (int i = 0; i < 500; ++i) {
      if (n != 0)
        EXPECT_OK(who.renameat2(AT_FDCWD, "/a", AT_FDCWD, "/b", 1u << 1));
      else
        EXPECT_TRUE(who.stat("/a") && who.stat("/b"));
    }
  });
  EXPECT_EQ(read_file("/a") + read_file("/b"), "ab");
}

TEST_F(parallel, mounting_beside_walking) {
  ASSERT_OK(t.mkdir("/m", 0755));

  in_parallel(3, [&](task& who, unsigned n) {
    for (int i = 0; i < 200; ++i) {
      if (n == 0) {
        EXPECT_OK(k->mount("ramfs", second, "/m"));
        int failed = EBUSY;
        while (failed == EBUSY) failed = errno_of(k->umount("/m"));  // somebody walks there just now
        EXPECT_EQ(failed, 0);
      } else {
        EXPECT_OK(who.stat("/m/.."));
        EXPECT_OK(who.stat("/m"));
        (void)who.stat("/m/none");
      }
    }
  });
}

TEST_F(parallel, one_shared_table_opened_and_closed_by_all) {
  write_file("/f", "x");
  std::vector<task_ptr> tasks;
  std::vector<std::function<void()>> bodies;
  for (int n = 0; n < 4; ++n) {
    tasks.emplace_back(*k->fork_task(t, "sharer", true));
    bodies.push_back([who = tasks.back().get()] {
      char byte;
      for (int i = 0; i < 500; ++i) {
        const auto fd = who->open("/f", O_RDONLY);
        EXPECT_OK(fd);
        (void)who->pread(static_cast<int>(i % 5), &byte, 1, 0);
        (void)who->close(static_cast<int>(i % 5));
        (void)who->close(*fd);
      }
    });
  }
  run_at_once(std::move(bodies));
  tasks.clear();
  root.reset();
  const auto umounted = k->umount("/");
  EXPECT_OK(umounted) << "no file was left open";
}

}  // namespace
}  // namespace xip::vfs::test
