// What a block observer hears of the core: each block that is touched, when it is touched, and no other.
#include <gtest/gtest.h>

#include <xip/dev/block_observer.h>

#include "toy_file.h"

namespace xip::toy {
namespace {

using strings = std::vector<std::string>;

class access_log final : public dev::block_observer {
 public:
  void on_alloc(pblk_t, std::uint32_t, dev::block_owner, ino_t, std::uint32_t) noexcept override {}
  void on_free(pblk_t, std::uint32_t) noexcept override {}
  void on_commit() noexcept override {}
  void on_unused(pblk_t, std::uint32_t) noexcept override {}
  void on_metadata(pblk_t, bool) noexcept override {}
  void on_access(pblk_t first, std::uint32_t count, ino_t ino, std::uint32_t generation, bool write) noexcept override {
    lines.push_back((write ? "write " : "read ") + std::to_string(first.value()) + "+" + std::to_string(count) + " inode " +
                    std::to_string(ino.value()) + "/" + std::to_string(generation));
  }
  strings lines;
};

template <class Body>
strings accesses_of(toy_file& file, dev::device& device, Body&& body) {
  access_log log;
  device.set_observer(&log);
  body(file);
  device.set_observer(nullptr);
  return log.lines;
}

// Two extents and a hole; the mapping is longer than what is asked for, and than the file.
void lay_out(toy_file& file) {
  file.inode.put({lblk_t{0}, 4, pblk_t{10}, extent_type::mapped, 0});
  file.inode.put({lblk_t{6}, 4, pblk_t{30}, extent_type::mapped, 0});
  file.inode.i_size = 8 * block;
  file.inode.i_generation = 5;
  file.inode.next_free = 100;
}

std::string whose(const toy_file& file) { return " inode " + std::to_string(file.inode.i_ino.value()) + "/5"; }

class ObservedWindows : public ::testing::Test {
 protected:
  std::unique_ptr<dev::device> device = dev::open_memory(1024 * block).value();
  toy_file file{*device};
  void SetUp() override { lay_out(file); }
};

TEST_F(ObservedWindows, AReadTellsTheBlocksItCopies) {
  std::vector<std::byte> got(8 * block);
  const auto lines = accesses_of(file, *device, [&](toy_file& f) {
    EXPECT_TRUE(f.read(block + 10, got.data(), 20));
    EXPECT_TRUE(f.read(3 * block, got.data(), got.size()));
  });
  EXPECT_EQ(lines, (strings{"read 11+1" + whose(file), "read 13+1" + whose(file), "read 30+2" + whose(file)}));
}

TEST_F(ObservedWindows, AWriteTellsWhatItOverwritesAndWhatItZeros) {
  const std::vector<std::byte> data(2 * block);
  const auto lines = accesses_of(file, *device, [&](toy_file& f) {
    EXPECT_TRUE(f.write(10, data.data(), 20));
    EXPECT_TRUE(f.write(4 * block + 10, data.data(), block));
  });
  const strings want{"write 10+1" + whose(file), "write 100+1" + whose(file), "write 100+2" + whose(file), "write 101+1" + whose(file)};
  EXPECT_EQ(lines, want);
}

TEST_F(ObservedWindows, ZeroingARangeTellsTheWrittenBlocksInIt) {
  const auto lines = accesses_of(file, *device, [](toy_file& f) {
    exclusive_guard guard{f.inode.i_rwsem};
    exclusive_guard invalidate{f.inode.i_mapping.invalidate_lock};
    ASSERT_TRUE(xip_zero_range(f.inode, 3 * block + 5, 4 * block, ops));
  });
  EXPECT_EQ(lines, (strings{"write 13+1" + whose(file), "write 30+2" + whose(file)})) << "blocks 4 and 5 are a hole";
}

// A mapping is looked up, and only afterwards are its blocks reported: piece by piece, behind the point where tasks may be switched.
TEST_F(ObservedWindows, AnAccessIsToldBehindThePointOfItsPiece) {
  class order final : public point_sink {
   public:
    explicit order(access_log& log) : log_{log} { current_point_sink = this; }
    ~order() { current_point_sink = nullptr; }
    void on_point(point p, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override {
      if (p == point::xip_copy_piece) log_.lines.push_back("piece");
    }
    int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }

   private:
    access_log& log_;
  };
  access_log log;
  device->set_observer(&log);
  std::vector<std::byte> got(2 * block);
  {
    const order points{log};
    ASSERT_EQ(file.read(0, got.data(), got.size()), got.size());
  }
  device->set_observer(nullptr);
  EXPECT_EQ(log.lines, (strings{"piece", "read 10+2" + whose(file)}));
}

class ObservedBatches : public ::testing::Test {
 protected:
  request_device device{1024 * block};
  toy_file file{device};
  void SetUp() override { lay_out(file); }
};

TEST_F(ObservedBatches, ABatchIsToldWhenItIsSubmitted) {
  std::vector<std::byte> got(8 * block);
  const auto reads = accesses_of(file, device, [&](toy_file& f) { EXPECT_TRUE(f.read(0, got.data(), got.size())); });
  EXPECT_EQ(reads, (strings{"read 10+4" + whose(file), "read 30+2" + whose(file)}));
  const auto writes = accesses_of(file, device, [&](toy_file& f) { EXPECT_TRUE(f.write(5 * block, got.data(), 2 * block)); });
  EXPECT_EQ(writes, (strings{"write 100+1" + whose(file), "write 30+1" + whose(file)}));
}

TEST_F(ObservedBatches, WhatPassesThroughABounceIsToldToo) {
  std::vector<std::byte> data(2 * block);
  bounded_memory user{data.data(), data.size()};
  const auto access = user.access();
  const auto lines = accesses_of(file, device, [&](toy_file& f) {
    EXPECT_TRUE(f.write(0, data.data(), 2 * block, &access));
    EXPECT_TRUE(f.read(0, data.data(), 2 * block, &access));
  });
  EXPECT_EQ(lines, (strings{"write 10+1" + whose(file), "write 11+1" + whose(file), "read 10+1" + whose(file), "read 11+1" + whose(file)}));
}

}  // namespace
}  // namespace xip::toy
