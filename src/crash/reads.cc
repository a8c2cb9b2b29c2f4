#include "crash/reads.h"

#include <algorithm>

namespace xip::crash {

void reads_heard::load(const lined_image& lines) {
  lines_ = &lines;
  granule_ = granule_of(lines.unit());
  seen_.assign(lines.lines().size(), {});
  touched_.clear();
  reads_.clear();
  hearing_ = false;
}

void reads_heard::start() noexcept {
  for (const std::uint32_t line : touched_) seen_[line] = {};
  touched_.clear();
  reads_.clear();
  hearing_ = true;
}

// Calls WHAT(line, from, end), both offsets in the line, for each line that the bytes touch. Most pages have none.
template <class Do>
void reads_heard::each_line(std::uint64_t offset, std::uint64_t bytes, Do&& what) noexcept {
  const std::uint64_t end = offset + bytes;
  const std::uint32_t last = lines_->first_in_page(((end - 1) >> 12) + 1);
  if (lines_->first_in_page(offset >> 12) == last) return;
  for (std::uint32_t at = lines_->first_behind(offset); at < last; ++at) {
    const line& l = lines_->lines()[at];
    if (l.offset >= end) return;
    what(at, std::max(offset, l.offset) - l.offset, std::min(end, l.offset + l.bytes) - l.offset);
  }
}

reads_heard::seen& reads_heard::touch(std::uint32_t line) noexcept {
  seen& s = seen_[line];
  if (s.written == 0 && s.read == none) touched_.push_back(line);
  return s;
}

void reads_heard::on_read(std::uint64_t offset, std::uint64_t bytes) noexcept {
  if (!hearing_) return;
  each_line(offset, bytes, [this](std::uint32_t at, std::uint64_t from, std::uint64_t end) {
    seen& s = touch(at);
    const std::uint64_t fresh = granules_touching(from, end, granule_) & ~s.written;
    if (fresh == 0) return;
    if (s.read == none) {
      s.read = static_cast<std::uint32_t>(reads_.size());
      reads_.push_back({at, 0});
    }
    reads_[s.read].granules |= fresh;
  });
}

void reads_heard::on_change(std::uint64_t offset, std::uint64_t bytes) noexcept {
  if (!hearing_) return;
  each_line(offset, bytes,
            [this](std::uint32_t at, std::uint64_t from, std::uint64_t end) { touch(at).written |= granules_within(from, end, granule_); });
}

}  // namespace xip::crash
