// A tree of files against a model, in the manner of fsstress.
#include <xip/scenario/models.h>

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace xip::scenario {
namespace {

constexpr std::size_t max_file = 40'000;
constexpr std::size_t max_entries = 200;

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string{} : path.substr(0, slash);
}

}  // namespace

tree_model::tree_model(run& t, std::string root, random_source chance) : t_{t}, root_{std::move(root)}, chance_{chance} {}

void tree_model::make_root(vfs::task& task) { t_.must(task.mkdir(root_, 0755)); }

std::string tree_model::random_dir() {
  std::vector<std::string> dirs{""};
  for (const auto& [name, n] : nodes_)
    if (n.is_dir) dirs.push_back(name);
  return dirs[chance_.below(dirs.size())];
}

std::string tree_model::random_file() {
  std::vector<std::string> files;
  for (const auto& [name, n] : nodes_)
    if (!n.is_dir) files.push_back(name);
  return files.empty() ? std::string{} : files[chance_.below(files.size())];
}

bool tree_model::has_children(const std::string& dir) const {
  const auto next = nodes_.upper_bound(dir + "/");
  return next != nodes_.end() && next->first.starts_with(dir + "/");
}

void tree_model::make_file(vfs::task& task) {
  if (nodes_.size() >= max_entries) return remove_file(task);
  const std::string dir = random_dir();
  // Names of many lengths.
  const std::string name = (dir.empty() ? "" : dir + "/") + fmt::format("f{}-{}", made_++, std::string(chance_.below(60), 'n'));
  const int fd = t_.must(task.open(full(name), O_WRONLY | O_CREAT | O_EXCL, 0600));
  t_.must(task.close(fd));
  nodes_[name] = {};
}

void tree_model::make_dir(vfs::task& task) {
  const std::string dir = random_dir();
  if (nodes_.size() >= max_entries || std::ranges::count(dir, '/') > 6) return remove_dir(task);
  const std::string name = (dir.empty() ? "" : dir + "/") + fmt::format("d{}", made_++);
  t_.must(task.mkdir(full(name), 0755));
  nodes_[name] = {.is_dir = true};
}

void tree_model::write_file(vfs::task& task) {
  const std::string name = random_file();
  if (name.empty()) return make_file(task);
  auto& data = nodes_[name].data;
  const std::size_t at = chance_.below(std::min(max_file, data.size() + 8192));
  const std::size_t bytes = chance_.between(1, 9000);
  const stamp who{.file = 1 + static_cast<std::uint32_t>(chance_.below(4000)), .generation = made_++ & 0x7ff};
  const int fd = t_.must(task.open(full(name), O_WRONLY));
  t_.put(task, fd, static_cast<loff_t>(at), bytes, who);
  t_.must(task.close(fd));
  if (data.size() < at + bytes) data.resize(at + bytes);
  fill(std::span{data}.subspan(at, bytes), static_cast<loff_t>(at), who);
}

void tree_model::truncate_file(vfs::task& task) {
  const std::string name = random_file();
  if (name.empty()) return;
  const std::size_t to = chance_.below(max_file);
  t_.must(task.truncate(full(name), static_cast<loff_t>(to)));
  nodes_[name].data.resize(to);
}

void tree_model::remove_file(vfs::task& task) {
  const std::string name = random_file();
  if (name.empty()) return;
  t_.must(task.unlink(full(name)));
  nodes_.erase(name);
}

void tree_model::remove_dir(vfs::task& task) {
  const std::string name = random_dir();
  if (name.empty()) return;
  const auto answer = task.rmdir(full(name));
  if (has_children(name)) return t_.expect_errno(answer, ENOTEMPTY);
  t_.must(answer);
  nodes_.erase(name);
}

void tree_model::open_missing(vfs::task& task) {
  const std::string dir = random_dir();
  t_.expect_errno(task.open(full((dir.empty() ? "" : dir + "/") + std::string{"missing"}), O_RDONLY), ENOENT);
}

void tree_model::check_file(vfs::task& task, const std::string& name) {
  const auto& data = nodes_[name].data;
  const int fd = t_.must(task.open(full(name), O_RDONLY));
  std::vector<std::byte> found(data.size() + 1);
  t_.expect_answer(task.pread(fd, found.data(), found.size(), 0), data.size(), fmt::format("bytes of {}", full(name)));
  t_.expect_same(compare_bytes(std::span{found}.first(data.size()), 0, data));
  t_.must(task.close(fd));
}

void tree_model::check_dir(vfs::task& task, const std::string& name) {
  std::set<std::string> expected;
  for (const auto& [path, n] : nodes_)
    if (parent_of(path) == name && !path.empty()) expected.insert(path.substr(name.empty() ? 0 : name.size() + 1));
  const int fd = t_.must(task.open(full(name), O_RDONLY | O_DIRECTORY));
  std::set<std::string> found;
  for (;;) {
    const auto some = t_.must(task.getdents(fd, 7));
    if (some.empty()) break;
    for (const vfs::dirent& e : some) {
      if (e.name == "." || e.name == "..") continue;
      t_.expect(found.insert(e.name).second, fmt::format("{} is listed once: {}", full(name), e.name));
      t_.expect(expected.contains(e.name), fmt::format("{} lists what was made: {}", full(name), e.name));
    }
  }
  t_.must(task.close(fd));
  t_.expect_equal(found.size(), expected.size(), fmt::format("the number of names in {}", full(name)));
}

void tree_model::step(vfs::task& task) {
  switch (chance_.below(20)) {
    case 0:
    case 1:
    case 2:
      return make_file(task);
    case 3:
    case 4:
      return make_dir(task);
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
    case 10:
      return write_file(task);
    case 11:
    case 12:
      return truncate_file(task);
    case 13:
      return remove_file(task);
    case 14:
      return remove_dir(task);
    case 15:
      return open_missing(task);
    case 16:
      return check_dir(task, random_dir());
    default:
      if (const std::string name = random_file(); !name.empty()) check_file(task, name);
  }
}

void tree_model::verify(vfs::task& task) {
  check_dir(task, "");
  for (const auto& [name, n] : nodes_) {
    if (n.is_dir)
      check_dir(task, name);
    else
      check_file(task, name);
  }
}

void tree_model::remove_all(vfs::task& task) {
  // A path sorts before those below it.
  while (!nodes_.empty()) {
    const auto last = std::prev(nodes_.end());
    t_.must(last->second.is_dir ? task.rmdir(full(last->first)) : task.unlink(full(last->first)));
    nodes_.erase(last);
  }
  t_.must(task.rmdir(root_));
}

}  // namespace xip::scenario
