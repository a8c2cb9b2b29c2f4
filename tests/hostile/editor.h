// Damages a sound image in named places: the tool that hostile images are made with.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "fs_ext4lite/format.h"
#include "fuzz/layout.h"
#include "fuzz/sparse_image.h"

namespace xip::hostile {

class editor {
 public:
  explicit editor(fuzz::sparse_image& image);

  [[nodiscard]] fuzz::sparse_image& image() noexcept { return image_; }
  [[nodiscard]] const fuzz::geometry& geometry() const noexcept { return g_; }

  // CHANGE(value) on what lies at OFFSET.
  template <class T, class Change>
  void at(std::uint64_t offset, Change&& change) {
    auto value = image_.load<T>(offset);
    change(value);
    image_.store(offset, value);
  }
  template <class Change>
  void super(Change&& change) {
    at<ext4lite::ext4_super_block>(ext4lite::super_offset, change);
  }
  template <class Change>
  void group(std::uint32_t number, Change&& change) {
    at<ext4lite::ext4_group_desc>(fuzz::offset_of_desc(g_, number), change);
  }
  template <class Change>
  void inode(std::string_view path, Change&& change) {
    at<ext4lite::ext4_inode>(inode_offset(path), change);
  }
  // The header of the root of its extent tree, and entry I behind it.
  template <class Change>
  void extent_header(std::string_view path, Change&& change) {
    at<ext4lite::ext4_extent_header>(tree_offset(path), change);
  }
  template <class Change>
  void extent(std::string_view path, std::uint32_t i, Change&& change) {
    at<ext4lite::ext4_extent>(entry_offset(tree_offset(path), i), change);
  }
  template <class Change>
  void index(std::string_view path, std::uint32_t i, Change&& change) {
    at<ext4lite::ext4_extent_idx>(entry_offset(tree_offset(path), i), change);
  }
  // The entry of NAME in the directory PATH.
  template <class Change>
  void entry(std::string_view path, std::string_view name, Change&& change) {
    at<ext4lite::ext4_dir_entry>(dir_entry_offset(path, name), change);
  }

  // "" is the root. Ends the program where there is no such file: a table of images is wrong then.
  [[nodiscard]] std::uint32_t number(std::string_view path) const;
  [[nodiscard]] std::uint64_t inode_offset(std::string_view path) const;
  [[nodiscard]] std::uint64_t inode_offset(std::uint32_t number) const;
  [[nodiscard]] std::uint64_t tree_offset(std::string_view path) const {
    return inode_offset(path) + offsetof(ext4lite::ext4_inode, i_block);
  }
  [[nodiscard]] static std::uint64_t entry_offset(std::uint64_t node, std::uint32_t i) noexcept {
    return node + sizeof(ext4lite::ext4_extent_header) + i * sizeof(ext4lite::ext4_extent);
  }
  [[nodiscard]] std::uint64_t dir_entry_offset(std::string_view path, std::string_view name) const;
  // Byte offsets of the blocks of KIND that belong to the file.
  [[nodiscard]] std::vector<std::uint64_t> blocks(std::string_view path, fuzz::structure_kind kind) const;
  [[nodiscard]] std::uint64_t block(std::string_view path, fuzz::structure_kind kind, std::size_t n = 0) const;
  // Byte offset of block N of the orphan file.
  [[nodiscard]] std::uint64_t orphan_block(std::size_t n) const;
  [[nodiscard]] std::uint32_t block_number(std::uint64_t offset) const noexcept {
    return static_cast<std::uint32_t>(offset / g_.block_size);
  }
  // Of the group's inode table, byte offset.
  [[nodiscard]] std::uint64_t inode_table(std::uint32_t group) const;

  // The checksums stay as they are.
  void leave_checksums() noexcept { repair_ = false; }
  void finish();

 private:
  [[nodiscard]] std::uint64_t entry_in(std::uint32_t directory, std::string_view name) const;

  fuzz::sparse_image& image_;
  fuzz::geometry g_;
  std::vector<fuzz::structure> all_;
  bool repair_ = true;
};

}  // namespace xip::hostile
