// The buffer cache: what is read once, what is written when, and what never is.
#include <atomic>
#include <cstring>
#include <map>

#include <gmock/gmock.h>

#include <xip/dev/buffer_cache.h>
#include <xip/dev/decorator.h>
#include <xip/locks/kthread.h>
#include <xip/locks/lockdep.h>
#include <xip/locks/wait_for.h>
#include <xip/locks/wait_queue.h>

#include "dev/buffer_cache_impl.h"
#include "dev/device_fixture.h"

namespace xip::dev {

struct buffer_cache_probe {
  // Somebody waits until the contents of BLOCK (or of another one of its shard) are there.
  [[nodiscard]] static bool has_waiters(buffer_cache& c, pblk_t block) noexcept { return c.impl_->shard_of(block).filled.has_waiters(); }
};

namespace {

using test::pattern;

constexpr unsigned bits = 12;
constexpr std::size_t block_size = std::size_t{1} << bits;
constexpr std::uint64_t block_count = 512;

// Counts what reaches the medium, and lets a test hold up a read.
class watched_device final : public decorator<device> {
 public:
  explicit watched_device(device& below) : decorator{below, "watched:"} {}

  [[nodiscard]] result<> read_batch(std::span<const io_piece> pieces) noexcept override {
    ++read_batches;
    if (hold_reads) {
      arrived.complete_all();
      release.wait();
    }
    return decorator::read_batch(pieces);
  }
  [[nodiscard]] result<> write_batch(std::span<const io_piece> pieces) noexcept override {
    batches.emplace_back(pieces.begin(), pieces.end());
    return decorator::write_batch(pieces);
  }
  [[nodiscard]] result<> reserve(std::uint64_t offset, std::uint64_t bytes) noexcept override {
    if (offset + bytes > room_ends_at) return fail(ENOSPC);
    reserved.emplace_back(offset >> bits, bytes >> bits);
    return {};
  }
  void window_drain() noexcept override { ++drains; }

  std::atomic<int> read_batches = 0;
  int drains = 0;
  std::vector<std::vector<io_piece>> batches;
  std::uint64_t room_ends_at = ~std::uint64_t{0};
  std::vector<std::pair<std::uint64_t, std::uint64_t>> reserved;  // first block, blocks
  bool hold_reads = false;
  completion arrived, release;
};

struct injecting_sink final : point_sink {
  point where = point::count;
  std::uint64_t block = 0;
  int number = EIO;
  void on_point(point, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override {}
  int inject(point p, std::uint64_t a, std::uint64_t) noexcept override { return p == where && a == block ? number : 0; }

  injecting_sink(point p, std::uint64_t b) : where{p}, block{b} { current_point_sink = this; }
  ~injecting_sink() { current_point_sink = nullptr; }
};

class cache : public testing::Test {
 protected:
  void fill(buffer& b, unsigned seed) { std::ranges::copy(pattern(block_size, seed), b.writable().begin()); }
  // A changed and dirty buffer, as a handle leaves it behind.
  buffer_ref dirty(std::uint64_t block, unsigned seed) {
    buffer_ref b = std::move(*cache_.get(pblk_t{block}));
    fill(*b, seed);
    cache_.mark_dirty(*b);
    return b;
  }
  std::vector<std::byte> medium(std::uint64_t block) {
    std::vector<std::byte> out(block_size);
    EXPECT_TRUE(memory_device_->read(block << bits, out).has_value());
    return out;
  }
  void write_medium(std::uint64_t block, unsigned seed) {
    ASSERT_TRUE(memory_device_->write(block << bits, pattern(block_size, seed)).has_value());
  }
  bool is_pattern(const buffer& b, unsigned seed) { return std::ranges::equal(b.data(), pattern(block_size, seed)); }

