// Reading the command line of `xip check`.
#include "scenario/options.h"

#include <cstring>

#include <getopt.h>

#include <fmt/format.h>

#include "scenario/option_values.h"
#include "scenario/subprocess.h"

namespace xip::scenario {
namespace {

constexpr int usage_exit = 2;

enum option_code : int {
  opt_list = 256,
  opt_device,
  opt_mappings,
  opt_mkfs,
  opt_image,
  opt_keep,
  opt_seed,
  opt_json,
  opt_junit,
  opt_shard,
  opt_timeout,
  opt_help = 'h',
};

constexpr option long_options[] = {{"group", required_argument, nullptr, 'g'},
                                   {"exclude", required_argument, nullptr, 'x'},
                                   {"list", no_argument, nullptr, opt_list},
                                   {"device", required_argument, nullptr, opt_device},
                                   {"mappings", required_argument, nullptr, opt_mappings},
                                   {"mkfs", required_argument, nullptr, opt_mkfs},
                                   {"image", required_argument, nullptr, opt_image},
                                   {"keep", required_argument, nullptr, opt_keep},
                                   {"jobs", required_argument, nullptr, 'j'},
                                   {"seed", required_argument, nullptr, opt_seed},
                                   {"json", no_argument, nullptr, opt_json},
                                   {"junit", required_argument, nullptr, opt_junit},
                                   {"shard", required_argument, nullptr, opt_shard},
                                   {"timeout", required_argument, nullptr, opt_timeout},
                                   {"help", no_argument, nullptr, opt_help},
                                   {nullptr, 0, nullptr, 0}};

// "auto,quick" and "auto quick" are two.
problem add_groups(std::vector<std::string>& to, std::string_view text) {
  if (text.find_first_not_of(", ") == std::string_view::npos) return fmt::format("there is no group '{}'", text);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(", "), text.size());
    if (end != 0) to.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::nullopt;
}

problem read_device(std::string_view text, std::vector<device_choice>& to) {
  const std::size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  device_choice choice;
  if (colon != std::string_view::npos) choice.file = text.substr(colon + 1);
  const bool file_missing = colon != std::string_view::npos && choice.file.empty();
  if (kind == "memory" && colon == std::string_view::npos)
    choice.kind = device_kind::memory;
  else if (kind == "pmem" && !file_missing)
    choice.kind = device_kind::pmem;
  else if (kind == "block" && !file_missing)
    choice.kind = device_kind::block;
  else
    return fmt::format("--device takes memory, pmem[:FILE] or block[:FILE], not '{}'", text);
  to.push_back(std::move(choice));
  return std::nullopt;
}

problem read_mappings(std::string_view text, mapping_choice& to) {
  if (text == "model")
    to.reset();
  else if (text == "pointers")
    to = mm::trap_by::any;
  else if (text == "pointers:userfaultfd")
    to = mm::trap_by::userfaultfd;
  else if (text == "pointers:sigsegv")
    to = mm::trap_by::sigsegv;
  else
    return fmt::format("--mappings takes model, pointers, pointers:userfaultfd or pointers:sigsegv, not '{}'", text);
  return std::nullopt;
}

problem read_mkfs(std::string_view text, check_options& o) {
  auto words = split_words(text);
  if (!words) return fmt::format("--mkfs: a quote is not closed in '{}'", text);
  o.mkfs = std::move(*words);
  return std::nullopt;
}

problem read_option(int code, check_options& o) {
  const std::string_view value = optarg != nullptr ? optarg : "";
  switch (code) {
    case 'g':
      return add_groups(o.groups, value);
    case 'x':
      return add_groups(o.excluded, value);
    case 'j':
      return read_positive("-j", value, o.jobs);
    case opt_list:
      o.list = true;
      break;
    case opt_device:
      return read_device(value, o.devices);
    case opt_mappings:
      return read_mappings(value, o.pointers);
    case opt_mkfs:
      return read_mkfs(value, o);
    case opt_image:
      o.image = value;
      break;
    case opt_keep:
      o.keep = value;
      break;
    case opt_seed:
      if (!read_number(value, o.seed)) return fmt::format("--seed takes a number, not '{}'", value);
      break;
    case opt_json:
      o.json = true;
      break;
    case opt_junit:
      o.junit = value;
      break;
    case opt_shard:
      return read_shard(value, o.shard, o.shards);
    case opt_timeout:
      return read_positive("--timeout", value, o.timeout);
    case opt_help:
      o.help = true;
      break;
    default:
      break;
  }
  return std::nullopt;
}

}  // namespace

std::expected<check_options, refusal> parse_options(int argc, char** argv, const char* program) {
  const auto refuse = [&](std::string_view why) {
    return std::unexpected{refusal{usage_exit, fmt::format("{}: {}\nTry '{} --help'.", program, why, program)}};
  };
  check_options o;
  optind = 0;  // glibc: start anew
  opterr = 0;
  for (;;) {
    const int before = optind == 0 ? 1 : optind;
    const int code = ::getopt_long(argc, argv, ":g:x:j:h", long_options, nullptr);
    if (code == -1) break;
    if (code == '?') return refuse(fmt::format("unknown option '{}'", argv[before]));
    if (code == ':') return refuse(fmt::format("option '{}' needs a value", argv[before]));
    if (auto wrong = read_option(code, o)) return refuse(*wrong);
  }
  for (int i = optind; i < argc; ++i) o.names.emplace_back(argv[i]);
  if (!o.image.empty() && o.mkfs) return refuse("--image and --mkfs exclude each other: the image has its file system already");
  return o;
}

std::string usage(const char* program) {
  return fmt::format(
      R"(Usage: {0} [NAME...] [OPTION...]

Runs scenarios on ext4 file systems and asks e2fsck -fn after each. NAME is a scenario (generic/001) or a pattern of names ('race/*').
Without NAME and -g: group auto, on fresh images of 64 MiB, on memory, then pmem, then block.

  -g, --group GROUP      scenarios of this group (may be given again; a directory is a group)
  -x, --exclude GROUP    not those of this group
      --list             print the names that would run, one a line, and nothing else (--list '*': all there are)
      --device DEVICE    memory, pmem[:FILE], block[:FILE]; may be given again. FILE is a scratch file or block device: its contents are
                         lost. Without FILE: a temporary file. PMEM_IS_PMEM_FORCE=1 has its usual meaning
      --mappings KIND    what mmap gives to scenarios: addresses of a model (the default), or pointers[:userfaultfd|:sigsegv] into the device's
                         memory, used by the CPU; behind the colon, how pages that are not there are noticed (default: what the host allows)
      --mkfs "OPTIONS"   mke2fs options in place of the default, -b 4096 (DAX needs 4 KiB blocks)
      --image FILE       run each scenario on a copy of this image; FILE itself is only read
      --keep DIR         keep image and log of a failed scenario there (default: a directory below $TMPDIR, named when it happens)
  -j, --jobs N           run N scenarios at once (default: one a processor)
      --seed N           seed of all chance (default 1; a failing scenario prints it)
      --shard I/N        only the Ith of N parts of the work
      --timeout SECONDS  a scenario that takes longer counts as hung (default 600)
      --json             print the results as JSON
      --junit FILE       write them as JUnit XML, too
  -h, --help             this

Exit code: 0 all well, 1 a scenario failed or the results could not be printed, 2 wrong usage, 3 a file, device or program is missing or
cannot be used (it is named), 128 and the signal's number when a signal ended the run.
)",
      program);
}

}  // namespace xip::scenario
