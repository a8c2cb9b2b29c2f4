#include "crash/oracle.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "crash/file_flags.h"

namespace xip::crash {
namespace {

constexpr std::size_t word_bytes = 8;

// How FOUND differs from EXPECTED, but for bytes: how often, and the first time in words.
class comparison {
 public:
  comparison(const tree& found, const tree& expected) : found_{found}, expected_{expected} {}

  void allow(std::uint64_t file, std::int64_t least, std::int64_t most) { sizes_.push_back({file, least, most}); }

  void run() {
    for (const auto& [path, ino] : expected_.names)
      if (const auto there = found_.names.find(path); there == found_.names.end())
        note([&] { return fmt::format("/{} is missing", path); });
      else if (there->second != ino)
        note([&] { return fmt::format("/{} is inode {} in place of {}", path, there->second, ino); });
    for (const auto& [path, ino] : found_.names)
      if (!expected_.names.contains(path)) note([&] { return fmt::format("/{} (inode {}) should not be there", path, ino); });
    for (const auto& [ino, node] : found_.nodes)
      if (const tree_node* e = expected_.node(ino)) compare(ino, node, *e);
  }

  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] const std::string& first() const noexcept { return first_; }

 private:
  template <class Text>
  void note(Text&& text) {
    if (count_++ == 0) first_ = text();
  }

  [[nodiscard]] bool size_fits(std::uint64_t ino, std::int64_t found, std::int64_t expected) const noexcept {
    return found == expected ||
           std::ranges::any_of(sizes_, [&](const sizes& s) { return ino == s.file && found >= s.least && found <= s.most; });
  }

  void compare(std::uint64_t ino, const tree_node& f, const tree_node& e) {
    const bool same = f.mode == e.mode && f.nlink == e.nlink && f.uid == e.uid && f.gid == e.gid;
    if (!same || !size_fits(ino, f.size, e.size))
      note([&] { return fmt::format("/{} is '{}', and should be '{}'", f.names.front(), attributes_of(f), attributes_of(e)); });
    if (f.flags != e.flags)
      note([&] { return fmt::format("/{} has flags {:#x}, and should have {:#x}", f.names.front(), f.flags, e.flags); });
    if (f.target != e.target)
      note([&] { return fmt::format("/{} leads to {}, and should lead to {}", f.names.front(), f.target, e.target); });
    if (f.xattrs != e.xattrs)
      note([&] { return fmt::format("/{} has attributes {}, and should have {}", f.names.front(), list(f), list(e)); });
  }

  [[nodiscard]] static std::string list(const tree_node& n) {
    std::string text;
    for (const auto& [name, value] : n.xattrs) text += fmt::format("{}{} ({} bytes)", text.empty() ? "" : ", ", name, value.size());
    return text.empty() ? "none" : text;
  }

  struct sizes {
    std::uint64_t file;
    std::int64_t least, most;
  };

  const tree& found_;
  const tree& expected_;
  std::vector<sizes> sizes_;
  std::size_t count_ = 0;
  std::string first_;
};

// Where the page with byte AT begins.
std::int64_t page_of(std::int64_t at) noexcept { return at & ~std::int64_t{page_size - 1}; }

// BYTES bytes from byte AT on, zeros behind the end.
std::uint64_t word_at(const std::vector<std::byte>& data, std::size_t at, std::size_t bytes) noexcept {
  std::uint64_t word = 0;
  if (at < data.size()) std::memcpy(&word, data.data() + at, std::min(bytes, data.size() - at));
  return word;
}

std::string hex(std::uint64_t word, std::size_t bytes) {
  std::string text;
  std::array<unsigned char, word_bytes> raw;
  std::memcpy(raw.data(), &word, raw.size());
  for (std::size_t i = 0; i < bytes; ++i) text += fmt::format("{:02x}", raw[i]);
  return text;
}

// What of a node has to be the same for DURABILITY to have nothing to do with what happened between two states.
bool same_for(durability made, const tree_node* a, const tree_node* b) {
  if (a == nullptr || b == nullptr) return a == b;
  if (made == durability::data) return a->size == b->size;
  return std::tie(a->mode, a->nlink, a->uid, a->gid, a->size, a->flags, a->xattrs) ==
         std::tie(b->mode, b->nlink, b->uid, b->gid, b->size, b->flags, b->xattrs);
}

// An entry of a directory: the directory's inode, the name, and the inode that it leads to.
using entry = std::tuple<std::uint64_t, std::string_view, std::uint64_t>;

// Where the name at the end of PATH stands.
std::string_view directory_of(std::string_view path) noexcept {
  const auto slash = path.rfind('/');
  return slash == path.npos ? std::string_view{} : path.substr(0, slash);
}

// The entries in the directory FILE and those that lead to it, sorted. Where the directories above are is not its affair.
std::vector<entry> entries_of(const tree& t, std::uint64_t file) {
  std::vector<entry> found;
  for (const auto& [path, ino] : t.names) {
    if (path.empty()) continue;
    const std::string_view above = directory_of(path);
    const std::uint64_t directory = t.names.find(above)->second;
    const std::string_view name = std::string_view{path}.substr(above.empty() ? 0 : above.size() + 1);
    if (directory == file || ino == file) found.emplace_back(directory, name, ino);
  }
  std::ranges::sort(found);
  return found;
}

// What stands in the directory at PATH; nothing where there is none.
std::map<std::string_view, std::uint64_t> names_in(const tree& t, std::string_view path) {
  std::map<std::string_view, std::uint64_t> found;
  for (const auto& [name, ino] : t.names)
    if (!name.empty() && directory_of(name) == path) found.emplace(name, ino);
  return found;
}

}  // namespace

