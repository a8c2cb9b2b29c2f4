// Memory: none is taken on the read and write path, and running out of it is an error, never a loss.
#include <xip/locks/clock.h>

#include "support/heap_counter.h"
#include "vfs/vfs_fixture.h"

namespace xip::vfs::test {
namespace {

using xip::test::heap_allocations;

class memory_use : public vfs_test {
 protected:
  // How often ACT allocates, from the instance's memory or from the heap.
  template <class Act>
  [[nodiscard]] std::uint64_t allocations_of(Act&& act) {
    // What is made once (lockdep's edges) is made now: also where a file's times change, when the clock has gone on.
    const nanoseconds start = realtime_now_coarse();
    while (realtime_now_coarse() == start) act();
    act();
    const std::uint64_t before = heap_allocations() + memory.allocations;
    for (int n = 0; n < 10; ++n) act();
    return heap_allocations() + memory.allocations - before;
  }
};

TEST_F(memory_use, reading_and_writing_allocate_nothing) {
  write_file("/f", std::string(4096, 'x'));
  const int fd = open_ok(t, "/f", O_RDWR);
  char text[512];
  iovec v[] = {{text, 100}, {text + 100, 100}};
  EXPECT_EQ(allocations_of([&] { EXPECT_OK(t.pread(fd, text, sizeof text, 64)); }), 0u);
  EXPECT_EQ(allocations_of([&] { EXPECT_OK(t.pwrite(fd, text, sizeof text, 64)); }), 0u);
  EXPECT_EQ(allocations_of([&] { EXPECT_OK(t.preadv2(fd, v, 2, 0, 0)); }), 0u);
  EXPECT_EQ(allocations_of([&] { EXPECT_OK(t.pwritev2(fd, v, 2, 0, RWF_DSYNC)); }), 0u);
  EXPECT_EQ(allocations_of([&] {
              EXPECT_OK(t.lseek(fd, 0, SEEK_SET));
              EXPECT_OK(t.read(fd, text, sizeof text));
              EXPECT_OK(t.write(fd, text, sizeof text));
            }),
            0u);
  EXPECT_EQ(allocations_of([&] { EXPECT_OK(t.fsync(fd)); }), 0u);
}

// Some of what is said is about having no memory.
TEST(printk, survives_a_log_without_memory) {
  vfs::kernel_options options;
  unsigned asked = 0;
  options.log = [&asked](log_level, std::string_view) {
    ++asked;
    throw std::bad_alloc{};
  };
  kernel k{std::move(options)};
  testing::internal::CaptureStderr();
  k.printk(log_level::error, "no memory");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "no memory\n");
  EXPECT_EQ(asked, 1u);
}

TEST_F(memory_use, looking_at_cached_names_allocates_nothing) {
  write_file("/f", "");
  EXPECT_EQ(allocations_of([&] { EXPECT_OK(t.stat("/f")); }), 0u);
  EXPECT_EQ(allocations_of([&] { EXPECT_ERRNO(ENOENT, t.stat("/none")); }), 0u);
}

TEST_F(memory_use, opening_allocates_the_file_and_nothing_else) {
  write_file("/f", "");
  EXPECT_EQ(allocations_of([&] { EXPECT_OK(t.close(*t.open("/f", O_RDWR))); }), 20u)
      << "ten files, each one from the instance's memory, which asks the heap";
}

// What an instance holds can be saved and put back as a whole: nothing of it is anywhere else.
TEST_F(memory_use, a_task_with_its_groups_lies_in_the_instances_memory) {
  const cred who{.uid = 1000, .gid = 1000, .groups = {4, 24, 27, 100}};
  const std::pmr::vector<std::uint32_t> more(40, 7u);
  const auto act = [&] {
    const task_ptr parent{*k->make_task(who)};
    const task_ptr child{*k->fork_task(*parent, "child", false)};
    EXPECT_EQ(child->who.groups, who.groups);
    child->who.groups = more;
    parent->who = who;
  };
  act();
  const std::uint64_t heap = heap_allocations(), own = memory.allocations;
  act();
  EXPECT_EQ(heap_allocations() - heap, memory.allocations - own) << "the instance's memory asks the heap, nobody else does";
  EXPECT_GT(memory.allocations, own);
}

// Every call with every allocation failing once: it succeeds or says ENOMEM, and afterwards all is as it should be.
TEST_F(memory_use, running_out_is_enomem_wherever_it_happens) {
  const std::string longer(200, 'n');
  std::string d = "/warm";  // lockdep must know all orders before memory runs out
  const std::pair<const char*, std::function<result<>()>> calls[] = {
      {"mkdir", [&] { return t.mkdir(d, 0755); }},
      {"open", [&]() -> result<> { return t.close(XIP_TRY(t.open(d + "/file", O_CREAT | O_RDWR, 0644))); }},
      {"stat", [&]() -> result<> { return static_cast<void>(XIP_TRY(t.stat(d + "/file"))), result<>{}; }},
      {"rename", [&] { return t.rename(d + "/file", d + "/" + longer); }},
      {"link", [&] { return t.link(d + "/" + longer, d + "/second"); }},
      {"symlink", [&] { return t.symlink("second", d + "/link"); }},
      {"through the link", [&]() -> result<> { return t.close(XIP_TRY(t.open(d + "/link", O_RDONLY))); }},
      {"dup",
       [&]() -> result<> {
         const int fd = XIP_TRY(t.open(d + "/link", O_RDONLY));
         const auto copy = t.dup(fd);
         XIP_TRY(t.close(fd));
         return t.close(XIP_TRY(copy));
       }},
      {"rmdir",
       [&]() -> result<> {
         if (auto made = t.mkdir(d + "/sub", 0755); !made && made.error() != EEXIST) return made;
         return t.rmdir(d + "/sub");
       }},
      {"unlink", [&] { return t.unlink(d + "/" + longer); }},
  };
  for (const auto& [what, call] : calls) {
    k->drop_caches();
    ASSERT_OK(call()) << what;
  }
  d = "/d";
  for (const auto& [what, call] : calls) {
    int number = ENOMEM;
    for (int n = 0; n < 100 && number == ENOMEM; ++n) {
      k->drop_caches();
      memory.fail_after = n;
      number = errno_of(call());
      memory.fail_after = -1;
    }
    EXPECT_EQ(number, 0) << what;
  }
  EXPECT_OK(t.stat("/d/second"));
  EXPECT_THAT(names_in("/d"), testing::UnorderedElementsAre(".", "..", "second", "link"));
}

TEST_F(memory_use, a_task_or_a_mount_that_cannot_be_made_leaves_nothing) {
  ASSERT_OK(t.mkdir("/m", 0755));
  ASSERT_OK(k->mount("ramfs", second, "/m"));
  ASSERT_OK(k->umount("/m"));
  int mounted = ENOMEM, made = ENOMEM;
  for (int n = 0; n < 100 && mounted == ENOMEM; ++n) {
    memory.fail_after = n;
    mounted = errno_of(k->mount("ramfs", second, "/m"));
    memory.fail_after = -1;
  }
  EXPECT_EQ(mounted, 0);
  for (int n = 0; n < 100 && made == ENOMEM; ++n) {
    memory.fail_after = n;
    const auto child = k->fork_task(t, "child");
    memory.fail_after = -1;
    made = errno_of(child);
    if (child) k->exit_task(*child);
  }
  EXPECT_EQ(made, 0);
}

}  // namespace
}  // namespace xip::vfs::test
