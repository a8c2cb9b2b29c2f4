#include "fs_ext4lite/dir_block.h"

#include <algorithm>

#include <dirent.h>
#include <sys/stat.h>

#include "fs_ext4lite/ext4.h"

namespace xip::ext4lite {
namespace {

void put_entry(std::span<std::byte> leaf, const dir_rules& rules, std::uint32_t offset, std::uint32_t rec_len, std::string_view name,
               ino_t inode, std::uint8_t type) noexcept {
  ext4_dir_entry raw;
  raw.inode = inode.value();
  raw.rec_len = static_cast<std::uint16_t>(rec_len);
  raw.name_len = static_cast<std::uint8_t>(name.size());
  raw.file_type = rules.has_filetype ? type : ft_unknown;
  store_at(leaf, offset, raw);
  std::memcpy(leaf.data() + offset + sizeof raw, name.data(), name.size());
}

void set_rec_len(std::span<std::byte> leaf, std::uint32_t offset, std::uint32_t rec_len) noexcept {
  auto raw = load_at<ext4_dir_entry>(leaf, offset);
  raw.rec_len = static_cast<std::uint16_t>(rec_len);
  store_at(leaf, offset, raw);
}

void put_tail(std::span<std::byte> leaf, const dir_rules& rules) noexcept {
  if (!rules.has_tail) return;
  ext4_dir_entry_tail tail{};
  tail.det_rec_len = sizeof tail;
  tail.det_reserved_ft = ft_dir_csum;
  store_at(leaf, leaf.size() - sizeof tail, tail);
}

// A place in a leaf.
struct leaf_place {
  std::uint32_t at = 0;        // an entry begins there
  std::uint32_t previous = 0;  // the one before it; 0 for the first
};

// The first entry for which IS(raw, its name) answers true, or one before it that a walk has to look at: the last, one without a name, one that is wrong. A
// leaf has hundreds of entries, and every call comes through all up to its own, so this one asks no more than what keeps it within the leaf; whether
// something was wrong on the way it knows at the end, and then says: from the start.
template <class Is>
[[nodiscard]] leaf_place skip_ordinary(std::span<const std::byte> leaf, const dir_rules& rules, const Is& is) noexcept {
  const auto end = static_cast<std::uint32_t>(leaf_room(leaf.size(), rules));
  leaf_place place;
  std::uint32_t lengths = 0, highest = 0;
  while (end - place.at >= 2 * smallest_dir_entry) {
    ext4_dir_entry raw;
    std::memcpy(&raw, leaf.data() + place.at, sizeof raw);
    // A load of its own: the next entry's place waits for nothing else.
    const std::uint32_t rec_len = load_at<le16>(leaf, place.at + offsetof(ext4_dir_entry, rec_len));
    if (raw.name_len == 0 || rec_len < dir_entry_bytes(raw.name_len) || rec_len + smallest_dir_entry > end - place.at) break;
    if (is(raw, reinterpret_cast<const char*>(leaf.data()) + place.at + sizeof raw)) break;
    lengths |= rec_len;
    highest = std::max(highest, raw.inode.load());
    place = {place.at + rec_len, place.at};
  }
  return lengths % 4 == 0 && highest <= rules.inodes_count ? place : leaf_place{};
}

// The last four bytes of a name, or all of a shorter one. Names beside each other often begin alike: their ends say sooner that they are two.
class name_end {
 public:
  explicit name_end(std::string_view name) noexcept : size_{name.size()} {
    const std::size_t count = std::min(size_, sizeof word_);
    std::memcpy(reinterpret_cast<char*>(&word_) + sizeof word_ - count, name.data() + size_ - count, count);
    std::memset(reinterpret_cast<char*>(&mask_) + sizeof mask_ - count, 0xff, count);
  }
  // HERE is a name of as many bytes in an entry, which has more than four before it.
  [[nodiscard]] bool is_end_of(const char* here) const noexcept {
    std::uint32_t word;
    std::memcpy(&word, here + size_ - sizeof word, sizeof word);
    return ((word ^ word_) & mask_) == 0;
  }

