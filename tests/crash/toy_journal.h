// A journal small enough to see whole, right or with a planted flaw: slots of one line each, changed by transactions.
//
//   line 0, 1        super block, two copies written in turn: which transaction is the first that is not at home
//   line 2 ..        the slots, at home
//   line 8 ..        the log, from its first line after each checkpoint: a head, then the new contents of its slots, then the next head
//
// A commit writes the contents, waits, writes the head, waits. Where the head has a checksum of the contents it need not wait in between.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <xip/crash/engine.h>

namespace xip::crash::test {

enum class flaw : std::uint8_t {
  none,
  missing_flush,       // the contents are left in the processor's cache; or in the device's
  missing_fence,       // the head does not wait for them
  commit_before_data,  // they wait for the head
  checksum_of_one,     // the head's checksum is of the first one alone
  tail_too_early,      // the super block does not wait for the slots
  no_wait_for_tail,    // the next transaction does not wait for the super block
  torn_super,          // one copy of two lines, the checksum in the second
  checksum_forgotten,  // of the head itself
};

struct toy_format {
  std::uint64_t line = 64;
  bool requests = false;   // no windows: write and flush_cache
  bool checksums = false;  // of the contents
};

inline constexpr std::uint64_t toy_slots = 4, toy_log = 8, toy_lines = 64;

class toy_journal {
 public:
  using change = std::pair<std::uint64_t, std::uint64_t>;  // slot, value

  toy_journal(dev::device& device, const toy_format& format, flaw f) : device_{device}, format_{format}, flaw_{f} {}

  // An empty one.
  void make();
  // Brings home what was committed. Not empty: why it cannot.
  [[nodiscard]] std::string recover();
  // The slots' values: "1 2 0 0"; "torn" for a slot whose words do not fit together.
  [[nodiscard]] std::string contents();

  void set(std::uint64_t slot, std::uint64_t value) { running_.emplace_back(slot, value); }
  void commit();
  void checkpoint();

 private:
  using line = std::vector<std::uint64_t>;

  [[nodiscard]] std::size_t words() const noexcept { return format_.line / 8; }
  [[nodiscard]] line read(std::uint64_t number);
  void write(std::uint64_t number, const line& content, bool cached = false);
  void wait();
  [[nodiscard]] static std::uint64_t sum(const line& content, std::size_t words, std::uint64_t from = 0);
  [[nodiscard]] line content_of(const change& c) const;
  [[nodiscard]] line head() const;
  [[nodiscard]] bool head_is_whole(const line& head, std::uint64_t at);
  void write_contents();
  void write_super();
  [[nodiscard]] std::string read_super();

  dev::device& device_;
  toy_format format_;
  flaw flaw_;
  std::uint64_t next_ = 1;      // transaction
  std::uint64_t tail_ = 1;      // the first that is not at home
  std::uint64_t copy_ = 0;      // of the super block, that is written next
  std::uint64_t at_ = toy_log;  // the next line of the log
  std::vector<change> running_;
  std::vector<change> committed_;  // since the last checkpoint
};

// A program of toy operations, and what has to be found after a crash of it.
struct toy_step {
  enum class what : std::uint8_t { set, commit, checkpoint } kind;
  std::uint64_t slot = 0, value = 0;
};

class toy_subject final : public subject {
 public:
  toy_subject(const toy_format& format, flaw f, std::vector<toy_step> steps);

  [[nodiscard]] std::vector<std::byte> start() const;
  [[nodiscard]] program make_program(std::string name = "toy") const;
  recovery recover(dev::device& device) override;
  std::string judge(const recovery& found, const position& at) override;
  // Contents of the log belong together with those of their transaction.
  [[nodiscard]] classifier classify() const;

 private:
  toy_format format_;
  flaw flaw_;
  std::vector<toy_step> steps_;
  std::vector<std::string> models_;  // what is there after so many steps, if all of it has arrived
};

// Some transactions of two slots, with a checkpoint in the middle.
[[nodiscard]] std::vector<toy_step> usual_steps();
[[nodiscard]] std::vector<toy_step> random_steps(std::uint64_t seed, std::size_t count);

}  // namespace xip::crash::test
