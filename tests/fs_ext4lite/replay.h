// A journal is replayed by us and by e2fsck, each on a copy, and both make the same of the image.
#pragma once

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "fs_ext4lite/format.h"
#include "fs_ext4lite/image.h"

namespace xip::ext4lite::test {

[[nodiscard]] inline image copy_of(const image& from, std::string_view whose) {
  image copy{fmt::format("{}.{}", from.path(), whose)};
  std::filesystem::copy_file(from.path(), copy.path(), std::filesystem::copy_options::overwrite_existing);
  return copy;
}

[[nodiscard]] inline ext4_super_block super_block_of(const image& i) { return i.peek_value<ext4_super_block>(super_offset); }
[[nodiscard]] inline bool needs_recovery(const image& i) { return (super_block_of(i).s_feature_incompat & incompat_recover) != 0; }

// Blocks that differ, but for the super block (times, and who mounted it when) and the journal's own (the number that it goes on with).
[[nodiscard]] inline std::vector<std::uint64_t> differences(const image& a, const image& b, std::uint64_t journal_block) {
  const std::vector<std::byte> left = a.bytes(), right = b.bytes();
  EXPECT_EQ(left.size(), right.size());
  const std::size_t size = 1024u << super_block_of(a).s_log_block_size;
  std::vector<std::uint64_t> blocks;
  for (std::size_t at = 0; at + size <= std::min(left.size(), right.size()); at += size) {
    const bool of_super = super_offset / size == at / size;
    if (!of_super && at / size != journal_block && std::memcmp(&left[at], &right[at], size) != 0) blocks.push_back(at / size);
  }
  return blocks;
}

// The last line of what debugfs says is the answer.
[[nodiscard]] inline std::uint64_t first_journal_block(const image& i) {
  std::string said = debugfs(i.path(), "bmap <8> 0");
  while (said.ends_with('\n')) said.pop_back();
  return std::strtoull(said.c_str() + (said.rfind('\n') + 1), nullptr, 10);
}

// Mounts I for writing, changes nothing, and unmounts it.
inline void recover_by_us(const image& i) {
  mounted fs{i};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  EXPECT_THAT(fs.log(), testing::HasSubstr("the journal was recovered"));
  fs.umount_and_check(i);
}

// We and e2fsck, each on a copy.
inline void compare_with_e2fsck(const image& dirty) {
  ASSERT_TRUE(needs_recovery(dirty));
  const std::uint64_t journal = first_journal_block(dirty);
  ASSERT_NE(journal, 0u);
  image theirs = copy_of(dirty, "e2fsck");
  const auto judged = run_command({"e2fsck", "-E", "journal_only", "-y", theirs.path()});
  ASSERT_LE(judged.status, 1) << judged.output;
  ASSERT_FALSE(needs_recovery(theirs));
  recover_by_us(dirty);
  EXPECT_FALSE(needs_recovery(dirty));
  EXPECT_THAT(differences(dirty, theirs, journal), testing::IsEmpty());
}

}  // namespace xip::ext4lite::test