 private:
  std::size_t size_;
  std::uint32_t word_ = 0;
  std::uint32_t mask_ = 0;
};

}  // namespace

dir_rules dir_rules_of(const ext4_sb_info& sb) noexcept {
  return {sb.s_inodes_count, sb.has_incompat(incompat_filetype), sb.has_metadata_csum()};
}

const char* dir_entry_walk::check(const ext4_dir_entry& raw) const noexcept {
  const std::uint32_t rec_len = raw.rec_len;
  const std::size_t left = end_ - offset_;
  if (rec_len < smallest_dir_entry) return "its length is below 12";
  if (rec_len % 4 != 0) return "its length is not a multiple of 4";
  if (rec_len < dir_entry_bytes(raw.name_len)) return "its name is longer than the entry";
  if (rec_len > left) return "it reaches past the end";
  if (rec_len != left && left - rec_len < smallest_dir_entry) return "it leaves too little for the next one";
  if (raw.inode > rules_.inodes_count) return "there is no inode of that number";
  if (raw.inode != 0 && raw.name_len == 0) return "it has no name";
  return nullptr;
}

bool dir_entry_walk::next(dir_entry_view& e) noexcept {
  if (offset_ == end_ || fault_ != nullptr) return false;
  if (end_ - offset_ < smallest_dir_entry) {
    fault_ = "the block is too small";
    return false;
  }
  const auto raw = load_at<ext4_dir_entry>(block_, offset_);
  fault_ = check(raw);
  if (fault_ != nullptr) return false;
  e.offset = offset_;
  e.rec_len = raw.rec_len;
  e.inode = ino_t{raw.inode};
  e.file_type = rules_.has_filetype ? raw.file_type : ft_unknown;
  e.name = {reinterpret_cast<const char*>(block_.data()) + offset_ + sizeof raw, raw.name_len};
  offset_ += e.rec_len;
  return true;
}

dir_block_fault check_dir_block(std::span<const std::byte> block, const dir_rules& rules, dir_block_shape shape) noexcept {
  dir_entry_walk walk{block, rules, shape};
  dir_entry_view e;
  while (walk.next(e)) {
  }
  return {walk.fault(), walk.offset()};
}

std::optional<found_entry> find_in_block(std::span<const std::byte> leaf, const dir_rules& rules, std::string_view name,
                                         dir_block_fault& fault) noexcept {
  const name_end end{name};
  const auto start = skip_ordinary(leaf, rules, [name, end](const ext4_dir_entry& raw, const char* here) {
    return raw.name_len == name.size() && end.is_end_of(here) && std::memcmp(here, name.data(), name.size()) == 0;
  });
  dir_entry_walk walk{leaf, rules, dir_block_shape::leaf, start.at};
  dir_entry_view e;
  for (std::uint32_t previous = start.previous; walk.next(e); previous = e.offset)
    if (e.in_use() && e.name == name) return found_entry{e, e.offset != 0 ? std::optional{previous} : std::nullopt};
  fault = {walk.fault(), walk.offset()};
  return std::nullopt;
}

std::optional<dir_entry_view> find_room(std::span<const std::byte> leaf, const dir_rules& rules, std::size_t name_len,
                                        dir_block_fault& fault) noexcept {
  const std::uint32_t needed = dir_entry_bytes(name_len);
  const auto start = skip_ordinary(leaf, rules, [needed](const ext4_dir_entry& raw, const char*) {
    return raw.rec_len - dir_entry_bytes(raw.name_len) >= needed || raw.inode == 0;
  });
  dir_entry_walk walk{leaf, rules, dir_block_shape::leaf, start.at};
  dir_entry_view e;
  while (walk.next(e))
    if (e.slack() >= needed) return e;
  fault = {walk.fault(), walk.offset()};
  return std::nullopt;
}

void insert_entry(std::span<std::byte> leaf, const dir_rules& rules, const dir_entry_view& room, std::string_view name, ino_t inode,
                  std::uint8_t type) noexcept {
  std::uint32_t offset = room.offset;
  std::uint32_t rec_len = room.rec_len;
  if (room.in_use()) {
    const std::uint32_t used = dir_entry_bytes(room.name.size());
    set_rec_len(leaf, offset, used);
    offset += used;
    rec_len -= used;
  }
  put_entry(leaf, rules, offset, rec_len, name, inode, type);
}

void erase_entry(std::span<std::byte> leaf, const found_entry& found) noexcept {
  const dir_entry_view& e = found.entry;
  if (found.previous) {
    set_rec_len(leaf, *found.previous, e.offset - *found.previous + e.rec_len);
    std::memset(leaf.data() + e.offset, 0, dir_entry_bytes(e.name.size()));
    return;
  }
  ext4_dir_entry unused{};
  unused.rec_len = static_cast<std::uint16_t>(e.rec_len);
  std::memset(leaf.data() + e.offset, 0, dir_entry_bytes(e.name.size()));
  store_at(leaf, e.offset, unused);
}

void retarget_entry(std::span<std::byte> block, const dir_rules& rules, std::uint32_t offset, ino_t inode, std::uint8_t type) noexcept {
  auto raw = load_at<ext4_dir_entry>(block, offset);
  raw.inode = inode.value();
  if (rules.has_filetype) raw.file_type = type;
  store_at(block, offset, raw);
}

void init_leaf(std::span<std::byte> leaf, const dir_rules& rules) noexcept {
  std::ranges::fill(leaf, std::byte{0});
  set_rec_len(leaf, 0, static_cast<std::uint32_t>(leaf_room(leaf.size(), rules)));
  put_tail(leaf, rules);
}

void init_first_block(std::span<std::byte> leaf, const dir_rules& rules, ino_t self, ino_t parent) noexcept {
  leaf_packer packer{leaf, rules};
  packer.append(".", self, ft_dir);
  packer.append("..", parent, ft_dir);
  packer.finish();
}

void leaf_packer::append(std::string_view name, ino_t inode, std::uint8_t type) noexcept {
  const std::uint32_t bytes = dir_entry_bytes(name.size());
  XIP_ASSERT(end_ + bytes <= leaf_room(leaf_.size(), rules_));
  put_entry(leaf_, rules_, end_, bytes, name, inode, type);
  last_ = end_;
  end_ += bytes;
}

void leaf_packer::finish() noexcept { set_rec_len(leaf_, last_, static_cast<std::uint32_t>(leaf_room(leaf_.size(), rules_)) - last_); }

std::uint8_t file_type_of(std::uint32_t mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return ft_reg_file;
    case S_IFDIR:
      return ft_dir;
    case S_IFCHR:
      return ft_chrdev;
    case S_IFBLK:
      return ft_blkdev;
    case S_IFIFO:
      return ft_fifo;
    case S_IFSOCK:
      return ft_sock;
    case S_IFLNK:
      return ft_symlink;
    default:
      return ft_unknown;
  }
}

unsigned dt_type_of(std::uint8_t file_type, const dir_rules& rules) noexcept {
  static constexpr unsigned char types[ft_max] = {DT_UNKNOWN, DT_REG, DT_DIR, DT_CHR, DT_BLK, DT_FIFO, DT_SOCK, DT_LNK};
  return rules.has_filetype && file_type < ft_max ? unsigned{types[file_type]} : unsigned{DT_UNKNOWN};
}

}  // namespace xip::ext4lite
