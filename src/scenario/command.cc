// `xip check`: reads the command line, looks at the surroundings, runs the campaign.
#include <xip/scenario/command.h>

#include <algorithm>
#include <cstdio>

#include <unistd.h>

#include <fmt/format.h>

#include "scenario/fixture.h"
#include "scenario/image.h"
#include "scenario/options.h"
#include "scenario/runner.h"
#include "scenario/subprocess.h"

namespace xip::scenario {
namespace {

using checked = std::expected<void, refusal>;

std::unexpected<refusal> refuse(int code, const check_config& config, std::string_view why) {
  return std::unexpected{refusal{code, fmt::format("{}: {}", config.program, why)}};
}

std::expected<tools, refusal> find_tools(const check_config& config) {
  tools found{find_tool("mke2fs"), find_tool("e2fsck")};
  for (const auto& [name, path] : {std::pair{"mke2fs", found.mke2fs}, {"e2fsck", found.e2fsck}})
    if (path.empty()) return refuse(3, config, fmt::format("{} is missing; install package e2fsprogs", name));
  return found;
}

// mke2fs would take these options.
checked check_mkfs(const check_options& options, const check_config& config, const tools& use) {
  if (!options.mkfs) return {};
  auto device = dev::open_memory(64 * mib);
  if (!device) return refuse(3, config, device.error().message);
  auto made = make_image(use, tool_path(device_kind::memory, **device, {}), &*options.mkfs, {});
  if (!made) return refuse(2, config, fmt::format("--mkfs: {}", made.error()));
  return {};
}

checked check_user_image(const check_options& options, const check_config& config, const tools& use) {
  if (options.image.empty()) return {};
  if (::access(options.image.c_str(), R_OK) != 0) return refuse(2, config, fmt::format("{}: {}", options.image, error{errno}.message()));
  if (auto clean = check_image(use, options.image); !clean)
    return refuse(1, config, fmt::format("{}: not clean before anything was run: {}", options.image, clean.error()));
  if (!options.json) std::printf("every scenario runs on its own copy of %s\n", options.image.c_str());
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
  if (device || (device.error().code != EPERM && device.error().code != ENOSYS)) return {};
  if (asked_for) return refuse(3, config, device.error().message);
  std::fprintf(stderr, "%s: not on block: %s\n", config.program, device.error().message.c_str());
  std::erase_if(devices, [](const device_choice& d) { return d.kind == device_kind::block; });
  return {};
}

std::expected<campaign, refusal> plan(const check_options& options, const check_config& config, const tools& use,
                                      std::vector<const scenario*> chosen) {
  campaign c{options, config, use, std::move(chosen), options.devices};
  if (c.devices.empty()) c.devices = {{device_kind::memory, {}}, {device_kind::pmem, {}}, {device_kind::block, {}}};
  if (auto fine = check_mkfs(options, config, use); !fine) return std::unexpected{fine.error()};
  if (auto fine = check_user_image(options, config, use); !fine) return std::unexpected{fine.error()};
  if (auto fine = check_rings(c.devices, !options.devices.empty(), config); !fine) return std::unexpected{fine.error()};
  return c;
}

int say(const refusal& r) {
  std::fprintf(stderr, "%s\n", r.message.c_str());
  return r.exit_code;
}

}  // namespace

int check_command(int argc, char** argv, const check_config& config) {
  const auto options = parse_options(argc, argv, config.program);
  if (!options) return say(options.error());
  if (options->help) {
    std::fputs(usage(config.program).c_str(), stdout);
    return 0;
  }
  auto chosen = select_scenarios(*options, config);
  if (!chosen) return say(chosen.error());
  if (options->list) {
    for (const scenario* s : *chosen) std::printf("%.*s\n", static_cast<int>(s->name.size()), s->name.data());
    return 0;
  }
  const auto use = find_tools(config);
  if (!use) return say(use.error());
  const auto c = plan(*options, config, *use, std::move(*chosen));
  if (!c) return say(c.error());
  return run_campaign(*c);
}

}  // namespace xip::scenario
