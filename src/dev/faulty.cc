// The decorator that fails on purpose: EIO, media errors (poison), windows and requests cut short, requests that take their time.
//
// A request is judged in one piece under the lock, and carried out without it: it may take long, on purpose or below.
//
// Poison is a list of byte ranges. A window ends before poison and begins nowhere in it. It is cleared by whole pages only: by a write
// request, or by a window for recovery_write, whose pages stay unreadable until the next drain, so that no reader sees them half written.
#include <algorithm>
#include <limits>
#include <new>

#include <xip/dev/decorator.h>
#include <xip/dev/devices.h>
#include <xip/locks/delay.h>
#include <xip/locks/spin_lock.h>

namespace xip::dev {

inline constexpr lock_class faulty_rules_class{"faulty_rules", lock_kind::spinning};

namespace {

struct byte_range {
  std::uint64_t begin;
  std::uint64_t end;
  [[nodiscard]] bool empty() const noexcept { return begin >= end; }
  [[nodiscard]] bool overlaps(byte_range other) const noexcept { return std::max(begin, other.begin) < std::min(end, other.end); }
  [[nodiscard]] bool contains(byte_range other) const noexcept { return begin <= other.begin && other.end <= end; }
};

// The pages that lie wholly in R; may be empty.
byte_range whole_pages_of(byte_range r) noexcept {
  constexpr std::uint64_t mask = page_size - 1;
  return {(r.begin + mask) & ~mask, r.end & ~mask};
}

byte_range range_of(const fault_rule& rule) noexcept {
  const std::uint64_t room = std::numeric_limits<std::uint64_t>::max() - rule.offset;
  return {rule.offset, rule.offset + std::min(rule.bytes, room)};
}
byte_range range_of(const io_piece& piece) noexcept { return {piece.offset, piece.offset + piece.bytes}; }

constexpr std::uint64_t everything = std::numeric_limits<std::uint64_t>::max();
constexpr byte_range whole_device{0, everything};

std::uint64_t bytes_in(std::span<const io_piece> pieces) noexcept {
  std::uint64_t sum = 0;
  for (const io_piece& piece : pieces) sum += piece.bytes;
  return sum;
}

// Lets MOVE have the first BYTES bytes of PIECES; that done, the request has failed.
template <class Move>
result<> move_short(std::span<const io_piece> pieces, std::uint64_t bytes, const Move& move) noexcept {
  for (io_piece piece : pieces) {
    piece.bytes = static_cast<std::size_t>(std::min<std::uint64_t>(piece.bytes, bytes));
    bytes -= piece.bytes;
    if (piece.bytes != 0) XIP_TRY(move(std::span<const io_piece>{&piece, 1}));
  }
  return fail(EIO);
}

// One rule, or a part of one: poison splits where it is cleared.
struct active_rule {
  std::uint32_t number;
  fault_rule::what kind;
  byte_range range;
  std::uint32_t skip;
  std::uint32_t times;
  std::uint64_t moved = 0;
  nanoseconds delay{};
  bool recovering = false;  // poison that goes away with the next drain

  [[nodiscard]] bool touches(byte_range r) const noexcept { return range.overlaps(r); }
  [[nodiscard]] bool touches(std::span<const io_piece> pieces) const noexcept {
    return std::ranges::any_of(pieces, [this](const io_piece& piece) { return range.overlaps(range_of(piece)); });
  }
  // A matching access happens: does it fail?
  bool strikes() noexcept {
    if (skip != 0) {
      --skip;
      return false;
    }
    if (times == 0) return false;
    if (times != std::numeric_limits<std::uint32_t>::max()) --times;
    return true;
  }
};

class faulty final : public decorator<faulty_device> {
 public:
  explicit faulty(device& below) : decorator{below, "faulty:"} {}

  std::uint32_t add(const fault_rule& rule) override {
    spin_guard guard{lock_};
    rules_.push_back({next_number_, rule.kind, range_of(rule), rule.skip, rule.times, rule.moved, rule.delay});
    return next_number_++;
  }
  void remove(std::uint32_t number) override {
    spin_guard guard{lock_};
    std::erase_if(rules_, [=](const active_rule& r) { return r.number == number; });
  }

  [[nodiscard]] result<> read_batch(std::span<const io_piece> pieces) noexcept override;
  [[nodiscard]] result<> write_batch(std::span<const io_piece> pieces) noexcept override;
  [[nodiscard]] result<> flush_cache() noexcept override;

