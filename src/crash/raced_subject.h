// raced_subject: what may be found after a crash of calls that two tasks made at the same time.
//
// Each call is one moment between its begin and its end, and what calls have made reaches the medium in the order of these moments: a prefix of it, no shorter than the
// last one that was made durable. That is buffered durable linearizability (Izraelevitz and others, DISC 2016). Which order it was is not looked up in locks: every one is
// taken for possible that fits which call ended before which other began, what all of them answered, and what is there in the end. Each is made once without a
// crash, and the oracle says of that run what a crash may leave of it; a state has to be one that some order may leave.
//
// A call finds its path first and changes something then. Where another task has given the path away in between, the call is behind that, and its answer before
// it. So until somebody makes it durable, its effect may be missing behind calls that come later in the order. In the same way a name may be found as it was although its
// change is in the log: then the change is there before calls that come earlier in the order, as far back as they overlap it and none has made durable what there was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <xip/crash/file_system.h>
#include <xip/crash/history.h>
#include <xip/crash/subject.h>

#include "crash/calls.h"
#include "crash/measures.h"
#include "crash/tree.h"

namespace xip::crash {

class raced_subject final : public subject {
 public:
  // START: the image before the calls.
  raced_subject(crashed_file_system fs, const workload& w, std::span<const std::byte> start);

  [[nodiscard]] const std::vector<task_call>& calls() const noexcept { return calls_; }
  // One schedule: what was done, what the calls answered, what is there now. Why that is not how it may be, even without a crash; empty: crashes of H may be judged.
  [[nodiscard]] std::string take(const history& h, std::span<const int> answers, const tree& live);
  // More orders are possible than are looked at, or none fits for a reason that take() lets pass: nothing is judged.
  [[nodiscard]] bool unexplained() const noexcept { return orders_.empty(); }
  [[nodiscard]] std::size_t orders_made() const noexcept { return measures_.count(); }
  // Whether moments that are known to pass are looked at all the same.
  void look_again(bool wanted) noexcept { looks_again_ = wanted; }
  // Different ones in all schedules.
  [[nodiscard]] std::size_t images() const noexcept { return inspected_.size(); }
  [[nodiscard]] std::size_t meanings() const noexcept { return probed_.size(); }

  recovery recover(dev::device& device) override { return recovering_.recover(device); }
  std::string judge(const recovery& found, const position& at) override;
  std::string probe(dev::device& device, const recovery& found) override;
  std::string inspect(std::span<const std::byte> image, std::uint64_t hash) override;
  std::string audit(std::span<const std::byte> recovered, std::uint64_t hash) override;
  std::uint64_t question(const position& at) override;

 private:
  [[nodiscard]] bool overtaken(const timed_call& c) const;
  [[nodiscard]] bool may_be_missing(const timed_call& c, const position& at) const;
  [[nodiscard]] bool is_seen_late(const timed_call& c) const;
  void add_earlier(const call_order& order, std::size_t place, const position& at, std::set<call_order>& to) const;
  // What has begun at AT, in each order, with what may be missing and without, and with what may be there before its time.
  [[nodiscard]] std::set<call_order> orders_at(const position& at) const;
  [[nodiscard]] step_time time_at(std::uint32_t call, const position& at) const;

  file_system_crash recovering_;
  std::vector<task_call> calls_;
  measures measures_;
  const std::uint64_t workload_;  // a hash of it
  bool looks_again_ = false;
  std::vector<timed_call> timed_;   // of the schedule, by the number of the call
  std::vector<call_order> orders_;  // that explain it
  std::unordered_map<std::string, std::string> probed_;
  std::unordered_map<std::uint64_t, std::string> inspected_, audited_;
};

}  // namespace xip::crash
