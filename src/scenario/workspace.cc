// The runner's files.
#include "scenario/workspace.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <fmt/format.h>

#include "scenario/image.h"

namespace xip::scenario {
namespace {

// What one scenario's images may need on a host without sparse files in its way.
constexpr std::uint64_t room_per_job = 512 * mib;

std::expected<std::string, std::string> make_directory(const std::string& below) {
  std::string path = below + "/xip-check-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr)
    return std::unexpected{fmt::format("{}: no temporary directory: {}", below, error{errno}.message())};
  return path;
}

std::string temporary_directory() {
  const char* place = std::getenv("TMPDIR");
  return place != nullptr && *place != '\0' ? place : "/tmp";
}

// Images live in memory where there is enough of it.
bool roomy(const char* place, std::uint64_t bytes) {
  struct statvfs space{};
  return ::access(place, W_OK) == 0 && ::statvfs(place, &space) == 0 && std::uint64_t{space.f_bavail} * space.f_frsize >= bytes;
}

}  // namespace

std::expected<workspace, std::string> workspace::make(const check_options& options, unsigned jobs) {
  workspace w;
  auto logs = make_directory(temporary_directory());
  if (!logs) return std::unexpected{logs.error()};
  w.logs_ = *logs;
  w.images_ = w.logs_;
  if (roomy("/dev/shm", jobs * room_per_job))
    if (auto images = make_directory("/dev/shm")) w.images_ = *images;
  w.keep_ = options.keep.empty() ? w.logs_ + "/kept" : options.keep;
  std::error_code code;
  if (!options.keep.empty() && (std::filesystem::create_directories(w.keep_, code), code))
    return std::unexpected{fmt::format("{}: {}", w.keep_, code.message())};
  if (!options.keep.empty() && ::access(w.keep_.c_str(), W_OK | X_OK) != 0)
    return std::unexpected{fmt::format("{}: {}", w.keep_, error{errno}.message())};
  return w;
}

workspace::workspace(workspace&& o) noexcept : logs_{std::move(o.logs_)}, images_{std::move(o.images_)}, keep_{std::move(o.keep_)} {
  o.logs_.clear();
  o.images_.clear();
}

workspace::~workspace() {
  if (logs_.empty()) return;
  std::error_code ignored;
  if (images_ != logs_) std::filesystem::remove_all(images_, ignored);
  // Below the temporary directory only what was kept remains, and the directory itself only for its sake.
  std::filesystem::directory_iterator entries{logs_, ignored};
  for (const auto& entry : entries)
    if (entry.path() != keep_) std::filesystem::remove_all(entry.path(), ignored);
  if (keep_.starts_with(logs_)) ::rmdir(keep_.c_str());
  ::rmdir(logs_.c_str());
}

std::expected<scratch_file, refusal> scratch_file::take(const std::string& path, const char* program) {
  const auto refuse = [&](std::string_view why) { return std::unexpected{refusal{3, fmt::format("{}: {}: {}", program, path, why)}}; };
  scratch_file taken;
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) return refuse(error{errno}.message());
    if (!std::filesystem::exists(std::filesystem::absolute(path).parent_path())) return refuse("its directory does not exist");
    taken.path_ = path;
    return taken;
  }
  taken.is_device_ = S_ISBLK(status.st_mode);
  if (!taken.is_device_ && !S_ISREG(status.st_mode)) return refuse("neither a file nor a block device");
  const auto holds = content_of(path);
  if (!holds) return refuse(holds.error().message());
  if (*holds == content::foreign)
    return refuse("holds data that a run would destroy; use --image to run on a copy of it, or name an empty or new file");
  taken.path_ = path;
  taken.existed_ = true;
  taken.size_ = static_cast<std::uint64_t>(status.st_size);
  return taken;
}

scratch_file::scratch_file(scratch_file&& o) noexcept
    : path_{std::move(o.path_)}, size_{o.size_}, existed_{o.existed_}, is_device_{o.is_device_} {
  o.path_.clear();
}

scratch_file::~scratch_file() {
  if (path_.empty() || is_device_) return;
  if (existed_)
    (void)make_blank(path_, size_);
  else
    ::unlink(path_.c_str());
}

}  // namespace xip::scenario
