// `xip check`: reads the command line, looks at the surroundings, runs the campaign.
#include <xip/scenario/command.h>

#include <cstdio>

#include <fmt/format.h>

#include "scenario/console.h"
#include "scenario/fixture.h"
#include "scenario/options.h"
#include "scenario/preflight.h"
#include "scenario/runner.h"
#include "scenario/subprocess.h"

namespace xip::scenario {
namespace {

std::expected<tools, refusal> find_tools(const check_config& config) {
  tools found{find_tool("mke2fs"), find_tool("e2fsck")};
  for (const auto& [name, path] : {std::pair{"mke2fs", found.mke2fs}, {"e2fsck", found.e2fsck}})
    if (path.empty()) return std::unexpected{refusal{3, fmt::format("{}: {} is missing; install package e2fsprogs", config.program, name)}};
  return found;
}

int say(const refusal& r) {
  std::fprintf(stderr, "%s\n", r.message.c_str());
  return r.exit_code;
}

int run_chosen(const check_options& options, const check_config& config, std::vector<const scenario*> chosen, console& out) {
  const auto use = find_tools(config);
  if (!use) return say(use.error());
  auto devices = preflight(options, config, *use, out);
  if (!devices) return say(devices.error());
  if (const std::size_t runs = chosen.size() * devices->size(); options.shard > runs)
    return say({2, fmt::format("{}: nothing to run: --shard {}/{} of {} runs", config.program, options.shard, options.shards, runs)});
  return run_campaign({options, config, *use, std::move(chosen), std::move(*devices), out});
}

}  // namespace

int check_command(int argc, char** argv, const check_config& config) {
  if (!standard_descriptors_are_open()) return say({1, fmt::format("{}: standard output: {}", config.program, error{EBADF}.message())});
  const auto options = parse_options(argc, argv, config.program);
  if (!options) return say(options.error());
  console out;
  if (options->help) {
    out.put(usage(config.program));
    return out.finish(config.program, 0);
  }
  auto chosen = select_scenarios(*options, config);
  if (!chosen) return say(chosen.error());
  if (options->list) {
    for (const scenario* s : *chosen) out.put(fmt::format("{}\n", s->name));
    return out.finish(config.program, 0);
  }
  return out.finish(config.program, run_chosen(*options, config, std::move(*chosen), out));
}

}  // namespace xip::scenario
