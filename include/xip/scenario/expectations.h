// What bodies of scenarios expect: of values, of answers, of the bytes of a file. A failed expectation throws and so ends the body.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

#include <xip/base/result.h>
#include <xip/base/units.h>
#include <xip/scenario/expectation.h>
#include <xip/scenario/pattern.h>
#include <xip/vfs/task.h>

namespace xip::scenario {

class expectations {
 public:
  using location = std::source_location;

  [[noreturn]] void fail(std::string what, location here = location::current()) const;
  [[noreturn]] void skip(std::string why) const;
  void expect(bool holds, std::string_view what, location here = location::current()) const;

  template <class Found, class Expected>
  void expect_equal(const Found& found, const Expected& expected, std::string_view what = "values differ",
                    location here = location::current()) const {
    bool same = false;
    if constexpr (std::integral<Found> && std::integral<Expected> && !std::same_as<Found, bool> && !std::same_as<Expected, bool>)
      same = std::cmp_equal(found, expected);
    else
      same = found == expected;
    if (!same) report(what, text_of(expected), text_of(found), here);
  }
  // The value of a call that must succeed. EOPNOTSUPP: the file system cannot do it on this image (fallocate without extents), and the scenario is not run.
  template <class T>
  T must(result<T> answer, location here = location::current()) const {
    if (!answer && answer.error() == EOPNOTSUPP) skip(text_of(here) + ": " + std::string{answer.error().message()});
    if (!answer) report("a call failed", "success", text_of(answer.error()), here);
    if constexpr (!std::is_void_v<T>) return std::move(*answer);
  }
  // ANSWER succeeded with VALUE (a count, a size).
  template <class T, class Value>
  void expect_answer(const result<T>& answer, const Value& value, std::string_view what = "the answer of a call",
                     location here = location::current()) const {
    if (!answer) report(what, text_of(value), text_of(answer.error()), here);
    expect_equal(*answer, value, what, here);
  }
  template <class T>
  void expect_errno(const result<T>& answer, int number, location here = location::current()) const {
    if (answer) report("a call succeeded that must not", text_of(error{number}), "success", here);
    if (answer.error() != error{number})
      report("a call failed with the wrong errno", text_of(error{number}), text_of(answer.error()), here);
  }
  void expect_same(const std::optional<difference>& d, location here = location::current()) const;

  // Writes the pattern of WHO to [OFFSET, OFFSET + BYTES), all of it.
  void put(vfs::task& task, int fd, loff_t offset, std::size_t bytes, stamp who, location here = location::current()) const;
  // Reads the range in one call; it must be there in full, with that pattern, or zeros.
  void expect_data(vfs::task& task, int fd, loff_t offset, std::size_t bytes, stamp who, location here = location::current()) const;
  void expect_zeros(vfs::task& task, int fd, loff_t offset, std::size_t bytes, location here = location::current()) const;

 protected:
  [[noreturn]] void report(std::string_view what, std::string expected, std::string found, const location& here) const;
};

}  // namespace xip::scenario
