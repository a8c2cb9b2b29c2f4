#include "fs_ext4lite/dx_block.h"

#include <algorithm>

#include "fs_ext4lite/dir_hash.h"

namespace xip::ext4lite {
namespace {

void set_count(std::span<std::byte> block, dir_block_shape shape, std::uint32_t count) noexcept {
  auto room = load_at<dx_countlimit>(block, dx_entries_offset(shape));
  room.count = static_cast<std::uint16_t>(count);
  store_at(block, dx_entries_offset(shape), room);
}

void put_entry(std::span<std::byte> block, dir_block_shape shape, std::uint32_t i, std::uint32_t hash, lblk_t leaf) noexcept {
  dx_entry e;
  e.hash = hash;
  e.block = leaf.value();
  const std::size_t offset = dx_entries_offset(shape) + i * sizeof e;
  if (i == 0) {
    store_at(block, offset + offsetof(dx_entry, block), e.block);
  } else {
    store_at(block, offset, e);
  }
}

// An empty array fills the block from its start on.
void init_entries(std::span<std::byte> block, dir_block_shape shape, const dir_rules& rules) noexcept {
  const std::uint32_t offset = dx_entries_offset(shape);
  std::ranges::fill(block.subspan(offset), std::byte{0});
  dx_countlimit room;
  room.limit = static_cast<std::uint16_t>(dx_limit(block.size(), shape, rules));
  room.count = 0;
  store_at(block, offset, room);
}

// COUNT entries of FROM from FIRST on become the whole of TO.
void move_entries(std::span<const std::byte> from, dir_block_shape from_shape, std::uint32_t first, std::uint32_t count,
                  std::span<std::byte> to, dir_block_shape to_shape) noexcept {
  const dx_view source{from, from_shape};
  for (std::uint32_t i = 0; i < count; ++i) put_entry(to, to_shape, i, source.hash(first + i), source.block(first + i));
  set_count(to, to_shape, count);
}

[[nodiscard]] const char* check_entries(std::span<const std::byte> block, dir_block_shape shape, const dir_rules& rules) noexcept {
  const dx_view view{block, shape};
  if (view.limit() != dx_limit(block.size(), shape, rules)) return "the index has the wrong limit";
  if (view.count() == 0) return "the index has no entry";
  if (view.count() > view.limit()) return "the index has more entries than its limit";
  return nullptr;
}

[[nodiscard]] bool names_self_and_parent(const dx_root& root, std::size_t block_size) noexcept {
  const auto is_dots = [](const ext4_dir_entry& e, const char(&name)[4], unsigned dots) {
    return e.inode != 0 && e.name_len == dots && name[0] == '.' && (dots == 1 || name[1] == '.');
  };
  return is_dots(root.dot, root.dot_name, 1) && is_dots(root.dotdot, root.dotdot_name, 2) && root.dot.rec_len == 12 &&
         root.dotdot.rec_len == block_size - 12;
}

}  // namespace

std::uint32_t dx_view::find(std::uint32_t hash) const noexcept {
  std::uint32_t low = 1;  // entries below it are not above HASH
  std::uint32_t high = count();
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (this->hash(middle) <= hash)
      low = middle + 1;
    else
      high = middle;
  }
  return low - 1;
}

dx_root_info dx_info_of(std::span<const std::byte> root) noexcept { return load_at<dx_root>(root, 0).info; }

const char* check_dx_root(std::span<const std::byte> block, const dir_rules& rules, std::uint32_t max_levels) noexcept {
  const auto root = load_at<dx_root>(block, 0);
  if (!names_self_and_parent(root, block.size())) return "the index does not begin with . and ..";
  if (root.info.reserved_zero != 0 || (root.info.unused_flags & 1) != 0) return "the index has unknown flags";
  if (root.info.info_length != sizeof root.info) return "the index has a header of unknown size";
  if (!hash_version_supported(root.info.hash_version)) return "the index has an unknown hash version";
  if (root.info.indirect_levels >= max_levels) return "the index is too deep";
  return check_entries(block, dir_block_shape::dx_root, rules);
}

