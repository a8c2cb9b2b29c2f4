// The search of Wing and Gong (JPDC 1993) with Lowe's memory of visited states: depth first, always one of the calls that no other call that
// is still to come precedes. The model is a whole file in memory; files of histories are small.
#include <xip/explore/linearize.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <unordered_set>

#include <fmt/format.h>

#include <xip/base/result.h>

#include "explore/random.h"

namespace xip::explore {
namespace {

constexpr std::size_t max_open = 64;
constexpr std::uint64_t end_of_file = ~std::uint64_t{0};

// What a file is: its bytes, and which blocks are written.
class file_model {
 public:
  explicit file_model(std::uint32_t block_size) : block_{block_size} {}

  // Nothing: it happened. Otherwise why its answer cannot be, and the model is as before.
  [[nodiscard]] std::optional<std::string> apply(const file_operation& o, describe_bytes describe) {
    if (o.error != 0) return apply_failed(o);
    switch (o.call) {
      case file_call::read:
        return judge_read(o, describe);
      case file_call::write:
        return store(o, o.offset);
      case file_call::append:
        return store(o, bytes_.size());
      case file_call::truncate:
        return resize(o.offset);
      case file_call::allocate:
        return resize(std::max<std::uint64_t>(bytes_.size(), o.offset + o.length));
      case file_call::allocate_keep_size:
        return std::nullopt;
      case file_call::size:
        return expect("the size is", bytes_.size(), o.answer);
      case file_call::seek_data:
      case file_call::seek_hole:
        return judge_seek(o);
    }
    return "no such call";
  }

  [[nodiscard]] std::uint64_t size() const noexcept { return bytes_.size(); }
  void grow(std::uint64_t size) { bytes_.resize(size); }
  [[nodiscard]] static bool changes(file_call call) noexcept {
    return call == file_call::write || call == file_call::append || call == file_call::truncate || call == file_call::allocate;
  }

  [[nodiscard]] std::uint64_t hash() const noexcept {
    std::uint64_t h = hash_bytes(bytes_.data(), bytes_.size());
    for (const bool w : written_) h = mix(h * 2 + (w ? 1 : 0));
    return h;
  }

 private:
  [[nodiscard]] static std::optional<std::string> expect(std::string_view what, std::uint64_t expected, std::uint64_t found) {
    if (expected == found) return std::nullopt;
    return fmt::format("{} {}, not {}", what, expected, found);
  }

  // A change that failed changed nothing. Nothing else may fail but a seek.
  [[nodiscard]] std::optional<std::string> apply_failed(const file_operation& o) const {
    if (o.call == file_call::seek_data || o.call == file_call::seek_hole) return judge_seek(o);
    if (changes(o.call) || o.call == file_call::allocate_keep_size) return std::nullopt;
    return "it must not fail";
  }

  [[nodiscard]] std::optional<std::string> judge_read(const file_operation& o, describe_bytes describe) const {
    const std::uint64_t left = o.offset < bytes_.size() ? bytes_.size() - o.offset : 0;
    if (auto wrong = expect("there are", std::min(left, o.length), o.answer)) return wrong;
    if (o.answer == 0 || std::memcmp(o.bytes.data(), bytes_.data() + o.offset, o.answer) == 0) return std::nullopt;
    const auto found = std::mismatch(o.bytes.begin(), o.bytes.begin() + static_cast<std::ptrdiff_t>(o.answer),
                                     bytes_.begin() + static_cast<std::ptrdiff_t>(o.offset))
                           .first;
    const auto wrong = static_cast<std::size_t>(found - o.bytes.begin());
    const std::uint64_t word = (o.offset + wrong) & ~std::uint64_t{7};
    const std::size_t at = word < o.offset ? 0 : word - o.offset;
    const auto text = [&](const std::byte* bytes) {
      if (describe == nullptr) return fmt::format("{:#04x}", static_cast<unsigned>(bytes[wrong]));
      return describe(bytes + at, std::min<std::size_t>(o.answer - at, 8), o.offset + at);
    };
    return fmt::format("at {} the file has {}, not {}", o.offset + wrong, text(bytes_.data() + o.offset), text(o.bytes.data()));
  }

  [[nodiscard]] std::optional<std::string> store(const file_operation& o, std::uint64_t at) {
    const std::uint64_t moved = o.answered == file_operation::never ? o.length : o.answer;
    if (moved > o.length) return fmt::format("at most {} bytes, not {}", o.length, moved);
    if (moved == 0) return std::nullopt;
    const std::uint64_t end = at + moved;
    if (end > bytes_.size()) bytes_.resize(end);
    std::memcpy(bytes_.data() + at, o.bytes.data(), moved);
    const std::uint64_t last = (end - 1) / block_;
    if (last >= written_.size()) written_.resize(last + 1);
    std::fill(written_.begin() + static_cast<std::ptrdiff_t>(at / block_), written_.begin() + static_cast<std::ptrdiff_t>(last + 1), true);
    return std::nullopt;
  }