std::optional<std::size_t> oracle::shift::after(std::size_t place) const noexcept {
  if (place < at) return place;
  if (right) return place + bytes;
  return place - at < bytes ? std::nullopt : std::optional{place - bytes};
}

std::optional<std::size_t> oracle::shift::before(std::size_t place) const noexcept { return shift{file, at, bytes, !right}.after(place); }

// FILE, as states_[OF] has it, seen from STATE.
class oracle::content {
 public:
  content(const oracle& o, std::uint64_t file, std::size_t of, std::size_t state)
      : data_{o.states_[of].node(file)->data}, of_{of}, later_{of > state} {
    for (std::size_t step = std::min(of, state); step < std::max(of, state); ++step)
      if (const auto& moved = o.steps_[step].moved; moved && moved->file == file) between_.push_back(*moved);
    if (!later_) std::ranges::reverse(between_);
  }

  [[nodiscard]] std::size_t of() const noexcept { return of_; }
  [[nodiscard]] bool is(const std::vector<std::byte>& data) const { return between_.empty() && data_ == data; }
  // BYTES of them, which STATE has at AT. Nothing: they have no place here, or were written at another one than they would be found at.
  [[nodiscard]] std::optional<std::uint64_t> word(std::size_t at, std::size_t bytes) const noexcept {
    const auto there = place(at);
    return there ? std::optional{word_at(data_, *there, bytes)} : std::nullopt;
  }
  [[nodiscard]] std::optional<std::size_t> place(std::size_t at) const noexcept {
    std::optional<std::size_t> there = at;
    for (const shift& s : between_)
      if (there) there = later_ ? s.after(*there) : s.before(*there);
    return later_ && there != at ? std::nullopt : there;
  }

 private:
  const std::vector<std::byte>& data_;
  std::size_t of_;
  bool later_;
  std::vector<shift> between_;
};

bool oracle::fits_byte_by_byte(std::span<const content> may, std::size_t at, std::size_t bytes, std::uint64_t word) {
  std::uint64_t unknown = ~std::uint64_t{0} >> (8 * (word_bytes - bytes));
  for (const content& c : may)
    if (const auto one = c.word(at, bytes))
      for (std::size_t i = 0; i < bytes; ++i)
        if (((*one ^ word) >> (8 * i) & 0xff) == 0) unknown &= ~(std::uint64_t{0xff} << (8 * i));
  return unknown == 0;
}

void oracle::floor::join(const floor& other) {
  names = std::max(names, other.names);
  bytes = std::max(bytes, other.bytes);
  for (const auto& [file, since] : other.file_bytes) {
    std::size_t& known = file_bytes[file];
    known = std::max(known, since);
  }
  ranges.insert(ranges.end(), other.ranges.begin(), other.ranges.end());
  times = std::max(times, other.times);
  for (const auto& [file, since] : other.file_times) {
    std::size_t& known = file_times[file];
    known = std::max(known, since);
  }
}

void oracle::start(tree before, numbering files, names_last names) {
  states_.clear(), lives_.clear(), steps_.clear(), promises_.clear();
  times_of_all_ = false;
  times_of_.clear();
  names_last_ = names;
  states_.push_back(std::move(before));
  lives_.emplace_back();
  numbering_ = files;
}

