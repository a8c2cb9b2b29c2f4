// The io_uring device: submissions, short transfers, unaligned O_DIRECT, parallel tasks, and a host that denies it.
#include <array>

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

#include <gmock/gmock.h>

#include <xip/locks/kthread.h>

#include "dev/block.h"
#include "dev/device_fixture.h"

namespace xip::dev {
namespace {

using test::pattern;
using testing::AllOf;
using testing::HasSubstr;

constexpr std::uint64_t device_bytes = 1 << 20;

class block_device_test : public testing::Test {
 protected:
  void open(const block_options& options, const ring_environment& environment = {}) {
    opened o = open_block_in(file_.path(), options, environment);
    if (!o && test::denied_by_host(test::kind::block, o.error())) GTEST_SKIP() << o.error().message;
    ASSERT_TRUE(o.has_value()) << o.error().message;
    device_ = std::move(*o);
  }
  // Submissions that BODY takes.
  template <class Body>
  std::uint64_t submissions(const Body& body) {
    const std::uint64_t before = device_->stats().batches;
    body();
    return device_->stats().batches - before;
  }
  std::vector<std::byte> file_contents(std::uint64_t offset, std::size_t bytes) const {
    std::ifstream in{file_.path(), std::ios::binary};
    in.seekg(static_cast<std::streamoff>(offset));
    std::vector<std::byte> out(bytes);
    in.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(bytes));
    return out;
  }