  [[nodiscard]] std::optional<std::string> resize(std::uint64_t size) {
    bytes_.resize(size);
    written_.resize(std::min<std::uint64_t>(written_.size(), (size + block_ - 1) / block_));
    return std::nullopt;
  }

  [[nodiscard]] bool written_at(std::uint64_t at) const noexcept { return at / block_ < written_.size() && written_[at / block_]; }

  [[nodiscard]] std::optional<std::string> judge_seek(const file_operation& o) const {
    const bool data = o.call == file_call::seek_data;
    std::uint64_t at = o.offset;
    while (at < bytes_.size() && written_at(at) != data) at = (at / block_ + 1) * block_;
    if (at >= bytes_.size()) at = data || o.offset >= bytes_.size() ? end_of_file : bytes_.size();
    if (at == end_of_file) return o.error == ENXIO ? std::nullopt : std::optional<std::string>{"there is nothing: ENXIO"};
    if (o.error != 0) return fmt::format("it is at {}", at);
    return expect("it is at", at, o.answer);
  }

  std::uint32_t block_;
  std::vector<std::byte> bytes_;
  std::vector<bool> written_;
};

class search {
 public:
  search(std::vector<const file_operation*> calls, std::uint32_t block_size, describe_bytes describe)
      : calls_{std::move(calls)}, describe_{describe}, first_{block_size}, deepest_{first_} {}

  // The calls that all others follow are made one after the other; what overlaps is searched.
  [[nodiscard]] bool run() {
    while (past_ < calls_.size() && precedes_all(past_)) {
      if (first_.apply(*calls_[past_], describe_)) return fail_at(first_);
      order_.push_back(calls_[past_++]);
    }
    too_many_ = calls_.size() - past_ > max_open;
    if (too_many_) return false;
    deepest_ = first_;
    best_ = order_.size();
    return extend(first_, 0);
  }

  [[nodiscard]] const std::vector<const file_operation*>& order() const noexcept { return order_; }
  [[nodiscard]] bool too_many() const noexcept { return too_many_; }

  // How far one gets, and what stands in the way there.
  [[nodiscard]] std::string story(const std::vector<std::string>& tasks) {
    std::string text = "no order of the calls explains their answers. As far as one gets:";
    for (const file_operation* o : best_order_) text += "\n  " + format_operation(*o, tasks);
    text += "\nand then none of these:";
    for (std::size_t i = past_; i < calls_.size(); ++i) {
      if ((best_made_ >> (i - past_) & 1) != 0 || !may_be_next(i, best_made_)) continue;
      file_model model = deepest_;
      const auto why = model.apply(*calls_[i], describe_);
      text += "\n  " + format_operation(*calls_[i], tasks) + " (" + why.value_or("leads nowhere") + ")";
    }
    return text;
  }

 private:
  using set = std::uint64_t;  // bit N: call PAST_ + N

  [[nodiscard]] bool precedes_all(std::size_t i) const noexcept {
    return i + 1 == calls_.size() ? calls_[i]->answered != file_operation::never : calls_[i]->answered < calls_[i + 1]->invoked;
  }

  [[nodiscard]] bool made(std::size_t i, set done) const noexcept { return (done >> (i - past_) & 1) != 0; }

  // No call that is still to come had its answer before this one began.
  [[nodiscard]] bool may_be_next(std::size_t i, set done) const noexcept {
    for (std::size_t other = past_; other < calls_.size() && calls_[other]->invoked < calls_[i]->invoked; ++other)
      if (!made(other, done) && calls_[other]->answered < calls_[i]->invoked) return false;
    return true;
  }

  [[nodiscard]] bool complete(set done) const noexcept {
    for (std::size_t i = past_; i < calls_.size(); ++i)
      if (!made(i, done) && calls_[i]->answered != file_operation::never) return false;
    return true;
  }

  [[nodiscard]] bool fail_at(const file_model& model) {
    best_order_ = order_;
    best_made_ = 0;
    deepest_ = model;
    return false;
  }

  void remember_depth(const file_model& model, set done) {
    if (order_.size() < best_ || (order_.size() == best_ && !best_order_.empty())) return;
    best_ = order_.size();
    best_order_ = order_;
    best_made_ = done;
    deepest_ = model;
  }

  // From MODEL, with DONE made: whether the rest can be ordered. Fails without a trace but in VISITED_.
  [[nodiscard]] bool extend(const file_model& model, set done) {
    if (complete(done)) return true;
    if (!visited_.empty() && visited_.contains(mix(done) ^ model.hash())) return false;
    for (std::size_t i = past_; i < calls_.size(); ++i) {
      if (made(i, done) || !may_be_next(i, done)) continue;
      if (make(model, i, done)) return true;
      if (calls_[i]->call == file_call::size && make_in_growth(model, i, done)) return true;
    }
    remember_depth(model, done);
    visited_.insert(mix(done) ^ model.hash());
    return false;
  }

