#include <xip/crash/ace.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <xip/base/assert.h>

#include "explore/random.h"

namespace xip::crash {
namespace {

// One call, or a few that belong together. TEXT: as in a workload, ';' between steps.
struct ace_call {
  std::string_view text;
  std::string_view target;  // what is synced behind it
  std::string_view needs =
      {};  // paths, blanks between: a file of some bytes, "path+" one of blocks of all kinds, "name/" a directory, "path:name" an attribute
};

constexpr std::array calls{
    // Names
    ace_call{"creat A/foo", "A/foo"},
    ace_call{"creat A/bar", "A/bar"},
    ace_call{"creat B/foo", "B/foo"},
    ace_call{"creat B/bar", "B/bar"},
    ace_call{"mkdir A/C", "A/C"},
    ace_call{"mkdir B/C", "B"},
    ace_call{"mknod A/fifo", "A"},
    ace_call{"symlink foo A/bar", "A"},
    ace_call{"symlink a-target-of-more-than-sixty-bytes-does-not-fit-into-an-inode-and-takes-a-block B/foo", "B"},
    ace_call{"link A/foo A/bar", "A/bar", "A/foo"},
    ace_call{"link A/bar A/foo", "A", "A/bar"},
    ace_call{"link A/foo B/foo", "B/foo", "A/foo"},
    ace_call{"link A/foo B/bar", "A/foo", "A/foo"},
    ace_call{"link B/bar A/foo", "A/foo", "B/bar"},
    ace_call{"link A/bar B/foo", "B", "A/bar"},
    ace_call{"unlink A/foo", "A", "A/foo"},
    ace_call{"unlink A/bar", "A", "A/bar"},
    ace_call{"unlink B/foo", "B", "B/foo"},
    ace_call{"unlink B/bar", "B", "B/bar"},
    ace_call{"rmdir A/C", "A", "A/C/"},
    ace_call{"rmdir B/C", "B", "B/C/"},
    ace_call{"rmdir B", "A"},
    ace_call{"rename A/foo A/bar", "A/bar", "A/foo"},
    ace_call{"rename A/foo A/bar", "A", "A/foo A/bar"},
    ace_call{"rename A/foo B/foo", "B/foo", "A/foo"},
    ace_call{"rename A/foo B/bar", "B/bar", "A/foo B/bar"},
    ace_call{"rename A/bar A/foo", "A/foo", "A/bar"},
    ace_call{"rename B/bar A/foo", "A/foo", "B/bar A/foo"},
    ace_call{"rename B/bar A/bar", "B", "B/bar"},
    ace_call{"rename B/foo B/bar", "B/bar", "B/foo"},
    ace_call{"rename A C", "C"},
    ace_call{"rename A C", "C/foo", "A/foo"},
    ace_call{"rename A/C B/C", "B/C", "A/C/"},
    ace_call{"rename A/C B/C", "B", "A/C/ B/C/"},
    ace_call{"rename B A/C", "A/C"},
    ace_call{"rename A/foo B/bar noreplace", "B/bar", "A/foo"},
    ace_call{"rename A/foo B/bar exchange", "B/bar", "A/foo B/bar"},
    ace_call{"rename A/foo A/bar exchange", "A", "A/foo A/bar"},
    ace_call{"rename A B exchange", "B", "A/foo"},
    ace_call{"rename A/foo B exchange", "B", "A/foo"},
    ace_call{"rename A/foo A/bar whiteout", "A/bar", "A/foo"},
    // Bytes
    ace_call{"write A/foo 0 4096", "A/foo", "A/foo"},
    ace_call{"write A/foo 4096 4096", "A/foo", "A/foo"},
    ace_call{"write A/foo 0 5", "A/foo", "A/foo"},
    ace_call{"write A/foo 3 13", "A/foo", "A/foo"},
    ace_call{"write A/foo 4090 12", "A/foo", "A/foo"},
    ace_call{"write A/foo 5999 4", "A/foo", "A/foo"},
    ace_call{"write A/foo 12288 100", "A/foo", "A/foo"},
    ace_call{"write A/foo 0 10000", "A/foo", "A/foo"},
    ace_call{"write A/foo 0 4096 dsync", "A/foo", "A/foo"},
    ace_call{"write A/foo 6000 3001 sync", "A/foo", "A/foo"},
    ace_call{"write A/foo 0 4096 direct", "A/foo", "A/foo"},
    ace_call{"write A/foo 0 3001 append", "A/foo", "A/foo"},
    ace_call{"write B/bar 0 4096", "B/bar", "B/bar"},
    ace_call{"write B/bar 4096 4096", "B/bar", "B/bar"},
    ace_call{"write B/bar 5999 4", "B/bar", "B/bar"},
    ace_call{"write B/bar 3 13", "B/bar", "B/bar"},
    ace_call{"write B/bar 12288 100", "B/bar", "B/bar"},
    ace_call{"write B/bar 0 10000", "B/bar", "B/bar"},
    ace_call{"write B/bar 4090 12 append", "B/bar", "B/bar"},
    ace_call{"write A/bar 0 4096", "A/bar", "A/bar"},
    ace_call{"write A/bar 6000 3001", "A", "A/bar"},
    ace_call{"write B/foo 0 4096", "B/foo", "B/foo"},
    ace_call{"write B/foo 6000 3001", "B", "B/foo"},
    ace_call{"falloc A/foo 0 4096", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 6000 4096", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 12288 10000", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 8192 8192 keep_size", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 16384 5000 keep_size", "A/foo", "A/foo"},
    ace_call{"falloc B/bar 6000 4096", "B/bar", "B/bar"},
    ace_call{"falloc B/bar 12288 10000", "B/bar", "B/bar"},
    ace_call{"falloc B/bar 8192 8192 keep_size", "B/bar", "B/bar"},
    ace_call{"falloc A/bar 0 20000", "A/bar", "A/bar"},
    ace_call{"truncate A/foo 0", "A/foo", "A/foo"},
    ace_call{"truncate A/foo 100", "A/foo", "A/foo"},
    ace_call{"truncate A/foo 2501", "A/foo", "A/foo"},
    ace_call{"truncate A/foo 4096", "A/foo", "A/foo"},
    ace_call{"truncate A/foo 10001", "A/foo", "A/foo"},
    ace_call{"truncate B/bar 0", "B/bar", "B/bar"},
    ace_call{"truncate B/bar 2501", "B/bar", "B/bar"},
    ace_call{"truncate B/bar 4096", "B/bar", "B/bar"},
    ace_call{"truncate B/bar 10001", "B/bar", "B/bar"},
    ace_call{"truncate A/bar 100", "A/bar", "A/bar"},
    ace_call{"truncate B/foo 0", "B/foo", "B/foo"},
    ace_call{"falloc A/foo 8192 8192 keep_size;write A/foo 6000 5000", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 8192 8192;write A/foo 9000 3001", "A/foo", "A/foo"},
    ace_call{"truncate A/foo 2501;truncate A/foo 6001", "A/foo", "A/foo"},
    ace_call{"truncate A/foo 2501;write A/foo 3500 100", "A/foo", "A/foo"},
    ace_call{"truncate B/bar 0;write B/bar 0 4096", "B/bar", "B/bar"},
    ace_call{"unlink A/foo;creat A/foo;write A/foo 0 4096", "A/foo", "A/foo"},
    ace_call{"creat A/bar;write A/bar 0 6001;rename A/bar A/foo", "A/foo", "A/foo"},
    ace_call{"creat B/foo;write B/foo 0 6001;fsync B/foo;rename B/foo B/bar", "B/bar", "B/bar"},
    // Ranges
    ace_call{"falloc A/foo 1001 40 punch", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 4059 70 punch", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 0 4096 punch", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 0 10000 punch", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 4059 16450 punch", "A/foo", "A/foo+"},
    ace_call{"falloc B/bar 4059 4200 punch", "B/bar", "B/bar+"},
    ace_call{"falloc A/foo 1001 40 zero", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 0 4096 zero", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 4059 5942 zero", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 4059 5942 zero keep_size", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 8192 8192 zero keep_size", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 4059 16450 zero", "A/foo", "A/foo+"},
    ace_call{"falloc B/bar 4059 4200 zero", "B/bar", "B/bar+"},
    ace_call{"falloc A/foo 0 4096 collapse", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 4096 8192 collapse", "A/foo", "A/foo+"},
    ace_call{"falloc B/bar 12288 8192 collapse", "B/bar", "B/bar+"},
    ace_call{"falloc A/foo 0 4096 insert", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 4096 8192 insert", "A/foo", "A/foo+"},
    ace_call{"falloc B/bar 12288 4096 insert", "B/bar", "B/bar+"},
    ace_call{"falloc A/foo 0 6000 punch;write A/foo 2000 3001", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 0 8192 punch;write A/foo 8192 4096", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 0 8192 punch;creat B/foo;write B/foo 0 8192", "B/foo", "A/foo"},
    ace_call{"falloc A/foo 0 4096 punch;truncate A/foo 100;truncate A/foo 5000", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 4059 70 zero;write A/foo 4041 40", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 0 8192 zero;write A/foo 3001 100", "A/foo", "A/foo+"},
    ace_call{"falloc A/foo 0 4096 collapse;write A/foo 100 40", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 4096 8192 collapse;write A/foo 4059 8260", "A/foo", "A/foo+"},
    ace_call{"write A/foo 5981 40;falloc A/foo 0 4096 collapse;write A/foo 1870 40", "A", "A/foo"},
    ace_call{"falloc A/foo 0 4096 collapse;truncate A/foo 5000", "A/foo", "A/foo"},
    ace_call{"falloc A/foo 0 4096 insert;write A/foo 4059 70", "A/foo", "A/foo"},
    ace_call{"falloc B/bar 4096 4096 insert;write B/bar 4059 4160", "B", "B/bar+"},
    ace_call{"falloc B/bar 0 4096 collapse;falloc B/bar 0 8192 insert;write B/bar 8192 40", "B/bar", "B/bar"},
    ace_call{"open 1 A/foo dsync;falloc @1 4059 70 zero;falloc @1 8192 4096;close 1", "A/foo", "A/foo"},
    ace_call{"open 1 A/foo sync;falloc @1 0 4096 collapse;write @1 0 40;close 1", "A/foo", "A/foo"},
    // Mappings
    ace_call{"store A/foo 0 4096", "A/foo", "A/foo"},
    ace_call{"store A/foo 4059 70", "A/foo", "A/foo"},
    ace_call{"store B/bar 8190 4200", "B/bar", "B/bar+"},
    ace_call{"store A/foo 100 40 sync", "A/foo", "A/foo"},
    ace_call{"truncate A/foo 20001;store A/foo 8190 40 sync", "A/foo", "A/foo"},
    ace_call{"store A/foo 5981 40;truncate A/foo 100;truncate A/foo 6001", "A/foo", "A/foo"},
    ace_call{"store A/foo 101 40;falloc A/foo 0 4096 punch;write A/foo 200 40", "A/foo", "A/foo"},
    ace_call{"store A/foo 4100 40;falloc A/foo 0 4096 collapse", "A/foo", "A/foo"},
    ace_call{"store A/foo 100 4000;unlink A/foo;creat B/foo;write B/foo 0 8192", "B/foo", "A/foo"},
    ace_call{"open 1 A/foo;store @1 0 40;msync @1;store @1 8 40;write @1 32 40 dsync;close 1", "A/foo", "A/foo"},
    ace_call{"open 1 A/foo;store @1 0 40;fsync @1;store @1 0 40;fdatasync @1;close 1", "A/foo", "A/foo"},
    ace_call{"open 1 B/bar;store @1 12290 40;falloc @1 8192 8192 zero;store @1 12300 40 sync;close 1", "B/bar", "B/bar+"},
    // Attributes
    ace_call{"setxattr A/foo user.a 8", "A/foo", "A/foo"},
    ace_call{"setxattr A/foo user.a 300", "A/foo", "A/foo"},
    ace_call{"setxattr A/foo user.b 3000", "A/foo", "A/foo"},
    ace_call{"setxattr A/foo user.a 301", "A/foo", "A/foo A/foo:user.a"},
    ace_call{"removexattr A/foo user.a", "A/foo", "A/foo A/foo:user.a"},
    ace_call{"setxattr B/bar user.a 8", "B/bar", "B/bar"},
    ace_call{"setxattr B/bar user.b 3000", "B/bar", "B/bar"},
    ace_call{"removexattr B/bar user.a", "B/bar", "B/bar B/bar:user.a"},
    ace_call{"setxattr A/bar user.a 300", "A/bar", "A/bar"},
    ace_call{"chmod A/foo 0600", "A/foo", "A/foo"},
    ace_call{"chmod B 0711", "B"},
    ace_call{"chown A/foo 1000 1000", "A/foo", "A/foo"},
    ace_call{"chmod A/foo 6755;write A/foo 0 4096", "A/foo", "A/foo"},
    // Descriptors
    ace_call{"open 1 A/foo;open 2 A/foo;write @1 0 4096;write @2 2048 5001;close 1;close 2", "A/foo", "A/foo"},
    ace_call{"open 1 A/foo append;open 2 A/foo;write @1 0 3001;write @2 0 5;write @1 0 4;close 1;close 2", "A/foo", "A/foo"},
    ace_call{"open 1 A/foo;open 2 A/foo;write @1 6000 3001;fsync @2;truncate @2 100;close 1;close 2", "A/foo", "A/foo"},
    ace_call{"open 1 A/foo;unlink A/foo;write @1 6000 4096;fsync @1;close 1", "A", "A/foo"},
    ace_call{"open 1 A/foo;rename A/foo B/foo;write @1 0 4096;fsync @1;close 1", "B/foo", "A/foo"},
    ace_call{"open 1 A/foo;rename B/bar A/foo;write @1 0 4096;fdatasync @1;close 1", "A/foo", "A/foo B/bar"},
    ace_call{"open 1 A/foo dsync;write @1 0 4096;write @1 6000 3001;close 1", "A/foo", "A/foo"},
    ace_call{"open 1 A/foo sync;write @1 8192 100;write @1 0 5;close 1", "A", "A/foo"},
    ace_call{"open 1 A/foo trunc;write @1 0 3001;close 1", "A/foo", "A/foo"},
    ace_call{"open 1 A/bar creat;write @1 0 3001;fdatasync @1;write @1 3001 3001;close 1", "A/bar"},
    ace_call{"open 1 A tmpfile;write @1 0 5001;linkat 1 A/bar;close 1", "A/bar"},
    ace_call{"open 1 A tmpfile;write @1 0 5001;fsync @1;linkat 1 B/foo;close 1", "B"},
    ace_call{"open 1 B tmpfile;write @1 0 5001;setxattr @1 user.a 300;close 1", "B"},
    ace_call{"open 1 B/bar;link B/bar B/foo;unlink B/bar;write @1 0 4096;close 1", "B/foo", "B/bar"},
    ace_call{"open 1 B/bar;falloc @1 8192 8192 keep_size;truncate @1 9000;write @1 8193 10;close 1", "B/bar", "B/bar"},
};

// What is called behind a call: behind the last one something makes durable.
constexpr std::array<std::string_view, 4> between{"", "fsync", "fdatasync", "sync"};
constexpr std::array<std::string_view, 4> last{"fsync", "fdatasync", "sync", "umount"};

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(at), text.size());
    if (end != 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// Which names there are while the calls go by, as far as needs have to know.
class names_there {
 public:
  names_there() : names_{"A", "B"} {}

  [[nodiscard]] bool has(std::string_view path) const { return std::ranges::find(names_, path) != names_.end(); }
  void make(std::string_view path) {
    if (!has(path)) names_.emplace_back(path);
  }

  void follow(const step& s) {
    switch (s.what) {
      case verb::creat:
      case verb::mkdir:
      case verb::mknod:
      case verb::symlink:
      case verb::linkat:
        return make(s.path);
      case verb::link:
        return has(s.other) ? make(s.path) : void();
      case verb::unlink:
      case verb::rmdir:
        return remove(s.path);
      case verb::open:
        return (s.flags & flag_creat) != 0 ? make(s.path) : void();
      case verb::setxattr:
        return make(attribute(s.path, s.other));
      case verb::removexattr:
        return remove(attribute(s.path, s.other));
      case verb::rename:
        return move(s);
      default:
        return;
    }
  }

 private:
  [[nodiscard]] static std::string attribute(std::string_view path, std::string_view name) { return fmt::format("{}:{}", path, name); }
  // What hangs on PATH, too.
  [[nodiscard]] static bool belongs(std::string_view name, std::string_view path) {
    return name.starts_with(path) && (name.size() == path.size() || name[path.size()] == '/' || name[path.size()] == ':');
  }
  void remove(const std::string& path) {
    std::erase_if(names_, [&](const std::string& n) { return belongs(n, path); });
  }
  void move(const step& s) {
    if (!has(s.other) || (s.flags & flag_exchange) != 0) return;
    if ((s.flags & flag_noreplace) != 0 && has(s.path)) return;
    remove(s.path);
    for (std::string& n : names_)
      if (belongs(n, s.other)) n = s.path + n.substr(s.other.size());
    if ((s.flags & flag_whiteout) != 0) make(s.other);
  }

  std::vector<std::string> names_;
};

step step_of(std::string_view text) {
  const auto w = parse_workload("ace", text);
  XIP_ASSERT(w && w->steps.size() == 1);
  return w->steps.front();
}

std::string_view name_of_need(std::string_view need) {
  return need.ends_with('/') || need.ends_with('+') ? need.substr(0, need.size() - 1) : need;
}

// The steps that make what NEED asks for.
std::vector<step> makers_of(std::string_view need) {
  if (need.ends_with('/')) return {step_of(fmt::format("mkdir {}", need.substr(0, need.size() - 1)))};
  if (const auto colon = need.find(':'); colon != need.npos)
    return {step_of(fmt::format("setxattr {} {} 300", need.substr(0, colon), need.substr(colon + 1)))};
  if (!need.ends_with('+')) return {step_of(fmt::format("creat {}", need)), step_of(fmt::format("write {} 0 6000", need))};
  const std::string_view path = name_of_need(need);
  return {step_of(fmt::format("creat {}", path)), step_of(fmt::format("write {} 0 8192", path)),
          step_of(fmt::format("falloc {} 8192 8192", path)), step_of(fmt::format("write {} 20480 6000", path))};
}

class builder {
 public:
  explicit builder(std::string name) { made_.name = std::move(name), made_.setup = {step_of("mkdir A"), step_of("mkdir B")}; }

  // What is added from here on is TASK's. It knows the setup, and nothing of what others do.
  void begin_task(std::uint32_t task) {
    task_ = task;
    first_ = made_.steps.size();
    there_ = set_up_;
  }

  // What no call before has touched is made in the setup, the rest where it is needed.
  void add(const ace_call& call, std::string_view sync) {
    for (const std::string_view need : split(call.needs, ' ')) {
      if (there_.has(name_of_need(need))) continue;
      if (touched(name_of_need(need))) {
        for (step& s : makers_of(need)) add_step(std::move(s));
      } else {
        std::ranges::move(makers_of(need), std::back_inserter(made_.setup));
        set_up_.make(name_of_need(need));
      }
      there_.make(name_of_need(need));
    }
    for (const std::string_view text : split(call.text, ';')) {
      add_step(step_of(text));
      there_.follow(made_.steps.back());
    }
    if (sync.empty()) return;
    const bool of_file = sync != "sync" && sync != "umount";
    add_step(step_of(of_file ? fmt::format("{} {}", sync, call.target) : std::string{sync}));
  }

  [[nodiscard]] workload take() { return std::move(made_); }

 private:
  void add_step(step s) {
    s.task = task_;
    made_.steps.push_back(std::move(s));
  }

  // A step of this task has to do with NAME, or has moved a directory that it may be in.
  [[nodiscard]] bool touched(std::string_view name) const {
    const std::string_view file = name.substr(0, name.find(':'));
    return std::ranges::any_of(std::span{made_.steps}.subspan(first_), [&](const step& s) {
      const bool above = s.what == verb::rename && (file.starts_with(s.path + "/") || file.starts_with(s.other + "/"));
      return s.path == file || s.other == file || above;
    });
  }

  workload made_;
  names_there set_up_, there_;
  std::uint32_t task_ = 0;
  std::size_t first_ = 0;  // of its steps
};

// How many lists of LENGTH calls one of several tasks may make.
std::uint64_t list_count(unsigned length) noexcept {
  std::uint64_t count = 1;
  for (unsigned i = 0; i < length; ++i) count *= calls.size() * between.size();
  return count;
}

void add_list(builder& to, unsigned length, std::uint64_t number) {
  for (unsigned i = 0; i < length; ++i) {
    const std::uint64_t mine = number % list_count(1);
    number /= list_count(1);
    to.add(calls[mine / between.size()], between[mine % between.size()]);
  }
}

}  // namespace

std::uint64_t ace_count(unsigned length) noexcept {
  std::uint64_t count = calls.size() * last.size();
  for (unsigned i = 1; i < length; ++i) count *= calls.size() * between.size();
  return count;
}

workload ace_workload(unsigned length, std::uint64_t index) {
  XIP_ASSERT(length >= 1 && length <= longest_ace && index < ace_count(length));
  builder made{fmt::format("ace{}-{}", length, index)};
  std::uint64_t left = index;
  for (unsigned i = length; i-- > 0;) {
    const std::uint64_t below = i == 0 ? 1 : ace_count(i);
    const std::span<const std::string_view> syncs = i == 0 ? std::span<const std::string_view>{last} : between;
    const std::uint64_t mine = left / below;
    left %= below;
    made.add(calls[mine / syncs.size()], syncs[mine % syncs.size()]);
  }
  return made.take();
}

workload random_workload(unsigned length, std::uint64_t seed) {
  XIP_ASSERT(length >= 1 && length <= longest_random);
  builder made{fmt::format("random{}-{}", length, seed)};
  explore::random_numbers chance{seed, length};
  for (unsigned i = 1; i < length; ++i) made.add(calls[chance.below(calls.size())], between[chance.below(between.size())]);
  made.add(calls[chance.below(calls.size())], last[chance.below(last.size())]);
  return made.take();
}

std::uint64_t raced_ace_count(unsigned length) noexcept {
  const std::uint64_t lists = list_count(length);
  return lists * (lists + 1) / 2;
}

// Pair number INDEX of (0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2) ...
workload raced_ace_workload(unsigned length, std::uint64_t index) {
  XIP_ASSERT(length >= 1 && length <= longest_raced_ace && index < raced_ace_count(length));
  std::uint64_t second = 0, most = list_count(length);
  while (most - second > 1) {
    const std::uint64_t middle = second + (most - second) / 2;
    (middle * (middle + 1) / 2 <= index ? second : most) = middle;
  }
  builder made{fmt::format("2xace{}-{}", length, index)};
  made.begin_task(0);
  add_list(made, length, index - second * (second + 1) / 2);
  made.begin_task(1);
  add_list(made, length, second);
  return made.take();
}

workload raced_random_workload(unsigned length, std::uint64_t seed) {
  XIP_ASSERT(length >= 1 && length <= longest_random);
  builder made{fmt::format("2xrandom{}-{}", length, seed)};
  explore::random_numbers chance{seed, length};
  for (std::uint32_t task = 0; task < 2; ++task) {
    made.begin_task(task);
    for (unsigned i = 0; i < length; ++i) made.add(calls[chance.below(calls.size())], between[chance.below(between.size())]);
  }
  return made.take();
}

std::optional<workload> generated_workload(std::string_view name) {
  const bool raced = name.starts_with("2x");
  if (raced) name.remove_prefix(2);
  const bool random = name.starts_with("random");
  if (!random && !name.starts_with("ace")) return {};
  unsigned length = 0;
  std::uint64_t number = 0;
  const char *const at = name.data() + (random ? 6 : 3), *const end = name.data() + name.size();
  const auto of_length = std::from_chars(at, end, length);
  if (of_length.ec != std::errc{} || of_length.ptr == end || *of_length.ptr != '-') return {};
  const auto of_number = std::from_chars(of_length.ptr + 1, end, number);
  if (of_number.ec != std::errc{} || of_number.ptr != end || length < 1) return {};
  if (length > (random ? longest_random : raced ? longest_raced_ace : longest_ace)) return {};
  if (random) return raced ? raced_random_workload(length, number) : random_workload(length, number);
  if (number >= (raced ? raced_ace_count(length) : ace_count(length))) return {};
  return raced ? raced_ace_workload(length, number) : ace_workload(length, number);
}

}  // namespace xip::crash
