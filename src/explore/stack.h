// A fiber's stack: mapped, with a page below it that cannot be touched.
#pragma once

#include <cstddef>

namespace xip::explore {

class stack {
 public:
  // Throws std::bad_alloc.
  explicit stack(std::size_t bytes);
  ~stack();
  stack(const stack&) = delete;
  stack& operator=(const stack&) = delete;

  [[nodiscard]] std::byte* bottom() const noexcept { return bottom_; }
  [[nodiscard]] std::byte* top() const noexcept { return bottom_ + bytes_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  // Whoever ran on it will never go on. In a build with AddressSanitizer the pages are left as they lie and a new stack is mapped: objects
  // on the old one still own memory, which is given up with them, not leaked by the code under test. Elsewhere it is used again.
  void abandon();

 private:
  std::size_t bytes_;
  std::byte* bottom_;
};

}  // namespace xip::explore
