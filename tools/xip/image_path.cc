#include "image_path.h"

#include <optional>

#include <sys/stat.h>

namespace xip::tool {
namespace {

std::optional<mode_t> type_of(const std::string& path) {
  struct stat st{};
  if (::stat(path.c_str(), &st) != 0) return std::nullopt;
  return st.st_mode & S_IFMT;
}

}  // namespace

place parse_place(std::string_view argument) {
  const std::string whole{argument};
  for (std::size_t colon = whole.find(":/", 1); colon != std::string::npos; colon = whole.find(":/", colon + 1)) {
    const auto type = type_of(whole.substr(0, colon));
    if (type && *type != S_IFDIR) return {whole.substr(0, colon), whole.substr(colon + 1)};
  }
  for (std::size_t colon = whole.find(":/", 1); colon != std::string::npos; colon = whole.find(":/", colon + 1))
    if (type_of(whole.substr(0, colon + 1)) == S_IFDIR) return {"", whole};
  const std::size_t colon = whole.find(":/", 1);
  if (colon == std::string::npos) return {"", whole};
  return {whole.substr(0, colon), whole.substr(colon + 1)};
}

std::string base_name(std::string_view path) {
  while (!path.empty() && path.back() == '/') path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  std::string name{slash == std::string_view::npos ? path : path.substr(slash + 1)};
  if (name == "." || name == "..") name.clear();
  return name;
}

std::string joined(std::string_view directory, std::string_view name) {
  std::string path{directory};
  if (!path.empty() && path.back() != '/') path += '/';
  return path += name;
}

}  // namespace xip::tool
