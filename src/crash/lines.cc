#include "crash/lines.h"

#include <algorithm>
#include <cstring>

#include "explore/random.h"

namespace xip::crash {
namespace {

constexpr unsigned page_shift = 12;

bool has_content(event_kind kind) noexcept {
  return kind == event_kind::store || kind == event_kind::cached_store || kind == event_kind::request;
}

}  // namespace

void lined_image::load(const history& h, std::uint32_t unit) {
  history_ = &h;
  unit_ = unit;
  granule_ = granule_of(unit);
  find_lines();
  arrived_.assign(lines_.size(), 0);
  hash_ = 0;
  cut_stores();
  order_stores();
  index_pages();
  for (std::uint32_t l = 0; l < lines_.size(); ++l) arrived_[l] = lines_[l].stores;
  for (std::uint32_t l = 0; l < lines_.size(); ++l) set(l, 0);
  hash_ = 0;  // what was added while it went back to the start
}

void lined_image::unload() noexcept {
  for (std::uint32_t l = 0; l < lines_.size(); ++l) set(l, 0);
}

void lined_image::find_lines() {
  std::vector<std::uint64_t> numbers;
  for (const event& e : history_->events()) {
    if (!has_content(e.kind)) continue;
    for (std::uint64_t n = e.offset / unit_; n <= (e.offset + e.bytes - 1) / unit_; ++n) numbers.push_back(n);
  }
  std::ranges::sort(numbers);
  const auto repeated = std::ranges::unique(numbers);
  numbers.erase(repeated.begin(), repeated.end());
  lines_.clear();
  for (const std::uint64_t n : numbers) {
    const std::uint64_t offset = n * unit_;
    lines_.push_back({offset, static_cast<std::uint32_t>(std::min<std::uint64_t>(unit_, image_.size() - offset)), 0, 0});
  }
}

std::uint32_t lined_image::first_behind(std::uint64_t offset) const noexcept {
  const auto found = std::ranges::lower_bound(lines_, offset / unit_ * unit_, {}, &line::offset);
  return static_cast<std::uint32_t>(found - lines_.begin());
}

std::uint64_t lined_image::hash_of(const line& l) const noexcept {
  return explore::mix(explore::hash_bytes(image_.bytes().data() + l.offset, l.bytes) ^ explore::mix(l.offset + 1));
}

// Everything is done once more, in order, on the image: what a store replaces is then known.
void lined_image::cut_stores() {
  stores_.clear();
  before_.clear();
  first_store_.clear();
  std::vector<std::uint64_t> first_hash(lines_.size());
  for (std::size_t i = 0; i < lines_.size(); ++i) first_hash[i] = hash_of(lines_[i]);
  for (std::size_t e = 0; e < history_->events().size(); ++e) {
    first_store_.push_back(static_cast<std::uint32_t>(stores_.size()));
    if (has_content(history_->events()[e].kind)) cut_store(e, first_hash);
  }
  first_store_.push_back(static_cast<std::uint32_t>(stores_.size()));
}

void lined_image::cut_store(std::size_t number, std::vector<std::uint64_t>& first_hash) {
  const event& e = history_->events()[number];
  std::uint32_t at = first_behind(e.offset);
  for (std::uint64_t offset = e.offset; offset < e.offset + e.bytes; ++at) {
    line& l = lines_[at];
    const std::uint64_t end = std::min(e.offset + e.bytes, l.offset + l.bytes);
    stores_.push_back({.line = at,
                       .number = l.stores++,
                       .event = static_cast<std::uint32_t>(number),
                       .bytes = static_cast<std::uint32_t>(end - offset),
                       .offset = offset,
                       .content = e.content + (offset - e.offset),
                       .before = before_.size(),
                       .hash = 0,
                       .changes = 0});
    replay_store(stores_.back(), first_hash);
    offset = end;
  }
}

void lined_image::replay_store(line_store& s, std::vector<std::uint64_t>& first_hash) {
  const line& l = lines_[s.line];
  std::byte* const at = image_.data() + s.offset;
  const std::byte* const fresh = history_->contents().data() + s.content;
  before_.insert(before_.end(), at, at + s.bytes);
  const std::uint64_t start = s.offset - l.offset;
  for (std::uint32_t i = 0; i < s.bytes; ++i)
    if (at[i] != fresh[i]) s.changes |= std::uint64_t{1} << ((start + i) / granule_);
  std::memcpy(at, fresh, s.bytes);
  s.hash = hash_of(l) - first_hash[s.line];
}

void lined_image::order_stores() {
  std::uint32_t sum = 0;
  for (line& l : lines_) {
    l.first = sum;
    sum += l.stores;
  }
  order_.resize(stores_.size());
  for (std::uint32_t i = 0; i < stores_.size(); ++i) order_[lines_[stores_[i].line].first + stores_[i].number] = i;
}

void lined_image::index_pages() {
  page_first_.assign((image_.size() >> page_shift) + 2, static_cast<std::uint32_t>(lines_.size()));
  std::uint64_t page = 0;
  for (std::uint32_t l = 0; l < lines_.size(); ++l)
    for (; page <= lines_[l].offset >> page_shift; ++page) page_first_[page] = l;
}

std::span<const line_store> lined_image::stores_of(std::size_t event) const noexcept {
  return std::span{stores_}.subspan(first_store_[event], first_store_[event + 1] - first_store_[event]);
}

void lined_image::set(std::uint32_t l, std::uint32_t arrived) noexcept {
  std::uint32_t& now = arrived_[l];
  if (now == arrived) return;
  hash_ += hash_after(l, arrived) - hash_after(l, now);
  for (; now < arrived; ++now) {
    const line_store& s = store(l, now);
    std::memcpy(image_.data() + s.offset, history_->contents().data() + s.content, s.bytes);
  }
  for (; now > arrived; --now) {
    const line_store& s = store(l, now - 1);
    std::memcpy(image_.data() + s.offset, before_.data() + s.before, s.bytes);
  }
}

bool lined_image::same(std::uint32_t l, std::uint32_t a, std::uint32_t b, std::uint64_t granules) const noexcept {
  for (std::uint32_t n = std::min(a, b); n < std::max(a, b); ++n)
    if ((store(l, n).changes & granules) != 0) return false;
  return true;
}

}  // namespace xip::crash
