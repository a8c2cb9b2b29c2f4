#include "posix/acl_text.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace xip::posix {

namespace {

struct acl_entry {
  std::uint16_t tag, perm;
  std::uint32_t id;
};
constexpr std::uint32_t version = 2, no_id = ~0u;

// A letter stands for the tag with an id and, without one, for the one that has none.
struct letter {
  char name;
  std::uint16_t plain, with_id;
};
constexpr letter letters[] = {{'u', 0x01, 0x02}, {'g', 0x04, 0x08}, {'m', 0x10, 0x10}, {'o', 0x20, 0x20}};

[[nodiscard]] acl_entry entry_from(const std::string& text) {
  const std::size_t first = text.find(':'), second = text.find(':', first + 1);
  const auto* known = std::ranges::find(letters, text.at(0), &letter::name);
  if (known == std::end(letters) || second == std::string::npos) throw std::runtime_error{"no entry of a list: " + text};
  const std::string id = text.substr(first + 1, second - first - 1);
  const auto perm = static_cast<std::uint16_t>(std::stoul(text.substr(second + 1)));
  if (id.empty()) return {known->plain, perm, no_id};
  return {known->with_id, perm, static_cast<std::uint32_t>(std::stoul(id))};
}

}  // namespace

std::string value_from_word(const std::string& word) {
  if (!word.starts_with("hex:")) return word;
  std::string value;
  for (std::size_t at = 4; at + 1 < word.size(); at += 2) value += static_cast<char>(std::stoul(word.substr(at, 2), nullptr, 16));
  return value;
}

std::string value_to_word(const std::string& value) {
  if (value.size() > 64) return std::to_string(value.size()) + " bytes";
  if (std::ranges::all_of(value, [](unsigned char c) { return c > ' ' && c < 127; })) return value;
  std::string text = "hex:";
  for (const unsigned char c : value) {
    text += "0123456789abcdef"[c >> 4];
    text += "0123456789abcdef"[c & 15];
  }
  return text;
}

std::string acl_from_word(const std::string& word) {
  std::string value(reinterpret_cast<const char*>(&version), sizeof version);
  for (std::size_t at = 0; at < word.size();) {
    const std::size_t end = std::min(word.find(',', at), word.size());
    const acl_entry e = entry_from(word.substr(at, end - at));
    value.append(reinterpret_cast<const char*>(&e), sizeof e);
    at = end + 1;
  }
  return value;
}

std::string acl_to_word(const std::string& value) {
  if (value.size() < sizeof version || (value.size() - sizeof version) % sizeof(acl_entry) != 0) return value_to_word(value);
  std::string text;
  for (std::size_t at = sizeof version; at < value.size(); at += sizeof(acl_entry)) {
    acl_entry e;
    std::memcpy(&e, value.data() + at, sizeof e);
    const auto* known = std::ranges::find_if(letters, [&](const letter& l) { return l.plain == e.tag || l.with_id == e.tag; });
    if (known == std::end(letters)) return value_to_word(value);
    text += text.empty() ? "" : ",";
    text += known->name + (":" + (e.id == no_id ? "" : std::to_string(e.id))) + ":" + std::to_string(e.perm);
  }
  return text;
}

}  // namespace xip::posix
