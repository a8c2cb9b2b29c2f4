// ordered_device: a device of which each wait is told, and one kind of them may be left out.
#pragma once

#include <optional>
#include <set>

#include <xip/crash/ordering.h>
#include <xip/dev/device.h>

namespace xip::crash {

class ordered_device final : public dev::device {
 public:
  // LAST: the point that was passed last. SEEN gets each site. WITHOUT: nobody waits there.
  ordered_device(dev::device& below, const point& last, std::set<ordering_site>& seen, std::optional<ordering_site> without)
      : device{below.size(), below.has_direct_access() ? dev::mover_kind::decorated : dev::mover_kind::none, base_of(below),
               below.read_only()},
        below_{below},
        last_{last},
        seen_{seen},
        without_{without} {}

  [[nodiscard]] std::string_view name() const noexcept override { return below_.name(); }
  [[nodiscard]] result<> read_batch(std::span<const dev::io_piece> pieces) noexcept override {
    return alive([&] { return below_.read_batch(pieces); });
  }
  [[nodiscard]] result<> write_batch(std::span<const dev::io_piece> pieces) noexcept override {
    return alive([&] { return below_.write_batch(pieces); });
  }
  [[nodiscard]] result<> flush_cache() noexcept override {
    return alive([&] { return waits(ordering_site::wait::flush) ? below_.flush_cache() : result<>{}; });
  }

 protected:
  [[nodiscard]] result<dev::window> direct_access_slow(std::uint64_t offset, std::size_t bytes,
                                                       dev::access_intent intent) noexcept override {
    if (killed()) return fail(EIO);
    return below_.direct_access(offset, bytes, intent);
  }
  void window_copy_out(void* to, const std::byte* from, std::size_t bytes) noexcept override { below_.copy_out(to, from, bytes); }
  void window_copy_in(std::byte* to, const void* from, std::size_t bytes) noexcept override { below_.copy_in(to, from, bytes); }
  void window_zero(std::byte* to, std::size_t bytes) noexcept override { below_.zero(to, bytes); }
  void window_store(std::byte* to, const void* from, std::size_t bytes) noexcept override { below_.store(to, from, bytes); }
  void window_flush(const std::byte* from, std::size_t bytes) noexcept override { below_.flush(from, bytes); }
  void window_drain() noexcept override {
    if (waits(ordering_site::wait::fence)) below_.drain();
  }

 private:
  template <class Call>
  [[nodiscard]] result<> alive(Call&& call) noexcept {
    return killed() ? result<>{fail(EIO)} : call();
  }
  [[nodiscard]] bool waits(ordering_site::wait by) {
    const ordering_site here{last_, by};
    seen_.insert(here);
    return here != without_;
  }

  dev::device& below_;
  const point& last_;
  std::set<ordering_site>& seen_;
  const std::optional<ordering_site> without_;
};

}  // namespace xip::crash
