#include "command.h"

#include <algorithm>
#include <ctime>
#include <system_error>

#include <sys/stat.h>
#include <unistd.h>

namespace xip::tool {

std::string for_output(std::string_view text) {
  if (std::ranges::none_of(text, is_control) || ::isatty(STDOUT_FILENO) != 1) return std::string{text};
  return printable(text);
}

void complain(std::string_view verb, std::string_view message) {
  try {
    fmt::print(stderr, "xip {}: {}\n", verb, printable(message));
  } catch (const std::system_error&) {
    // Standard error is closed or full: there is nobody to tell.
  }
}

std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help("xip"));
    return exit_ok;
  } catch (const CLI::RequiredError& missing) {
    // A word that nobody knows explains more than one that is missing because of it.
    const std::vector<std::string> unknown = app.remaining();
    const std::string what = unknown.empty() ? missing.what() : fmt::format("The following argument was not expected: {}", unknown.front());
    complain(app.get_name(), fmt::format("{}; see xip {} --help", what, app.get_name()));
    return exit_usage;
  } catch (const CLI::ParseError& wrong) {
    complain(app.get_name(), fmt::format("{}; see xip {} --help", wrong.what(), app.get_name()));
    return exit_usage;
  }
  return std::nullopt;
}

std::optional<place> image_place(std::string_view verb, const std::string& argument) {
  place p = parse_place(argument);
  if (p.in_image()) return p;
  const std::size_t colon = std::min(argument.find(':'), argument.size());
  const std::string image = colon == 0 ? "disk.img" : argument.substr(0, colon);
  const std::string path = colon + 1 < argument.size() ? argument.substr(colon + 1) : "";
  complain(verb, fmt::format("'{}' names no path in an image; write IMAGE:/path, for instance {}:/{}", argument, image, path));
  return std::nullopt;
}

std::optional<std::vector<place>> places_of_one_image(std::string_view verb, const std::vector<std::string>& arguments) {
  std::vector<place> places;
  for (const std::string& argument : arguments) {
    auto p = image_place(verb, argument);
    if (!p) return std::nullopt;
    if (!places.empty() && places.front().image != p->image) {
      complain(verb, fmt::format("{}: another image than {}; give one image at a time", argument, places.front().image));
      return std::nullopt;
    }
    places.push_back(std::move(*p));
  }
  return places;
}

std::string mode_string(std::uint32_t mode) {
  const auto type = [&] {
    switch (mode & S_IFMT) {
      case S_IFDIR:
        return 'd';
      case S_IFLNK:
        return 'l';
      case S_IFCHR:
        return 'c';
      case S_IFBLK:
        return 'b';
      case S_IFIFO:
        return 'p';
      case S_IFSOCK:
        return 's';
      default:
        return '-';
    }
  };
  std::string s(1, type());
  for (int shift : {6, 3, 0}) {
    const std::uint32_t bits = mode >> shift;
    s += (bits & 4) != 0 ? 'r' : '-';
    s += (bits & 2) != 0 ? 'w' : '-';
    s += (bits & 1) != 0 ? 'x' : '-';
  }
  const auto special = [&](std::uint32_t bit, std::size_t at, char set) {
    if ((mode & bit) != 0) s[at] = s[at] == 'x' ? set : static_cast<char>(set - 'a' + 'A');
  };
  special(S_ISUID, 3, 's');
  special(S_ISGID, 6, 's');
  special(S_ISVTX, 9, 't');
  return s;
}

std::string time_string(const vfs::timespec64& t, const char* format, bool with_nanoseconds) {
  const std::time_t seconds = t.seconds;
  std::tm parts{};
  if (::localtime_r(&seconds, &parts) == nullptr) return fmt::format("{}", t.seconds);
  const auto print = [&](const char* f) {
    char text[64];
    return std::string(text, std::strftime(text, sizeof text, f, &parts));
  };
  if (!with_nanoseconds) return print(format);
  return fmt::format("{}.{:09} {}", print(format), t.nanoseconds, print("%z"));
}

}  // namespace xip::tool