  [[nodiscard]] bool make(file_model model, std::size_t i, set done) {
    if (model.apply(*calls_[i], describe_)) return false;
    order_.push_back(calls_[i]);
    if (extend(model, done | set{1} << (i - past_))) return true;
    order_.pop_back();
    return false;
  }

  // A size that a preallocation under way has reached: it is to come as a whole, and has grown the file so far already.
  [[nodiscard]] bool make_in_growth(const file_model& model, std::size_t i, set done) {
    const file_operation& asked = *calls_[i];
    if (asked.error != 0 || asked.answer <= model.size()) return false;
    for (std::size_t other = past_; other < calls_.size(); ++other) {
      const file_operation& grower = *calls_[other];
      if (grower.call != file_call::allocate || made(other, done) || !may_be_next(other, done)) continue;
      if (grower.invoked > asked.answered || asked.answer > grower.offset + grower.length) continue;
      file_model grown = model;
      grown.grow(asked.answer);
      return make(std::move(grown), i, done);
    }
    return false;
  }

  const std::vector<const file_operation*> calls_;
  const describe_bytes describe_;
  std::size_t past_ = 0;
  file_model first_;
  std::vector<const file_operation*> order_;
  std::unordered_set<std::uint64_t> visited_;
  std::size_t best_ = 0;
  std::vector<const file_operation*> best_order_;
  set best_made_ = 0;
  file_model deepest_;
  bool too_many_ = false;
};

}  // namespace

std::string_view call_name(file_call call) noexcept {
  static constexpr std::string_view names[] = {"read",     "write",     "append",   "truncate", "allocate", "allocate (keeping the size)",
                                               "ask size", "seek data", "seek hole"};
  return names[static_cast<std::size_t>(call)];
}

std::string format_operation(const file_operation& o, const std::vector<std::string>& tasks) {
  const std::string_view task = o.task < tasks.size() ? std::string_view{tasks[o.task]} : "?";
  std::string text =
      fmt::format("{:<10} {:>3}-{:<3} {}", task, o.invoked, o.answered == file_operation::never ? 0 : o.answered, call_name(o.call));
  if (o.call != file_call::size && o.call != file_call::append) text += fmt::format(" {}", o.offset);
  if (o.length != 0) text += fmt::format(", {} bytes", o.length);
  if (o.answered == file_operation::never) return text + ": no answer";
  if (o.error != 0) return text + fmt::format(": {}", error{o.error}.name());
  const bool tells = o.call != file_call::truncate && o.call != file_call::allocate && o.call != file_call::allocate_keep_size;
  return tells ? text + fmt::format(": {}", o.answer) : text;
}

file_operation& file_history::invoke(std::uint32_t task, file_call call, std::uint64_t offset, std::uint64_t length) {
  part& mine = parts_.at(task);
  if (mine.used == mine.operations.size()) mine.operations.emplace_back();
  file_operation& o = mine.operations[mine.used++];
  o.call = call;
  o.task = task;
  o.answered = file_operation::never;
  o.offset = offset;
  o.length = length;
  o.error = 0;
  o.answer = 0;
  o.bytes.clear();
  o.invoked = now_.fetch_add(1, std::memory_order_acq_rel);
  return o;
}

void file_history::answer(file_operation& o, int error, std::uint64_t answer) noexcept {
  o.error = error;
  o.answer = answer;
  o.answered = now_.fetch_add(1, std::memory_order_acq_rel);
}

void file_history::clear() noexcept {
  for (part& p : parts_) p.used = p.saved = 0;
  now_.store(0, std::memory_order_relaxed);
  saved_now_ = 0;
}

result<> file_history::save() noexcept {
  for (part& p : parts_) p.saved = p.used;
  saved_now_ = now_.load(std::memory_order_relaxed);
  return {};
}

void file_history::restore() noexcept {
  for (part& p : parts_) p.used = p.saved;
  now_.store(saved_now_, std::memory_order_relaxed);
}

std::vector<const file_operation*> file_history::all() const {
  std::vector<const file_operation*> calls;
  for (const part& p : parts_)
    for (std::size_t i = 0; i < p.used; ++i) calls.push_back(&p.operations[i]);
  std::ranges::sort(calls, {}, &file_operation::invoked);
  return calls;
}

std::expected<std::vector<const file_operation*>, std::string> linearize(const file_history& history, std::uint32_t block_size,
                                                                         const std::vector<std::string>& tasks, describe_bytes describe) {
  std::vector<const file_operation*> calls = history.all();
  std::erase_if(calls, [](const file_operation* o) { return o->answered == file_operation::never && !file_model::changes(o->call); });
  search s{std::move(calls), block_size, describe};
  if (s.run()) return s.order();
  if (s.too_many()) return std::unexpected{fmt::format("more than {} calls overlap: they cannot be judged", max_open)};
  return std::unexpected{s.story(tasks)};
}

}  // namespace xip::explore
