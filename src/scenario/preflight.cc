// Trying what every scenario will do.
#include "scenario/preflight.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "scenario/descriptor.h"
#include "scenario/image.h"
#include "scenario/supervisor.h"

namespace xip::scenario {
namespace {

using checked = std::expected<void, refusal>;

constexpr int wrong_usage = 2, cannot_be_used = 3;

std::unexpected<refusal> refuse(int code, const check_config& config, std::string_view why) {
  return std::unexpected{refusal{code, fmt::format("{}: {}", config.program, why)}};
}

void nothing(run&) {}

// Why DEVICE cannot be mounted for what it is (EINVAL, EROFS), "" otherwise: damage and defects are for scenarios to find.
std::string why_unsupported(const check_config& config, const tools& use, dev::device& device) {
  const scenario probe{"check/mount", "", "", {}, nothing};
  const surroundings around{config.type, probe, device, device_kind::memory, tool_path(device_kind::memory, device, {}), {}, {}, use, 1};
  fixture parts{around};
  const auto mounted = parts.start("");
  if (mounted) static_cast<void>(parts.umount());
  if (mounted || (mounted.error().code != EINVAL && mounted.error().code != EROFS)) return {};
  std::string why = mounted.error().message;
  if (why.starts_with("memory: ")) why.erase(0, 8);
  return why;
}

// In a process of its own: a file system that crashes or prints must not do so here.
std::string ask_child(const check_config& config, const tools& use, dev::device& device) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  const descriptor reading{ends[0]};
  descriptor writing{ends[1]};
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int quiet = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ::dup2(quiet, STDOUT_FILENO);
    ::dup2(quiet, STDERR_FILENO);
    write_all(writing.get(), why_unsupported(config, use, device));
    ::_exit(0);
  }
  writing.reset();
  std::string why = read_all(reading.get());
  while (child > 0 && ::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return why;
}

checked check_fresh_image(const check_options& options, const check_config& config, const tools& use) {
  if (!options.image.empty()) return {};
  auto device = dev::open_memory(default_image_size);
  if (!device) return refuse(cannot_be_used, config, device.error().message);
  const auto* mkfs = options.mkfs ? &*options.mkfs : nullptr;
  if (auto made = make_image(use, tool_path(device_kind::memory, **device, {}), mkfs, {}); !made)
    return refuse(mkfs != nullptr ? wrong_usage : cannot_be_used, config, mkfs != nullptr ? "--mkfs: " + made.error() : made.error());
  if (const std::string why = ask_child(config, use, **device); !why.empty())
    return refuse(cannot_be_used, config,
                  fmt::format("what mke2fs {} makes cannot be mounted: {}",
                              mkfs != nullptr ? fmt::format("{}", fmt::join(*mkfs, " ")) : "-b 4096", why));
  return {};
}

std::optional<struct stat> status_of(const std::string& path) {
  struct stat st{};
  if (path.empty() || ::stat(path.c_str(), &st) != 0) return std::nullopt;
  return st;
}

// The results must not be written over what is tested.
checked check_result_file(const check_options& options, const check_config& config) {
  const auto results = status_of(options.junit);
  if (!results || !S_ISREG(results->st_mode)) return {};
  const auto is_results = [&](const std::string& path) {
    const auto there = status_of(path);
    return there && there->st_dev == results->st_dev && there->st_ino == results->st_ino;
  };
  if (is_results(options.image) || std::ranges::any_of(options.devices, [&](const device_choice& d) { return is_results(d.file); }))
    return refuse(wrong_usage, config, fmt::format("--junit {}: that is the image itself; name another file", options.junit));
  return {};
}

checked check_user_image(const check_options& options, const check_config& config, const tools& use, console& out) {
  const std::string& image = options.image;
  if (image.empty()) return {};
  if (::access(image.c_str(), R_OK) != 0) return refuse(cannot_be_used, config, fmt::format("{}: {}", image, error{errno}.message()));
  // A pipe would be waited for.
  const auto there = status_of(image);
  if (there && !S_ISREG(there->st_mode) && !S_ISBLK(there->st_mode))
    return refuse(cannot_be_used, config, fmt::format("{}: neither a file nor a block device", image));
  if (config.hold_image != nullptr)
    if (const std::string why = config.hold_image(image); !why.empty()) return refuse(cannot_be_used, config, why);
  if (auto clean = check_image(use, image); !clean)
    return refuse(cannot_be_used, config, fmt::format("{}: not clean before anything was run: {}", image, clean.error()));
  auto device = dev::open_memory(size_of_image(image).value_or(0));
  if (!device) return refuse(cannot_be_used, config, device.error().message);
  if (auto copied = copy_image(image, tool_path(device_kind::memory, **device, {})); !copied)
    return refuse(cannot_be_used, config, copied.error());
  if (const std::string why = ask_child(config, use, **device); !why.empty())
    return refuse(cannot_be_used, config, fmt::format("{}: cannot be mounted: {}", image, why));
  if (!options.json) out.put(fmt::format("every scenario runs on its own copy of {}\n", image));
  return {};
}

// A host that denies io_uring cannot have a block device, whatever the scenario.
checked check_rings(std::vector<device_choice>& devices, bool asked_for, const check_config& config) {
  if (std::ranges::none_of(devices, [](const device_choice& d) { return d.kind == device_kind::block; })) return {};
  char path[] = "/tmp/xip-ring-XXXXXX";
  const int fd = ::mkstemp(path);
  if (fd < 0) return {};
  const bool sized = ::ftruncate(fd, 1 << 20) == 0;
  auto device = sized ? dev::open_block(path) : dev::opened{std::unexpected{dev::open_failure{error{ENOSPC}, ""}}};
  ::close(fd);
  ::unlink(path);
  if (device || !is_denied(device_kind::block, device.error().code)) return {};
  std::string why = device.error().message;
  if (const auto at = why.find(fmt::format("{}: ", path)); at != std::string::npos)
    why.erase(0, at + sizeof path + 1);  // a name nobody gave
  if (asked_for) return refuse(cannot_be_used, config, "block: " + why);
  std::fprintf(stderr, "%s: not on block: %s\n", config.program, why.c_str());
  std::erase_if(devices, [](const device_choice& d) { return d.kind == device_kind::block; });
  return {};
}

}  // namespace

std::expected<std::vector<device_choice>, refusal> preflight(const check_options& options, const check_config& config, const tools& use,
                                                             console& out) {
  std::vector<device_choice> devices = options.devices;
  if (devices.empty()) devices = {{device_kind::memory, {}}, {device_kind::pmem, {}}, {device_kind::block, {}}};
  if (auto fine = check_result_file(options, config); !fine) return std::unexpected{fine.error()};
  if (auto fine = check_fresh_image(options, config, use); !fine) return std::unexpected{fine.error()};
  if (auto fine = check_user_image(options, config, use, out); !fine) return std::unexpected{fine.error()};
  if (auto fine = check_rings(devices, !options.devices.empty(), config); !fine) return std::unexpected{fine.error()};
  return devices;
}

}  // namespace xip::scenario