  test::watched_by_lockdep watched_;
  std::unique_ptr<device> memory_device_ = std::move(*open_memory(block_count << bits));
  watched_device device_{*memory_device_};
  test::limited_memory memory_;  // one task at a time
  std::pmr::memory_resource& memory_for_threads_ = *std::pmr::new_delete_resource();
  buffer_cache cache_{device_, bits, memory_};
};

TEST_F(cache, reads_a_block_once) {
  write_medium(7, 1);
  {
    const auto b = cache_.read(pblk_t{7});
    ASSERT_TRUE(b.has_value());
    EXPECT_EQ((*b)->block(), pblk_t{7});
    EXPECT_TRUE(is_pattern(**b, 1));
    EXPECT_FALSE((*b)->dirty());
    EXPECT_FALSE((*b)->verified());
    (*b)->set_verified();
  }
  const auto again = cache_.read(pblk_t{7});
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE((*again)->verified());
  EXPECT_EQ(device_.read_batches, 1);
}

TEST_F(cache, buffers_are_aligned_to_their_size) {
  const auto b = cache_.read(pblk_t{3});
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>((*b)->data().data()) % block_size, 0u);
  EXPECT_EQ((*b)->data().size(), block_size);
}

TEST_F(cache, get_gives_zeros_without_reading) {
  write_medium(9, 1);
  const auto b = cache_.get(pblk_t{9});
  ASSERT_TRUE(b.has_value());
  EXPECT_TRUE(std::ranges::all_of((*b)->data(), [](std::byte x) { return x == std::byte{0}; }));
  EXPECT_EQ(device_.read_batches, 0);
}

TEST_F(cache, get_gives_what_is_cached) {
  write_medium(9, 1);
  ASSERT_TRUE(cache_.read(pblk_t{9}).has_value());
  EXPECT_TRUE(is_pattern(**cache_.get(pblk_t{9}), 1));
}

TEST_F(cache, find_never_reads) {
  EXPECT_FALSE(cache_.find(pblk_t{5}));
  EXPECT_FALSE(cache_.find(pblk_t{block_count + 5}));
  ASSERT_TRUE(cache_.read(pblk_t{5}).has_value());
  EXPECT_TRUE(cache_.find(pblk_t{5}));
  EXPECT_EQ(device_.read_batches, 1);
}

TEST_F(cache, refuses_blocks_outside_the_device) {
  EXPECT_EQ(test::errno_of(cache_.read(pblk_t{block_count})), ERANGE);
  EXPECT_EQ(test::errno_of(cache_.get(pblk_t{block_count})), ERANGE);
  EXPECT_EQ(test::errno_of(cache_.read(pblk_t{~std::uint64_t{0}})), ERANGE);
  cache_.read_ahead(pblk_t{~std::uint64_t{0}}, 10);
  cache_.forget(pblk_t{~std::uint64_t{0}});
  EXPECT_EQ(cache_.cached_count(), 0u);
}

TEST_F(cache, finds_a_block_under_many_in_the_same_shard) {
  std::vector<buffer_ref> held;
  for (std::uint64_t n = 0; n < block_count; ++n) {
    held.push_back(std::move(*cache_.get(pblk_t{n})));
    std::memcpy(held.back()->writable().data(), &n, sizeof n);
    cache_.mark_dirty(*held.back());
  }
  for (std::uint64_t n = 0; n < block_count; ++n) {
    std::uint64_t found = ~n;
    std::memcpy(&found, cache_.find(pblk_t{n})->data().data(), sizeof found);
    ASSERT_EQ(found, n);
  }
}

TEST_F(cache, references_are_counted_by_copies_and_moves) {
  buffer_ref a = std::move(*cache_.read(pblk_t{1}));
  buffer_ref b = a;
  buffer_ref c = std::move(a);
  EXPECT_FALSE(a);  // NOLINT(bugprone-use-after-move): that is what is tested
  b = c;
  c = std::as_const(c);
  EXPECT_EQ(b.get(), c.get());
  b.reset();
  EXPECT_TRUE(c);
  EXPECT_EQ(c->block(), pblk_t{1});
}

TEST_F(cache, read_ahead_is_one_batch) {
  write_medium(20, 1);
  write_medium(51, 2);
  cache_.read_ahead(pblk_t{20}, 32);
  EXPECT_EQ(device_.read_batches, 1);
  EXPECT_TRUE(is_pattern(**cache_.read(pblk_t{20}), 1));
  EXPECT_TRUE(is_pattern(**cache_.read(pblk_t{51}), 2));
  EXPECT_EQ(device_.read_batches, 1);
}

TEST_F(cache, read_ahead_of_much_is_few_batches) {
  for (const std::uint64_t n : {0, 63, 64, 149}) write_medium(n, static_cast<unsigned>(n));
  cache_.read_ahead(pblk_t{0}, 150);
  EXPECT_EQ(device_.read_batches, 3);
  EXPECT_EQ(cache_.cached_count(), 150u);
  for (const std::uint64_t n : {0, 63, 64, 149}) EXPECT_TRUE(is_pattern(*cache_.find(pblk_t{n}), static_cast<unsigned>(n))) << n;
}

TEST_F(cache, read_ahead_leaves_cached_blocks_alone_and_stops_at_the_end) {
  const buffer_ref b = dirty(block_count - 2, 3);
  cache_.read_ahead(pblk_t{block_count - 3}, 100);
  EXPECT_TRUE(is_pattern(*b, 3));
  EXPECT_EQ(cache_.cached_count(), 3u);
}

TEST_F(cache, a_failed_read_leaves_nothing_behind) {
  const auto faults = make_faulty(*memory_device_);
  buffer_cache cached{*faults, bits, memory_};
  (void)faults->add({.kind = fault_rule::what::eio_read, .offset = 5 << bits, .bytes = 1, .times = 1});
  write_medium(5, 4);
  EXPECT_EQ(test::errno_of(cached.read(pblk_t{5})), EIO);
  EXPECT_FALSE(cached.find(pblk_t{5}));
  const auto again = cached.read(pblk_t{5});
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(is_pattern(**again, 4));
}

TEST_F(cache, concurrent_readers_of_a_block_read_it_once) {
  write_medium(30, 5);
  buffer_cache shared{device_, bits, memory_for_threads_};
  device_.hold_reads = true;
  std::atomic<int> good = 0;
  {
    std::vector<kthread> readers;
    const auto start = [&] {
      auto thread = kthread::run("reader", memory_for_threads_, [&] {
        const auto b = shared.read(pblk_t{30});
        good += b.has_value() && is_pattern(**b, 5);
      });
      ASSERT_TRUE(thread.has_value());
      readers.push_back(std::move(*thread));
    };
    start();
    device_.arrived.wait();  // the first one is in the device now; whoever comes next must wait for it
    EXPECT_FALSE(shared.find(pblk_t{30}));
    for (int i = 0; i < 3; ++i) start();
    wait_for([&] { return buffer_cache_probe::has_waiters(shared, pblk_t{30}) || device_.read_batches != 1; });
    device_.release.complete_all();
  }
  EXPECT_EQ(good, 4);
  EXPECT_EQ(device_.read_batches, 1);
}

TEST_F(cache, many_tasks_share_it) {
  buffer_cache small{device_, bits, *std::pmr::new_delete_resource(), 16 << bits};
  for (std::uint64_t n = 0; n < 64; ++n)
    ASSERT_TRUE(memory_device_->write(n << bits, pattern(block_size, static_cast<unsigned>(n))).has_value());
  std::atomic<int> bad = 0;
  {
    std::vector<kthread> tasks;
    for (unsigned t = 0; t < 4; ++t) {
      auto thread = kthread::run("task", memory_for_threads_, [&, t] {
        for (unsigned i = 0; i < 2000; ++i) {
          const unsigned n = (i * (2 * t + 1)) % 64;
          const auto b = small.read(pblk_t{n});
          bad += !b || (*b)->data()[5] != pattern(6, n)[5];
        }
      });
      ASSERT_TRUE(thread.has_value());
      tasks.push_back(std::move(*thread));
    }
  }
  EXPECT_EQ(bad, 0);
}

TEST_F(cache, writes_nothing_before_it_is_told_to) {
  {
    const buffer_ref b = dirty(3, 1);
    EXPECT_TRUE(b->dirty());
  }
  EXPECT_EQ(cache_.dirty_count(), 1u);
  EXPECT_TRUE(device_.batches.empty());
}

TEST_F(cache, writes_dirty_buffers_in_ascending_order_and_drains) {
  for (const std::uint64_t n : {50, 3, 400, 51, 4, 2, 100}) (void)dirty(n, static_cast<unsigned>(n));
  ASSERT_TRUE(cache_.write_dirty().has_value());
  ASSERT_EQ(device_.batches.size(), 1u);
  std::vector<std::pair<std::uint64_t, std::size_t>> runs;
  for (const io_piece& piece : device_.batches[0]) runs.emplace_back(piece.offset >> bits, piece.bytes >> bits);
  EXPECT_EQ(runs, (decltype(runs){{2, 3}, {50, 2}, {100, 1}, {400, 1}}));
  EXPECT_EQ(device_.drains, 1);
  for (const std::uint64_t n : {50, 3, 400, 51, 4, 2, 100}) EXPECT_EQ(medium(n), pattern(block_size, static_cast<unsigned>(n)));
  EXPECT_EQ(cache_.dirty_count(), 0u);
}

TEST_F(cache, writes_in_batches_of_at_most_64_blocks) {
  for (std::uint64_t n = 0; n < 150; ++n) (void)dirty(2 * n, static_cast<unsigned>(n));
  ASSERT_TRUE(cache_.write_dirty().has_value());
  std::vector<std::size_t> sizes;
  std::uint64_t last = 0;
  for (const auto& batch : device_.batches) {
    sizes.push_back(batch.size());
    for (const io_piece& piece : batch) {
      EXPECT_GE(piece.offset, last);
      last = piece.offset;
    }
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{64, 64, 22}));
}

TEST_F(cache, writes_a_clean_buffer_no_more) {
  (void)dirty(3, 1);
  ASSERT_TRUE(cache_.write_dirty().has_value());
  ASSERT_TRUE(cache_.write_dirty().has_value());
  EXPECT_EQ(device_.batches.size(), 1u);
}

TEST_F(cache, write_one_writes_one) {
  (void)dirty(3, 1);
  const buffer_ref b = dirty(4, 2);
  cache_.mark_dirty(*b);
  EXPECT_EQ(cache_.dirty_count(), 2u);
  ASSERT_TRUE(cache_.write_one(*b).has_value());
  EXPECT_EQ(medium(4), pattern(block_size, 2));
  EXPECT_EQ(medium(3), std::vector<std::byte>(block_size));
  EXPECT_FALSE(b->dirty());
  EXPECT_EQ(cache_.dirty_count(), 1u);
}

TEST_F(cache, the_trigger_changes_the_copy_only) {
  buffer_ref b = dirty(8, 1);
  std::map<std::uint64_t, int> calls;
  b->set_trigger(
      [](void* context, pblk_t block, std::span<std::byte> data) noexcept {
        ++(*static_cast<std::map<std::uint64_t, int>*>(context))[block.value()];
        data[0] = std::byte{0xAB};
      },
      &calls);
  ASSERT_TRUE(cache_.write_dirty().has_value());
  EXPECT_TRUE(is_pattern(*b, 1));
  EXPECT_EQ(medium(8)[0], std::byte{0xAB});
  EXPECT_EQ(calls, (std::map<std::uint64_t, int>{{8, 1}}));
}

TEST_F(cache, forgets_what_was_dirty) {
  {
    const buffer_ref b = dirty(6, 1);
  }
  cache_.forget(pblk_t{6});
  EXPECT_EQ(cache_.dirty_count(), 0u);
  EXPECT_EQ(cache_.cached_count(), 0u);
  ASSERT_TRUE(cache_.write_dirty().has_value());
  EXPECT_TRUE(device_.batches.empty());
  EXPECT_EQ(medium(6), std::vector<std::byte>(block_size));
}

TEST_F(cache, forgets_what_somebody_still_holds) {
  const buffer_ref b = dirty(6, 1);
  b->set_verified();
  cache_.forget(pblk_t{6});
  EXPECT_FALSE(b->dirty());
  EXPECT_FALSE(cache_.find(pblk_t{6}));
  cache_.mark_dirty(*b);  // too late: the block belongs to nobody
  EXPECT_FALSE(b->dirty());
  ASSERT_TRUE(cache_.write_one(*b).has_value());
  EXPECT_TRUE(device_.batches.empty());

  write_medium(6, 9);
  const auto again = cache_.read(pblk_t{6});
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(is_pattern(**again, 9));
  EXPECT_FALSE((*again)->verified());
}

TEST_F(cache, a_forgotten_block_can_be_used_again) {
  const auto spoil = [](void*, pblk_t, std::span<std::byte> data) noexcept { data[0] ^= std::byte{1}; };
  const buffer_ref held = dirty(6, 1);
  held->set_trigger(spoil, nullptr);
  cache_.forget(pblk_t{6});
  (void)dirty(6, 2);  // of another kind now, without a trigger
  ASSERT_TRUE(cache_.write_dirty().has_value());
  EXPECT_EQ(medium(6), pattern(block_size, 2));
}

TEST_F(cache, what_could_not_be_written_stays_dirty_alone) {
  const auto faults = make_faulty(*memory_device_);
  buffer_cache cached{*faults, bits, memory_};
  const std::uint32_t rule = faults->add({.kind = fault_rule::what::eio_write, .offset = 11 << bits, .bytes = block_size});
  std::vector<buffer_ref> held;
  for (const std::uint64_t n : {10, 11, 12, 40}) {
    held.push_back(std::move(*cached.get(pblk_t{n})));
    fill(*held.back(), static_cast<unsigned>(n));
    cached.mark_dirty(*held.back());
  }
  EXPECT_EQ(test::errno_of(cached.write_dirty()), EIO);
  EXPECT_EQ(cached.dirty_count(), 1u);
  EXPECT_TRUE(held[1]->dirty());
  EXPECT_EQ(medium(10), pattern(block_size, 10));
  EXPECT_EQ(medium(40), pattern(block_size, 40));
  faults->remove(rule);
  EXPECT_TRUE(cached.write_dirty().has_value());
  EXPECT_EQ(medium(11), pattern(block_size, 11));
}

TEST_F(cache, named_points_can_fail_reads_and_writes) {
  {
    const injecting_sink sink{point::buffer_read, 5};
    EXPECT_EQ(test::errno_of(cache_.read(pblk_t{5})), EIO);
    cache_.read_ahead(pblk_t{4}, 2);
    EXPECT_TRUE(cache_.find(pblk_t{4}));
    EXPECT_FALSE(cache_.find(pblk_t{5}));
  }
  (void)dirty(6, 1);
  const buffer_ref b = dirty(7, 1);
  {
    const injecting_sink sink{point::buffer_write, 7};
    EXPECT_EQ(test::errno_of(cache_.write_dirty()), EIO);
  }
  EXPECT_TRUE(b->dirty());
  EXPECT_EQ(cache_.dirty_count(), 1u);
  EXPECT_EQ(medium(6), pattern(block_size, 1));
}

TEST_F(cache, evicts_clean_buffers_over_the_limit) {
  buffer_cache small{device_, bits, memory_, 8 << bits};
  for (std::uint64_t n = 0; n < 200; ++n) ASSERT_TRUE(small.read(pblk_t{n}).has_value());
  EXPECT_LE(small.cached_count(), 9u);
}

TEST_F(cache, evicts_neither_dirty_nor_referenced_buffers) {
  buffer_cache small{device_, bits, memory_, 4 << bits};
  const auto held = small.read(pblk_t{1});
  {
    const auto b = small.get(pblk_t{2});
    fill(**b, 2);
    small.mark_dirty(**b);
  }
  for (std::uint64_t n = 10; n < 200; ++n) ASSERT_TRUE(small.read(pblk_t{n}).has_value());
  EXPECT_EQ(small.find(pblk_t{1}).get(), held->get());
  ASSERT_TRUE(small.find(pblk_t{2}));
  EXPECT_TRUE(is_pattern(*small.find(pblk_t{2}), 2));
  EXPECT_LE(small.cached_count(), 7u);
}

TEST_F(cache, buffers_in_use_outlive_those_seen_once) {
  buffer_cache small{device_, bits, memory_, 16 << bits};
  int kept = 0;
  for (std::uint64_t n = 0; n < 300; ++n) {
    ASSERT_TRUE(small.read(pblk_t{100 + n}).has_value());
    kept += static_cast<bool>(small.find(pblk_t{1}));
    ASSERT_TRUE(small.read(pblk_t{1}).has_value());
  }
  EXPECT_EQ(kept, 299);  // all but the first time
}

TEST_F(cache, gives_back_all_its_memory) {
  const std::size_t before = memory_.outstanding;
  {
    buffer_cache cached{device_, bits, memory_, 8 << bits};
    for (std::uint64_t n = 0; n < 40; ++n) {
      const auto b = cached.get(pblk_t{n});
      if (n % 3 == 0) cached.mark_dirty(**b);
      if (n % 9 == 0) {
        ASSERT_TRUE(cached.write_dirty().has_value());
      }
      if (n % 7 == 0) cached.forget(pblk_t{n / 2});
    }
  }
  EXPECT_EQ(memory_.outstanding, before);
}

// Every allocation fails once: each call answers ENOMEM, nothing leaks, nothing throws.
TEST_F(cache, answers_enomem_wherever_memory_ends) {
  for (std::size_t allowance = 0;; ++allowance) {
    test::limited_memory scarce;
    scarce.allowance = allowance;
    bool refused = false;
    {
      buffer_cache cached{device_, bits, scarce};
      const auto check = [&](const auto& r) {
        if (!r) {
          EXPECT_EQ(test::errno_of(r), ENOMEM);
          refused = true;
        }
        return r.has_value();
      };
      check(cached.read(pblk_t{1}));
      cached.read_ahead(pblk_t{2}, 3);
      if (auto b = cached.get(pblk_t{9}); check(b)) {
        cached.mark_dirty(**b);
        EXPECT_EQ(cached.dirty_count(), 1u);
      }
      check(cached.write_dirty());
      cached.forget(pblk_t{9});
    }
    EXPECT_EQ(scarce.outstanding, 0u);
    if (!refused && scarce.allowance != 0) break;
    ASSERT_LT(allowance, 1000u);
  }
}

TEST_F(cache, allocates_nothing_for_what_is_cached) {
  ASSERT_TRUE(cache_.read(pblk_t{1}).has_value());
  {
    const buffer_ref b = dirty(2, 1);
  }
  ASSERT_TRUE(cache_.write_dirty().has_value());
  const std::size_t before = memory_.allocations;
  for (unsigned i = 0; i < 10; ++i) {
    ASSERT_TRUE(cache_.read(pblk_t{1}).has_value());
    {
      const buffer_ref b = dirty(2, i);
    }
    ASSERT_TRUE(cache_.write_dirty().has_value());
  }
  EXPECT_EQ(memory_.allocations, before);
}

TEST_F(cache, for_each_shows_every_buffer_with_contents) {
  ASSERT_TRUE(cache_.read(pblk_t{1}).has_value());
  const buffer_ref b = dirty(2, 1);
  const auto held = cache_.read(pblk_t{300});
  cache_.forget(pblk_t{300});
  std::vector<std::uint64_t> seen;
  cache_.for_each([](void* argument, buffer& x) { static_cast<std::vector<std::uint64_t>*>(argument)->push_back(x.block().value()); },
                  &seen);
  std::ranges::sort(seen);
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(cache, notices_a_change_that_nobody_marked) {
  if (!lockdep_compiled_in) GTEST_SKIP() << "checked where lockdep is compiled in";
  ASSERT_TRUE(cache_.read(pblk_t{1}).has_value());
  const buffer_ref marked = dirty(2, 1);
  EXPECT_EQ(cache_.changed_while_clean(), std::nullopt);
  ASSERT_TRUE(cache_.write_dirty().has_value());
  EXPECT_EQ(cache_.changed_while_clean(), std::nullopt);
  marked->writable()[17] ^= std::byte{1};
  EXPECT_EQ(cache_.changed_while_clean(), pblk_t{2});
}

TEST_F(cache, remembers_a_change_in_a_buffer_it_evicted) {
  if (!lockdep_compiled_in) GTEST_SKIP() << "checked where lockdep is compiled in";
  buffer_cache small{device_, bits, memory_, 2 << bits};
  (*small.read(pblk_t{1}))->writable()[0] = std::byte{1};
  for (std::uint64_t n = 10; n < 100; ++n) ASSERT_TRUE(small.read(pblk_t{n}).has_value());
  EXPECT_FALSE(small.find(pblk_t{1}));
  EXPECT_EQ(small.changed_while_clean(), pblk_t{1});
}

// Three batches of them; the host has room for all but the last block.
TEST_F(cache, writes_nothing_while_the_host_has_no_room_for_everything) {
  for (std::uint64_t n = 0; n < 150; ++n) dirty(2 * n, 7);
  device_.room_ends_at = 298 * block_size;
  EXPECT_EQ(test::errno_of(cache_.write_dirty()), ENOSPC);
  EXPECT_TRUE(device_.batches.empty());
  EXPECT_EQ(cache_.dirty_count(), 150u);
  device_.room_ends_at = ~std::uint64_t{0};
  EXPECT_TRUE(cache_.write_dirty().has_value());
  EXPECT_EQ(cache_.dirty_count(), 0u);
  EXPECT_EQ(device_.batches.size(), 3u);
}

TEST_F(cache, asks_once_for_the_room_of_neighbours) {
  for (const std::uint64_t n : {5, 3, 4, 9}) dirty(n, 1);
  ASSERT_TRUE(cache_.write_dirty().has_value());
  EXPECT_THAT(device_.reserved, testing::ElementsAre(testing::Pair(3u, 3u), testing::Pair(9u, 1u)));
}

TEST_F(cache, works_with_every_block_size_on_every_medium) {
  const test::scratch_file file{64 << 10};
  for (const auto k : {test::kind::memory, test::kind::pmem, test::kind::block, test::kind::block_direct, test::kind::plain}) {
    opened medium_device = open_kind(k, file.path(), 64 << 10);
    if (!medium_device && denied_by_host(k, medium_device.error())) continue;
    ASSERT_TRUE(medium_device.has_value()) << medium_device.error().message;
    for (const unsigned block_bits : {10u, 11u, 12u, 16u}) {
      buffer_cache cached{**medium_device, block_bits, memory_};
      const pblk_t last{(std::uint64_t{64 << 10} >> block_bits) - 1};
      {
        const auto b = cached.get(last);
        ASSERT_TRUE(b.has_value());
        std::ranges::fill((*b)->writable(), static_cast<std::byte>(block_bits));
        cached.mark_dirty(**b);
        ASSERT_TRUE(cached.write_dirty().has_value());
      }
      buffer_cache fresh{**medium_device, block_bits, memory_};
      const auto b = fresh.read(last);
      ASSERT_TRUE(b.has_value());
      EXPECT_EQ((*b)->data().back(), static_cast<std::byte>(block_bits));
      EXPECT_EQ(test::errno_of(fresh.read(last + 1)), ERANGE);
    }
  }
}

}  // namespace
}  // namespace xip::dev