 protected:
  [[nodiscard]] result<window> direct_access_slow(std::uint64_t offset, std::size_t bytes, access_intent intent) noexcept override;
  void window_drain() noexcept override {
    decorator::window_drain();
    spin_guard guard{lock_};
    std::erase_if(rules_, [](const active_rule& r) { return r.recovering; });
  }

 private:
  using what = fault_rule::what;

  // What the rules have in store for a request.
  struct verdict {
    bool eio = false;
    std::uint64_t moves = everything;  // fewer bytes than it has: those arrive, and it fails
    nanoseconds delay{};
  };

  // Does a rule of KIND fail an access, a range or the pieces of a request? Each rule sees a request as one access.
  template <class Access>
  bool fails(what kind, const Access& access) noexcept XIP_REQUIRES(lock_);
  // How many bytes of the pieces a rule of KIND, short_read or short_write, lets move.
  std::uint64_t bytes_moving(what kind, std::span<const io_piece> pieces) noexcept XIP_REQUIRES(lock_);
  template <class Access>
  nanoseconds delay_of(const Access& access) noexcept XIP_REQUIRES(lock_);
  // Does what was judged; MOVE moves pieces on the device below.
  template <class Move>
  result<> carry_out(const verdict& judged, std::span<const io_piece> pieces, const Move& move) noexcept;
  result<> write_below(std::span<const io_piece> pieces) noexcept;
  // Is there poison that a write of these pieces would leave half overwritten?
  bool write_hits_poison(std::span<const io_piece> pieces) noexcept XIP_REQUIRES(lock_);
  // Splits poison so that none of it straddles an edge of RANGE. ENOMEM.
  result<> isolate_poison(byte_range range) noexcept XIP_REQUIRES(lock_);
  void clear_poison(byte_range range) noexcept XIP_REQUIRES(lock_);
  // Where a window over RANGE must end; RANGE.begin if it may not even begin.
  std::uint64_t window_end(byte_range range) noexcept XIP_REQUIRES(lock_);
  result<window> recovery_window(window w, byte_range range) noexcept XIP_REQUIRES(lock_);

