// A linearizability oracle for one file: whether some order of the calls, each at one instant between its beginning and its answer,
// explains every answer. It knows calls as values, and no file system.
//
// What is one instant: a read, write, append, truncate or seek as a whole, as a DAX file's lock makes it. A preallocation is one instant
// too, but its growth of the size may be seen in steps by those who only ask for the size.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include <xip/explore/resettable.h>

namespace xip::explore {

enum class file_call : std::uint8_t {
  read,                // ANSWER bytes at OFFSET
  write,               // the first ANSWER of BYTES at OFFSET
  append,              // the first ANSWER of BYTES where the file ends
  truncate,            // the size becomes OFFSET
  allocate,            // the size becomes OFFSET + LENGTH if it is smaller
  allocate_keep_size,  // nothing that a read, a size or a seek can tell
  size,                // ANSWER is the size
  seek_data,           // ANSWER is the first written byte from OFFSET on
  seek_hole,           // ANSWER is the first byte from OFFSET on that is not written; the end of the file is a hole
};

[[nodiscard]] std::string_view call_name(file_call call) noexcept;

struct file_operation {
  static constexpr std::uint64_t never = ~std::uint64_t{0};

  file_call call = file_call::read;
  std::uint32_t task = 0;
  std::uint64_t invoked = 0;       // logical time
  std::uint64_t answered = never;  // likewise; never: it may have happened or not
  std::uint64_t offset = 0;
  std::uint64_t length = 0;      // bytes that were asked for
  int error = 0;                 // the errno; 0: it succeeded
  std::uint64_t answer = 0;      // bytes moved, a size, or an offset
  std::vector<std::byte> bytes;  // read: what came; write and append: what was to be written
};

// "reader  [3, 7]  read 4096 bytes at 0: 4096"
[[nodiscard]] std::string format_operation(const file_operation& o, const std::vector<std::string>& tasks);

// What tasks did to one file, from when it was made and empty. Each task writes only its own part, so that several may at once.
class file_history final : public resettable {
 public:
  explicit file_history(std::uint32_t tasks) : parts_(tasks) {}

  // TASK begins a call. The answer is for the same task to fill in; it stays where it is until clear() or restore().
  [[nodiscard]] file_operation& invoke(std::uint32_t task, file_call call, std::uint64_t offset, std::uint64_t length);
  void answer(file_operation& o, int error, std::uint64_t answer) noexcept;

  void clear() noexcept;
  // What was recorded until save() is all there is after restore().
  result<> save() noexcept override;
  void restore() noexcept override;

  // In the order in which they began.
  [[nodiscard]] std::vector<const file_operation*> all() const;

 private:
  struct part {
    std::deque<file_operation> operations;  // those behind USED are spare
    std::size_t used = 0, saved = 0;
  };
  std::vector<part> parts_;
  std::atomic<std::uint64_t> now_{0};
  std::uint64_t saved_now_ = 0;
};

// Says of the bytes of an answer what a person needs to know, such as whose they are. OFFSET: of the file.
using describe_bytes = std::string (*)(const std::byte* bytes, std::size_t count, std::uint64_t offset);

// The calls in an order that explains every answer; or, for a person, that there is none and how far one gets. At most 64 calls that are not
// in everybody's past. BLOCK_SIZE: in which units bytes become written. TASKS: names. DESCRIBE: may be null.
[[nodiscard]] std::expected<std::vector<const file_operation*>, std::string> linearize(const file_history& history,
                                                                                       std::uint32_t block_size,
                                                                                       const std::vector<std::string>& tasks,
                                                                                       describe_bytes describe = nullptr);

}  // namespace xip::explore
