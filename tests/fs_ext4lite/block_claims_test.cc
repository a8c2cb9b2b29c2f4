// What orphans would give back, and who else may not give it back as well.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "fs_ext4lite/block_claims.h"
#include "fs_ext4lite/image.h"
#include "fs_ext4lite/journal.h"
#include "fs_ext4lite/orphans.h"

namespace xip::ext4lite::test {
namespace {

using testing::HasSubstr;

// Two files without names, and blocks in use that are nobody's.
struct BlockClaims : testing::Test {
  image disk = make_image("-b 1024 -g 1024 -O ^has_journal", "8M");
  bare_mount m{disk};
  ext4_inode_info *a = nullptr, *b = nullptr;
  allocated blocks{};

  void SetUp() override {
    ASSERT_TRUE(m.ok()) << m.failure();
    for (ext4_inode_info** file : {&a, &b}) {
      *file = &make_file(m);
      (*file)->i_nlink = 0;
    }
    handle h = *journal_start(m.sb(), 2);
    blocks = *alloc_blocks(h, *a, first_block_of(m.sb(), group_t{1}) + 600, 200);
    ASSERT_EQ(blocks.count, 200u);
  }
  void TearDown() override {
    for (ext4_inode_info* file : {a, b}) vfs::iput(file);
  }
  // The first of the blocks says that it holds attributes of OWNERS inodes.
  void make_attribute_block(std::uint32_t owners) {
    handle h = *journal_start(m.sb(), 1);
    dev::buffer_ref buffer = *m.sb().s_buffers->get(blocks.first);
    const std::span<std::byte> bytes = *get_create_access(h, *buffer);
    ext4_xattr_header header{};
    header.h_magic = xattr_magic;
    header.h_refcount = owners;
    std::memcpy(bytes.data(), &header, sizeof header);
    ASSERT_TRUE(dirty_metadata(h, *buffer));
  }
};

TEST_F(BlockClaims, ABlockIsGivenBackOnce) {
  block_claims claims{m.sb()};
  ASSERT_TRUE(claims.claim(*a, blocks.first, 70));
  EXPECT_TRUE(claims.claim(*b, blocks.first + 70, 30)) << "right behind";
  EXPECT_EQ(claims.claim(*b, blocks.first + 69, 1).error(), EUCLEAN);
  EXPECT_EQ(claims.claim(*a, blocks.first, 1).error(), EUCLEAN) << "its own, twice";
  EXPECT_EQ(claims.claim(*b, blocks.first + 99, 101).error(), EUCLEAN) << "the first of them";
  EXPECT_THAT(m.log(), HasSubstr("another orphan's too"));
  EXPECT_TRUE(claims.claim(*b, blocks.first + 100, 100));
  EXPECT_TRUE(claims.settle());
}

TEST_F(BlockClaims, WhatIsFreeIsNotGivenBack) {
  block_claims claims{m.sb()};
  EXPECT_EQ(claims.claim(*a, blocks.first + 199, 2).error(), EUCLEAN);
  EXPECT_THAT(m.log(), HasSubstr("not all of its blocks"));
  EXPECT_EQ(claims.share(*a, blocks.first + 200).error(), EUCLEAN);
}

TEST_F(BlockClaims, AnAttributeBlockIsGivenUpByAsManyAsItSays) {
  for (const std::uint32_t owners : {1u, 2u}) {
    make_attribute_block(owners);
    block_claims claims{m.sb()};
    ASSERT_TRUE(claims.share(*a, blocks.first));
    EXPECT_TRUE(claims.settle());
    ASSERT_TRUE(claims.share(*b, blocks.first));
    EXPECT_EQ(claims.settle().has_value(), owners == 2) << owners;
  }
  EXPECT_THAT(m.log(), HasSubstr("2 orphans give it up"));
}

TEST_F(BlockClaims, AnInodeWithLinksKeepsItsAttributes) {
  make_attribute_block(1);
  block_claims claims{m.sb()};
  a->i_nlink = 1;
  ASSERT_TRUE(claims.share(*a, blocks.first));
  ASSERT_TRUE(claims.share(*b, blocks.first));
  EXPECT_TRUE(claims.settle());
  a->i_nlink = 0;
}

TEST_F(BlockClaims, AnAttributeBlockIsNobodysData) {
  make_attribute_block(2);
  block_claims claims{m.sb()};
  ASSERT_TRUE(claims.share(*a, blocks.first));
  ASSERT_TRUE(claims.claim(*b, blocks.first + 1, 4));
  EXPECT_TRUE(claims.settle());
  ASSERT_TRUE(claims.claim(*b, blocks.first, 1));
  EXPECT_EQ(claims.settle().error(), EUCLEAN);
  EXPECT_THAT(m.log(), HasSubstr("is another one's data too"));
}

}  // namespace
}  // namespace xip::ext4lite::test
