#include "fs_ext4lite/xattr_area.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "fs_ext4lite/dir_block.h"

namespace xip::ext4lite {
namespace {

// A stretch of the area that belongs to one value.
struct stretch {
  std::size_t first, end;
};

class area_reader {
 public:
  area_reader(const xattr_area& area, std::pmr::memory_resource& memory) noexcept
      : bytes_{area.bytes}, at_{area.entries}, found_{&memory}, entries_{&memory}, values_{&memory} {}

  [[nodiscard]] std::expected<xattr_views, std::string> read() {
    while (!is_last())
      if (!take_entry()) return std::unexpected{std::move(why_)};
    if (!why_.empty()) return std::unexpected{std::move(why_)};
    for (std::size_t i = 0; i < found_.size(); ++i)
      if (!take_value(i)) return std::unexpected{std::move(why_)};
    if (values_overlap()) return std::unexpected{std::move(why_)};
    return std::move(found_);
  }

 private:
  bool wrong(std::string why) {
    why_ = std::move(why);
    return false;
  }

  // The zero word behind the entries; where there is none, the area is wrong, and that ends them too.
  [[nodiscard]] bool is_last() {
    if (at_ + sizeof(le32) > bytes_.size()) return !wrong(fmt::format("its entries run out of it at offset {}", at_));
    return load_at<le32>(bytes_, at_) == 0;
  }

  [[nodiscard]] bool take_entry() {
    if (at_ + sizeof(ext4_xattr_entry) > bytes_.size()) return wrong(fmt::format("the entry at offset {} runs out of it", at_));
    const auto entry = load_at<ext4_xattr_entry>(bytes_, at_);
    const std::size_t next = at_ + xattr_entry_bytes(entry.e_name_len);
    if (next + sizeof(le32) > bytes_.size()) return wrong(fmt::format("the name at offset {} runs out of it", at_));
    const std::string_view name{reinterpret_cast<const char*>(bytes_.data()) + at_ + sizeof entry, entry.e_name_len};
    if (name.find('\0') != name.npos) return wrong(fmt::format("the name at offset {} has a zero byte", at_));
    if (entry.e_value_inum != 0)
      return wrong(
          fmt::format("the value of the entry at offset {} is in inode {}, without the feature ea_inode", at_, entry.e_value_inum.load()));
    found_.push_back({.name_index = entry.e_name_index, .name = name, .hash = entry.e_hash});
    entries_.push_back(entry);
    at_ = next;
    return true;
  }

  [[nodiscard]] bool take_value(std::size_t i) {
    const std::size_t offset = entries_[i].e_value_offs, size = entries_[i].e_value_size;
    if (size == 0) return true;
    if (offset < at_ + sizeof(le32) || offset > bytes_.size() || size > bytes_.size() - offset ||
        xattr_value_bytes(size) > bytes_.size() - offset)
      return wrong(fmt::format("a value of {} bytes at offset {} does not lie between its entries and its end", size, offset));
    found_[i].value = bytes_.subspan(offset, size);
    values_.push_back({offset, offset + xattr_value_bytes(size)});
    return true;
  }

  [[nodiscard]] bool values_overlap() {
    std::ranges::sort(values_, {}, &stretch::first);
    for (std::size_t i = 1; i < values_.size(); ++i)
      if (values_[i].first < values_[i - 1].end) return !wrong(fmt::format("two values overlap at offset {}", values_[i].first));
    return false;
  }

  const std::span<const std::byte> bytes_;
  std::size_t at_;
  std::string why_;
  xattr_views found_;
  std::pmr::vector<ext4_xattr_entry> entries_;
  std::pmr::vector<stretch> values_;
};

// The words of a value; what is missing of the last one is zero.
[[nodiscard]] std::uint32_t word_of(std::span<const std::byte> value, std::size_t at) noexcept {
  le32 word;
  std::memcpy(&word, value.data() + at, std::min(sizeof word, value.size() - at));
  return word;
}

}  // namespace

std::expected<xattr_views, std::string> read_xattrs(const xattr_area& area, std::pmr::memory_resource& memory) {
  return area_reader{area, memory}.read();
}

bool xattrs_fit(std::size_t size, std::size_t entries, const xattr_views& items) noexcept {
  std::size_t need = entries + sizeof(le32);
  for (const xattr_view& item : items) need += xattr_entry_bytes(item.name.size()) + xattr_value_bytes(item.value.size());
  return need <= size;
}

void lay_out_xattrs(std::span<std::byte> area, std::size_t entries, const xattr_views& items) noexcept {
  std::memset(area.data() + entries, 0, area.size() - entries);
  std::size_t at = entries, end = area.size();
  for (const xattr_view& item : items) {
    ext4_xattr_entry entry{};
    entry.e_name_len = static_cast<std::uint8_t>(item.name.size());
    entry.e_name_index = item.name_index;
    entry.e_value_size = static_cast<std::uint32_t>(item.value.size());
    entry.e_hash = item.hash;
    if (!item.value.empty()) {
      end -= xattr_value_bytes(item.value.size());
      entry.e_value_offs = static_cast<std::uint16_t>(end);
      std::memcpy(area.data() + end, item.value.data(), item.value.size());
    }
    store_at(area, at, entry);
    if (!item.name.empty())
      std::memcpy(area.data() + at + sizeof entry, item.name.data(), item.name.size());  // an access control list has none
    at += xattr_entry_bytes(item.name.size());
  }
}

bool xattr_before(const xattr_view& a, const xattr_view& b) noexcept {
  if (a.name_index != b.name_index) return a.name_index < b.name_index;
  if (a.name.size() != b.name.size()) return a.name.size() < b.name.size();
  return a.name < b.name;
}

std::uint32_t xattr_entry_hash(const xattr_view& item, name_chars chars) noexcept {
  constexpr int name_shift = 5, value_shift = 16;
  std::uint32_t hash = 0;
  for (const char c : item.name) {
    const auto byte =
        chars == name_chars::signed_ ? static_cast<std::uint32_t>(static_cast<signed char>(c)) : static_cast<unsigned char>(c);
    hash = std::rotl(hash, name_shift) ^ byte;
  }
  for (std::size_t at = 0; at < item.value.size(); at += sizeof(le32)) hash = std::rotl(hash, value_shift) ^ word_of(item.value, at);
  return hash;
}

std::uint32_t xattr_block_hash(const xattr_views& items) noexcept {
  constexpr int entry_shift = 16;
  std::uint32_t hash = 0;
  for (const xattr_view& item : items) {
    if (item.hash == 0) return 0;
    hash = std::rotl(hash, entry_shift) ^ item.hash;
  }
  return hash;
}

bool same_xattrs(const xattr_views& a, const xattr_views& b) noexcept {
  return std::ranges::equal(a, b, [](const xattr_view& x, const xattr_view& y) {
    return x.hash == y.hash && x.is(y.name_index, y.name) && std::ranges::equal(x.value, y.value);
  });
}

}  // namespace xip::ext4lite