void oracle::add(const step& s, durability made, std::uint64_t file, tree after, synced_bytes bytes) {
  std::map<std::uint64_t, unsigned> lives = lives_.back();
  for (const auto& [ino, n] : after.nodes)
    if (states_.back().node(ino) == nullptr) ++lives[ino];
  const std::optional<shift> moved = shift_of(s, file, after);
  states_.push_back(std::move(after));
  lives_.push_back(std::move(lives));
  taken done{.text = text_of(s), .grows = s.what == verb::write || (s.what == verb::falloc && !moved), .file = file, .moved = moved};
  if ((s.flags & flag_zero) != 0)
    done.zeroed_from = static_cast<std::size_t>(s.offset), done.zeroed_to = done.zeroed_from + static_cast<std::size_t>(s.length);
  steps_.push_back(std::move(done));
  promises_.push_back(promise_of(s, made, file, bytes));
  if (changed_lasting_names(s)) promises_.back().names = states_.size() - 1;
  if (numbering_ == numbering::by_name) return;
  times_of_all_ |= promises_.back().times != 0;
  for (const auto& [ino, since] : promises_.back().file_times) times_of_.insert(ino);
}

// Of the last step.
oracle::floor oracle::promise_of(const step& s, durability made, std::uint64_t file, synced_bytes bytes) const {
  floor promised;
  const std::size_t now = states_.size() - 1;
  if (made == durability::everything) {
    promised = {.names = now, .bytes = now, .times = now};
  } else if (made != durability::nothing && states_.back().node(file) != nullptr) {
    const auto from = static_cast<std::size_t>(s.offset);
    const bool by_mapping = made == durability::own_bytes;
    promised.names = by_mapping ? there_since(file, page_of(s.offset + s.length - 1) + 1) : same_since(file, made);
    if (by_mapping || bytes == synced_bytes::own)
      promised.ranges.push_back({file, from, from + static_cast<std::size_t>(s.length), now});
    else if (bytes == synced_bytes::all)
      promised.file_bytes[file] = now;
    if (made == durability::file) promised.file_times[file] = now;
  }
  return promised;
}

bool oracle::changed_lasting_names(const step& s) const {
  const tree &before = states_[states_.size() - 2], &after = states_.back();
  const auto changed = [&](std::string_view directory) {
    const auto there = before.names.find(directory);
    if (there == before.names.end()) return false;
    const bool last = names_last_ == names_last::everywhere || (before.node(there->second)->flags & (syncs_flag | syncs_names_flag)) != 0;
    return last && names_in(before, directory) != names_in(after, directory);
  };
  if (s.path.empty()) return false;
  return changed(directory_of(s.path)) || (s.what == verb::rename && changed(directory_of(s.other)));
}

// The first of the states up to the last one between which nothing happened that MADE would have to make durable.
std::size_t oracle::same_since(std::uint64_t file, durability made) const {
  const tree& now = states_.back();
  const tree_node* node = now.node(file);
  std::size_t since = states_.size() - 1;
  for (; since > 0; --since) {
    const tree& before = states_[since - 1];
    if (!same_for(made, before.node(file), node)) break;
    if (made == durability::file && entries_of(before, file) != entries_of(now, file)) break;
  }
  return since;
}

// The first of the states up to the last one in all of which FILE is there, with LEAST bytes or more. A page that was mapped since then is durable; one that
// the file's end lay in before was mapped without what made the file longer.
std::size_t oracle::there_since(std::uint64_t file, std::int64_t least) const {
  std::size_t since = states_.size() - 1;
  for (; since > 0; --since) {
    const tree_node* before = states_[since - 1].node(file);
    if (before == nullptr || before->size < least || life_of(since - 1, file) != life_of(states_.size() - 1, file)) break;
  }
  return since;
}

std::optional<oracle::growth> oracle::growth_of(std::size_t state) const {
  if (state == 0 || !steps_[state - 1].grows) return {};
  const std::uint64_t file = steps_[state - 1].file;
  const tree_node *before = states_[state - 1].node(file), *after = states_[state].node(file);
  if (before == nullptr || after == nullptr || before->size >= after->size) return {};
  return growth{file, before->size, after->size};
}

// One that was refused has moved nothing, and leaves the size.
std::optional<oracle::shift> oracle::shift_of(const step& s, std::uint64_t file, const tree& now) const {
  if (s.what != verb::falloc || (s.flags & (flag_collapse | flag_insert)) == 0) return {};
  const tree_node *was = states_.back().node(file), *is = now.node(file);
  if (was == nullptr || is == nullptr || was->size == is->size) return {};
  return shift{file, static_cast<std::size_t>(s.offset), static_cast<std::size_t>(s.length), (s.flags & flag_insert) != 0};
}

