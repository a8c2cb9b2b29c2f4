// What a block observer hears of the buffer cache.
#include <gtest/gtest.h>

#include <xip/dev/block_observer.h>
#include <xip/dev/buffer_cache.h>

#include "device_fixture.h"

namespace xip::dev::test {
namespace {

using strings = std::vector<std::string>;

class metadata_log final : public block_observer {
 public:
  void on_alloc(pblk_t, std::uint32_t, block_owner, ino_t, std::uint32_t) noexcept override {}
  void on_free(pblk_t, std::uint32_t) noexcept override {}
  void on_commit() noexcept override {}
  void on_unused(pblk_t, std::uint32_t) noexcept override {}
  void on_access(pblk_t, std::uint32_t, ino_t, std::uint32_t, bool) noexcept override {}
  void on_metadata(pblk_t block, bool write) noexcept override {
    lines_.push_back((write ? "write " : "read ") + std::to_string(block.value()));
  }
  [[nodiscard]] strings take() { return std::exchange(lines_, {}); }

 private:
  strings lines_;
};

class BufferObserver : public testing::Test {
 protected:
  BufferObserver() { medium_->set_observer(&log_); }
  ~BufferObserver() override { medium_->set_observer(nullptr); }

  metadata_log log_;
  std::unique_ptr<device> medium_ = open_memory(64 * 1024).value();
  buffer_cache cache_{*medium_, 10, *std::pmr::new_delete_resource()};
};

TEST_F(BufferObserver, HearsOfEveryReadOfTheContents) {
  ASSERT_TRUE(cache_.read(pblk_t{3}));
  ASSERT_TRUE(cache_.read(pblk_t{3}));
  ASSERT_TRUE(cache_.find(pblk_t{3}));
  ASSERT_FALSE(cache_.find(pblk_t{4}));
  EXPECT_EQ(log_.take(), (strings{"read 3", "read 3", "read 3"}));
}

TEST_F(BufferObserver, HearsOfEveryChangeAndOfTheWayToTheMedium) {
  const buffer_ref b = cache_.get(pblk_t{5}).value();
  const buffer_ref c = cache_.get(pblk_t{6}).value();
  EXPECT_EQ(log_.take(), (strings{"write 5", "write 6"}));
  cache_.mark_dirty(*b);
  cache_.mark_dirty(*c);
  EXPECT_EQ(log_.take(), (strings{"write 5", "write 6"}));
  ASSERT_TRUE(cache_.write_dirty());
  EXPECT_EQ(log_.take(), (strings{"write 5", "write 6"}));
  cache_.mark_dirty(*b);
  ASSERT_TRUE(cache_.write_one(*b));
  EXPECT_EQ(log_.take(), (strings{"write 5", "write 5"}));
}

// Nobody has asked for these contents yet, and what was freed is not touched.
TEST_F(BufferObserver, HearsNothingOfReadAheadAndOfForgottenBlocks) {
  cache_.read_ahead(pblk_t{8}, 4);
  EXPECT_EQ(log_.take(), strings{});
  const buffer_ref b = cache_.get(pblk_t{5}).value();
  cache_.mark_dirty(*b);
  static_cast<void>(log_.take());
  cache_.forget(pblk_t{5});
  ASSERT_TRUE(cache_.write_dirty());
  EXPECT_EQ(log_.take(), strings{});
}

}  // namespace
}  // namespace xip::dev::test
