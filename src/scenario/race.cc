// What a scene is given, and what is asked of it in the end.
#include <xip/scenario/race.h>

#include <algorithm>
#include <array>

#include "scenario/race_parts.h"

namespace xip::scenario {
namespace {

using explore::file_call;
using explore::file_operation;

constexpr unsigned max_pieces = 8;
constexpr std::byte untouched{0xee};
constexpr std::size_t guard_bytes = 64;

// BYTES bytes at DATA in PIECES parts of about the same length, not at multiples of anything.
class segments {
 public:
  segments(std::byte* data, std::size_t bytes, unsigned pieces) noexcept {
    pieces = std::clamp<unsigned>(pieces, 1, max_pieces);
    for (unsigned i = 0; i < pieces; ++i) {
      const std::size_t from = bytes * i / pieces, to = bytes * (i + 1) / pieces;
      if (to != from) all_[count_++] = {data + from, to - from};
    }
  }
  [[nodiscard]] const iovec* data() const noexcept { return all_.data(); }
  [[nodiscard]] int count() const noexcept { return count_; }

 private:
  std::array<iovec, max_pieces> all_{};
  int count_ = 0;
};

std::string describe_words(const std::byte* bytes, std::size_t count, std::uint64_t offset) {
  return describe({bytes, count}, static_cast<loff_t>(offset));
}

}  // namespace

file_operation& observed_file::invoke(vfs::task& me, file_call call, std::uint64_t offset, std::uint64_t length) const {
  race_parts& parts = *race_->parts_;
  return parts.histories[index_].invoke(parts.number_of(me), call, offset, length);
}

template <class T>
void observed_file::answer(file_operation& o, const result<T>& found) const {
  std::uint64_t value = 0;
  if constexpr (!std::is_void_v<T>) value = static_cast<std::uint64_t>(found.value_or(T{}));
  race_->parts_->histories[index_].answer(o, found ? 0 : found.error().number(), value);
  race_->power_may_fail();
  if (!found && found.error() == EOPNOTSUPP) race_->skip("the file system cannot " + std::string{explore::call_name(o.call)});
}

void observed_file::read(vfs::task& me, loff_t pos, std::size_t bytes, unsigned pieces) const {
  file_operation& o = invoke(me, file_call::read, static_cast<std::uint64_t>(pos), bytes);
  o.bytes.assign(bytes + guard_bytes, untouched);
  const segments to{o.bytes.data(), bytes, pieces};
  const auto got = me.preadv2(fd_, to.data(), to.count(), pos, 0);
  answer(o, got);
  const std::size_t counted = got.value_or(0);
  race_->expect(counted <= bytes, "a read counts no more than it was asked for");
  race_->expect(
      std::all_of(o.bytes.begin() + static_cast<std::ptrdiff_t>(counted), o.bytes.end(), [](std::byte b) { return b == untouched; }),
      "a read touches nothing behind the bytes that it counts");
}

void observed_file::store(vfs::task& me, file_operation& o, int fd, loff_t pos, unsigned pieces) const {
  const segments from{o.bytes.data(), o.bytes.size(), pieces};
  answer(o, me.pwritev2(fd, from.data(), from.count(), pos, 0));
}

void observed_file::write(vfs::task& me, loff_t pos, std::size_t bytes, std::uint32_t generation, unsigned pieces) const {
  file_operation& o = invoke(me, file_call::write, static_cast<std::uint64_t>(pos), bytes);
  o.bytes.resize(bytes);
  fill(o.bytes, pos, {.file = file_, .generation = generation});
  store(me, o, fd_, pos, pieces);
}

// Where it will lie is not known: its words are those of offset 0.
void observed_file::append(vfs::task& me, std::size_t bytes, std::uint32_t generation, unsigned pieces) const {
  file_operation& o = invoke(me, file_call::append, 0, bytes);
  o.bytes.resize(bytes);
  fill(o.bytes, 0, {.file = file_, .generation = generation});
  store(me, o, append_fd_, 0, pieces);  // appends whatever the offset, and leaves the position alone
}

void observed_file::truncate(vfs::task& me, loff_t size) const {
  file_operation& o = invoke(me, file_call::truncate, static_cast<std::uint64_t>(size), 0);
  answer(o, me.ftruncate(fd_, size));
}

void observed_file::allocate(vfs::task& me, loff_t pos, loff_t bytes, bool keep_size) const {
  file_operation& o = invoke(me, keep_size ? file_call::allocate_keep_size : file_call::allocate, static_cast<std::uint64_t>(pos),
                             static_cast<std::uint64_t>(bytes));
  answer(o, me.fallocate(fd_, keep_size ? FALLOC_FL_KEEP_SIZE : 0, pos, bytes));
}

void observed_file::ask_size(vfs::task& me) const {
  file_operation& o = invoke(me, file_call::size, 0, 0);
  const auto found = me.fstat(fd_);
  answer(o, found ? result<loff_t>{found->size} : xip::fail(found.error()));
}

void observed_file::seek_data(vfs::task& me, loff_t from) const {
  file_operation& o = invoke(me, file_call::seek_data, static_cast<std::uint64_t>(from), 0);
  answer(o, me.lseek(fd_, from, SEEK_DATA));
}

void observed_file::seek_hole(vfs::task& me, loff_t from) const {
  file_operation& o = invoke(me, file_call::seek_hole, static_cast<std::uint64_t>(from), 0);
  answer(o, me.lseek(fd_, from, SEEK_HOLE));
}

vfs::task& race::task() const noexcept { return *parts_->main; }
vfs::kernel& race::kernel() const noexcept { return *parts_->kernel; }
dev::device& race::device() const noexcept { return *parts_->device; }
std::uint32_t race::block() const noexcept { return parts_->block; }

int race::create(std::string_view path, location here) const { return must(task().open(path, O_RDWR | O_CREAT | O_EXCL, 0644), here); }

observed_file race::observe(std::string_view path, std::uint32_t file, location here) {
  const int fd = create(path, here);
  const int append_fd = must(task().open(path, O_WRONLY | O_APPEND), here);
  const auto index = static_cast<std::uint32_t>(parts_->files.size());
  if (parts_->histories.size() == index) parts_->histories.emplace_back(static_cast<std::uint32_t>(parts_->names.size()));
  return parts_->files.emplace_back(observed_file{*this, index, file, fd, append_fd});
}

void race::power_may_fail() const {
  if (parts_->power_may_fail) parts_->power_may_fail();
}

std::string text_of_failure(const failure& f) {
  std::string text = f.where.empty() ? f.what : f.where + ": " + f.what;
  if (!f.expected.empty()) text += "\nexpected: " + f.expected;
  if (!f.found.empty()) text += "\nfound:    " + f.found;
  return text;
}

race_parts::race_parts(const race_plan& p) : plan{p}, names{"setup"} { names.insert(names.end(), p.tasks.begin(), p.tasks.end()); }

void race_parts::set_up(void* at) {
  for (explore::file_history& h : histories) h.clear();
  files.clear();
  tasks.clear();
  scene = &plan.make(at);
  scene->parts_ = this;
  plan.setup(*scene);
  for (const std::string_view name : plan.tasks)
    tasks.push_back(scene->must(kernel->fork_task(*main, name.data(), plan.options.share_files)));
  for (explore::file_history& h : histories) h.save();
}

void race_parts::prepare() {
  for (std::size_t i = 0; plan.prepare != nullptr && i < tasks.size(); ++i) plan.prepare(*scene, i, *tasks[i]);
}

void race_parts::judge() {
  for (std::size_t i = 0; i < files.size(); ++i) {
    files[i].ask_size(*main);
    files[i].read(*main, 0, static_cast<std::size_t>(scene->must(main->fstat(files[i].fd())).size) + 1, 1);
    if (const auto order = explore::linearize(histories[i], block, names, describe_words); !order)
      scene->fail("linearizability: " + order.error());
  }
  plan.check(*scene);
}

void race_parts::end_tasks() noexcept {
  for (vfs::task* t : tasks) kernel->exit_task(t);
  if (main != nullptr) kernel->exit_task(main);
}

std::uint32_t race_parts::number_of(const vfs::task& t) const noexcept {
  const auto found = std::ranges::find(tasks, &t);
  return found == tasks.end() ? 0 : static_cast<std::uint32_t>(found - tasks.begin()) + 1;
}

}  // namespace xip::scenario
