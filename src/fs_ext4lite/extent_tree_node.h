// One node of an extent tree: the root in i_block, or a block. Views of bytes; they own nothing and check nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <xip/base/units.h>

#include "fs_ext4lite/format.h"

namespace xip::ext4lite {

// An extent, taken apart.
struct tree_extent {
  lblk_t lblk;
  std::uint32_t len = 0;  // blocks
  pblk_t pblk;
  bool unwritten = false;

  [[nodiscard]] std::uint64_t end() const noexcept { return std::uint64_t{lblk.value()} + len; }
};

[[nodiscard]] inline tree_extent decoded(const ext4_extent& e) noexcept {
  const std::uint32_t len = e.ee_len;
  const bool unwritten = len > extent_init_max_len;
  return {lblk_t{e.ee_block}, unwritten ? len - extent_init_max_len : len, pblk_t{std::uint64_t{e.ee_start_hi} << 32 | e.ee_start_lo},
          unwritten};
}
// Its length is within what its state allows.
[[nodiscard]] inline ext4_extent encoded(const tree_extent& e) noexcept {
  ext4_extent out;
  out.ee_block = e.lblk.value();
  out.ee_len = static_cast<std::uint16_t>(e.len + (e.unwritten ? extent_init_max_len : 0));
  out.ee_start_hi = static_cast<std::uint16_t>(e.pblk.value() >> 32);
  out.ee_start_lo = static_cast<std::uint32_t>(e.pblk.value());
  return out;
}
[[nodiscard]] inline pblk_t child_of(const ext4_extent_idx& i) noexcept { return pblk_t{std::uint64_t{i.ei_leaf_hi} << 32 | i.ei_leaf_lo}; }
[[nodiscard]] inline ext4_extent_idx index_entry(lblk_t key, pblk_t child) noexcept {
  ext4_extent_idx out;
  out.ei_block = key.value();
  out.ei_leaf_lo = static_cast<std::uint32_t>(child.value());
  out.ei_leaf_hi = static_cast<std::uint16_t>(child.value() >> 32);
  return out;
}
[[nodiscard]] constexpr std::uint32_t max_len_of(bool unwritten) noexcept {
  return unwritten ? extent_unwritten_max_len : extent_init_max_len;
}

inline constexpr std::size_t tree_entry_size = sizeof(ext4_extent);
static_assert(sizeof(ext4_extent_idx) == tree_entry_size && sizeof(ext4_extent_header) == tree_entry_size);
inline constexpr std::uint32_t root_capacity = (n_blocks * 4 - sizeof(ext4_extent_header)) / tree_entry_size;
[[nodiscard]] constexpr std::uint32_t block_capacity(std::uint32_t block_size) noexcept {
  return (block_size - static_cast<std::uint32_t>(sizeof(ext4_extent_header))) / static_cast<std::uint32_t>(tree_entry_size);
}

// To be read.
class tree_node {
 public:
  explicit tree_node(const std::byte* base) noexcept : base_{base} {}
  [[nodiscard]] const ext4_extent_header& header() const noexcept { return *reinterpret_cast<const ext4_extent_header*>(base_); }
  [[nodiscard]] std::uint32_t entries() const noexcept { return header().eh_entries; }
  [[nodiscard]] std::uint32_t max() const noexcept { return header().eh_max; }
  [[nodiscard]] std::uint32_t depth() const noexcept { return header().eh_depth; }
  [[nodiscard]] bool full() const noexcept { return entries() >= max(); }
  [[nodiscard]] tree_extent extent_at(std::uint32_t i) const noexcept { return decoded(*reinterpret_cast<const ext4_extent*>(entry(i))); }
  [[nodiscard]] pblk_t child_at(std::uint32_t i) const noexcept { return child_of(*reinterpret_cast<const ext4_extent_idx*>(entry(i))); }
  // Where entry I begins; both kinds of entries have it first.
  [[nodiscard]] lblk_t key_at(std::uint32_t i) const noexcept { return lblk_t{*reinterpret_cast<const le32*>(entry(i))}; }
  [[nodiscard]] const std::byte* entry(std::uint32_t i) const noexcept { return base_ + sizeof(ext4_extent_header) + i * tree_entry_size; }
  [[nodiscard]] const std::byte* base() const noexcept { return base_; }

  // The last entry that begins at or before LBLK; -1: all begin behind it.
  [[nodiscard]] std::int32_t search(lblk_t lblk) const noexcept {
    std::uint32_t low = 0, high = entries();
    while (low < high) {
      const std::uint32_t middle = (low + high) / 2;
      if (key_at(middle) <= lblk)
        low = middle + 1;
      else
        high = middle;
    }
    return static_cast<std::int32_t>(low) - 1;
  }

 private:
  const std::byte* base_;
};

// To be written: write access has been had.
class tree_node_writer {
 public:
  explicit tree_node_writer(std::byte* base) noexcept : base_{base} {}
  [[nodiscard]] tree_node view() const noexcept { return tree_node{base_}; }
  void set_header(std::uint32_t entries, std::uint32_t max, std::uint32_t depth) noexcept {
    ext4_extent_header& h = header();
    h.eh_magic = extent_magic;
    h.eh_entries = static_cast<std::uint16_t>(entries);
    h.eh_max = static_cast<std::uint16_t>(max);
    h.eh_depth = static_cast<std::uint16_t>(depth);
  }
  void set_extent(std::uint32_t i, const tree_extent& e) noexcept {
    const ext4_extent raw = encoded(e);
    std::memcpy(entry(i), &raw, sizeof raw);
  }
  void set_key(std::uint32_t i, lblk_t key) noexcept {
    const le32 raw{key.value()};
    std::memcpy(entry(i), &raw, sizeof raw);
  }
  void insert_extent(std::uint32_t i, const tree_extent& e) noexcept {
    open(i);
    set_extent(i, e);
  }
  void insert_index(std::uint32_t i, lblk_t key, pblk_t child) noexcept {
    open(i);
    const ext4_extent_idx raw = index_entry(key, child);
    std::memcpy(entry(i), &raw, sizeof raw);
  }
  void erase(std::uint32_t i) noexcept {
    const std::uint32_t entries = view().entries();
    std::memmove(entry(i), entry(i + 1), (entries - i - 1) * tree_entry_size);
    header().eh_entries = static_cast<std::uint16_t>(entries - 1);
  }
  // Entries from I on go away.
  void cut(std::uint32_t i) noexcept { header().eh_entries = static_cast<std::uint16_t>(i); }
  // COUNT entries of FROM, from its entry FIRST on, become all there is.
  void take(const tree_node& from, std::uint32_t first, std::uint32_t count, std::uint32_t max) noexcept {
    const std::uint32_t depth = from.depth();
    std::memcpy(entry(0), from.entry(first), count * tree_entry_size);
    set_header(count, max, depth);
  }

 private:
  [[nodiscard]] ext4_extent_header& header() const noexcept { return *reinterpret_cast<ext4_extent_header*>(base_); }
  [[nodiscard]] std::byte* entry(std::uint32_t i) const noexcept { return base_ + sizeof(ext4_extent_header) + i * tree_entry_size; }
  void open(std::uint32_t i) noexcept {
    const std::uint32_t entries = view().entries();
    std::memmove(entry(i + 1), entry(i), (entries - i) * tree_entry_size);
    header().eh_entries = static_cast<std::uint16_t>(entries + 1);
  }
  std::byte* base_;
};

}  // namespace xip::ext4lite