std::string oracle::name_of_state(std::size_t state) const {
  return state == 0 ? "before the first step" : fmt::format("after step {} ({})", state, steps_[state - 1].text);
}

unsigned oracle::life_of(std::size_t state, std::uint64_t ino) const {
  const auto known = lives_[state].find(ino);
  return known == lives_[state].end() ? 0 : known->second;
}

// Steps that overlap may all have got halfway at the same moment.
std::vector<oracle::growth> oracle::growing_at(std::size_t state, const floor& sure, std::span<const step_time> times) const {
  std::vector<growth> found;
  for (std::size_t other = sure.names + 1; other <= state; ++other)
    if (other == state || times[other - 1].overlaps(times[state - 1]))
      if (const auto g = growth_of(other)) found.push_back(*g);
  return found;
}

// Files that are there from the start keep their numbers. Of the others those that have a name in both trees get the number that it has in STATE, as far as one
// number there is one file here.
tree oracle::in_numbers_of(const tree& found, std::size_t state) const {
  const tree& expected = states_[state];
  const auto old = [&](std::uint64_t ino) { return life_of(state, ino) == 0 && states_.front().node(ino) != nullptr; };
  std::map<std::uint64_t, std::uint64_t> numbers;
  std::set<std::uint64_t> taken;
  for (const bool kept : {true, false})
    for (const auto& [path, ino] : found.names) {
      const auto there = expected.names.find(path);
      if (there == expected.names.end() || old(there->second) != kept || (kept && there->second != ino)) continue;
      if (numbers.contains(ino) || !taken.insert(there->second).second) continue;
      numbers[ino] = there->second;
    }
  std::uint64_t unknown = std::numeric_limits<std::uint64_t>::max();
  for (const auto& [ino, node] : found.nodes)
    if (!numbers.contains(ino)) numbers[ino] = taken.insert(ino).second ? ino : unknown--;
  tree renamed;
  for (const auto& [path, ino] : found.names) renamed.names.emplace(path, numbers[ino]);
  for (const auto& [ino, node] : found.nodes) renamed.nodes.emplace(numbers[ino], node);
  return renamed;
}

std::string oracle::judge(const tree& found, std::uint32_t finished, std::uint32_t begun) const {
  std::vector<step_time> times;
  for (std::size_t i = 0; i < begun; ++i) times.push_back({2 * i, i < finished ? 2 * i + 1 : step_time::not_yet});
  return judge(found, times);
}

std::string oracle::judge(const tree& found, std::span<const step_time> times) const {
  floor sure;
  for (std::size_t i = 0; i < times.size(); ++i)
    if (times[i].has_ended()) sure.join(promises_[i]);
  const std::size_t begun = times.size();
  std::size_t least = std::numeric_limits<std::size_t>::max(), nearest = sure.names;
  std::string why;
  for (std::size_t state = sure.names; state <= begun; ++state) {
    const std::optional<tree> renamed = numbering_ == numbering::by_name ? std::optional{in_numbers_of(found, state)} : std::nullopt;
    const tree& there = renamed ? *renamed : found;
    comparison c{there, states_[state]};
    if (state > sure.names)
      for (const growth& g : growing_at(state, sure, times)) c.allow(g.file, g.least, g.most);
    else if (state != 0 && !times[state - 1].has_ended())  // another task has made a part of it durable
      if (const auto g = growth_of(state)) c.allow(g->file, g->least, g->most);
    c.run();
    if (c.count() <= least) least = c.count(), nearest = state, why = c.first();
    if (c.count() != 0) continue;
    why = wrong_bytes(there, state, sure, begun);
    if (why.empty()) why = wrong_times(there, state, sure, begun);
    if (why.empty()) return {};
  }
  if (least == 0) return why;
  if (sure.names == begun) return fmt::format("{}: {}", name_of_state(begun), why);
  return fmt::format("like no moment from '{}' on; at its nearest, '{}': {}", name_of_state(sure.names), name_of_state(nearest), why);
}

std::string oracle::differs(const tree& live) const {
  const std::size_t last = states_.size() - 1;
  const tree there = numbering_ == numbering::by_name ? in_numbers_of(live, last) : live;
  comparison c{there, states_[last]};
  c.run();
  if (c.count() != 0) return c.first();
  return wrong_bytes(there, last, {.names = last, .bytes = last}, last);
}

std::string oracle::wrong_bytes(const tree& found, std::size_t state, const floor& sure, std::size_t begun) const {
  for (const auto& [ino, node] : found.nodes) {
    if (!is_regular(node)) continue;
    if (std::string why = wrong_bytes_of(ino, node, state, sure, begun); !why.empty()) return why;
  }
  return {};
}

