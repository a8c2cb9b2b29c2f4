// A file beside the one that is meant, renamed at the end.
#include "scenario/result_file.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>
#include <xip/base/result.h>

namespace xip::scenario {
namespace {

// What a file made by open(2) with 0666 gets.
mode_t usual_mode() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0666 & ~mask;
}

}  // namespace

std::unexpected<std::string> result_file::because() const { return std::unexpected{fmt::format("{}: {}", path_, error{errno}.message())}; }

std::expected<result_file, std::string> result_file::open(const std::string& path) {
  result_file f;
  f.path_ = path;
  struct stat status{};
  const bool there = ::stat(path.c_str(), &status) == 0;
  if (!there && errno != ENOENT) return f.because();
  if (there) f.file_ = descriptor{::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY)};
  if (there && f.file_.get() < 0) return f.because();
  if (there && !S_ISREG(status.st_mode)) return f;
  std::error_code unknown;
  if (const auto target = std::filesystem::weakly_canonical(path, unknown); !unknown) f.path_ = target;
  std::string name = f.path_ + ".XXXXXX";
  f.file_ = descriptor{::mkostemp(name.data(), O_CLOEXEC)};
  if (f.file_.get() < 0) return f.because();
  f.beside_ = name;
  if (::fchmod(f.file_.get(), there ? status.st_mode & 07777 : usual_mode()) != 0) return f.because();
  return f;
}

result_file::result_file(result_file&& o) noexcept
    : path_{std::move(o.path_)}, beside_{std::exchange(o.beside_, {})}, file_{std::move(o.file_)} {}

result_file::~result_file() {
  if (!beside_.empty()) ::unlink(beside_.c_str());
}

std::expected<void, std::string> result_file::commit(const std::string& text) {
  if (!write_all(file_.get(), text)) return because();
  if (beside_.empty()) return {};
  if (::fsync(file_.get()) != 0 && errno != EINVAL) return because();
  if (::rename(beside_.c_str(), path_.c_str()) != 0) return because();
  beside_.clear();
  return {};
}

}  // namespace xip::scenario
