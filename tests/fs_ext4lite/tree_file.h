// One empty file of a small image, its tree changed directly, and a model of what the tree must say.
#pragma once

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "fs_ext4lite/extent_tree.h"
#include "fs_ext4lite/image.h"
#include "fs_ext4lite/indirect.h"

namespace xip::ext4lite::test {

inline constexpr std::uint32_t first_file = 12;  // the first inode that debugfs gives out

// An image with one empty file, /file.
[[nodiscard]] inline image image_with_file(std::string_view options, std::string_view size) {
  image made = make_image(options, size);
  debugfs(made.path(), "write /dev/null file", true);
  return made;
}

class tree_file {
 public:
  explicit tree_file(const image& from, loff_t size = loff_t{1} << 40) : fs_{from} {
    EXPECT_TRUE(fs_.ok()) << fs_.failure();
    auto got = ext4_iget(fs_.sb(), ino_t{first_file});
    EXPECT_TRUE(got.has_value());
    ref_ = std::move(*got);
    // Blocks past the end of a file are an error to e2fsck.
    handle h = start(credits_inode);
    exclusive_guard guard{inode().i_data_sem};
    inode().i_disksize = size;
    i_size_write(inode(), size);
    EXPECT_TRUE(mark_inode_dirty_data(h, inode()));
  }

  [[nodiscard]] bare_mount& fs() noexcept { return fs_; }
  [[nodiscard]] ext4_inode_info& inode() noexcept { return info_of(*ref_); }
  [[nodiscard]] handle start(std::uint32_t credits) {
    auto h = journal_start(fs_.sb(), credits);
    EXPECT_TRUE(h.has_value());
    return std::move(*h);
  }

  result<extent_map> look(std::uint32_t lblk, std::uint32_t max = UINT32_MAX - 1) {
    return map_blocks(nullptr, inode(), lblk_t{lblk}, max, 0);
  }
  result<extent_map> change(std::uint32_t lblk, std::uint32_t max, std::uint32_t flags) {
    handle h = start(credits_for_one_extent(inode()));
    return map_blocks(&h, inode(), lblk_t{lblk}, max, flags);
  }
  // All of [FIRST, LAST], stretch by stretch; how many there were.
  result<int> remove(std::uint32_t first, std::uint32_t last) {
    for (int count = 0;; ++count) {
      handle h = start(credits_for_punch);
      exclusive_guard guard{inode().i_data_sem};
      const auto more = remove_last_stretch(h, inode(), lblk_t{first}, lblk_t{last});
      XIP_TRY(mark_inode_dirty_data(h, inode()));
      if (!more.has_value()) return fail(more.error());
      if (!*more) return count;
    }
  }
  // Extents from FROM on move left by COUNT, leaf by leaf. In how many steps.
  result<int> move_left(std::uint32_t from, std::uint32_t count) {
    std::uint64_t at = from;
    return move([&](handle& h) { return shift_leaf_left(h, inode(), at, count); });
  }
  // They move right, and none goes across FROM.
  result<int> move_right(std::uint32_t from, std::uint32_t count) {
    std::uint64_t end = extent_max_block;
    return move([&](handle& h) { return shift_leaf_right(h, inode(), lblk_t{from}, end, count); });
  }
  result<> cut(std::uint32_t lblk) {
    handle h = start(credits_for_punch);
    exclusive_guard guard{inode().i_data_sem};
    const auto done = cut_extent(h, inode(), lblk_t{lblk}, 0);
    XIP_TRY(mark_inode_dirty_data(h, inode()));
    return done;
  }
  // Blocks that were freed can be had again.
  void commit() { EXPECT_TRUE(force_commit(fs_.sb())); }

  // As the root says, and the inode knows.
  [[nodiscard]] std::uint32_t depth() {
    const std::uint32_t found = tree_node{reinterpret_cast<const std::byte*>(inode().i_data)}.depth();
    EXPECT_EQ(inode().i_depth, found);
    return found;
  }
  [[nodiscard]] std::uint32_t root_entries() { return tree_node{reinterpret_cast<const std::byte*>(inode().i_data)}.entries(); }

  // Every extent of the tree, in order, read from the tree itself.
  [[nodiscard]] std::vector<extent_map> extents() {
    std::vector<extent_map> all;
    shared_guard guard{inode().i_data_sem};
    for (std::uint64_t at = 0; at < extent_max_block;) {
      const auto em = find_extent(inode(), lblk_t{static_cast<std::uint32_t>(at)});
      if (!em.has_value()) {
        ADD_FAILURE() << em.error().name() << " at block " << at << '\n' << fs_.log();
        break;
      }
      if (em->type != extent_type::hole) all.push_back(*em);
      at = std::uint64_t{em->lblk.value()} + em->len;
    }
    return all;
  }

  void unmount_and_check(const image& to) {
    ref_ = {};
    fs_.unmount_and_check(to);
  }

 private:
  template <class Step>
  result<int> move(Step&& step) {
    for (int steps = 1;; ++steps) {
      handle h = start(credits_for_shift);
      exclusive_guard guard{inode().i_data_sem};
      const auto more = step(h);
      XIP_TRY(mark_inode_dirty_data(h, inode()));
      if (!more.has_value()) return fail(more.error());
      if (!*more) return steps;
    }
  }

  bare_mount fs_;
  vfs::inode_ref ref_;
};

// What each block must be.
class tree_model {
 public:
  struct block {
    extent_type type = extent_type::hole;
    std::uint64_t pblk = 0;
  };
  explicit tree_model(std::uint32_t blocks) : blocks_(blocks) {}

  void apply(const extent_map& em) {
    ASSERT_NE(em.type, extent_type::hole);
    for (std::uint32_t i = 0; i < em.len; ++i) blocks_[em.lblk.value() + i] = {em.type, em.pblk.value() + i};
  }
  void remove(std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t i = first; i <= last; ++i) blocks_[i] = {};
  }
  void insert_hole(std::uint32_t first, std::uint32_t count) { blocks_.insert(blocks_.begin() + first, count, block{}); }
  void erase(std::uint32_t first, std::uint32_t count) { blocks_.erase(blocks_.begin() + first, blocks_.begin() + first + count); }
  [[nodiscard]] const block& at(std::uint32_t lblk) const { return blocks_[lblk]; }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(blocks_.size()); }

  // The tree says the same, block by block, and so does the look-up that may use the cache.
  void compare(tree_file& file) const {
    std::vector<block> found(blocks_.size());
    for (const extent_map& em : file.extents()) {
      ASSERT_LE(em.lblk.value() + em.len, blocks_.size());
      for (std::uint32_t i = 0; i < em.len; ++i) found[em.lblk.value() + i] = {em.type, em.pblk.value() + i};
    }
    for (std::uint32_t i = 0; i < blocks_.size(); ++i) {
      ASSERT_EQ(found[i].type, blocks_[i].type) << "block " << i;
      ASSERT_EQ(found[i].pblk, blocks_[i].pblk) << "block " << i;
    }
    if (has_extents(file.inode())) (void)file.depth();
    for (std::uint32_t i = 0; i < blocks_.size();) {
      const auto em = file.look(i, size() - i);
      ASSERT_TRUE(em.has_value());
      for (std::uint32_t j = 0; j < em->len; ++j) {
        ASSERT_EQ(em->type, blocks_[i + j].type) << "block " << i + j;
        ASSERT_EQ(em->type == extent_type::hole ? 0 : em->pblk.value() + j, blocks_[i + j].pblk) << "block " << i + j;
      }
      i += em->len;
    }
  }

 private:
  std::vector<block> blocks_;
};

}  // namespace xip::ext4lite::test
