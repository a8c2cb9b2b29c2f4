// history: all that a program did to a device that is recorded, in order, and which of its operations did it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <xip/dev/devices.h>
#include <xip/explore/resettable.h>

namespace xip::crash {

enum class event_kind : std::uint8_t {
  store,         // past the processor's cache: on the medium after the next fence of its task
  cached_store,  // on the medium after a flush of its cache line and then a fence of the task that has flushed it
  flush,
  fence,
  request,  // on the medium after the next flush_cache of anybody
  flush_cache,
  begin,  // of an operation
  end,
};
// "cached store"
[[nodiscard]] std::string_view event_name(event_kind kind) noexcept;

struct event {
  static constexpr std::uint32_t no_operation = ~std::uint32_t{0};

  event_kind kind;
  std::uint32_t task;
  std::uint32_t operation;   // the one its task is in, or that begins or ends: its place in operations()
  std::uint64_t offset = 0;  // of a store, flush or request
  std::uint64_t bytes = 0;
  std::size_t content = 0;  // where the bytes of a store or request begin in contents()
};

struct operation {
  static constexpr std::size_t never = ~std::size_t{0};

  std::uint32_t index;  // the program's own number
  std::string text;
  std::uint32_t task;
  std::size_t begun;          // the event
  std::size_t ended = never;  // likewise
  bool persists = false;      // when it has ended, all that was done before it began, and what it did, has to survive
};

// Tasks tell it from one thread of the host at a time. In explored schedules it is part of the state: each schedule goes on from what was saved.
class history final : public dev::recorder, public explore::resettable {
 public:
  // RUNNING_TASK says whose turn it is; empty: there is one task, 0.
  explicit history(std::function<std::uint32_t()> running_task = {}) : running_task_{std::move(running_task)} {}

  // An operation of the running task. A task is in at most one: anything else throws explore::failure.
  void begin_operation(std::uint32_t index, std::string_view text);
  void end_operation(std::uint32_t index, bool persists = false);
  // What has been done until now is no part of it: it begins with the device as it is, and what is on its way has arrived.
  void clear() noexcept;

  [[nodiscard]] std::span<const event> events() const noexcept { return events_; }
  [[nodiscard]] std::span<const operation> operations() const noexcept { return operations_; }
  [[nodiscard]] std::span<const std::byte> contents() const noexcept { return contents_; }
  // A hash of everything but the bytes that were stored: times of files differ from run to run.
  [[nodiscard]] std::uint64_t shape() const noexcept;

  void on_store(std::uint64_t offset, std::span<const std::byte> bytes, bool cached) noexcept override;
  void on_flush(std::uint64_t offset, std::size_t bytes) noexcept override;
  void on_fence() noexcept override;
  void on_write(std::uint64_t offset, std::span<const std::byte> bytes) noexcept override;
  void on_flush_cache() noexcept override;

  [[nodiscard]] result<> save() override;
  void restore() noexcept override;

 private:
  struct marks {
    std::size_t events = 0, contents = 0;
    std::vector<operation> operations = {};
    std::vector<std::uint32_t> open = {};
  };

  [[nodiscard]] std::uint32_t running_task() const { return running_task_ ? running_task_() : 0; }
  [[nodiscard]] std::uint32_t operation_of(std::uint32_t task) const noexcept;
  void add(event_kind kind, std::uint64_t offset = 0, std::uint64_t bytes = 0);
  void add_content(event_kind kind, std::uint64_t offset, std::span<const std::byte> bytes);

  std::function<std::uint32_t()> running_task_;
  std::vector<event> events_;
  std::vector<operation> operations_;
  std::vector<std::uint32_t> open_;  // those that have begun and not ended
  std::vector<std::byte> contents_;
  marks saved_;
};

}  // namespace xip::crash
