#include "scenario/crash_image.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include <xip/base/crc.h>
#include <xip/base/endian.h>
#include <xip/dev/devices.h>
#include <xip/locks/clock.h>

#include "scenario/fixture.h"
#include "scenario/subprocess.h"

namespace xip::scenario {
namespace {

// 2024-01-01, where the time of crashed workloads begins too.
constexpr const char* image_time = "E2FSPROGS_FAKE_TIME=1704067200";
constexpr const char* image_identity = "584950c4-0000-4000-8000-6372617368aa";
constexpr std::size_t piece = 4096;

// Of an ext4 super block, in bytes; see Documentation/filesystems/ext4/super.rst.
constexpr std::size_t super_block = 1024, super_block_bytes = 1024;
constexpr std::size_t feature_compat = super_block + 0x5c, feature_ro_compat = super_block + 0x64, checksum = super_block + 0x3fc;

std::uint32_t word_at(std::span<const std::byte> image, std::size_t at) {
  le32 word;
  std::memcpy(&word, &image[at], sizeof word);
  return word;
}

bool has_journal(std::span<const std::byte> image) {
  return image.size() >= super_block + super_block_bytes && (word_at(image, feature_compat) & 0x4) != 0;
}

// A crash has left a part of its last write.
bool super_block_is_torn(std::span<const std::byte> image) {
  constexpr std::uint32_t metadata_csum = 0x400;
  return (word_at(image, feature_ro_compat) & metadata_csum) != 0 &&
         word_at(image, checksum) != crc32c(~0u, image.subspan(super_block, checksum - super_block));
}

std::expected<std::unique_ptr<dev::device>, std::string> memory_of_image() {
  auto made = dev::open_memory(crash_image_bytes);
  if (!made) return std::unexpected{made.error().message};
  return std::move(*made);
}

}  // namespace

std::expected<std::vector<std::byte>, std::string> make_crash_image(const tools& use, const std::vector<std::string>* options) {
  const auto device = memory_of_image();
  if (!device) return std::unexpected{device.error()};
  std::vector<std::byte> bytes(crash_image_bytes, foreign_byte);
  if (!(*device)->write(0, bytes)) return std::unexpected{std::string{"the image cannot be written"}};
  std::vector<std::string> arguments = {"-q", "-F", "-t", "ext4"};
  const std::vector<std::string> usual = {"-b", "4096", "-N", "64", "-m", "0"};
  std::ranges::copy(options != nullptr ? *options : usual, std::back_inserter(arguments));
  std::ranges::copy(
      std::vector<std::string>{"-U", image_identity, "-E",
                               fmt::format("nodiscard,hash_seed={},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0", image_identity),
                               tool_path(device_kind::memory, **device, {})},
      std::back_inserter(arguments));
  const auto ran = run_tool(use.mke2fs, arguments, {image_time});
  if (!ran) return std::unexpected{fmt::format("{}: {}", use.mke2fs, ran.error().message())};
  if (ran->status != 0) return std::unexpected{fmt::format("mke2fs failed with exit code {}: {}", ran->status, ran->output)};
  if (const auto read = (*device)->read(0, bytes); !read) return std::unexpected{std::string{read.error().message()}};
  return bytes;
}

std::expected<crash_judge, std::string> crash_judge::make(const tools& use) {
  auto copy = memory_of_image();
  if (!copy) return std::unexpected{copy.error()};
  return crash_judge{use, std::move(*copy)};
}

crash_judge::crash_judge(const tools& use, std::unique_ptr<dev::device> copy)
    : use_{use}, copy_{std::move(copy)}, path_{tool_path(device_kind::memory, *copy_, {})} {}

std::span<std::byte> crash_judge::put(std::span<const std::byte> image) {
  const auto there = copy_->direct_access(0, crash_image_bytes, dev::access_intent::write);
  if (!there || image.size() != there->bytes) return {};
  for (std::size_t at = 0; at < image.size(); at += piece)
    if (std::memcmp(there->data + at, image.data() + at, piece) != 0) copy_->copy_in(there->data + at, image.data() + at, piece);
  return {there->data, there->bytes};
}

std::string crash_judge::recover(std::span<std::byte> image) {
  if (!has_journal(image)) return {};
  const nanoseconds start = monotonic_now();
  const std::span<std::byte> there = put(image);
  if (there.empty()) return "the image cannot be copied for e2fsck";
  constexpr int corrected = 1, operational_error = 8;
  const auto ran = run_tool(use_.e2fsck, {"-p", path_});
  if (!ran) return fmt::format("{}: {}", use_.e2fsck, ran.error().message());
  if (super_block_is_torn(image) && ran->status == operational_error && std::ranges::equal(there, image)) return {};
  if (ran->status != 0 && ran->status != corrected) return fmt::format("e2fsck -p ended with exit code {}:\n{}", ran->status, ran->output);
  std::ranges::copy(there, image.data());
  ++images_;
  seconds_ += std::chrono::duration<double>(monotonic_now() - start).count();
  return {};
}

std::string crash_judge::judge(std::span<const std::byte> image) {
  const nanoseconds start = monotonic_now();
  if (put(image).empty()) return "the image cannot be copied for e2fsck";
  const auto clean = check_image(use_, path_);
  ++images_;
  seconds_ += std::chrono::duration<double>(monotonic_now() - start).count();
  return clean ? "" : clean.error();
}

}  // namespace xip::scenario
