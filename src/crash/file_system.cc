#include <xip/crash/file_system.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include <xip/dev/devices.h>

#include "crash/follow.h"
#include "crash/image.h"
#include "crash/lone_kernel.h"
#include "crash/oracle.h"
#include "crash/ordered_device.h"
#include "crash/play.h"
#include "crash/tree.h"

namespace xip::crash {
namespace {

// Everything below the root, deepest first.
std::string remove_all(vfs::task& t, const tree& there) {
  for (auto at = there.names.rbegin(); at != there.names.rend(); ++at) {
    const auto& [path, ino] = *at;
    if (path.empty()) continue;
    const bool directory = is_directory(*there.node(ino));
    if (const auto gone = directory ? t.rmdir("/" + path) : t.unlink("/" + path); !gone)
      return fmt::format("/{} cannot be removed: {}", path, gone.error().name());
  }
  return {};
}

// What CHECK says of all that DEVICE has, which is copied only where there is no window on it.
std::string with_bytes_of(dev::device& device, const std::function<std::string(std::span<const std::byte>)>& check) {
  if (const auto w = device.direct_access(0, device.size(), dev::access_intent::read); w && w->bytes == device.size())
    return check({w->data, w->bytes});
  std::vector<std::byte> image(device.size());
  if (const auto read = device.read(0, image); !read) return fmt::format("the device cannot be read: {}", read.error().name());
  return check(image);
}

// A file in every directory, with a block of bytes.
std::string create_everywhere(vfs::task& t, const tree& there) {
  const std::vector<std::byte> bytes(4096, std::byte{1});
  for (const auto& [path, ino] : there.names) {
    if (!is_directory(*there.node(ino))) continue;
    const std::string name = fmt::format("/{}{}afterwards", path, path.empty() ? "" : "/");
    const auto fd = t.open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (!fd) return fmt::format("{} cannot be made: {}", name, fd.error().name());
    const auto written = t.write(*fd, bytes.data(), bytes.size());
    if (const auto closed = t.close(*fd); !written || !closed)
      return fmt::format("{} cannot be written: {}", name, (written ? closed.error() : written.error()).name());
  }
  return {};
}

// The first line in which two texts differ, as each has it.
std::string first_difference(std::string_view a, std::string_view b) {
  const auto line = [](std::string_view& rest) {
    const std::string_view l = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), l.size() + 1));
    return l;
  };
  for (;;) {
    const std::string_view of_a = line(a), of_b = line(b);
    if (of_a != of_b) return fmt::format("'{}' where the mount finds '{}'", of_a, of_b);
    if (a.empty() && b.empty()) return "the same";
  }
}

}  // namespace

struct file_system_crash::impl {
  impl(crashed_file_system f, workload w) : fs{std::move(f)}, work{std::move(w)}, bugs{fs.exhibits, fs.stand_in} {}

  void run(dev::device& device, history& h);
  void run_mounted(dev::device& device, history& h);
  void run_steps(follower& steps, history& h);
  // What a mount finds in IMAGE when somebody else has recovered it.
  [[nodiscard]] std::string found_elsewhere(std::span<const std::byte> before);

  crashed_file_system fs;
  workload work;
  oracle judge;
  std::vector<int> answers;
  std::set<ordering_site> waits;
  lone_kernel::arena memory;
  kernel_listener bugs;
  std::unordered_set<std::uint64_t> emptied;  // shapes of trees whose removal was checked
  std::string found_last;                     // of the last recovery, without times
  std::optional<image> copy;                  // that another recovery gets: new memory for each costs more than what it is for
  std::optional<std::string> elsewhere;       // of the image that is about to be recovered: what another recovery leaves
};

// What an unmount does is a step of its own.
void file_system_crash::impl::run(dev::device& device, history& h) {
  waits.clear();
  ordered_device ordered{device, bugs.passed(), waits, fs.without};
  run_mounted(ordered, h);
}

// A mount of what was unmounted writes nothing before the first change: it is no step, unless it comes behind a cut.
void file_system_crash::impl::run_mounted(dev::device& device, history& h) {
  lone_kernel machine{memory, &bugs};
  const bool is_step = work.steps.front().what == verb::mount;
  if (is_step) h.begin_operation(0, text_of(work.steps.front()));
  bugs.forget();
  mount_or_throw(machine, fs, device);
  if (is_step) h.end_operation(0);
  follower steps{machine, fs, device, 1, judge};
  steps.start(numbering::same);
  answers.clear();
  run_steps(steps, h);
  steps.close_all();
  must(machine.complaint());
  device.kill();
}

void file_system_crash::impl::run_steps(follower& steps, history& h) {
  for (std::size_t i = 0; i < work.steps.size(); ++i) {
    if (work.steps[i].what == verb::mount) {
      steps.mounted(work.steps[i]);
      answers.push_back(0);
      continue;
    }
    const auto index = static_cast<std::uint32_t>(i);
    h.begin_operation(index, text_of(work.steps[i]));
    bugs.forget();
    answers.push_back(steps.make(work.steps[i], i % setup_number, [&](bool persists) { h.end_operation(index, persists); }));
  }
}

