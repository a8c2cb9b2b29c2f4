#include <xip/locks/seqcount.h>

#include <atomic>

#include <xip/locks/spin_lock.h>

#include "locks/threads_fixture.h"

namespace xip::test {
namespace {

constexpr lock_class writers_class{"test_writers", lock_kind::spinning};

struct three {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::uint32_t c = 0;
};

class Seqcount : public threads_fixture {
 protected:
  seqcount sequence;
  seq_words<three> words;
  spin_lock<writers_class> writers;
};

TEST_F(Seqcount, ReadsWhatWasWritten) {
  EXPECT_EQ(words.load().a, 0u);
  seq_write(sequence, words, three{1, 2, 3});
  const three got = seq_read(sequence, words);
  EXPECT_EQ(got.a, 1u);
  EXPECT_EQ(got.b, 2u);
  EXPECT_EQ(got.c, 3u);
}

TEST_F(Seqcount, RetryAfterWriter) {
  const auto start_of_read = sequence.read_begin();
  EXPECT_FALSE(sequence.read_retry(start_of_read));
  {
    const seqcount_write_guard guard{sequence};
  }
  EXPECT_TRUE(sequence.read_retry(start_of_read));
  EXPECT_FALSE(sequence.read_retry(sequence.read_begin()));
}

TEST_F(Seqcount, TryDoesNotWaitForWriter) {
  std::uint32_t begin = 0;
  {
    const seqcount_write_guard guard{sequence};
    EXPECT_FALSE(sequence.read_try(begin));
  }
  EXPECT_TRUE(sequence.read_try(begin));
  EXPECT_FALSE(sequence.read_retry(begin));
}

TEST_F(Seqcount, ReadersNeverSeeHalfAWrite) {
  std::atomic<bool> stop{false};
  for (int t = 0; t < 2; ++t)
    start([&] {
      for (std::uint32_t i = 1; i < 3000; ++i) {
        const spin_guard guard{writers};
        seq_write(sequence, words, three{i, i, i});
      }
    });
  start([&] {
    while (!stop.load()) {
      const three got = seq_read(sequence, words);
      ASSERT_EQ(got.a, got.b);
      ASSERT_EQ(got.a, got.c);
    }
  });
  threads[0].join();
  threads[1].join();
  stop = true;
  join_all();
}

}  // namespace
}  // namespace xip::test
