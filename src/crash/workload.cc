#include <xip/crash/workload.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <ranges>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace xip::crash {
namespace {

// What a verb is followed by, one letter a word: p path, q the other path, t target, n name, f file (path or @number), d number of a descriptor,
// o offset, l length, m mode, a letters of chattr.
struct grammar {
  verb what;
  std::string_view name, arguments;
  std::uint32_t flags = 0;
};
constexpr std::uint32_t rename_flags = flag_noreplace | flag_exchange | flag_whiteout;
constexpr std::uint32_t write_flags = flag_dsync | flag_sync | flag_direct | flag_append;
constexpr std::uint32_t falloc_flags = flag_keep_size | flag_punch | flag_zero | flag_collapse | flag_insert;
constexpr std::array grammars{
    grammar{verb::mkdir, "mkdir", "p"},
    grammar{verb::creat, "creat", "p"},
    grammar{verb::mknod, "mknod", "p"},
    grammar{verb::symlink, "symlink", "tp"},
    grammar{verb::link, "link", "qp"},
    grammar{verb::unlink, "unlink", "p"},
    grammar{verb::rmdir, "rmdir", "p"},
    grammar{verb::rename, "rename", "qp", rename_flags},
    grammar{verb::write, "write", "fol", write_flags},
    grammar{verb::store, "store", "fol", flag_sync},
    grammar{verb::msync, "msync", "f"},
    grammar{verb::truncate, "truncate", "fl"},
    grammar{verb::falloc, "falloc", "fol", falloc_flags},
    grammar{verb::setxattr, "setxattr", "fnl"},
    grammar{verb::removexattr, "removexattr", "fn"},
    grammar{verb::chmod, "chmod", "pm"},
    grammar{verb::chown, "chown", "pol"},
    grammar{verb::chattr, "chattr", "pa"},
    grammar{verb::open, "open", "dp", write_flags | flag_trunc | flag_creat | flag_tmpfile | flag_read},
    grammar{verb::close, "close", "d"},
    grammar{verb::linkat, "linkat", "dp"},
    grammar{verb::fsync, "fsync", "f"},
    grammar{verb::fdatasync, "fdatasync", "f"},
    grammar{verb::sync, "sync", ""},
    grammar{verb::umount, "umount", ""},
    grammar{verb::cut, "cut", ""},
    grammar{verb::mount, "mount", ""},
};

struct flag_name {
  std::uint32_t flag;
  std::string_view name;
};
constexpr std::array flag_names{
    flag_name{flag_dsync, "dsync"},         flag_name{flag_sync, "sync"},         flag_name{flag_direct, "direct"},
    flag_name{flag_append, "append"},       flag_name{flag_trunc, "trunc"},       flag_name{flag_creat, "creat"},
    flag_name{flag_tmpfile, "tmpfile"},     flag_name{flag_punch, "punch"},       flag_name{flag_zero, "zero"},
    flag_name{flag_collapse, "collapse"},   flag_name{flag_insert, "insert"},     flag_name{flag_keep_size, "keep_size"},
    flag_name{flag_noreplace, "noreplace"}, flag_name{flag_exchange, "exchange"}, flag_name{flag_whiteout, "whiteout"},
    flag_name{flag_read, "read"},
};

const grammar& grammar_of(verb what) noexcept { return *std::ranges::find(grammars, what, &grammar::what); }

std::string argument(const step& s, char kind) {
  switch (kind) {
    case 'f':
      return s.fd == step::by_path ? s.path : fmt::format("@{}", s.fd);
    case 'd':
      return fmt::format("{}", s.fd);
    case 'o':
      return fmt::format("{}", s.offset);
    case 'l':
      return fmt::format("{}", s.length);
    case 'm':
      return fmt::format("{:o}", s.length);
    case 'p':
      return s.path;
    default:
      return s.other;
  }
}

std::vector<std::string_view> words_of(std::string_view line) {
  line = line.substr(0, line.find('#'));
  std::vector<std::string_view> words;
  constexpr std::string_view blank = " \t\r";
  for (std::size_t at = line.find_first_not_of(blank); at != line.npos; at = line.find_first_not_of(blank, at)) {
    const std::size_t end = std::min(line.find_first_of(blank, at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

constexpr std::int64_t largest_descriptor = 99;

// Empty: WORD is one, and stands in TO.
std::string number(std::string_view word, std::int64_t most, int base, std::int64_t& to) {
  const auto [end, wrong] = std::from_chars(word.data(), word.data() + word.size(), to, base);
  if (wrong == std::errc{} && end == word.data() + word.size() && to >= 0 && to <= most) return {};
  return fmt::format("\"{}\" is no {}number from 0 to {}", word, base == 8 ? "octal " : "",
                     base == 8 ? fmt::format("{:o}", most) : fmt::format("{}", most));
}

std::string descriptor(std::string_view word, step& s) {
  std::int64_t fd = 0;
  std::string wrong = number(word, largest_descriptor, 10, fd);
  s.fd = static_cast<int>(fd);
  return wrong;
}

std::string letters(std::string_view word, step& s) {
  if (word != "-" && word.find_first_not_of("SD") != word.npos)
    return fmt::format("\"{}\" has other letters than S and D, and is no -", word);
  s.other = word;
  return {};
}

// Empty: WORD is what KIND asks for, and stands in S.
std::string take(std::string_view word, char kind, step& s) {
  switch (kind) {
    case 'd':
      return descriptor(word, s);
    case 'f':
      if (word.starts_with('@')) return descriptor(word.substr(1), s);
      s.path = word;
      return {};
    case 'o':
      return number(word, largest_offset, 10, s.offset);
    case 'l':
      return number(word, largest_offset, 10, s.length);
    case 'm':
      return number(word, 07777, 8, s.length);
    case 'a':
      return letters(word, s);
    case 'p':
      s.path = word;
      return {};
    default:
      s.other = word;
      return {};
  }
}

std::string take_flag(std::string_view word, const grammar& g, step& s) {
  const auto known = std::ranges::find(flag_names, word, &flag_name::name);
  if (known == flag_names.end() || (g.flags & known->flag) == 0) return fmt::format("{} takes no \"{}\"", g.name, word);
  s.flags |= known->flag;
  return {};
}

std::expected<step, std::string> parse_step(std::span<const std::string_view> words) {
  const auto g = std::ranges::find(grammars, words.front(), &grammar::name);
  if (g == grammars.end())
    return std::unexpected{
        fmt::format("\"{}\" is no call; there are: {}", words.front(), fmt::join(grammars | std::views::transform(&grammar::name), " "))};
  step s{.what = g->what};
  words = words.subspan(1);
  if (words.size() < g->arguments.size())
    return std::unexpected{fmt::format("{} takes {} words, and there are {}", g->name, g->arguments.size(), words.size())};
  for (std::size_t i = 0; i < words.size(); ++i)
    if (std::string wrong = i < g->arguments.size() ? take(words[i], g->arguments[i], s) : take_flag(words[i], *g, s); !wrong.empty())
      return std::unexpected{std::move(wrong)};
  return s;
}

// Of "task N:".
std::optional<std::uint32_t> task_number(std::span<const std::string_view> words) {
  std::int64_t task = 0;
  if (words.size() != 2 || !words[1].ends_with(':')) return {};
  if (!number(words[1].substr(0, words[1].size() - 1), most_tasks, 10, task).empty() || task == 0) return {};
  return static_cast<std::uint32_t>(task - 1);
}

}  // namespace

std::string text_of(const step& s) {
  const grammar& g = grammar_of(s.what);
  std::string text{g.name};
  for (const char kind : g.arguments) text += " " + argument(s, kind);
  for (const flag_name& f : flag_names)
    if ((s.flags & f.flag) != 0) (text += ' ') += f.name;
  return text;
}

std::string text_of(const workload& w) {
  std::string text;
  for (const step& s : w.setup) text += text_of(s) + "\n";
  if (!w.setup.empty()) text += "---\n";
  const bool several = tasks_of(w) > 1;
  for (std::size_t i = 0; i < w.steps.size(); ++i) {
    const step& s = w.steps[i];
    if (several && (i == 0 || w.steps[i - 1].task != s.task)) text += fmt::format("task {}:\n", s.task + 1);
    text += text_of(s) + "\n";
  }
  return text;
}

std::string why_not(const workload& w) {
  if (w.steps.empty()) return "there is no call in it";
  const auto count = [](const std::vector<step>& steps, verb what) { return std::ranges::count(steps, what, &step::what); };
  const bool is_cut = !w.setup.empty() && w.setup.back().what == verb::cut, mounts = w.steps.front().what == verb::mount;
  if (count(w.setup, verb::cut) + count(w.steps, verb::cut) != (is_cut ? 1 : 0)) return "a cut is the last call of a setup";
  if (count(w.setup, verb::mount) + count(w.steps, verb::mount) != (mounts ? 1 : 0)) return "a mount is the first call behind a setup";
  if (is_cut != mounts) return "a cut at the end of the setup and a mount behind it go together";
  if (tasks_of(w) > 1 && (is_cut || count(w.steps, verb::umount) != 0))
    return fmt::format("{} goes with one task", is_cut ? "cut" : "umount");
  return {};
}

std::uint32_t tasks_of(const workload& w) noexcept {
  std::uint32_t most = 0;
  for (const step& s : w.steps) most = std::max(most, s.task);
  return most + 1;
}

std::expected<workload, std::string> parse_workload(std::string_view name, std::string_view text) {
  workload w{.name = std::string{name}};
  bool divided = false;
  std::optional<std::uint32_t> task;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto wrong = [number](std::string_view why) { return std::unexpected{fmt::format("line {}: {}", number, why)}; };
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::vector<std::string_view> words = words_of(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.empty()) continue;
    if (words.front() == "---") {
      if (divided || task || words.size() > 1) return wrong("one \"---\" alone divides a workload, before any task");
      divided = true;
      w.setup = std::exchange(w.steps, {});
      continue;
    }
    if (words.front() == "task") {
      task = task_number(words);
      if (!task) return wrong(fmt::format("a task begins with \"task N:\", with N from 1 to {}", most_tasks));
      continue;
    }
    auto s = parse_step(words);
    if (!s) return wrong(s.error());
    s->task = task.value_or(0);
    w.steps.push_back(*std::move(s));
  }
  if (std::string wrong = why_not(w); !wrong.empty()) return std::unexpected{std::move(wrong)};
  return w;
}

}  // namespace xip::crash
