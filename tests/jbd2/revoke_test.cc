// Blocks that were freed: no copy of one goes home over what another file has there since, and none is named without need.
#include "jbd2/running_journal.h"

namespace xip::jbd2::test {
namespace {

class freed_blocks : public running_journal {};

TEST_P(freed_blocks, brings_home_no_block_that_was_freed_since) {
  b.change(10, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.free(10);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  // Another file has it now.
  b.write_as_data(10, 77);
  EXPECT_EQ(b.recover().revoked, 1u);
  EXPECT_EQ(b.on_medium(10), 77u);
}

TEST_P(freed_blocks, brings_home_no_freed_block_at_a_checkpoint) {
  b.change(10, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.free(10);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.write_as_data(10, 77);
  ASSERT_TRUE(b.log().checkpoint());
  EXPECT_EQ(b.on_medium(10), 77u);
}

// Before the transaction that frees it is committed, a crash brings it back.
TEST_P(freed_blocks, keeps_a_freed_block_until_that_is_committed) {
  b.change(10, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.free(10);
  ASSERT_TRUE(b.log().checkpoint());
  EXPECT_EQ(b.on_medium(10), 1u);
}

TEST_P(freed_blocks, brings_home_a_block_that_is_in_use_again) {
  b.change(10, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.free(10);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.change(10, 2);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  (void)b.recover();
  EXPECT_EQ(b.on_medium(10), 2u);
}

// The transaction that has a copy of it is on its way when the next one frees it.
TEST_P(freed_blocks, brings_home_no_block_that_was_freed_while_it_was_being_committed) {
  b.change(10, 1);
  b.change(11, 1);
  b.device().on_flush = [this] {
    b.device().on_flush = nullptr;
    b.free(10);
  };
  ASSERT_TRUE(b.log().commit(b.log().running()));
  EXPECT_FALSE(has_block(revoke_block)) << "the next one frees it";
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.write_as_data(10, 77);
  ASSERT_TRUE(b.log().checkpoint());
  EXPECT_EQ(b.on_medium(10), 77u);
  EXPECT_EQ(b.on_medium(11), 1u);
}

TEST_P(freed_blocks, revokes_a_block_that_was_freed_while_it_was_being_committed) {
  b.change(10, 1);
  b.device().on_flush = [this] {
    b.device().on_flush = nullptr;
    b.free(10);
  };
  ASSERT_TRUE(b.log().commit(b.log().running()));
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.write_as_data(10, 77);
  EXPECT_EQ(b.recover().revoked, 1u);
  EXPECT_EQ(b.on_medium(10), 77u);
}

TEST_P(freed_blocks, revokes_no_block_that_is_in_use_again_in_the_same_transaction) {
  b.change(10, 1);
  b.change(11, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.free(10);
  b.free(11);
  b.free(10);
  b.change(10, 2);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  EXPECT_EQ(b.recover().revoked, 1u);
  EXPECT_EQ(b.on_medium(10), 2u);
  EXPECT_EQ(b.on_medium(11), 0u);
}

TEST_P(freed_blocks, revokes_nothing_that_the_log_has_no_copy_of) {
  b.change(10, 1);
  b.free(10);
  b.change(11, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.free(11);
  ASSERT_TRUE(b.log().checkpoint());
  b.change(12, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  EXPECT_FALSE(has_block(revoke_block));
}

// What is freed is in the log as long as that has not moved, wherever else it is.
TEST_P(freed_blocks, revokes_what_a_checkpoint_that_failed_has_brought_home) {
  b.change(carried.value(), 1);
  b.change(10, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.free(10);
  b.device().writes_until_no_room = 2;
  EXPECT_EQ(b.log().checkpoint().error(), ENOSPC);
  EXPECT_EQ(b.on_medium(10), 1u);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  b.write_as_data(10, 77);
  EXPECT_EQ(b.recover().revoked, 1u);
  EXPECT_EQ(b.on_medium(10), 77u);
}

TEST_P(freed_blocks, revokes_as_many_as_there_are) {
  for (std::uint64_t block = 100; block < 300; ++block) b.change(block, 1);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  for (std::uint64_t block = 100; block < 300; ++block) b.free(block);
  ASSERT_TRUE(b.log().commit(b.log().running()));
  EXPECT_EQ(b.recover().revoked, 200u);
}

INSTANTIATE_TEST_SUITE_P(formats, freed_blocks,
                         testing::Values(format{"plain", false, false}, format{"wide", false, true}, format{"checksums", true, false},
                                         format{"wide_checksums", true, true}),
                         [](const auto& of) { return std::string{of.param.name}; });

}  // namespace
}  // namespace xip::jbd2::test
