// A doubly linked list through one of a buffer's links. Whoever owns the list guards it.
#pragma once

#include <xip/dev/buffer_cache.h>

namespace xip::dev {

template <buffer_links buffer::* Links>
class buffer_list {
 public:
  [[nodiscard]] buffer* front() const noexcept { return front_; }
  [[nodiscard]] static buffer* next(const buffer& b) noexcept { return (b.*Links).next; }

  void push_back(buffer& b) noexcept {
    b.*Links = {.previous = back_, .next = nullptr};
    (back_ != nullptr ? (back_->*Links).next : front_) = &b;
    back_ = &b;
  }
  void erase(buffer& b) noexcept {
    buffer_links& at = b.*Links;
    (at.previous != nullptr ? (at.previous->*Links).next : front_) = at.next;
    (at.next != nullptr ? (at.next->*Links).previous : back_) = at.previous;
    at = {};
  }

 private:
  buffer* front_ = nullptr;
  buffer* back_ = nullptr;
};

}  // namespace xip::dev