  mutable spin_lock<faulty_rules_class> lock_;
  std::vector<active_rule> rules_ XIP_GUARDED_BY(lock_);
  std::uint32_t next_number_ XIP_GUARDED_BY(lock_) = 1;
};

template <class Access>
bool faulty::fails(what kind, const Access& access) noexcept {
  bool hit = false;
  for (active_rule& rule : rules_)
    if (rule.kind == kind && rule.touches(access)) hit |= rule.strikes();
  return hit;
}

std::uint64_t faulty::bytes_moving(what kind, std::span<const io_piece> pieces) noexcept {
  const std::uint64_t wanted = bytes_in(pieces);
  std::uint64_t moves = everything;
  for (active_rule& rule : rules_)
    if (rule.kind == kind && rule.moved < wanted && rule.touches(pieces) && rule.strikes()) moves = std::min(moves, rule.moved);
  return moves;
}

template <class Access>
nanoseconds faulty::delay_of(const Access& access) noexcept {
  nanoseconds sum{};
  for (active_rule& rule : rules_)
    if (rule.kind == what::slow && rule.touches(access) && rule.strikes()) sum += rule.delay;
  return sum;
}

bool faulty::write_hits_poison(std::span<const io_piece> pieces) noexcept {
  bool hit = false;
  for (active_rule& rule : rules_) {
    const auto tears = [&](const io_piece& piece) {
      const byte_range whole = whole_pages_of(range_of(piece));
      const byte_range head{piece.offset, std::min(whole.begin, piece.offset + piece.bytes)};
      const byte_range tail{std::max(whole.end, piece.offset), piece.offset + piece.bytes};
      return rule.range.overlaps(head) || rule.range.overlaps(tail);
    };
    if (rule.kind == what::poison && std::ranges::any_of(pieces, tears)) hit |= rule.strikes();
  }
  return hit;
}

result<> faulty::isolate_poison(byte_range range) noexcept {
  if (range.empty()) return {};
  try {
    for (const std::uint64_t edge : {range.begin, range.end}) {
      for (std::size_t i = 0, n = rules_.size(); i < n; ++i) {
        if (rules_[i].kind != what::poison || rules_[i].range.begin >= edge || rules_[i].range.end <= edge) continue;
        active_rule right = rules_[i];
        right.range.begin = edge;
        rules_.push_back(right);
        rules_[i].range.end = edge;
      }
    }
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  }
  return {};
}

void faulty::clear_poison(byte_range range) noexcept {
  std::erase_if(rules_, [&](const active_rule& r) { return r.kind == what::poison && range.contains(r.range); });
}

template <class Move>
result<> faulty::carry_out(const verdict& judged, std::span<const io_piece> pieces, const Move& move) noexcept {
  delay(judged.delay);
  if (judged.eio) return fail(EIO);
  return judged.moves == everything ? move(pieces) : move_short(pieces, judged.moves, move);
}

result<> faulty::read_batch(std::span<const io_piece> pieces) noexcept {
  XIP_TRY(check_request(pieces, false));
  verdict judged;
  {
    spin_guard guard{lock_};
    judged.delay = delay_of(pieces);
    judged.eio = fails(what::eio_read, pieces) || fails(what::poison, pieces);
    if (!judged.eio) judged.moves = bytes_moving(what::short_read, pieces);
  }
  return carry_out(judged, pieces, [this](std::span<const io_piece> moving) noexcept { return decorator::read_batch(moving); });
}

result<> faulty::write_batch(std::span<const io_piece> pieces) noexcept {
  XIP_TRY(check_request(pieces, true));
  verdict judged;
  {
    spin_guard guard{lock_};
    judged.delay = delay_of(pieces);
    judged.eio = fails(what::eio_write, pieces) || write_hits_poison(pieces);
    if (!judged.eio) judged.moves = bytes_moving(what::short_write, pieces);
  }
  return carry_out(judged, pieces, [this](std::span<const io_piece> moving) noexcept { return write_below(moving); });
}

// Splits poison before it writes, so that what fails for lack of memory has written nothing.
result<> faulty::write_below(std::span<const io_piece> pieces) noexcept {
  {
    spin_guard guard{lock_};
    for (const io_piece& piece : pieces) XIP_TRY(isolate_poison(whole_pages_of(range_of(piece))));
  }
  XIP_TRY(decorator::write_batch(pieces));
  spin_guard guard{lock_};
  for (const io_piece& piece : pieces) clear_poison(whole_pages_of(range_of(piece)));
  return {};
}

result<> faulty::flush_cache() noexcept {
  nanoseconds held_up;
  bool eio = false;
  {
    spin_guard guard{lock_};
    held_up = delay_of(whole_device);
    eio = fails(what::eio_flush, whole_device);
  }
  delay(held_up);
  if (eio) return fail(EIO);
  return decorator::flush_cache();
}

std::uint64_t faulty::window_end(byte_range range) noexcept {
  std::uint64_t end = range.end;
  for (active_rule& rule : rules_) {
    if (rule.kind == what::poison && rule.range.overlaps(range) && rule.strikes())
      end = std::min(end, std::max(rule.range.begin, range.begin));
    const bool crosses = range.begin < rule.range.begin && rule.range.begin < range.end;
    if (rule.kind == what::short_window && crosses && rule.strikes()) end = std::min(end, rule.range.begin);
  }
  return end;
}

result<window> faulty::recovery_window(window w, byte_range range) noexcept {
  const byte_range whole = whole_pages_of(range);
  if (whole.begin != range.begin || whole.empty()) {
    const std::uint64_t end = window_end(range);
    if (end == range.begin) return fail(EIO);
    return window{w.data, static_cast<std::size_t>(end - range.begin)};
  }
  XIP_TRY(isolate_poison(whole));
  for (active_rule& rule : rules_)
    if (rule.kind == what::poison && whole.contains(rule.range)) rule.recovering = true;
  return window{w.data, static_cast<std::size_t>(whole.end - whole.begin)};
}

result<window> faulty::direct_access_slow(std::uint64_t offset, std::size_t bytes, access_intent intent) noexcept {
  const window w = XIP_TRY(decorator::direct_access_slow(offset, bytes, intent));
  const byte_range range{offset, offset + w.bytes};
  spin_guard guard{lock_};
  if (fails(intent == access_intent::read ? what::eio_read : what::eio_write, range)) return fail(EIO);
  if (intent == access_intent::recovery_write) return recovery_window(w, range);
  const std::uint64_t end = window_end(range);
  if (end == offset) return fail(EIO);
  return window{w.data, static_cast<std::size_t>(end - offset)};
}

}  // namespace

std::unique_ptr<faulty_device> make_faulty(device& below) { return std::make_unique<faulty>(below); }

}  // namespace xip::dev
