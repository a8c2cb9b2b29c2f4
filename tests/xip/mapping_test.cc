// The core against a toy file: what it asks, in which order, and what it makes of the answers.
#include <gtest/gtest.h>

#include <unistd.h>

#include "toy_file.h"

namespace xip::toy {
namespace {

using strings = std::vector<std::string>;

std::vector<std::byte> pattern(std::size_t bytes, unsigned char seed) {
  std::vector<std::byte> v(bytes);
  for (std::size_t i = 0; i < bytes; ++i) v[i] = static_cast<std::byte>(seed + i % 251);
  return v;
}

class WindowTest : public ::testing::Test {
 protected:
  std::unique_ptr<dev::device> memory = dev::open_memory(1024 * block).value();
  fence_log fences;
  std::unique_ptr<dev::device> recorded = dev::make_recording(*memory, fences);
  toy_file file{*recorded};

  void SetUp() override {
    file.inode.next_free = 100;
    fences.inode = &file.inode;
  }
  // Fills device blocks with a pattern, past the file.
  void fill(pblk_t first, std::size_t blocks, unsigned char seed) {
    ASSERT_TRUE(memory->write(bytes_of(first, block_bits), pattern(blocks * block, seed)));
  }
};

TEST_F(WindowTest, ReadsMappedBlocksAndZerosElsewhereWithOneLookupAnExtent) {
  fill(pblk_t{10}, 2, 1);
  fill(pblk_t{20}, 2, 99);
  file.inode.put({lblk_t{1}, 2, pblk_t{10}, extent_type::mapped, 0});
  file.inode.put({lblk_t{3}, 2, pblk_t{20}, extent_type::unwritten, 0});
  file.inode.i_size = 6 * block;
  std::vector<std::byte> got(6 * block, std::byte{0xee});
  ASSERT_EQ(file.read(0, got.data(), got.size()), 6 * block);
  std::vector<std::byte> want(6 * block);
  std::ranges::copy(pattern(2 * block, 1), want.begin() + block);
  EXPECT_EQ(got, want);
  EXPECT_EQ(file.inode.lookups, 4);  // hole, mapped, unwritten, hole
}

TEST_F(WindowTest, EndsAtTheSizeThatHoldsWhenABlockIsReached) {
  fill(pblk_t{10}, 4, 1);
  file.inode.put({lblk_t{0}, 4, pblk_t{10}, extent_type::mapped, 0});
  file.inode.i_size = 4 * block;
  std::vector<std::byte> got(4 * block);
  bounded_memory user{got.data(), got.size()};
  user.on_copy = [&](std::size_t) { file.inode.i_size = block + 100; };  // shrinks in mid-copy, as no caller with the lock would let it
  const auto access = user.access();
  EXPECT_EQ(file.read(0, got.data(), got.size(), &access), block + 100);
  EXPECT_EQ(file.inode.lookups, 1);
}

// Shrinks the file at the first copy, and counts how often i_size was loaded for a block.
class shrinking_sink final : public point_sink {
 public:
  explicit shrinking_sink(toy_inode& i, loff_t to) : inode_{i}, to_{to} { current_point_sink = this; }
  ~shrinking_sink() { current_point_sink = nullptr; }
  void on_point(point p, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override {
    if (p == point::xip_read_block) ++loads;
    if (p == point::xip_copy_piece) inode_.i_size = to_;
  }
  int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }
  int loads = 0;