// None is older than where it was made durable, and none newer than what calls that have begun can have made it.
std::string oracle::wrong_times(const tree& found, std::size_t state, const floor& sure, std::size_t begun) const {
  if (numbering_ == numbering::by_name) return {};
  for (const auto& [ino, node] : found.nodes) {
    const auto own = sure.file_times.find(ino);
    const std::size_t since = std::max(sure.times, own == sure.file_times.end() ? 0 : own->second);
    const tree_node* const then = states_[since].node(ino);
    if (since == 0 || then == nullptr || life_of(since, ino) != life_of(state, ino)) continue;
    std::int64_t mtime = then->mtime, ctime = then->ctime;
    for (std::size_t later = since; later <= begun; ++later)
      if (const tree_node* n = states_[later].node(ino); n != nullptr && life_of(later, ino) == life_of(state, ino))
        mtime = std::max(mtime, n->mtime), ctime = std::max(ctime, n->ctime);
    const bool may_be = node.mtime >= then->mtime && node.mtime <= mtime && node.ctime >= then->ctime && node.ctime <= ctime;
    if (may_be) continue;
    return fmt::format("/{} has mtime {} and ctime {}, and since '{}' they were from {} and {} to {} and {}", node.names.front(),
                       text_of_time(node.mtime), text_of_time(node.ctime), name_of_state(since), text_of_time(then->mtime),
                       text_of_time(then->ctime), text_of_time(mtime), text_of_time(ctime));
  }
  return {};
}

// Zeros that are a change of metadata do not count in STATE, and bytes that were written into them afterwards may be there, in a word with older ones.
bool oracle::zeroed_behind(std::size_t state, std::uint64_t ino, std::size_t at, std::size_t since, std::size_t begun) const {
  for (std::size_t later = std::max(state, since) + 1; later <= begun; ++later) {
    const taken& s = steps_[later - 1];
    if (s.file == ino && at < s.zeroed_to && at + word_bytes > s.zeroed_from && states_[later].node(ino) != nullptr &&
        content{*this, ino, later, state}.place(at))
      return true;
  }
  return false;
}

std::size_t oracle::word_since(const floor& sure, std::size_t since, std::uint64_t ino, std::size_t state, std::size_t at,
                               std::size_t bytes) const {
  for (const floor::range& r : sure.ranges) {
    if (r.file != ino || r.since <= since || life_of(r.since, ino) != life_of(state, ino)) continue;
    const auto there = content{*this, ino, r.since, state}.place(at);
    if (there && *there >= r.from && *there + bytes <= r.to) since = r.since;
  }
  return since;
}

std::string oracle::wrong_bytes_of(std::uint64_t ino, const tree_node& found, std::size_t state, const floor& sure,
                                   std::size_t begun) const {
  const auto own = sure.file_bytes.find(ino);
  const std::size_t since = std::max(sure.bytes, own == sure.file_bytes.end() ? 0 : own->second);
  std::vector<content> may;
  for (std::size_t other = since; other <= begun; ++other)
    if (const tree_node* n = states_[other].node(ino); n != nullptr && is_regular(*n) && life_of(other, ino) == life_of(state, ino))
      may.emplace_back(*this, ino, other, state);
  if (sure.ranges.empty() && std::ranges::any_of(may, [&](const content& c) { return c.is(found.data); })) return {};
  for (std::size_t at = 0; at < found.data.size(); at += word_bytes) {
    const std::size_t bytes = std::min(word_bytes, found.data.size() - at);
    const std::uint64_t word = word_at(found.data, at, bytes);
    const std::size_t first = word_since(sure, since, ino, state, at, bytes);
    const std::span here{std::ranges::find_if(may, [&](const content& c) { return c.of() >= first; }), may.end()};
    if (std::ranges::any_of(here, [&](const content& c) { return c.word(at, bytes) == word; })) continue;
    if (zeroed_behind(state, ino, at, first, begun) && fits_byte_by_byte(here, at, bytes, word)) continue;
    std::string expected;
    for (const content& c : here)
      if (const auto one = c.word(at, bytes); one && expected.find(hex(*one, bytes)) == expected.npos)
        expected += (expected.empty() ? "" : " or ") + hex(*one, bytes);
    return fmt::format("/{} has {} at byte {}, and since '{}' nothing was there but {}", found.names.front(), hex(word, bytes), at,
                       name_of_state(first), expected);
  }
  return {};
}

}  // namespace xip::crash
