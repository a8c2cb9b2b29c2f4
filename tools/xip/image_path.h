// IMAGE:/path names a path in an image, as HOST:/path does for scp.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace xip::tool {

// A place that a command was given: in an image, or on the host when IMAGE is empty.
struct place {
  std::string image;
  std::string path;  // in an image it begins with a slash

  [[nodiscard]] bool in_image() const noexcept { return !image.empty(); }
  [[nodiscard]] std::string shown() const { return in_image() ? image + ":" + path : path; }
};

// Splits at the first ":/" whose left side is something on the host and no directory. Where there is none it is a host path if one of the
// colons ends the name of a directory of the host; else it splits at the first ":/", so that what is missing is called the image.
[[nodiscard]] place parse_place(std::string_view argument);

// The last component of PATH, empty for "/" and for paths that end in "." or "..": those mean the directory's contents.
[[nodiscard]] std::string base_name(std::string_view path);
[[nodiscard]] std::string joined(std::string_view directory, std::string_view name);

}  // namespace xip::tool