 private:
  toy_inode& inode_;
  loff_t to_;
};

TEST_F(WindowTest, LoadsTheSizeForEachBlockOfARunAndCountsNothingBeyondTheLastOne) {
  fill(pblk_t{10}, 4, 1);
  file.inode.put({lblk_t{0}, 4, pblk_t{10}, extent_type::mapped, 0});
  file.inode.i_size = 4 * block;
  std::vector<std::byte> got(4 * block);
  shrinking_sink sink{file.inode, 100};
  EXPECT_EQ(file.read(0, got.data(), got.size()), 100u);
  EXPECT_EQ(sink.loads, 4);
  sink.loads = 0;
  EXPECT_EQ(file.read(block, got.data(), block), 0u);
}

TEST_F(WindowTest, ReadAtOrPastTheEndIsZeroBytes) {
  file.inode.i_size = 100;
  std::byte b;
  EXPECT_EQ(file.read(100, &b, 1), 0u);
  EXPECT_EQ(file.read(1 << 20, &b, 1), 0u);
}

TEST_F(WindowTest, CountsTheBytesThatArrivedBeforeUserMemoryEnded) {
  file.inode.put({lblk_t{0}, 4, pblk_t{10}, extent_type::mapped, 0});
  file.inode.i_size = 4 * block;
  std::vector<std::byte> got(4 * block);
  bounded_memory user{got.data(), block + 7};
  const auto access = user.access();
  EXPECT_EQ(file.read(0, got.data(), got.size(), &access), block + 7);
  user.good = 0;
  EXPECT_EQ(file.read(0, got.data(), got.size(), &access).error(), EFAULT);
}

TEST_F(WindowTest, AMappingThatBreaksItsPromiseIsEIO) {
  file.inode.put({lblk_t{0}, 4, pblk_t{10}, extent_type::mapped, 0});
  file.inode.i_size = 4 * block;
  std::byte b;
  const std::vector<std::function<void(extent_map&)>> lies{
      [](extent_map& em) { em.len = 0; },
      [](extent_map& em) { em.len = 1000; },
      [](extent_map& em) { em.lblk += 1; },
      [](extent_map& em) { em.pblk = pblk_t{1024}; },
      [](extent_map& em) { em.pblk = pblk_t{~std::uint64_t{0}}; },
  };
  for (const auto& lie : lies) {
    file.inode.lie = lie;
    EXPECT_EQ(file.read(0, &b, 1).error(), EIO);
    EXPECT_EQ(file.write(0, &b, 1).error(), EIO);
  }
}

TEST_F(WindowTest, AWriteIntoAHoleAllocatesCopiesDrainsConvertsThenSetsTheSize) {
  const auto data = pattern(100, 3);
  ASSERT_EQ(file.write(0, data.data(), data.size()), 100u);
  EXPECT_EQ(file.inode.log, (strings{"start", "allocate", "drain", "convert", "size", "stop"}));
  EXPECT_EQ(i_size_read(file.inode), 100);
  std::vector<std::byte> got(100);
  ASSERT_EQ(file.read(0, got.data(), 100), 100u);
  EXPECT_EQ(got, data);
}

TEST_F(WindowTest, ZerosWhatAFreshBlockHasAroundTheBytes) {
  fill(pblk_t{100}, 2, 77);
  const auto data = pattern(block, 3);
  ASSERT_EQ(file.write(50, data.data(), data.size()), block);
  file.inode.i_size = 2 * block;
  std::vector<std::byte> got(2 * block, std::byte{1});
  ASSERT_EQ(file.read(0, got.data(), got.size()), 2 * block);
  EXPECT_TRUE(std::ranges::all_of(std::span{got}.first(50), [](std::byte b) { return b == std::byte{}; }));
  EXPECT_TRUE(std::ranges::equal(std::span{got}.subspan(50, block), data));
  EXPECT_TRUE(std::ranges::all_of(std::span{got}.subspan(50 + block), [](std::byte b) { return b == std::byte{}; }));
}

TEST_F(WindowTest, ConvertsExactlyTheBlocksThatWereWritten) {
  file.inode.put({lblk_t{0}, 8, pblk_t{10}, extent_type::unwritten, 0});
  file.inode.i_size = 8 * block;
  const auto data = pattern(10, 3);
  ASSERT_EQ(file.write(3 * block + 5, data.data(), data.size()), 10u);
  ASSERT_EQ(file.inode.extents.size(), 3u);
  EXPECT_EQ(file.inode.extents[1].lblk, lblk_t{3});
  EXPECT_EQ(file.inode.extents[1].len, 1u);
  EXPECT_EQ(file.inode.extents[1].type, extent_type::mapped);
  EXPECT_EQ(file.inode.log, (strings{"start", "drain", "convert", "stop"}));  // the size did not move
}

TEST_F(WindowTest, AnOverwriteOpensNoHandle) {
  file.inode.put({lblk_t{0}, 4, pblk_t{10}, extent_type::mapped, 0});
  file.inode.i_size = 4 * block;
  const auto data = pattern(3 * block, 9);
  ASSERT_EQ(file.write(17, data.data(), data.size()), data.size());
  EXPECT_EQ(file.inode.log, (strings{"drain"}));
  EXPECT_EQ(file.inode.lookups, 1);
}

TEST_F(WindowTest, ASliceIsAtMost64PagesAndOnlyTheLastSetsTheSize) {
  const auto data = pattern(65 * block, 9);
  ASSERT_EQ(file.write(0, data.data(), data.size()), data.size());
  EXPECT_EQ(std::ranges::count(file.inode.log, "start"), 2);
  EXPECT_EQ(std::ranges::count(file.inode.log, "size"), 1);
  EXPECT_EQ(file.inode.log.back(), "stop");
  EXPECT_EQ(*(file.inode.log.end() - 2), "size");
}

TEST_F(WindowTest, BytesWhoseConversionFailedAreNotCounted) {
  file.inode.convert_error = EIO;
  const auto data = pattern(100, 9);
  EXPECT_EQ(file.write(0, data.data(), 100).error(), EIO);
  EXPECT_EQ(i_size_read(file.inode), 0);
  EXPECT_FALSE(file.inode.handle_open);
}

TEST_F(WindowTest, WaitsForSpaceWithNoHandleOpenThenGivesUpWithWhatItHas) {
  file.inode.space_left = 1;
  const auto data = pattern(3 * slice_pages * block / 2, 9);
  file.inode.put({lblk_t{slice_pages}, 1, pblk_t{10}, extent_type::mapped, 0});
  const auto written = file.write(0, data.data(), data.size());
  EXPECT_EQ(written, data.size());  // one slice, a written block, one more slice after a wait
  EXPECT_EQ(std::ranges::count(file.inode.log, "wait"), 1);
  EXPECT_EQ(std::ranges::count(file.inode.log, "wait with a handle open"), 0);
  file.inode.space_to_come = 1;
  const auto more = pattern(2 * slice_pages * block, 9);
  EXPECT_EQ(file.write(1 << 20, more.data(), more.size()), slice_pages * block);  // the wait gave space for one
  EXPECT_EQ(file.write(2 << 20, more.data(), more.size()).error(), ENOSPC);
}

TEST_F(WindowTest, MemoryThatIsNotThereWhileLockedGoesThroughABounce) {
  auto data = pattern(3 * block, 9);
  bounded_memory user{data.data(), data.size(), block + 10};
  const auto access = user.access();
  ASSERT_EQ(file.write(0, data.data(), data.size(), &access), data.size());
  std::vector<std::byte> got(data.size());
  ASSERT_EQ(file.read(0, got.data(), got.size()), got.size());
  EXPECT_EQ(got, data);
  EXPECT_EQ(i_size_read(file.inode), static_cast<loff_t>(data.size()));
}

TEST_F(WindowTest, AWriteFromMemoryThatEndsIsShortAndNothingBeyondIsConverted) {
  auto data = pattern(3 * block, 9);
  bounded_memory user{data.data(), block + 10};
  const auto access = user.access();
  EXPECT_EQ(file.write(0, data.data(), data.size(), &access), block + 10);
  std::uint32_t written = 0;
  for (const auto& e : file.inode.extents)
    if (e.type == extent_type::mapped) written += e.len;
  EXPECT_EQ(written, 2u);
  user.good = 0;
  EXPECT_EQ(file.write(8 * block, data.data(), data.size(), &access).error(), EFAULT);
}

TEST_F(WindowTest, ZeroRangeTouchesOnlyWrittenBlocks) {
  fill(pblk_t{10}, 3, 5);
  file.inode.put({lblk_t{0}, 1, pblk_t{10}, extent_type::mapped, 0});
  file.inode.put({lblk_t{1}, 1, pblk_t{11}, extent_type::unwritten, 0});
  file.inode.put({lblk_t{3}, 1, pblk_t{12}, extent_type::mapped, 0});
  {
    exclusive_guard guard{file.inode.i_rwsem};
    exclusive_guard invalidate{file.inode.i_mapping.invalidate_lock};
    ASSERT_TRUE(xip_zero_range(file.inode, 100, 3 * block, ops));
  }
  const auto bytes = [&](pblk_t b) {
    std::vector<std::byte> v(block);
    EXPECT_TRUE(memory->read(bytes_of(b, block_bits), v));
    return v;
  };
  const auto before = pattern(3 * block, 5);
  const auto first = bytes(pblk_t{10});
  EXPECT_TRUE(std::ranges::equal(std::span{first}.first(100), std::span{before}.first(100)));
  EXPECT_EQ(first[100], std::byte{});
  EXPECT_TRUE(std::ranges::equal(bytes(pblk_t{11}), std::span{before}.subspan(block, block)));
  EXPECT_EQ(bytes(pblk_t{12})[99], std::byte{});
  EXPECT_EQ(bytes(pblk_t{12})[100], before[2 * block + 100]);
}

TEST_F(WindowTest, ZeroTailStopsAtTheBlockOrAtTheNewBytes) {
  fill(pblk_t{10}, 2, 5);
  file.inode.put({lblk_t{0}, 2, pblk_t{10}, extent_type::mapped, 0});
  exclusive_guard guard{file.inode.i_rwsem};
  std::optional<entry_range_lock> entry;
  ASSERT_TRUE(xip_zero_tail(file.inode, 100, 200, ops, entry));
  EXPECT_TRUE(entry.has_value()) << "the page is for the caller to unlock";
  entry.reset();
  std::vector<std::byte> got(2 * block);
  ASSERT_TRUE(memory->read(10 * block, got));
  const auto before = pattern(2 * block, 5);
  EXPECT_EQ(got[99], before[99]);
  EXPECT_EQ(got[100], std::byte{});
  EXPECT_EQ(got[199], std::byte{});
  EXPECT_EQ(got[200], before[200]);
  ASSERT_TRUE(xip_zero_tail(file.inode, 100, 1 << 20, ops, entry));
  entry.reset();
  ASSERT_TRUE(memory->read(10 * block, got));
  EXPECT_EQ(got[block - 1], std::byte{});
  EXPECT_EQ(got[block], before[block]);
}

TEST_F(WindowTest, SeekTakesUnwrittenForAHoleAndTheEndForOne) {
  file.inode.put({lblk_t{1}, 1, pblk_t{10}, extent_type::mapped, 0});
  file.inode.put({lblk_t{2}, 1, pblk_t{11}, extent_type::unwritten, 0});
  file.inode.put({lblk_t{4}, 1, pblk_t{12}, extent_type::mapped, 0});
  file.inode.i_size = 4 * block + 10;
  shared_guard guard{file.inode.i_rwsem};
  const auto seek = [&](loff_t at, int whence) { return xip_seek(file.inode, at, whence, ops); };
  EXPECT_EQ(seek(0, SEEK_DATA), loff_t{block});
  EXPECT_EQ(seek(block + 5, SEEK_DATA), loff_t{block + 5});
  EXPECT_EQ(seek(2 * block, SEEK_DATA), loff_t{4 * block});
  EXPECT_EQ(seek(block, SEEK_HOLE), loff_t{2 * block});
  EXPECT_EQ(seek(4 * block, SEEK_HOLE), loff_t{4 * block + 10});
  EXPECT_EQ(seek(4 * block + 10, SEEK_HOLE).error(), ENXIO);
  EXPECT_EQ(seek(-1, SEEK_DATA).error(), ENXIO);
}

TEST_F(WindowTest, PoisonEndsAReadBeforeItAndAWholePageWriteClearsIt) {
  auto faulty = dev::make_faulty(*memory);
  toy_file poisoned{*faulty};
  poisoned.inode.put({lblk_t{0}, 3, pblk_t{10}, extent_type::mapped, 0});
  poisoned.inode.i_size = 3 * block;
  faulty->add({dev::fault_rule::what::poison, 11 * block, 1});
  std::vector<std::byte> got(3 * block);
  EXPECT_EQ(poisoned.read(0, got.data(), got.size()), block);
  EXPECT_EQ(poisoned.read(block, got.data(), block).error(), EIO);
  EXPECT_EQ(poisoned.write(block, got.data(), 100).error(), EIO);
  EXPECT_EQ(poisoned.write(block, got.data(), block), block);
  EXPECT_EQ(poisoned.read(0, got.data(), got.size()), 3 * block);
}

// Two extents and a hole; the size falls to SIZE as the mapping of block AT is asked for.
TEST_F(WindowTest, HandsOutNothingBehindASizeThatFallsMeanwhile) {
  fill(pblk_t{10}, 1, 1);
  fill(pblk_t{20}, 1, 2);
  file.inode.put({lblk_t{0}, 1, pblk_t{10}, extent_type::mapped, 0});
  file.inode.put({lblk_t{1}, 1, pblk_t{20}, extent_type::mapped, 0});
  file.inode.i_size = 3 * block;
  EXPECT_EQ(file.splice(0, 4 * block).value().size(), 3 * block);
  for (const loff_t size : {loff_t{0}, loff_t{7}, loff_t{block}, loff_t{block + 1}, loff_t{2 * block}}) {
    for (const int at : {1, 2, 3}) {
      file.inode.i_size = 3 * block;
      int asked = 0;
      file.inode.on_get_blocks = [&] {
        if (++asked == at) i_size_write(file.inode, size);
      };
      const auto taken = file.splice(0, 3 * block);
      ASSERT_TRUE(taken.has_value()) << size << ' ' << at;
      EXPECT_EQ(taken->size(), static_cast<std::size_t>(size)) << at;
    }
  }
}

class BatchTest : public ::testing::Test {
 protected:
  request_device device{256 * block};
  toy_file file{device};
  void SetUp() override { file.inode.next_free = 100; }
};

TEST_F(BatchTest, AReadOfManyExtentsIsOneSubmission) {
  for (std::uint32_t i = 0; i < 8; ++i) {
    file.inode.put({lblk_t{2 * i}, 1, pblk_t{40 - 2 * i}, extent_type::mapped, 0});
    std::ranges::copy(pattern(block, static_cast<unsigned char>(i)), device.at(bytes_of(pblk_t{40 - 2 * i}, block_bits)));
  }
  file.inode.i_size = 16 * block;
  std::vector<std::byte> got(16 * block, std::byte{1});
  ASSERT_EQ(file.read(0, got.data(), got.size()), 16 * block);
  EXPECT_EQ(device.batches, 1);
  for (std::uint32_t i = 0; i < 8; ++i) {
    EXPECT_TRUE(std::ranges::equal(std::span{got}.subspan(2 * i * block, block), pattern(block, static_cast<unsigned char>(i))));
    EXPECT_EQ(got[(2 * i + 1) * block], std::byte{});
  }
}

TEST_F(BatchTest, ReadsNothingFromTheDeviceForAHole) {
  file.inode.i_size = 4 * block;
  std::vector<std::byte> got(4 * block, std::byte{1});
  ASSERT_EQ(file.read(0, got.data(), got.size()), 4 * block);
  EXPECT_EQ(device.batches, 0);
}

TEST_F(BatchTest, AnOverwriteOfManyExtentsIsOneSubmission) {
  for (std::uint32_t i = 0; i < 8; ++i) file.inode.put({lblk_t{i}, 1, pblk_t{40 - 2 * i}, extent_type::mapped, 0});
  file.inode.i_size = 8 * block;
  const auto data = pattern(8 * block - 20, 1);
  ASSERT_EQ(file.write(10, data.data(), data.size()), data.size());
  EXPECT_EQ(device.batches, 1);
  std::vector<std::byte> got(data.size());
  ASSERT_EQ(file.read(10, got.data(), got.size()), got.size());
  EXPECT_EQ(got, data);
}

TEST_F(BatchTest, AWriteIntoAHoleZerosAroundItAndConverts) {
  std::memset(device.at(100 * block), 0x77, 2 * block);
  const auto data = pattern(block, 1);
  ASSERT_EQ(file.write(10, data.data(), data.size()), data.size());
  EXPECT_EQ(file.inode.log, (strings{"start", "allocate", "convert", "size", "stop"}));
  EXPECT_EQ(*device.at(100 * block + 9), std::byte{});
  EXPECT_EQ(*device.at(101 * block + 10), std::byte{});
  EXPECT_EQ(*device.at(102 * block - 1), std::byte{});
}

TEST_F(BatchTest, CountsTheBytesBeforeABadBlock) {
  file.inode.put({lblk_t{0}, 1, pblk_t{10}, extent_type::mapped, 0});
  file.inode.put({lblk_t{1}, 1, pblk_t{30}, extent_type::mapped, 0});
  file.inode.i_size = 2 * block;
  device.bad_byte = 30 * block + 5;
  std::vector<std::byte> got(2 * block);
  EXPECT_EQ(file.read(0, got.data(), got.size()), block);
  EXPECT_EQ(file.read(block, got.data(), block).error(), EIO);
  EXPECT_EQ(file.write(0, got.data(), got.size()), block);
  EXPECT_EQ(file.write(block, got.data(), block).error(), EIO);
}

TEST_F(BatchTest, AWriteThatFoundNoRoomOnTheDeviceIsMadeAgainFromItsFirstByte) {
  device.without_room = 1;
  const auto data = pattern(2 * block, 7);
  ASSERT_EQ(file.write(0, data.data(), data.size()), data.size());
  std::vector<std::byte> got(data.size());
  ASSERT_EQ(file.read(0, got.data(), got.size()), data.size());
  EXPECT_EQ(got, data);
}

TEST_F(BatchTest, ADeviceThatHasNoRoomIsENOSPC) {
  device.without_room = 100;
  const auto data = pattern(2 * block, 7);
  EXPECT_EQ(file.write(0, data.data(), data.size()).error(), ENOSPC);
  EXPECT_EQ(file.inode.i_size, 0);
}

TEST_F(BatchTest, MoreSegmentsThanABatchHoldsAreAllMoved) {
  file.inode.put({lblk_t{0}, 1, pblk_t{10}, extent_type::mapped, 0});
  file.inode.i_size = block;
  auto data = pattern(block, 1);
  std::vector<iovec> segments;
  for (std::size_t at = 0; at < block; at += 16) segments.push_back({data.data() + (block - 16 - at), 16});
  vfs::iov_iter iter{vfs::iter_direction::source, segments, block, nullptr};
  vfs::kiocb iocb{file.opened, 0, 0, INT64_MAX};
  exclusive_guard guard{file.inode.i_rwsem};
  ASSERT_EQ(xip_mapping_write(iocb, iter, ops), block);
  for (std::size_t at = 0; at < block; at += 16) EXPECT_EQ(std::memcmp(device.at(10 * block + at), data.data() + (block - 16 - at), 16), 0);
}

TEST_F(BatchTest, UserMemoryOfAnotherKindPassesThroughABounce) {
  file.inode.put({lblk_t{0}, 3, pblk_t{10}, extent_type::mapped, 0});
  file.inode.i_size = 3 * block;
  auto data = pattern(3 * block, 7);
  bounded_memory user{data.data(), 2 * block + 5};
  const auto access = user.access();
  EXPECT_EQ(file.write(0, data.data(), data.size(), &access), 2 * block + 5);
  std::vector<std::byte> got(3 * block);
  bounded_memory target{got.data(), got.size()};
  const auto target_access = target.access();
  EXPECT_EQ(file.read(0, got.data(), got.size(), &target_access), 3 * block);
  EXPECT_TRUE(std::ranges::equal(std::span{got}.first(2 * block + 5), std::span{data}.first(2 * block + 5)));
}

}  // namespace
}  // namespace xip::toy
