// What is done to mappings whose addresses are pointers: private ones, protection, moves, and those who share the file or the process.
#include <csignal>
#include <vector>

#include <linux/fiemap.h>
#include <unistd.h>

#include <xip/locks/kthread.h>

#include "host_file.h"

namespace xip::host {
namespace {

using host_mapping = host_file;

TEST_P(host_mapping, a_private_page_is_a_copy_from_its_first_store_on) {
  XIP_BEGIN_HOST_TEST();
  put(std::string(3 * page, 'f'), 0);
  char* mine = map(4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  EXPECT_EQ(load(mine), 'f');
  store(mine, 'p');
  put("g", page);
  EXPECT_EQ(load(mine + page), 'g');
  EXPECT_EQ(std::string(mine, 2), "pf");
  EXPECT_EQ(get(1, 0), "f");
  put("h", 0);
  EXPECT_EQ(load(mine), 'p');
  ASSERT_TRUE(t().fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 3 * page));
  EXPECT_EQ(load(mine), 'p');
  EXPECT_EQ(load(mine + page), 0);
  store(mine + page, 'q');
  EXPECT_EQ(get(1, page), std::string(1, '\0'));
  resize(0);
  EXPECT_EQ(attempt([&] { static_cast<void>(load(mine)); }).signal, SIGBUS);
  resize(page);
  EXPECT_EQ(attempt([&] { EXPECT_EQ(load(mine), 0); }).signal, 0);
}

TEST_P(host_mapping, protection_is_kept_and_changed) {
  XIP_BEGIN_HOST_TEST();
  put(std::string(3 * page, 'f'), 0);
  char* at = map(3 * page, PROT_READ);
  const outcome denied = attempt([&] { store(at + 5, 'x'); });
  EXPECT_EQ(denied.signal, SIGSEGV);
  EXPECT_EQ(denied.code, SEGV_ACCERR);
  EXPECT_EQ(denied.address, at + 5);
  ASSERT_TRUE(mm::mprotect(t(), address(at), page, PROT_READ | PROT_WRITE));
  store(at + 5, 'x');
  EXPECT_EQ(get(1, 5), "x");
  EXPECT_EQ(attempt([&] { store(at + page, 'x'); }).signal, SIGSEGV);
  ASSERT_TRUE(mm::mprotect(t(), address(at), 3 * page, PROT_NONE));
  EXPECT_EQ(attempt([&] { static_cast<void>(load(at)); }).signal, SIGSEGV);
  ASSERT_TRUE(mm::mprotect(t(), address(at), 3 * page, PROT_READ));
  EXPECT_EQ(load(at + 5), 'x');
  EXPECT_EQ(attempt([&] { store(at + 5, 'y'); }).signal, SIGSEGV);
  ASSERT_TRUE(mm::munmap(t(), address(at + page), page));
  const outcome gone = attempt([&] { static_cast<void>(load(at + page)); });
  EXPECT_EQ(gone.signal, SIGSEGV);
  EXPECT_EQ(gone.code, SEGV_MAPERR);
  EXPECT_EQ(load(at + 2 * page), 'f');
}

TEST_P(host_mapping, a_mapping_moves_with_what_is_its_own) {
  XIP_BEGIN_HOST_TEST();
  put(std::string(4 * page, 'f'), 0);
  char* mine = map(2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  char* wall = map(page);
  store(mine + page, 'p');
  const auto moved = mm::mremap(t(), address(mine), 2 * page, 4 * page, MREMAP_MAYMOVE);
  ASSERT_TRUE(moved.has_value());
  char* at = static_cast<char*>(mm::user_pointer(*moved));
  ASSERT_NE(at, mine);
  EXPECT_EQ(load(at), 'f');
  EXPECT_EQ(load(at + page), 'p');
  EXPECT_EQ(load(at + 3 * page), 'f');
  EXPECT_EQ(attempt([&] { static_cast<void>(load(mine + page)); }).code, SEGV_MAPERR);
  EXPECT_EQ(load(wall), 'f');
  const auto small = mm::mremap(t(), *moved, 4 * page, page, 0);
  ASSERT_TRUE(small.has_value());
  EXPECT_EQ(attempt([&] { static_cast<void>(load(at + page)); }).signal, SIGSEGV);
}

TEST_P(host_mapping, a_mapping_moves_to_a_place_that_was_chosen) {
  XIP_BEGIN_HOST_TEST();
  put(std::string(2 * page, 'f'), 0);
  char* from = map(2 * page);
  char* to = map(4 * page);
  store(from, 's');
  const auto moved = mm::mremap(t(), address(from), 2 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED, address(to) + page);
  ASSERT_TRUE(moved.has_value());
  EXPECT_EQ(*moved, address(to) + page);
  EXPECT_EQ(load(to + page), 's');
  EXPECT_EQ(attempt([&] { static_cast<void>(load(from)); }).code, SEGV_MAPERR);
  EXPECT_EQ(mm::mremap(t(), address(to), page, page, MREMAP_MAYMOVE | MREMAP_FIXED, mm::mmap_base).error(), EINVAL);
}

TEST_P(host_mapping, private_pages_cannot_be_pinned) {
  XIP_BEGIN_HOST_TEST();
  put(std::string(page, 'f'), 0);
  char* mine = map(page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  const auto got = mm::mmap(t(), 0, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_TRUE(got.has_value());
  char* anonymous = static_cast<char*>(mm::user_pointer(*got));
  for (char* at : {mine, anonymous}) {
    store(at, 'p');
    for (const bool write : {false, true}) {
      mm::page_pin pin;
      const auto pinned = mm::pin_user_page(t(), address(at), write, pin);
      EXPECT_TRUE(!pinned && pinned.error() == EFAULT);
    }
  }
}

TEST_P(host_mapping, loads_and_stores_by_call_go_between_two_mappings) {
  XIP_BEGIN_HOST_TEST();
  const std::string text = pattern(3 * page);
  put(text, 0);
  resize(32 * page);
  char* at = map(32 * page);
  ASSERT_TRUE(mm::load(t(), address(at) + 100, at + 8 * page + 50, 2 * page));  // a hole, from a block
  EXPECT_EQ(std::string(at + 8 * page + 50, 2 * page), text.substr(100, 2 * page));
  ASSERT_TRUE(mm::store(t(), address(at) + 20 * page, at + 8 * page + 50, 2 * page));
  EXPECT_EQ(std::string(at + 20 * page, 2 * page), text.substr(100, 2 * page));
  ASSERT_TRUE(mm::store(t(), address(at) + 24 * page, at + 28 * page, page));  // both are holes
  EXPECT_EQ(load(at + 24 * page), 0);
}

TEST_P(host_mapping, code_that_may_not_be_executed_is_not) {
  XIP_BEGIN_HOST_TEST();
  put(std::string(page, '\xc3'), 0);
  char* at = map(page, PROT_READ);
  EXPECT_EQ(load(at), '\xc3');
  const outcome got = attempt([&] { reinterpret_cast<void (*)()>(at)(); });
  EXPECT_EQ(got.signal, SIGSEGV);
  EXPECT_EQ(got.code, SEGV_ACCERR);
}

TEST_P(host_mapping, preallocated_blocks_are_zeros_and_stay_unwritten_until_somebody_stores) {
  XIP_BEGIN_HOST_TEST();
  ASSERT_TRUE(t().fallocate(fd, 0, 0, 2 * large));
  char* at = map(2 * large);
  EXPECT_EQ(load(at + page), 0);
  EXPECT_EQ(load(at + large), 0);
  std::vector<vfs::fiemap_extent> extents;
  ASSERT_TRUE(t().fiemap(fd, 0, INT64_MAX, extents));
  for (const auto& e : extents) EXPECT_NE(e.flags & FIEMAP_EXTENT_UNWRITTEN, 0u);
  put("w", 7);
  EXPECT_EQ(load(at + 7), 'w');
  store(at + large + 9, 's');
  EXPECT_EQ(get(1, static_cast<loff_t>(large) + 9), "s");
  EXPECT_EQ(load(in_window(static_cast<loff_t>(large) + 9)), 's');
  EXPECT_EQ(load(at + 3 * page), 0);
}

// A page is mapped as a whole: what a program puts behind the end of the file is gone when the file grows.
TEST_P(host_mapping, what_was_stored_behind_the_end_is_not_in_a_file_that_grows) {
  XIP_BEGIN_HOST_TEST();
  put(std::string(100, 'f'), 0);
  char* at = map(2 * page);
  store(at + 200, 'b');
  resize(2 * page);
  EXPECT_EQ(load(at + 200), 0);
  EXPECT_EQ(get(1, 200), std::string(1, '\0'));
  store(at + 200, 'c');
  EXPECT_EQ(get(1, 200), "c");
}

TEST_P(host_mapping, anonymous_memory_is_zeros_of_its_own) {
  XIP_BEGIN_HOST_TEST();
  const auto got = mm::mmap(t(), 0, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_TRUE(got.has_value());
  char* at = static_cast<char*>(mm::user_pointer(*got));
  EXPECT_EQ(load(at + page), 0);
  store(at + page, 'a');
  EXPECT_EQ(load(at + page), 'a');
  ASSERT_TRUE(mm::madvise(t(), *got, 3 * page, MADV_DONTNEED));
  EXPECT_EQ(load(at + page), 0);
}

TEST_P(host_mapping, buffers_of_calls_may_lie_in_it) {
  XIP_BEGIN_HOST_TEST();
  put(pattern(2 * page), 0);
  resize(64 * page);
  char* at = map(64 * page);
  const std::string text = pattern(2 * page);
  // Its own page, and a hole of its own file, as source and as destination.
  EXPECT_EQ(t().pwrite(fd, at, 2 * page, 100).value_or(0), 2 * page);
  EXPECT_EQ(get(4, 100), text.substr(0, 4));
  EXPECT_EQ(t().pwrite(fd, at + 8 * page, 3 * page, 8 * page).value_or(0), 3 * page);
  EXPECT_EQ(t().pread(fd, at + 32 * page, 2 * page, 0).value_or(0), 2 * page);
  EXPECT_EQ(std::string(at + 32 * page, 100), text.substr(0, 100));
  EXPECT_EQ(t().pwrite(fd, at + 32 * page, page, 40 * page + 7).value_or(0), page);
  EXPECT_EQ(std::string(at + 40 * page + 7, 100), text.substr(0, 100));
  // Another task's, which has no address space.
  vfs::task_ptr stranger{fs->kernel().make_task().value()};
  const int theirs = stranger->open("/f", O_RDWR).value();
  EXPECT_EQ(stranger->pwrite(theirs, at + 48 * page, page, 48 * page).value_or(0), page);
  EXPECT_EQ(stranger->pread(theirs, at + 50 * page, page, 0).value_or(0), page);
  EXPECT_EQ(std::string(at + 50 * page, 100), text.substr(0, 100));
}

TEST_P(host_mapping, a_model_of_the_same_file_sees_the_same) {
  XIP_BEGIN_HOST_TEST();
  resize(4 * large);
  char* at = map(4 * large);
  vfs::task_ptr other{fs->kernel().fork_task(t(), "model", true).value()};
  ASSERT_TRUE(mm::mm_struct::make_for(*other).has_value());
  const mm::user_address model = mm::mmap(*other, 0, 4 * large, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0).value();
  char c = '?';
  const auto model_load = [&](std::size_t where) {
    EXPECT_TRUE(mm::load(*other, model + where, &c, 1));
    return c;
  };
  EXPECT_EQ(model_load(9), 0);
  store(at + 9, 'h');
  EXPECT_EQ(model_load(9), 'h');
  EXPECT_EQ(load(at + large), 0);
  ASSERT_TRUE(mm::store(*other, model + large, "m", 1));
  EXPECT_EQ(load(at + large), 'm');
  ASSERT_TRUE(mm::store(*other, model + 20, "n", 1));
  EXPECT_EQ(load(at + 20), 'n');
  ASSERT_TRUE(t().fsync(fd));
  store(at + 9, 'i');
  EXPECT_EQ(model_load(9), 'i');
  resize(0);
  EXPECT_FALSE(mm::load(*other, model, &c, 1));
  EXPECT_EQ(attempt([&] { static_cast<void>(load(at)); }).signal, SIGBUS);
  ASSERT_TRUE(mm::mm_struct::make_for(*other).has_value());
}

TEST_P(host_mapping, the_kernel_of_the_host_reaches_it_through_a_userfaultfd) {
  XIP_BEGIN_HOST_TEST();
  resize(large);
  char* at = map(large);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const ssize_t written = ::write(ends[1], at, 10);
  if (space().traps() == trap_by::userfaultfd)
    EXPECT_EQ(written, 10);
  else
    EXPECT_EQ(errno, EFAULT);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_P(host_mapping, a_small_stack_for_signals_is_enough) {
  XIP_BEGIN_HOST_TEST();
  resize(large);
  char* at = map(large);
  constexpr int forgotten_in_the_handler = 1 << 31;  // SS_AUTODISARM
  for (const int flags : {0, forgotten_in_the_handler}) {
    char seen = '?';
    at += page;
    kthread::run("small", *std::pmr::get_default_resource(),
                 [&] {
                   std::vector<char> memory(16 << 10);
                   stack_t stack{.ss_sp = memory.data(), .ss_flags = flags, .ss_size = memory.size()},
                       none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
                   ::sigaltstack(&stack, nullptr);
                   store(at, 's');
                   seen = load(at);
                   ::sigaltstack(&none, nullptr);
                 })
        .value()
        .join();
    EXPECT_EQ(seen, 's');
    ASSERT_TRUE(t().fsync(fd));
  }
}

TEST_P(host_mapping, a_forked_process_has_none_of_it) {
  XIP_BEGIN_HOST_TEST();
  put(std::string(2 * page, 'f'), 0);
  resize(4 * page);
  char* at = map(4 * page);
  store(at, 's');
  for (char* where : {at, at + page, at + 3 * page}) {
    EXPECT_EXIT(
        {
          ::signal(SIGSEGV, SIG_DFL);
          ::_exit(load(where));
        },
        ::testing::KilledBySignal(SIGSEGV), "");
  }
  // Nor when it has an address space of its own.
  const auto no_pointer_of_ours = [](int signal, siginfo_t* info, void* context) {
    if (!mm::handle_host_fault(signal, info, context)) ::_exit(42);
  };
  EXPECT_EXIT(
      {
        struct sigaction action{};
        action.sa_sigaction = no_pointer_of_ours;
        action.sa_flags = SA_SIGINFO;
        ::sigaction(SIGSEGV, &action, nullptr);
        vfs::task* own = fs->kernel().make_task().value();
        if (!mm::mm_struct::make_host_for(*own, GetParam())) ::_exit(1);
        ::_exit(load(at));
      },
      ::testing::ExitedWithCode(42), "");
  EXPECT_EQ(load(at), 's');
}

TEST(host_device, must_have_a_file_behind_its_windows) {
  const image disk = make_image("-b 4096", "16M");
  const auto memory = ext4lite::test::load(disk);
  const auto faulty = dev::make_faulty(*memory);
  mounted fs{*faulty, "dax=always"};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  const int fd = fs.task().open("/f", O_RDWR | O_CREAT, 0644).value();
  ASSERT_TRUE(fs.task().ftruncate(fd, page));
  ASSERT_TRUE(mm::mm_struct::make_host_for(fs.task()).has_value());
  EXPECT_EQ(mm::mmap(fs.task(), 0, page, PROT_READ, MAP_SHARED, fd, 0).error(), ENODEV);
  ASSERT_TRUE(mm::mm_struct::make_for(fs.task()).has_value());
  EXPECT_TRUE(mm::mmap(fs.task(), 0, page, PROT_READ, MAP_SHARED, fd, 0).has_value());
  ASSERT_TRUE(mm::mm_struct::make_for(fs.task()).has_value());
  ASSERT_TRUE(fs.task().close(fd));
}

INSTANTIATE_TEST_SUITE_P(traps, host_mapping, ::testing::Values(trap_by::sigsegv, trap_by::userfaultfd), name_of_traps);

}  // namespace
}  // namespace xip::host