  test::watched_by_lockdep watched_;
  test::scratch_file file_{device_bytes};
  std::unique_ptr<device> device_;
};

TEST_F(block_device_test, submits_a_batch_up_to_the_queue_depth_once) {
  open({.queue_depth = 16});
  if (IsSkipped()) return;
  auto data = pattern(16 * 4096, 1);
  std::vector<io_piece> pieces;
  for (std::size_t i = 0; i < 16; ++i) pieces.push_back({i * 8192, data.data() + i * 4096, 4096});
  EXPECT_EQ(submissions([&] { EXPECT_TRUE(device_->write_batch(pieces).has_value()); }), 1u);
  for (std::size_t i = 0; i < 16; ++i)
    EXPECT_TRUE(std::ranges::equal(file_contents(i * 8192, 4096), std::span{data}.subspan(i * 4096, 4096))) << i;
}

TEST_F(block_device_test, submits_bigger_batches_as_rarely_as_the_ring_allows) {
  open({.queue_depth = 16});
  if (IsSkipped()) return;
  auto data = pattern(100 * 1024, 2);
  std::vector<io_piece> pieces;
  for (std::size_t i = 0; i < 100; ++i) pieces.push_back({(99 - i) * 1024, data.data() + i * 1024, 1024});
  EXPECT_EQ(submissions([&] { EXPECT_TRUE(device_->write_batch(pieces).has_value()); }), 7u);
  std::vector<std::byte> out(data.size());
  for (std::size_t i = 0; i < 100; ++i) pieces[i].memory = out.data() + i * 1024;
  EXPECT_EQ(submissions([&] { EXPECT_TRUE(device_->read_batch(pieces).has_value()); }), 7u);
  EXPECT_EQ(out, data);
}

TEST_F(block_device_test, a_megabyte_is_one_submission) {
  open({});
  if (IsSkipped()) return;
  std::vector<std::byte> out(device_bytes);
  EXPECT_EQ(submissions([&] { EXPECT_TRUE(device_->read(0, out).has_value()); }), 1u);
}

TEST_F(block_device_test, submits_the_rest_of_a_short_transfer_again) {
  open({}, {.largest_transfer = 1000});
  if (IsSkipped()) return;
  const auto data = pattern(4500, 3);
  EXPECT_EQ(submissions([&] { EXPECT_TRUE(device_->write(100, data).has_value()); }), 5u);
  EXPECT_EQ(file_contents(100, data.size()), data);
  std::vector<std::byte> out(data.size());
  EXPECT_EQ(submissions([&] { EXPECT_TRUE(device_->read(100, out).has_value()); }), 5u);
  EXPECT_EQ(out, data);
}

TEST_F(block_device_test, finishes_long_pieces_beside_short_ones) {
  open({}, {.largest_transfer = 1000});
  if (IsSkipped()) return;
  auto data = pattern(20000, 4);
  const std::array pieces{io_piece{0, data.data(), 3500}, io_piece{50000, data.data() + 3500, 10},
                          io_piece{60000, data.data() + 3510, 7000}};
  ASSERT_TRUE(device_->write_batch(pieces).has_value());
  for (const io_piece& piece : pieces)
    EXPECT_TRUE(std::ranges::equal(file_contents(piece.offset, piece.bytes), std::span{piece.memory, piece.bytes})) << piece.offset;
}

TEST_F(block_device_test, works_where_no_buffers_can_be_registered) {
  open({}, {.register_buffers = false});
  if (IsSkipped()) return;
  const auto data = pattern(1000, 5);
  ASSERT_TRUE(device_->write(3, data).has_value());
  std::vector<std::byte> out(1000);
  ASSERT_TRUE(device_->read(3, out).has_value());
  EXPECT_EQ(out, data);
}

TEST_F(block_device_test, a_file_that_became_shorter_gives_eio) {
  open({.read_only = true});
  if (IsSkipped()) return;
  std::filesystem::resize_file(file_.path(), 10000);
  std::vector<std::byte> out(8192);
  EXPECT_EQ(test::errno_of(device_->read(8192, out)), EIO);
  EXPECT_EQ(test::errno_of(device_->read(65536, out)), EIO);
  EXPECT_TRUE(device_->read(0, out).has_value());
}

TEST_F(block_device_test, odd_queue_depths_are_made_usable) {
  for (const unsigned depth : {0u, 1u, 3u, 100000u}) {
    SCOPED_TRACE(depth);
    open({.queue_depth = depth});
    if (IsSkipped()) return;
    auto data = pattern(5 * 512, depth);
    std::vector<io_piece> pieces;
    for (std::size_t i = 0; i < 5; ++i) pieces.push_back({i * 4096, data.data() + i * 512, 512});
    EXPECT_TRUE(device_->write_batch(pieces).has_value());
  }
}

TEST_F(block_device_test, direct_io_takes_any_offset_length_and_memory) {
  opened o = open_block(file_.path(), {.direct = true, .queue_depth = 4});
  if (!o) GTEST_SKIP() << o.error().message;
  device_ = std::move(*o);
  auto model = pattern(device_bytes, 6);
  ASSERT_TRUE(device_->write(0, model).has_value());
  unsigned seed = 12345;
  const auto random = [&](unsigned below) { return (seed = seed * 1664525 + 1013904223) / 7 % below; };
  std::vector<std::byte> memory(300000);
  for (int i = 0; i < 200; ++i) {
    const std::size_t bytes = 1 + (i % 10 == 0 ? random(200000) : random(9000));
    const std::size_t offset = random(static_cast<unsigned>(device_bytes - bytes));
    const std::span part{memory.data() + random(5000), bytes};
    if (i % 2 == 0) {
      std::ranges::copy(pattern(bytes, static_cast<unsigned>(i)), part.begin());
      std::ranges::copy(part, model.begin() + static_cast<std::ptrdiff_t>(offset));
      ASSERT_TRUE(device_->write(offset, part).has_value());
    } else {
      ASSERT_TRUE(device_->read(offset, part).has_value());
      ASSERT_TRUE(std::ranges::equal(part, std::span{model}.subspan(offset, bytes))) << bytes << " bytes at " << offset;
    }
  }
  device_.reset();
  EXPECT_EQ(file_contents(0, device_bytes), model);
}

TEST_F(block_device_test, direct_io_hands_aligned_memory_over_as_it_is) {
  opened o = open_block(file_.path(), {.direct = true});
  if (!o) GTEST_SKIP() << o.error().message;
  device_ = std::move(*o);
  const std::unique_ptr<void, decltype(&std::free)> memory{std::aligned_alloc(4096, device_bytes), &std::free};
  std::vector<io_piece> pieces;
  for (std::size_t i = 0; i < 32; ++i) pieces.push_back({i * 32768, static_cast<std::byte*>(memory.get()) + i * 32768, 32768});
  EXPECT_EQ(submissions([&] { EXPECT_TRUE(device_->read_batch(pieces).has_value()); }), 1u);
}

TEST_F(block_device_test, direct_io_ends_with_the_last_whole_sector) {
  std::filesystem::resize_file(file_.path(), 20001);
  opened o = open_block(file_.path(), {.direct = true});
  if (!o) GTEST_SKIP() << o.error().message;
  const std::uint64_t end = (*o)->size();
  EXPECT_EQ(end % 512, 0u);
  EXPECT_GT(end, 20001u - 4096);
  EXPECT_LT(end, 20001u);
  EXPECT_TRUE((*o)->write(end - 1, pattern(1, 1)).has_value());
  EXPECT_EQ(test::errno_of((*o)->write(end, pattern(1, 1))), ERANGE);
  o->reset();
  EXPECT_EQ(std::filesystem::file_size(file_.path()), 20001u);
}

TEST_F(block_device_test, parallel_direct_writes_within_one_sector_all_survive) {
  opened o = open_block(file_.path(), {.direct = true});
  if (!o) GTEST_SKIP() << o.error().message;
  device_ = std::move(*o);
  constexpr unsigned tasks = 6;
  {
    std::vector<kthread> running;
    for (unsigned t = 0; t < tasks; ++t) {
      auto thread = kthread::run("writer", *std::pmr::new_delete_resource(), [this, t] {
        for (unsigned i = 0; i < 40; ++i) EXPECT_TRUE(device_->write(t * 80 + 2 * i, pattern(2, t)).has_value());
      });
      ASSERT_TRUE(thread.has_value());
      running.push_back(std::move(*thread));
    }
  }
  for (unsigned t = 0; t < tasks; ++t)
    for (unsigned i = 0; i < 40; ++i) EXPECT_EQ(file_contents(t * 80 + 2 * i, 2), pattern(2, t)) << "task " << t << " write " << i;
}

TEST_F(block_device_test, tasks_in_parallel_do_not_mix_up_their_requests) {
  open({.queue_depth = 8});
  if (IsSkipped()) return;
  constexpr unsigned tasks = 12;  // more than there are rings
  std::array<int, tasks> bad{};
  {
    std::vector<kthread> running;
    for (unsigned t = 0; t < tasks; ++t) {
      auto thread = kthread::run("writer", *std::pmr::new_delete_resource(), [this, t, &bad] {
        for (unsigned round = 0; round < 20; ++round) {
          const auto data = pattern(6000, t * 100 + round);
          std::vector<std::byte> out(data.size());
          bad[t] += !device_->write(t * 8192 + 5, data).has_value();
          bad[t] += !device_->read(t * 8192 + 5, out).has_value();
          bad[t] += out != data;
          if (round % 10 == 0) bad[t] += !device_->flush_cache().has_value();
        }
      });
      ASSERT_TRUE(thread.has_value());
      running.push_back(std::move(*thread));
    }
  }
  EXPECT_EQ(bad, (std::array<int, tasks>{}));
}

TEST_F(block_device_test, goes_on_with_one_ring_where_the_host_gives_no_more) {
  struct once {
    static int setup(unsigned entries, io_uring* ring, unsigned flags) {
      return ::getenv("XIP_TEST_NO_RING") != nullptr ? -ENOMEM : io_uring_queue_init(entries, ring, flags);
    }
  };
  open({}, {.setup = once::setup});
  if (IsSkipped()) return;
  ::setenv("XIP_TEST_NO_RING", "1", 1);
  {
    std::vector<kthread> running;
    for (unsigned t = 0; t < 4; ++t) {
      auto thread = kthread::run("reader", *std::pmr::new_delete_resource(), [this] {
        std::vector<std::byte> out(4096);
        for (int i = 0; i < 20; ++i) EXPECT_TRUE(device_->read(0, out).has_value());
      });
      ASSERT_TRUE(thread.has_value());
      running.push_back(std::move(*thread));
    }
  }
  ::unsetenv("XIP_TEST_NO_RING");
}

// The first ring of a device, to look at what was submitted: an entry stays where it was written until another takes its place. Rings are given to
// a function and nothing else.
struct watched_ring {
  static inline io_uring* first = nullptr;
  static int setup(unsigned entries, io_uring* ring, unsigned flags) {
    if (first == nullptr) first = ring;
    return io_uring_queue_init(entries, ring, flags);
  }
};

class block_device_entries : public block_device_test {
 protected:
  block_device_entries() { watched_ring::first = nullptr; }
  ~block_device_entries() override { watched_ring::first = nullptr; }

