// An image in memory of which only the pages that hold something exist, so that it can be copied and changed cheaply.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>

namespace xip::fuzz {

class sparse_image {
 public:
  static constexpr std::size_t page_bytes = 4096;  // a block of any supported size lies in one page
  using page = std::array<std::byte, page_bytes>;

  explicit sparse_image(std::uint64_t size = 0) noexcept : size_{size} {}

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  // What lies behind SIZE is gone.
  void resize(std::uint64_t size) {
    size_ = size;
    pages_.erase(pages_.lower_bound((size + page_bytes - 1) / page_bytes), pages_.end());
    if (const auto last = pages_.find(size / page_bytes); last != pages_.end())
      std::memset(last->second.data() + size % page_bytes, 0, page_bytes - size % page_bytes);
  }

  // COUNT bytes at OFFSET, which lie in one page; empty if they do not, or lie outside. A page that did not exist does then, of zeros.
  [[nodiscard]] std::span<std::byte> bytes(std::uint64_t offset, std::size_t count) {
    if (offset >= size_ || count > size_ - offset || offset % page_bytes + count > page_bytes) return {};
    return std::span{pages_[offset / page_bytes]}.subspan(offset % page_bytes, count);
  }
  // A T at OFFSET, zeros where there is none.
  template <class T>
  [[nodiscard]] T load(std::uint64_t offset) const {
    T value{};
    const auto found = pages_.find(offset / page_bytes);
    if (found == pages_.end() || offset % page_bytes + sizeof value > page_bytes) return value;
    std::memcpy(static_cast<void*>(&value), found->second.data() + offset % page_bytes, sizeof value);
    return value;
  }
  // Nothing where that is no place for one.
  template <class T>
  void store(std::uint64_t offset, const T& value) {
    if (const std::span<std::byte> to = bytes(offset, sizeof value); !to.empty()) std::memcpy(to.data(), &value, sizeof value);
  }

  // The number of a page, and the page. In ascending order.
  [[nodiscard]] const std::map<std::uint64_t, page>& pages() const noexcept { return pages_; }

 private:
  std::uint64_t size_;
  std::map<std::uint64_t, page> pages_;
};

}  // namespace xip::fuzz
