// The memory of one preadv2 or pwritev2: on a page's boundary, as O_DIRECT wants it, and the first page of it apart from the rest.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>

#include <sys/uio.h>

namespace xip::posix {

class pieces {
 public:
  explicit pieces(std::size_t bytes)
      : memory_{static_cast<char*>(std::aligned_alloc(page, (bytes / page + 1) * page))},
        vectors_{{memory_.get(), std::min(bytes, page)}, {memory_.get() + page, bytes - std::min(bytes, page)}} {
    if (memory_ == nullptr) throw std::bad_alloc{};
    std::fill_n(memory_.get(), bytes, '?');
  }
  explicit pieces(const std::string& text) : pieces{text.size()} { std::ranges::copy(text, memory_.get()); }

  [[nodiscard]] const iovec* vectors() const noexcept { return vectors_; }
  [[nodiscard]] int count() const noexcept { return vectors_[1].iov_len == 0 ? 1 : 2; }
  // The first so many bytes, of a transfer that answered DONE.
  [[nodiscard]] std::string text(long done) const { return {memory_.get(), done < 0 ? 0 : static_cast<std::size_t>(done)}; }

 private:
  static constexpr std::size_t page = 4096;
  struct freed {
    void operator()(char* memory) const noexcept { std::free(memory); }
  };

  std::unique_ptr<char, freed> memory_;
  iovec vectors_[2];
};

}  // namespace xip::posix
