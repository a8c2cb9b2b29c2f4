#include "crash/content_model.h"

#include <algorithm>

#include <fmt/format.h>

#include "crash/play.h"

namespace xip::crash {
namespace {

// A falloc that was not refused: a collapse ends before the file does, and an insertion begins there.
void change_range(const step& s, std::vector<std::byte>& c) {
  const auto from = static_cast<std::size_t>(s.offset), length = static_cast<std::size_t>(s.length);
  if ((s.flags & flag_collapse) != 0) {
    c.erase(c.begin() + s.offset, c.begin() + s.offset + s.length);
    return;
  }
  if ((s.flags & flag_insert) != 0) {
    c.insert(c.begin() + s.offset, length, std::byte{});
    return;
  }
  if ((s.flags & (flag_keep_size | flag_punch)) == 0) c.resize(std::max(c.size(), from + length));
  if ((s.flags & (flag_punch | flag_zero)) == 0 || from >= c.size()) return;
  std::fill_n(c.begin() + s.offset, std::min(length, c.size() - from), std::byte{});
}

}  // namespace

void content_model::start(const tree& t) {
  files_.clear();
  for (const auto& [ino, n] : t.nodes)
    if (is_regular(n)) files_[ino] = n.data;
}

void content_model::take(std::uint64_t file, const tree& t) {
  if (const tree_node* n = t.node(file); n != nullptr && is_regular(*n)) files_[file] = n->data;
}

void content_model::apply(const step& s, std::size_t number, bool appends, content& c) const {
  if (s.what == verb::write) {
    const std::size_t from = appends ? c.size() : static_cast<std::size_t>(s.offset), length = static_cast<std::size_t>(s.length);
    if (length == 0) return;
    c.resize(std::max(c.size(), from + length));
    for (std::size_t at = from; at < from + length; ++at) c[at] = written_byte(number, static_cast<std::int64_t>(appends ? at - from : at));
  } else if (s.what == verb::store) {
    const std::size_t end = std::min(c.size(), static_cast<std::size_t>(s.offset + s.length));  // what lies behind the end is nobody's
    for (std::size_t at = static_cast<std::size_t>(s.offset); at < end; ++at) c[at] = written_byte(number, static_cast<std::int64_t>(at));
  } else if (s.what == verb::truncate) {
    c.resize(static_cast<std::size_t>(s.length));
  } else if (s.what == verb::falloc) {
    change_range(s, c);
  } else if (s.what == verb::open && (s.flags & flag_trunc) != 0) {
    c.clear();
  }
}

std::string content_model::follow(const step& s, std::size_t number, bool appends, std::uint64_t file, const tree& t) {
  std::erase_if(files_, [&](const auto& known) { return t.node(known.first) == nullptr; });
  for (const auto& [ino, n] : t.nodes) {
    if (!is_regular(n)) continue;
    content& expected = files_[ino];
    if (ino == file) apply(s, number, appends, expected);
    if (expected == n.data) continue;
    const std::string name = n.names.empty() ? "an open file" : "/" + n.names.front();
    if (expected.size() != n.data.size())
      return fmt::format("behind '{}', without a crash, {} has {} bytes in place of {}", text_of(s), name, n.data.size(), expected.size());
    const auto at = std::ranges::mismatch(expected, n.data).in1 - expected.begin();
    return fmt::format("behind '{}', without a crash, {} has at byte {} {:02x} in place of {:02x}", text_of(s), name, at,
                       static_cast<unsigned>(n.data[static_cast<std::size_t>(at)]),
                       static_cast<unsigned>(expected[static_cast<std::size_t>(at)]));
  }
  return {};
}

}  // namespace xip::crash