  // The entries that BODY submits, each taken by the host and completed when it returns.
  template <class Body>
  std::vector<io_uring_sqe> entries(const Body& body) {
    const io_uring& ring = *watched_ring::first;
    const unsigned before = ring.sq.sqe_tail, completed = *ring.cq.khead;
    body();
    std::vector<io_uring_sqe> all;
    for (unsigned at = before; at != ring.sq.sqe_tail; ++at) all.push_back(ring.sq.sqes[at & ring.sq.ring_mask]);
    EXPECT_EQ(io_uring_smp_load_acquire(ring.sq.khead), ring.sq.sqe_tail) << "the host has not taken them all";
    EXPECT_EQ(*ring.cq.khead - completed, all.size()) << "not every completion was waited for";
    return all;
  }
  // May this process pin a page?
  static bool buffers_can_be_registered() {
    io_uring ring{};
    if (io_uring_queue_init(1, &ring, 0) != 0) return false;
    alignas(page_size) std::array<std::byte, page_size> page;
    const iovec whole{page.data(), page.size()};
    const bool registered = io_uring_register_buffers(&ring, &whole, 1) == 0;
    io_uring_queue_exit(&ring);
    return registered;
  }
};

TEST_F(block_device_entries, of_a_flush_are_one_fsync) {
  open({}, {.setup = watched_ring::setup});
  if (IsSkipped()) return;
  std::vector<std::byte> page(4096);
  const auto written = entries([&] { ASSERT_TRUE(device_->write(0, page).has_value()); });
  ASSERT_EQ(written.size(), 1u);
  const auto flushed = entries([&] { ASSERT_TRUE(device_->flush_cache().has_value()); });
  ASSERT_EQ(flushed.size(), 1u);
  EXPECT_EQ(flushed[0].opcode, IORING_OP_FSYNC);
  EXPECT_EQ(flushed[0].fd, written[0].fd) << "the file itself";
  EXPECT_EQ(flushed[0].fsync_flags, unsigned{IORING_FSYNC_DATASYNC});
}

// The file is gone when the flush reaches it, so that the host refuses: that is an error of the device.
TEST_F(block_device_entries, that_are_refused_fail_the_flush) {
  open({}, {.setup = watched_ring::setup});
  if (IsSkipped()) return;
  const auto flushed = entries([&] { ASSERT_TRUE(device_->flush_cache().has_value()); });
  ASSERT_EQ(flushed.size(), 1u);
  const int pipe_ends = [&] {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    EXPECT_EQ(::dup3(ends[0], flushed[0].fd, O_CLOEXEC), flushed[0].fd);
    ::close(ends[0]);
    return ends[1];
  }();
  EXPECT_EQ(test::errno_of(device_->flush_cache()), EIO);
  ::close(pipe_ends);
}

TEST_F(block_device_entries, of_small_pieces_use_the_registered_buffer) {
  open({}, {.setup = watched_ring::setup});
  if (IsSkipped()) return;
  if (!buffers_can_be_registered()) GTEST_SKIP() << "this host lets nobody pin memory";
  auto data = pattern(4096 + 3, 8);
  const std::array pieces{io_piece{0, data.data(), 4096}, io_piece{9000, data.data() + 4096, 3}};
  const auto opcodes = [](const std::vector<io_uring_sqe>& all) {
    std::vector<int> found;
    for (const io_uring_sqe& entry : all) found.push_back(entry.opcode);
    return found;
  };
  EXPECT_EQ(opcodes(entries([&] { EXPECT_TRUE(device_->write_batch(pieces).has_value()); })),
            (std::vector<int>{IORING_OP_WRITE, IORING_OP_WRITE_FIXED}));
  EXPECT_EQ(opcodes(entries([&] { EXPECT_TRUE(device_->read_batch(pieces).has_value()); })),
            (std::vector<int>{IORING_OP_READ, IORING_OP_READ_FIXED}));
  EXPECT_EQ(data, pattern(4096 + 3, 8));
}

template <int Number>
int refusing_setup(unsigned, io_uring*, unsigned) {
  return -Number;
}

TEST(block_refusals, denied_io_uring_is_named_with_what_to_do) {
  const test::scratch_file file{8192};
  const opened denied = open_block_in(file.path(), {}, {.setup = refusing_setup<EPERM>});
  ASSERT_FALSE(denied.has_value());
  EXPECT_EQ(denied.error().code, EPERM);
  EXPECT_THAT(denied.error().message, AllOf(HasSubstr("block:" + file.path()), HasSubstr("io_uring"), HasSubstr("EPERM"),
                                            HasSubstr("kernel.io_uring_disabled"), HasSubstr("seccomp")));
}

TEST(block_refusals, missing_io_uring_is_named) {
  const test::scratch_file file{8192};
  const opened missing = open_block_in(file.path(), {}, {.setup = refusing_setup<ENOSYS>});
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(missing.error().message, AllOf(HasSubstr("io_uring"), HasSubstr("ENOSYS"), HasSubstr("pmem:")));
}

TEST(block_refusals, other_ring_failures_keep_their_errno) {
  const test::scratch_file file{8192};
  EXPECT_EQ(open_block_in(file.path(), {}, {.setup = refusing_setup<ENOMEM>}).error().code, ENOMEM);
  EXPECT_EQ(open_block_in(file.path(), {}, {.setup = refusing_setup<EMFILE>}).error().code, EMFILE);
}

// A loop device over a file; empty path where the host has none to give.
class loop_device {
 public:
  explicit loop_device(const std::string& file) {
    const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0) return;
    const int number = ::ioctl(control, LOOP_CTL_GET_FREE);
    ::close(control);
    const std::string path = "/dev/loop" + std::to_string(number);
    const int backing = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
    fd_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd_ >= 0 && ::ioctl(fd_, LOOP_SET_FD, backing) == 0) path_ = path;
    ::close(backing);
  }
  ~loop_device() {
    if (!path_.empty()) ::ioctl(fd_, LOOP_CLR_FD);
    if (fd_ >= 0) ::close(fd_);
  }
  loop_device(const loop_device&) = delete;
  loop_device& operator=(const loop_device&) = delete;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  int fd_ = -1;
  std::string path_;
};

TEST_F(block_device_test, opens_real_block_devices) {
  const loop_device loop{file_.path()};
  if (loop.path().empty()) GTEST_SKIP() << "no loop device can be had here";
  for (const bool direct : {false, true}) {
    SCOPED_TRACE(direct);
    opened o = open_block(loop.path(), {.direct = direct});
    if (!o && test::denied_by_host(test::kind::block, o.error())) GTEST_SKIP() << o.error().message;
    ASSERT_TRUE(o.has_value()) << o.error().message;
    EXPECT_EQ((*o)->size(), device_bytes);
    const auto data = pattern(10000, 7 + direct);
    ASSERT_TRUE((*o)->write(3000, data).has_value());
    ASSERT_TRUE((*o)->flush_cache().has_value());
    std::vector<std::byte> out(10000);
    ASSERT_TRUE((*o)->read(3000, out).has_value());
    EXPECT_EQ(out, data);
  }
  EXPECT_EQ(open_pmem(loop.path(), false).error().code, ENODEV);
}

}  // namespace
}  // namespace xip::dev
