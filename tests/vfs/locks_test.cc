// Locks on files between tasks: who waits, who is told of a circle, and what closing and ending take away. What one process alone sees is compared with
// Linux in tests/posix.
#include <sys/file.h>

#include <xip/locks/wait_for.h>

#include "vfs/locks.h"
#include "vfs/vfs_fixture.h"

namespace xip::vfs::test {
namespace {

class file_locks : public vfs_test {
 protected:
  void SetUp() override {
    write_file("/f", "0123456789");
    other = make_task();
    mine = open_ok(t, "/f", O_RDWR);
    theirs = open_ok(*other, "/f", O_RDWR);
    held = *t.node_of(mine);
    inode_of_f = &held.get_inode();
  }

  [[nodiscard]] static struct ::flock stretch(short type, loff_t start, loff_t length) {
    struct ::flock l{};
    l.l_type = type;
    l.l_whence = SEEK_SET;
    l.l_start = start;
    l.l_len = length;
    return l;
  }
  static result<> lock(task& who, int fd, short type, loff_t start, loff_t length, int command = F_SETLK) {
    struct ::flock l = stretch(type, start, length);
    return who.fcntl(fd, command, l);
  }
  // Returns when COUNT tasks wait for locks of this file.
  void until_waiting(unsigned count) {
    wait_for([&] { return lock_waiters(*inode_of_f) == count; });
  }

  void TearDown() override { held.reset(); }

