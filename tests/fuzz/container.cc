#include "fuzz/container.h"

#include <algorithm>
#include <cstring>

#include <xip/base/endian.h>

namespace xip::fuzz {
namespace {

struct header {
  char magic[4];
  le32 flags;
  le32 size_in_kib;
  le32 program_length;
};
static_assert(sizeof(header) == 16);

struct run {
  le32 offset;
  le16 count;
  std::uint8_t kind;
  std::uint8_t value;
};
static_assert(sizeof(run) == 8);

constexpr char magic[4] = {'X', 'I', 'P', 'F'};
constexpr std::uint32_t flag_sound = 1;
constexpr std::uint8_t kind_literal = 0;
constexpr std::uint8_t kind_fill = 1;
constexpr std::size_t shortest_gap = sizeof(run);       // fewer zeros are cheaper within a run
constexpr std::size_t shortest_fill = 2 * sizeof(run);  // fewer equal bytes are cheaper in a literal

template <class T>
void append(std::vector<std::byte>& to, const T& value) {
  const auto* from = reinterpret_cast<const std::byte*>(&value);
  to.insert(to.end(), from, from + sizeof value);
}

[[nodiscard]] std::size_t equal_from(std::span<const std::byte> bytes, std::size_t at) noexcept {
  std::size_t end = at + 1;
  while (end < bytes.size() && bytes[end] == bytes[at]) ++end;
  return end - at;
}

// Where the literal that begins at AT ends: before a gap or a fill that is worth a run of its own.
[[nodiscard]] std::size_t literal_end(std::span<const std::byte> page, std::size_t at) noexcept {
  while (at < page.size()) {
    const std::size_t same = equal_from(page, at);
    if (same >= (page[at] == std::byte{0} ? shortest_gap : shortest_fill)) break;
    if (page[at] == std::byte{0} && at + same == page.size()) break;
    at += same;
  }
  return at;
}

void append_page(std::vector<std::byte>& to, std::uint64_t base, std::span<const std::byte> page) {
  for (std::size_t at = 0; at < page.size();) {
    const std::size_t same = equal_from(page, at);
    run r{};
    r.offset = static_cast<std::uint32_t>(base + at);
    if (page[at] == std::byte{0}) {
      at += same;
    } else if (same >= shortest_fill) {
      r.count = static_cast<std::uint16_t>(same);
      r.kind = kind_fill;
      r.value = static_cast<std::uint8_t>(page[at]);
      append(to, r);
      at += same;
    } else {
      const std::size_t end = literal_end(page, at);
      r.count = static_cast<std::uint16_t>(end - at);
      append(to, r);
      to.insert(to.end(), page.begin() + static_cast<std::ptrdiff_t>(at), page.begin() + static_cast<std::ptrdiff_t>(end));
      at = end;
    }
  }
}

void decode_runs(sparse_image& image, std::span<const std::byte> data) {
  while (data.size() >= sizeof(run)) {
    run r;
    std::memcpy(&r, data.data(), sizeof r);
    data = data.subspan(sizeof r);
    const std::span<std::byte> to = image.bytes(r.offset, r.count);
    if (to.empty() || (r.kind == kind_literal && data.size() < to.size())) return;
    if (r.kind != kind_literal) {
      std::ranges::fill(to, std::byte{r.value});
      continue;
    }
    std::ranges::copy(data.first(to.size()), to.begin());
    data = data.subspan(to.size());
  }
}

}  // namespace

std::optional<test_case> decode(std::span<const std::byte> data) {
  header h;
  if (data.size() < sizeof h) return std::nullopt;
  std::memcpy(&h, data.data(), sizeof h);
  if (std::memcmp(h.magic, magic, sizeof magic) != 0) return std::nullopt;
  data = data.subspan(sizeof h);
  const std::size_t program = std::min<std::size_t>({h.program_length, data.size(), program_bytes_max});
  test_case c;
  c.sound = (h.flags & flag_sound) != 0;
  c.program.assign(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(program));
  c.image = sparse_image{std::min<std::uint64_t>(std::uint64_t{h.size_in_kib} << 10, image_bytes_max)};
  decode_runs(c.image, data.subspan(program));
  return c;
}

std::vector<std::byte> encode(const test_case& c) {
  header h{};
  std::memcpy(h.magic, magic, sizeof magic);
  h.flags = c.sound ? flag_sound : 0;
  h.size_in_kib = static_cast<std::uint32_t>(c.image.size() >> 10);
  h.program_length = static_cast<std::uint32_t>(std::min(c.program.size(), program_bytes_max));
  std::vector<std::byte> out;
  append(out, h);
  out.insert(out.end(), c.program.begin(), c.program.begin() + static_cast<std::ptrdiff_t>(std::uint32_t{h.program_length}));
  for (const auto& [number, page] : c.image.pages()) {
    const std::uint64_t base = number * sparse_image::page_bytes;
    if (base < c.image.size()) append_page(out, base, std::span{page}.first(std::min<std::uint64_t>(page.size(), c.image.size() - base)));
  }
  return out;
}

}  // namespace xip::fuzz
