// Images of races live in memory; the tools of e2fsprogs find them as files of this process.
#include "scenario/race_image.h"

#include <fmt/format.h>
#include <unistd.h>

#include <xip/base/crc.h>
#include <xip/dev/devices.h>

#include "scenario/fixture.h"
#include "scenario/subprocess.h"

namespace xip::scenario {
namespace {

// 2024-01-01, where the explorer's time begins too.
constexpr const char* image_time = "E2FSPROGS_FAKE_TIME=1704067200";
constexpr const char* image_identity = "584950c4-0000-4000-8000-72616365aa00";

std::expected<std::unique_ptr<dev::device>, std::string> memory_of(std::uint64_t bytes) {
  auto made = dev::open_memory(bytes);
  if (!made) return std::unexpected{made.error().message};
  return std::move(*made);
}

}  // namespace

std::expected<std::vector<std::byte>, std::string> make_race_image(const tools& use, std::uint64_t size) {
  const auto device = memory_of(size);
  if (!device) return std::unexpected{device.error()};
  const auto ran =
      run_tool(use.mke2fs,
               {"-q", "-F", "-t", "ext4", "-b", "4096", "-N", "32", "-m", "0", "-O", "^has_journal", "-L", std::string{image_label}, "-U",
                image_identity, "-E", fmt::format("hash_seed={},lazy_itable_init=0,root_owner=0:0", image_identity),
                tool_path(device_kind::memory, **device, {})},
               {image_time});
  if (!ran) return std::unexpected{fmt::format("{}: {}", use.mke2fs, ran.error().message())};
  if (ran->status != 0) return std::unexpected{fmt::format("mke2fs failed with exit code {}: {}", ran->status, ran->output)};
  std::vector<std::byte> bytes(size);
  if (const auto read = (*device)->read(0, bytes); !read) return std::unexpected{std::string{read.error().message()}};
  return bytes;
}

std::expected<race_ground, std::string> prepare_race_ground() {
  race_ground found{{find_tool("mke2fs"), find_tool("e2fsck")}, {}, {}};
  for (const auto& [name, path] : {std::pair{"mke2fs", found.use.mke2fs}, {"e2fsck", found.use.e2fsck}})
    if (path.empty()) return std::unexpected{fmt::format("{} is missing; install package e2fsprogs", name)};
  for (const auto& [size, to] : {std::pair{race_image_bytes, &found.image}, {large_race_image_bytes, &found.large_image}}) {
    auto image = make_race_image(found.use, size);
    if (!image) return std::unexpected{image.error()};
    *to = std::move(*image);
  }
  return found;
}

std::uint32_t checksum_of(std::span<const std::byte> image) noexcept { return crc32c(0, image); }

const std::string& image_judge::judge(std::uint64_t identity, dev::device& device) {
  const auto [place, fresh] = verdicts_.try_emplace(identity);
  if (!fresh) return place->second;
  std::vector<std::byte> bytes(device.size());
  const auto copy = memory_of(device.size());
  if (!copy)
    place->second = copy.error();
  else if (!device.read(0, bytes) || !(*copy)->write(0, bytes))
    place->second = "the image cannot be copied";
  else if (auto clean = check_image(use_, tool_path(device_kind::memory, **copy, {})); !clean)
    place->second = clean.error();
  return place->second;
}

}  // namespace xip::scenario