  task_ptr other;
  int mine = -1, theirs = -1;
  node held;
  const inode* inode_of_f = nullptr;
};

TEST_F(file_locks, readers_share_and_writers_do_not) {
  EXPECT_OK(lock(t, mine, F_RDLCK, 0, 10));
  EXPECT_OK(lock(*other, theirs, F_RDLCK, 5, 10));
  EXPECT_ERRNO(EAGAIN, lock(*other, theirs, F_WRLCK, 9, 1));
  EXPECT_OK(lock(*other, theirs, F_WRLCK, 10, 1));
  EXPECT_ERRNO(EAGAIN, lock(t, mine, F_WRLCK, 0, 0));
}

TEST_F(file_locks, who_asks_is_told_whose_they_are) {
  ASSERT_OK(lock(t, mine, F_WRLCK, 3, 4));
  struct ::flock l = stretch(F_RDLCK, 0, 0);
  ASSERT_OK(other->fcntl(theirs, F_GETLK, l));
  EXPECT_EQ(l.l_type, F_WRLCK);
  EXPECT_EQ(l.l_start, 3);
  EXPECT_EQ(l.l_len, 4);
  EXPECT_EQ(l.l_pid, static_cast<pid_t>(t.context.id));
}

TEST_F(file_locks, a_waiter_gets_what_is_given_back) {
  ASSERT_OK(lock(t, mine, F_WRLCK, 0, 0));
  run_at_once({[&] { EXPECT_OK(lock(*other, theirs, F_WRLCK, 0, 5, F_SETLKW)); },
               [&] {
                 until_waiting(1);
                 EXPECT_OK(lock(t, mine, F_UNLCK, 5, 0));
                 EXPECT_OK(lock(t, mine, F_RDLCK, 0, 5)) << "a lock that becomes shared wakes, but a writer goes on waiting";
                 until_waiting(1);
                 EXPECT_OK(lock(t, mine, F_UNLCK, 0, 5));
               }});
  EXPECT_ERRNO(EAGAIN, lock(t, mine, F_RDLCK, 0, 1));
}

TEST_F(file_locks, closing_an_o_path_descriptor_gives_nothing_back) {
  ASSERT_OK(lock(t, mine, F_WRLCK, 0, 1));
  ASSERT_OK(t.close(open_ok(t, "/f", O_PATH)));
  EXPECT_ERRNO(EAGAIN, lock(*other, theirs, F_WRLCK, 0, 1));
}

TEST_F(file_locks, the_last_byte_can_be_locked) {
  EXPECT_OK(lock(t, mine, F_WRLCK, INT64_MAX, 1));
  EXPECT_ERRNO(EAGAIN, lock(*other, theirs, F_WRLCK, INT64_MAX, 1));
}

TEST_F(file_locks, a_circle_of_two_is_refused) {
  ASSERT_OK(lock(t, mine, F_WRLCK, 0, 1));
  ASSERT_OK(lock(*other, theirs, F_WRLCK, 1, 1));
  run_at_once({[&] { EXPECT_OK(lock(*other, theirs, F_WRLCK, 0, 1, F_SETLKW)); },
               [&] {
                 until_waiting(1);
                 EXPECT_ERRNO(EDEADLK, lock(t, mine, F_WRLCK, 1, 1, F_SETLKW));
                 EXPECT_OK(lock(t, mine, F_UNLCK, 0, 1));
               }});
}

TEST_F(file_locks, a_circle_of_three_is_refused_too) {
  const auto third = make_task();
  const int its = open_ok(*third, "/f", O_RDWR);
  ASSERT_OK(lock(t, mine, F_WRLCK, 0, 1));
  ASSERT_OK(lock(*other, theirs, F_WRLCK, 1, 1));
  ASSERT_OK(lock(*third, its, F_WRLCK, 2, 1));
  run_at_once({[&] {
                 EXPECT_OK(lock(*other, theirs, F_WRLCK, 0, 1, F_SETLKW));
                 EXPECT_OK(lock(*other, theirs, F_UNLCK, 0, 0));
               },
               [&] {
                 until_waiting(1);
                 EXPECT_OK(lock(*third, its, F_WRLCK, 1, 1, F_SETLKW));
                 EXPECT_OK(lock(*third, its, F_UNLCK, 0, 0));
               },
               [&] {
                 until_waiting(2);
                 EXPECT_ERRNO(EDEADLK, lock(t, mine, F_WRLCK, 2, 1, F_SETLKW));
                 EXPECT_OK(lock(t, mine, F_UNLCK, 0, 0));
               }});
}

// What was given back belongs to no circle any more, even if its waiter has not looked again.
TEST_F(file_locks, who_was_woken_waits_for_nobody) {
  ASSERT_OK(lock(t, mine, F_WRLCK, 0, 1));
  ASSERT_OK(lock(*other, theirs, F_WRLCK, 1, 1));
  run_at_once({[&] {
                 EXPECT_OK(lock(*other, theirs, F_WRLCK, 0, 1, F_SETLKW));
                 EXPECT_OK(lock(*other, theirs, F_UNLCK, 0, 0));
               },
               [&] {
                 until_waiting(1);
                 EXPECT_OK(lock(t, mine, F_UNLCK, 0, 1));
                 EXPECT_OK(lock(t, mine, F_WRLCK, 1, 1, F_SETLKW)) << "never EDEADLK";
               }});
}

TEST_F(file_locks, closing_any_descriptor_of_the_file_drops_all_of_the_tables) {
  const int second = open_ok(t, "/f", O_RDONLY);
  ASSERT_OK(lock(t, mine, F_WRLCK, 0, 0));
  ASSERT_OK(t.close(second));
  EXPECT_OK(lock(*other, theirs, F_WRLCK, 0, 0));
}

TEST_F(file_locks, a_replaced_descriptor_is_a_closed_one) {
  const int second = open_ok(t, "/f", O_RDONLY);
  write_file("/g", "");
  const int g = open_ok(t, "/g", O_RDONLY);
  ASSERT_OK(lock(t, mine, F_WRLCK, 0, 0));
  ASSERT_OK(t.dup2(g, second));
  EXPECT_OK(lock(*other, theirs, F_WRLCK, 0, 0));
}

TEST_F(file_locks, an_ending_task_drops_its_own_and_wakes) {
  ASSERT_OK(lock(*other, theirs, F_WRLCK, 0, 0));
  run_at_once({[&] { EXPECT_OK(lock(t, mine, F_WRLCK, 0, 0, F_SETLKW)); },
               [&] {
                 until_waiting(1);
                 other.reset();
               }});
}

TEST_F(file_locks, a_child_has_none_of_them_unless_it_shares_the_table) {
  ASSERT_OK(lock(t, mine, F_WRLCK, 0, 0));
  const task_ptr child{*k->fork_task(t, "child")};
  EXPECT_ERRNO(EAGAIN, lock(*child, mine, F_WRLCK, 0, 0));
  const task_ptr thread{*k->fork_task(t, "thread", true)};
  EXPECT_OK(lock(*thread, mine, F_RDLCK, 0, 0)) << "the same owner";
  EXPECT_OK(lock(*other, theirs, F_RDLCK, 0, 0));
}

TEST_F(file_locks, those_of_an_open_file_live_as_long_as_it_does) {
  ASSERT_OK(lock(t, mine, F_WRLCK, 0, 0, F_OFD_SETLK));
  ASSERT_OK(t.flock(mine, LOCK_EX));
  task_ptr child{*k->fork_task(t, "child")};
  ASSERT_OK(t.close(mine));
  EXPECT_ERRNO(EAGAIN, lock(*other, theirs, F_RDLCK, 0, 0, F_OFD_SETLK));
  EXPECT_ERRNO(EWOULDBLOCK, other->flock(theirs, LOCK_SH | LOCK_NB));
  child.reset();
  EXPECT_OK(lock(*other, theirs, F_RDLCK, 0, 0, F_OFD_SETLK));
  EXPECT_OK(other->flock(theirs, LOCK_SH | LOCK_NB));
}

TEST_F(file_locks, flock_waits_for_its_turn) {
  ASSERT_OK(t.flock(mine, LOCK_EX));
  std::atomic<bool> has_it{false};
  run_at_once({[&] {
                 EXPECT_OK(other->flock(theirs, LOCK_EX));
                 has_it = true;
               },
               [&] {
                 until_waiting(1);
                 EXPECT_FALSE(has_it);
                 EXPECT_OK(t.flock(mine, LOCK_UN));
               }});
  EXPECT_TRUE(has_it);
  EXPECT_ERRNO(EWOULDBLOCK, t.flock(mine, LOCK_SH | LOCK_NB));
}

TEST_F(file_locks, an_inode_forgets_them_when_it_leaves_memory) {
  ASSERT_OK(lock(t, mine, F_WRLCK, 0, 0));
  ASSERT_OK(t.close(mine));
  ASSERT_OK(other->close(theirs));
  held.reset();
  ASSERT_OK(t.unlink("/f"));  // the fixture counts every byte
}

}  // namespace
}  // namespace xip::vfs::test
