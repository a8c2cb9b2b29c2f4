// Running one body in its kernel instance.
#include "scenario/fixture.h"

#include <array>
#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <xip/base/endian.h>

namespace xip::scenario {
namespace {

constexpr std::uint32_t dax_block_size = page_size;
constexpr std::uint32_t incompat_extents = 0x40;
constexpr std::uint32_t ro_compat_huge_file = 0x8;

struct geometry {
  std::uint32_t block_size = 0, inode_size = 0;
  bool huge_files = false;
  bool extents = false;
};

// What the super block says; zeros: not an ext2 image.
geometry geometry_of(dev::device& device) {
  std::array<std::byte, 1024> super{};
  if (!device.read(1024, super)) return {};
  const auto field = [&]<class Number>(std::size_t at, Number value) {
    std::memcpy(&value, super.data() + at, sizeof value);
    return value;
  };
  const le32 log_block_size = field(24, le32{}), revision = field(76, le32{}), incompat = field(96, le32{}), ro_compat = field(100, le32{});
  const le16 magic = field(56, le16{}), inode_size = field(88, le16{});
  if (magic != 0xef53 || log_block_size > 6) return {};
  return {.block_size = 1024u << log_block_size,
          .inode_size = revision == 0 ? 128u : static_cast<std::uint32_t>(inode_size),
          .huge_files = (ro_compat & ro_compat_huge_file) != 0,
          .extents = (incompat & incompat_extents) != 0};
}

}  // namespace

dev::opened open_kind(device_kind kind, const std::string& path, std::uint64_t size) {
  switch (kind) {
    case device_kind::memory:
      return dev::open_memory(size);
    case device_kind::pmem:
      return dev::open_pmem(path, false);
    case device_kind::block:
      return dev::open_block(path);
  }
  return std::unexpected{dev::open_failure{error{EINVAL}, "no such kind of device"}};
}

bool is_denied(device_kind kind, error code) noexcept {
  return kind == device_kind::block && (code == EPERM || code == ENOSYS || code == ENOMEM);
}

std::string tool_path(device_kind kind, const dev::device& device, const std::string& path) {
  return kind == device_kind::memory ? fmt::format("/proc/{}/fd/{}", ::getpid(), dev::memory_fd(device)) : path;
}

vfs::kernel_options fixture::options() {
  vfs::kernel_options o;
  o.log = [this](vfs::log_level level, std::string_view text) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
    log.push(std::string{text});
    if (level == vfs::log_level::error) errors.push(std::string{text});
  };
  o.lockdep_report = [this](const lockdep_report& report) {
    std::fprintf(stderr, "lockdep: %s\n", report.text.c_str());
    lock_problems.push(report.text);
  };
  o.points = &points;
  if (about.pointers) {
    using enum mm::trap_by;
    o.make_mm = *about.pointers == userfaultfd ? mm::make_host_mm<userfaultfd>
                : *about.pointers == sigsegv   ? mm::make_host_mm<sigsegv>
                                               : mm::make_host_mm<any>;
  }
  return o;
}

fixture::fixture(const surroundings& s) : about{s} {
  const geometry found = geometry_of(s.device);
  block_size = found.block_size;
  inode_size = found.inode_size;
  huge_files = found.huge_files;
  extents = found.extents;
  dax_possible = s.device.has_direct_access() && block_size == dax_block_size;
  errors_allowed = s.what.needs.errors_logged;
  mount_options = std::string{s.what.needs.mount};
}

fixture::~fixture() {
  main_task.reset();
  kernel.reset();
  more_devices.clear();
  for (const std::string& file : more_files) ::unlink(file.c_str());
}

std::string fixture::with_dax(std::string_view options) const {
  std::string all{options};
  if (!dax_possible || all.find("dax=") != std::string::npos) return all;
  return all.empty() ? "dax=always" : all + ",dax=always";
}