const char* check_dx_node(std::span<const std::byte> block, const dir_rules& rules) noexcept {
  const auto node = load_at<dx_node>(block, 0);
  if (node.fake.inode != 0 || node.fake.rec_len != block.size()) return "an index block was expected, not names";
  return check_entries(block, dir_block_shape::dx_node, rules);
}

bool dx_hashes_ascend(std::span<const std::byte> block, dir_block_shape shape) noexcept {
  const dx_view view{block, shape};
  const std::uint32_t count =
      std::min<std::uint32_t>(view.count(), static_cast<std::uint32_t>((block.size() - dx_entries_offset(shape)) / sizeof(dx_entry)));
  for (std::uint32_t i = 1; i < count; ++i)
    if (view.hash(i) < view.hash(i - 1)) return false;
  return true;
}

void init_dx_root(std::span<std::byte> block, const dir_rules& rules, std::uint8_t hash_version, lblk_t leaf) noexcept {
  const auto old = load_at<dx_root>(block, 0);
  dx_root root{};
  root.dot = old.dot;
  root.dot.rec_len = 12;
  root.dot_name[0] = '.';
  // .. stands where the entry before it ends.
  root.dotdot = load_at<ext4_dir_entry>(block, old.dot.rec_len);
  root.dotdot.rec_len = static_cast<std::uint16_t>(block.size() - 12);
  root.dotdot_name[0] = root.dotdot_name[1] = '.';
  root.info.hash_version = hash_version;
  root.info.info_length = sizeof root.info;
  store_at(block, 0, root);
  init_entries(block, dir_block_shape::dx_root, rules);
  put_entry(block, dir_block_shape::dx_root, 0, 0, leaf);
  set_count(block, dir_block_shape::dx_root, 1);
}

void init_dx_node(std::span<std::byte> block, const dir_rules& rules) noexcept {
  dx_node node{};
  node.fake.rec_len = static_cast<std::uint16_t>(block.size());
  store_at(block, 0, node);
  init_entries(block, dir_block_shape::dx_node, rules);
}

void insert_dx_entry(std::span<std::byte> block, dir_block_shape shape, std::uint32_t at, std::uint32_t hash, lblk_t leaf) noexcept {
  const std::uint32_t count = dx_view{block, shape}.count();
  XIP_ASSERT(at < count && !dx_view(block, shape).full());
  std::byte* const from = block.data() + dx_entries_offset(shape) + (at + 1) * sizeof(dx_entry);
  std::memmove(from + sizeof(dx_entry), from, (count - at - 1) * sizeof(dx_entry));
  put_entry(block, shape, at + 1, hash, leaf);
  set_count(block, shape, count + 1);
}

std::uint32_t split_dx_node(std::span<std::byte> node, std::span<std::byte> fresh, const dir_rules& rules) noexcept {
  constexpr auto shape = dir_block_shape::dx_node;
  const dx_view view{node, shape};
  const std::uint32_t count = view.count();
  const std::uint32_t kept = count / 2;
  XIP_ASSERT(kept != 0);
  const std::uint32_t first_hash = view.hash(kept);
  init_dx_node(fresh, rules);
  move_entries(node, shape, kept, count - kept, fresh, shape);
  set_count(node, shape, kept);
  return first_hash;
}

void deepen_dx_root(std::span<std::byte> root, std::span<std::byte> fresh, const dir_rules& rules, lblk_t lblk) noexcept {
  constexpr auto shape = dir_block_shape::dx_root;
  init_dx_node(fresh, rules);
  move_entries(root, shape, 0, dx_view{root, shape}.count(), fresh, dir_block_shape::dx_node);
  auto header = load_at<dx_root>(root, 0);
  ++header.info.indirect_levels;
  store_at(root, 0, header);
  set_count(root, shape, 1);
  put_entry(root, shape, 0, 0, lblk);
}

}  // namespace xip::ext4lite
