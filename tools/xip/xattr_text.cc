#include "xattr_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>

#include <linux/xattr.h>

#include <fmt/format.h>

#include <xip/base/endian.h>
#include <xip/vfs/posix_acl.h>

namespace xip::tool {
namespace {

// include/uapi/linux/posix_acl_xattr.h
struct acl_entry {
  le16 e_tag;
  le16 e_perm;
  le32 e_id;
};
constexpr std::uint32_t acl_xattr_version = 2;

struct acl_word {
  std::string_view word;
  std::uint16_t plain, by_id;  // the tag without an id, and with one (0: it takes none)
};
constexpr std::array acl_words{acl_word{"user", vfs::acl_user_obj, vfs::acl_user}, acl_word{"group", vfs::acl_group_obj, vfs::acl_group},
                               acl_word{"mask", vfs::acl_mask, 0}, acl_word{"other", vfs::acl_other, 0}};

[[nodiscard]] bool is_acl(std::string_view name) noexcept {
  return name == XATTR_NAME_POSIX_ACL_ACCESS || name == XATTR_NAME_POSIX_ACL_DEFAULT;
}

[[nodiscard]] std::optional<std::string> acl_text(const std::string& value) {
  le32 version;
  if (value.size() < sizeof version || (value.size() - sizeof version) % sizeof(acl_entry) != 0) return std::nullopt;
  std::memcpy(&version, value.data(), sizeof version);
  if (version != acl_xattr_version) return std::nullopt;
  std::string text;
  for (std::size_t at = sizeof version; at < value.size(); at += sizeof(acl_entry)) {
    acl_entry e;
    std::memcpy(&e, value.data() + at, sizeof e);
    const auto* known =
        std::ranges::find_if(acl_words, [&](const acl_word& w) { return e.e_tag == w.plain || (w.by_id != 0 && e.e_tag == w.by_id); });
    if (known == acl_words.end()) return std::nullopt;
    const std::string id = e.e_tag == known->by_id ? std::to_string(e.e_id.load()) : "";
    text += fmt::format("{}{}:{}:{}{}{}", text.empty() ? "" : ",", known->word, id, (e.e_perm & 4) != 0 ? 'r' : '-',
                        (e.e_perm & 2) != 0 ? 'w' : '-', (e.e_perm & 1) != 0 ? 'x' : '-');
  }
  return text;
}

template <class Number>
[[nodiscard]] std::optional<Number> number(std::string_view text) noexcept {
  Number value{};
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (wrong != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "rw-", "rw", or "6".
[[nodiscard]] std::optional<std::uint16_t> permissions(std::string_view text) noexcept {
  if (const auto digit = number<std::uint16_t>(text)) return *digit <= 7 ? digit : std::nullopt;
  std::uint16_t bits = 0;
  for (const char c : text) {
    if (c != 'r' && c != 'w' && c != 'x' && c != '-') return std::nullopt;
    bits |= static_cast<std::uint16_t>(c == 'r' ? 4 : c == 'w' ? 2 : c == 'x' ? 1 : 0);
  }
  return bits;
}

// WORD:ID:PERMISSIONS; mask and other may leave the ID out with its colon.
[[nodiscard]] std::optional<acl_entry> acl_entry_of(std::string_view text) {
  const std::size_t first = std::min(text.find(':'), text.size());
  const std::string_view word = text.substr(0, first);
  const auto* known = std::ranges::find_if(acl_words, [&](const acl_word& w) { return !word.empty() && w.word.starts_with(word); });
  if (known == acl_words.end() || first == text.size()) return std::nullopt;
  const std::size_t last = text.rfind(':');
  const std::string_view id = last == first ? std::string_view{} : text.substr(first + 1, last - first - 1);
  const auto perm = permissions(text.substr(last + 1));
  if (!perm || (last == first && known->by_id != 0)) return std::nullopt;
  if (id.empty()) return acl_entry{le16{known->plain}, le16{*perm}, le32{vfs::acl_undefined_id}};
  const auto who = number<std::uint32_t>(id);
  if (!who || known->by_id == 0) return std::nullopt;
  return acl_entry{le16{known->by_id}, le16{*perm}, le32{*who}};
}

[[nodiscard]] std::optional<std::string> acl_value(std::string_view text) {
  const le32 version{acl_xattr_version};
  std::string value{reinterpret_cast<const char*>(&version), sizeof version};
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const auto entry = acl_entry_of(text.substr(0, comma));
    if (!entry) return std::nullopt;
    value.append(reinterpret_cast<const char*>(&*entry), sizeof *entry);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return value;
}

[[nodiscard]] std::optional<std::string> hex_value(std::string_view digits) {
  std::string value;
  if (digits.size() % 2 != 0) return std::nullopt;
  for (std::size_t at = 0; at < digits.size(); at += 2) {
    unsigned byte = 0;
    const auto [end, wrong] = std::from_chars(digits.data() + at, digits.data() + at + 2, byte, 16);
    if (wrong != std::errc{} || end != digits.data() + at + 2) return std::nullopt;
    value += static_cast<char>(byte);
  }
  return value;
}

[[nodiscard]] bool is_text(unsigned char c) noexcept { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

}  // namespace

std::string xattr_text(std::string_view name, const std::string& value) {
  if (is_acl(name))
    if (const auto text = acl_text(value)) return '"' + *text + '"';
  if (std::ranges::all_of(value, is_text) && !value.starts_with("0x")) return '"' + value + '"';
  std::string text = "0x";
  for (const char c : value) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

std::optional<std::string> xattr_value(std::string_view name, const std::string& text) {
  if (text.starts_with("0x") || text.starts_with("0X")) return hex_value(std::string_view{text}.substr(2));
  return is_acl(name) ? acl_value(text) : std::optional{text};
}

}  // namespace xip::tool
