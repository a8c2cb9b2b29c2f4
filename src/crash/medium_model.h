// medium_model: what would be left of a device if the power failed now.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <xip/dev/devices.h>
#include <xip/explore/resettable.h>
#include <xip/explore/scheduler.h>
#include <xip/explore/snapshot_device.h>

namespace xip::crash {

// What of the bytes that are on their way has arrived.
enum class arrival : std::uint8_t {
  nothing,
  everything,
  metadata,  // and no data of files: what an order between the two has to prevent
};
inline constexpr arrival all_arrivals[] = {arrival::nothing, arrival::everything, arrival::metadata};
// "nothing"
[[nodiscard]] std::string_view arrival_name(arrival a) noexcept;

// The recorder of a device on persistent memory with a volatile cache for requests. A store is on the medium after the next fence of the task that
// made it (one that stays in the processor's cache: of the task that has flushed it), a request after the next flush_cache of anybody.
// Stands behind one scheduler, on one host thread.
class medium_model final : public dev::recorder, public explore::resettable {
 public:
  // A device of SIZE bytes, zeroed.
  explicit medium_model(std::uint64_t size) : durable_{size} {}

  // In a program's setup. What is on its way now has arrived.
  void report_to(explore::scheduler& s);
  // Called before each fence (FLUSH false) and each flush_cache (FLUSH true) takes effect.
  void on_power_point(std::function<void(bool flush)> callback) { callback_ = std::move(callback); }
  // Whether the byte at OFFSET is data of a file.
  void tell_data(std::function<bool(std::uint64_t offset)> is_data) { is_data_ = std::move(is_data); }

  // The medium as it would be found, and a hash that is equal for equal ones.
  [[nodiscard]] std::vector<std::byte> image(arrival a) const;
  [[nodiscard]] std::uint64_t identity(arrival a) const;
  // Metadata is on its way.
  [[nodiscard]] bool metadata_pending() const;

  void on_store(std::uint64_t offset, std::span<const std::byte> bytes, bool cached) noexcept override;
  void on_flush(std::uint64_t offset, std::size_t bytes) noexcept override;
  void on_fence() noexcept override;
  void on_write(std::uint64_t offset, std::span<const std::byte> bytes) noexcept override;
  void on_flush_cache() noexcept override;

  [[nodiscard]] result<> save() override;
  void restore() noexcept override;

 private:
  enum class waits_for : std::uint8_t { flush, fence, flush_cache };
  struct pending {
    std::uint64_t offset;
    std::vector<std::byte> bytes;
    waits_for what;
    std::uint32_t task;  // that made it
  };

  [[nodiscard]] bool arrives(const pending& p, arrival a) const;
  static void overtake(pending& older, const pending& newer) noexcept;
  void add(std::uint64_t offset, std::span<const std::byte> bytes, waits_for what);
  template <class Settles>
  void settle(Settles&& settles);

  mutable explore::snapshot_device durable_;      // reading counts as a request
  std::vector<pending> pending_, saved_pending_;  // in the order they were made
  explore::scheduler* scheduler_ = nullptr;       // null: nobody is listened to, everything arrives at once
  std::function<void(bool)> callback_;
  std::function<bool(std::uint64_t)> is_data_;
};

}  // namespace xip::crash