std::string file_system_crash::impl::found_elsewhere(std::span<const std::byte> before) {
  if (!copy || copy->size() != before.size()) copy.emplace(before.size());
  copy->undo();
  std::memcpy(copy->data(), before.data(), before.size());
  must(fs.recover_elsewhere({copy->data(), before.size()}));
  image_device device{*copy, true, nullptr};
  lone_kernel machine{memory};
  mount_or_throw(machine, fs, device);
  const tree there = tree_or_throw(machine.task());
  must(machine.umount());
  must(machine.complaint());
  return text_of(there);
}

file_system_crash::file_system_crash(crashed_file_system fs, workload w) : impl_{std::make_unique<impl>(std::move(fs), std::move(w))} {}
file_system_crash::~file_system_crash() = default;

program file_system_crash::make_program() {
  return {.name = impl_->work.name, .run = [this](dev::device& device, history& h) { impl_->run(device, h); }};
}

const std::set<ordering_site>& file_system_crash::waits() const noexcept { return impl_->waits; }
std::span<const int> file_system_crash::answers() const noexcept { return impl_->answers; }

recovery file_system_crash::recover(dev::device& device) {
  recovery found;
  lone_kernel machine{impl_->memory, &impl_->bugs};
  mount_or_throw(machine, impl_->fs, device);
  auto there = std::make_shared<tree>();
  found.failure = read_tree_of(machine.task(), *there);
  if (std::string wrong = machine.umount(); found.failure.empty()) found.failure = std::move(wrong);
  if (found.failure.empty()) found.failure = machine.complaint();
  impl_->found_last = text_of(*there);
  found.meaning = text_of(*there, [this](std::uint64_t ino) { return impl_->judge.judges_times_of(ino); });
  found.detail = std::move(there);
  return found;
}

std::string file_system_crash::judge(const recovery& found, const position& at) {
  const auto begun = at.finished + static_cast<std::uint32_t>(at.in_progress.size());
  return impl_->judge.judge(*static_cast<const tree*>(found.detail.get()), at.finished, begun);
}

std::string file_system_crash::probe(dev::device& device, const recovery& found) {
  const tree& there = *static_cast<const tree*>(found.detail.get());
  lone_kernel machine{impl_->memory, &impl_->bugs};
  mount_or_throw(machine, impl_->fs, device);
  std::string wrong = create_everywhere(machine.task(), there);
  if (wrong.empty()) wrong = remove_all(machine.task(), tree_or_throw(machine.task()));
  if (std::string gone = machine.umount(); wrong.empty()) wrong = std::move(gone);
  if (wrong.empty()) wrong = machine.complaint();
  if (wrong.empty() && impl_->fs.check && impl_->emptied.insert(shape_of(there)).second) wrong = with_bytes_of(device, impl_->fs.check);
  return wrong.empty() ? "" : "afterwards: " + wrong;
}

std::string file_system_crash::inspect(std::span<const std::byte> image, std::uint64_t hash) {
  const crashed_file_system& fs = impl_->fs;
  impl_->elsewhere.reset();
  if (!fs.recover_elsewhere || fs.check_every == 0 || hash % fs.check_every != 0) return {};
  try {
    impl_->elsewhere = impl_->found_elsewhere(image);
  } catch (const std::exception& e) {
    return fmt::format("another recovery: {}", e.what());
  }
  return {};
}

std::string file_system_crash::audit(std::span<const std::byte> recovered, std::uint64_t hash) {
  const crashed_file_system& fs = impl_->fs;
  if (const auto elsewhere = std::exchange(impl_->elsewhere, std::nullopt); elsewhere && *elsewhere != impl_->found_last)
    return "another recovery: it leaves " + first_difference(*elsewhere, impl_->found_last);
  return fs.check && fs.check_every != 0 && hash % fs.check_every == 0 ? fs.check(recovered) : "";
}

std::string set_up(const crashed_file_system& fs, const workload& w, std::span<const std::byte> before, std::vector<std::byte>& to) {
  try {
    image bytes{before.size()};
    std::memcpy(bytes.data(), before.data(), before.size());
    image_device device{bytes, true, nullptr};
    lone_kernel::arena memory;
    lone_kernel machine{memory, nullptr, std::chrono::hours{1}};  // what it makes is older than what the workload does
    mount_or_throw(machine, fs, device);
    player p;
    bool is_cut = false;
    for (const step& s : w.setup) {
      is_cut = s.what == verb::cut;
      if (is_cut) {
        to.assign(bytes.bytes().begin(), bytes.bytes().end());
        continue;
      }
      if (const int answer = play_step(p, machine, fs, device, s, setup_number); answer != 0)
        return fmt::format("the setup's '{}' says {}", text_of(s), error{answer}.name());
    }
    p.close_all(machine.task());
    must(machine.umount());
    must(machine.complaint());
    if (!is_cut) to.assign(bytes.bytes().begin(), bytes.bytes().end());
    return {};
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace xip::crash