std::expected<void, vfs::mount_failure> fixture::mount(std::string_view options) {
  if (auto answer = kernel->mount(about.type.name, about.device, "/", with_dax(options)); !answer) return answer;
  mounted = true;
  auto made = make_task({}, "main");
  if (!made) return std::unexpected{vfs::mount_failure{made.error(), "no task in the scenario's directory after the mount"}};
  main_task = std::move(*made);
  return {};
}

result<> fixture::umount() {
  main_task.reset();
  mounted = false;
  return kernel->umount("/");
}

result<vfs::task_ptr> fixture::make_task(const vfs::cred& who, const char* name) {
  // The directory may not be open to everybody: root goes there, then becomes WHO.
  vfs::task_ptr task{XIP_TRY(kernel->make_task({}, name))};
  if (!about.directory.empty()) {
    auto there = task->chdir(about.directory);
    if (!there && there.error() == ENOENT) {
      XIP_TRY(task->mkdir(about.directory, 0755));
      there = task->chdir(about.directory);
    }
    XIP_TRY(there);
  }
  task->who = who;
  return task;
}

void fixture::run_guarded(outcome& o) {
  run t{*this};
  try {
    about.what.body(t);
  } catch (const not_run& why) {
    o.how = verdict::not_run;
    o.why = why.what();
  } catch (const expectation_failed& failed) {
    o.add(failed.why());
  } catch (const std::exception& other) {
    o.add({"", "the body threw an exception", "", other.what()});
  }
}

void fixture::finish(outcome& o) {
  main_task.reset();
  if (mounted) {
    mounted = false;
    if (auto gone = kernel->umount("/"); !gone) o.add({"", "the file system could not be unmounted", "success", text_of(gone.error())});
  }
}

void fixture::add_observed(outcome& o) {
  for (const std::string& text : lock_problems.all()) o.add({"", "lockdep reports", "", text});
  if (errors_allowed) return;
  for (const std::string& text : errors.all()) o.add({"", "the file system logged an error", "", text});
}

// What the scenario needs of its image and has not; "": all is there.
std::string fixture::what_is_missing() const {
  const requirements& needs = about.what.needs;
  if (needs.dax && block_size != dax_block_size)
    return fmt::format("needs blocks of {} bytes, the image has {}", dax_block_size, block_size);
  if (needs.huge_files && !huge_files) return "needs feature huge_file, which the image has not";
  if (needs.extents && !extents) return "needs feature extent, which the image has not";
  return {};
}

// Asked of a task that ends at once.
std::string fixture::why_no_pointers() {
  const auto task = kernel->make_task({}, "probe");
  if (!task) return {};
  const vfs::task_ptr probe{*task};
  const auto made = mm::mm_struct::make_for(*probe);
  if (made) return {};
  if (made.error() == EOPNOTSUPP) return "needs pointers, which this host cannot have";
  if (made.error() == EPERM || made.error() == ENOSYS || made.error() == EACCES) return "needs userfaultfd, which this host denies";
  return {};
}

std::expected<void, vfs::mount_failure> fixture::start(std::string_view mount_as) {
  kernel = std::make_unique<vfs::kernel>(options());
  if (auto known = kernel->register_filesystem(about.type); !known)
    return std::unexpected{vfs::mount_failure{known.error(), "the file system could not be registered"}};
  return mount(mount_as);
}

outcome fixture::run_body() {
  outcome o;
  o.seed = about.seed;
  if (std::string missing = what_is_missing(); !missing.empty()) {
    o.how = verdict::not_run;
    o.why = std::move(missing);
    return o;
  }
  if (auto there = start(mount_options); !there) {
    o.add({"", "the mount failed", "success", fmt::format("{}: {}", there.error().code.name(), there.error().message)});
  } else if (std::string why = about.pointers ? why_no_pointers() : ""; !why.empty()) {
    o.how = verdict::not_run;
    o.why = std::move(why);
  } else {
    run_guarded(o);
  }
  finish(o);
  kernel.reset();
  add_observed(o);
  return o;
}

}  // namespace xip::scenario
