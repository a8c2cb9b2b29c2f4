// A file for results: it can be written before the run begins, and it is whole or not there after it.
#pragma once

#include <expected>
#include <string>

#include "scenario/descriptor.h"

namespace xip::scenario {

class result_file {
 public:
  // An error: PATH and why it cannot be written.
  [[nodiscard]] static std::expected<result_file, std::string> open(const std::string& path);
  result_file(result_file&&) noexcept;
  result_file& operator=(result_file&&) = delete;
  ~result_file();  // without a commit: PATH is as it was

  // TEXT is the contents of PATH from now on.
  [[nodiscard]] std::expected<void, std::string> commit(const std::string& text);

 private:
  result_file() = default;
  [[nodiscard]] std::unexpected<std::string> because() const;
  std::string path_, beside_;  // beside_: takes the text and then PATH's place; empty: not a file, written as it is
  descriptor file_;
};

}  // namespace xip::scenario
