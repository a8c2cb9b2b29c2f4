// How values and places look in a report.
#include <xip/scenario/expectation.h>

#include <fmt/format.h>

namespace xip::scenario {
namespace {

// "a: b" without what is empty.
std::string joined(const failure& f) {
  std::string text = f.where.empty() ? f.what : f.where + ": " + f.what;
  if (!f.expected.empty()) text += ", expected " + f.expected;
  if (!f.found.empty()) text += ", found " + f.found;
  return text;
}

// Large numbers are easier to read in both bases.
template <class Integer>
std::string number(Integer value) {
  if (value >= 4096) return fmt::format("{} ({:#x})", value, value);
  return fmt::format("{}", value);
}

}  // namespace

expectation_failed::expectation_failed(failure why) : why_{std::move(why)} {
  if (why_.what.empty()) why_.what = joined(why_);
}

std::string text_of(const std::source_location& here) {
  std::string_view file = here.file_name();
  for (const std::string_view root : {"/tests/", "/src/", "/include/"})
    if (const auto at = file.rfind(root); at != std::string_view::npos) {
      file.remove_prefix(at + 1);
      break;
    }
  return fmt::format("{}:{}", file, here.line());
}

std::string text_of(std::int64_t value) { return number(value); }
std::string text_of(std::uint64_t value) { return number(value); }
std::string text_of(error value) { return fmt::format("{} ({})", value.name(), value.message()); }
std::string text_of(const vfs::timespec64& value) { return fmt::format("{}.{:09}", value.seconds, value.nanoseconds); }

}  // namespace xip::scenario
