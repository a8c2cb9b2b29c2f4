// The pages of a mapped file that the host has in memory, brought into this process's page tables before they are touched.
#pragma once

#include <atomic>
#include <cstddef>

namespace xip::dev {

class page_populator {
 public:
  explicit page_populator(const std::atomic<bool>& enough) noexcept : enough_{enough} {}

  // The BYTES bytes of a mapping at BASE, which begins a page, until it is enough. Nothing is read in, and what is a hole stays one: only pages that are in
  // memory are asked for. Where 2 MiB of them are, a file on tmpfs gets them as one huge page. False: it was enough, or the host cannot do it (Linux before
  // 5.14), or the file is not there any more.
  [[nodiscard]] bool populate(std::byte* base, std::size_t bytes) noexcept;

 private:
  [[nodiscard]] bool populate_piece(std::byte* base, std::size_t bytes) noexcept;
  [[nodiscard]] bool make_huge(std::byte* base) noexcept;

  const std::atomic<bool>& enough_;
  bool huge_ = true;  // there are huge pages, as far as is known
};

}  // namespace xip::dev
