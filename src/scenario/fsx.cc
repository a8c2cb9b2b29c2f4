// One file against a model, in the manner of fsx.
#include <xip/scenario/models.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <xip/mm/mm.h>
#include <xip/scenario/user_accesses.h>

namespace xip::scenario {
namespace {

constexpr std::size_t remembered_operations = 24;

class fsx {
 public:
  fsx(run& t, const fsx_options& o) : t_{t}, options_{o}, chance_{t.random(o.stream)} { open(); }

  void all() {
    for (now_ = 0; now_ < options_.operations; ++now_) guarded([this] { one(); });
    guarded([this] { compare_all(); });
    close();
  }

 private:
  template <class Operation>
  void guarded(Operation&& operation) {
    try {
      operation();
    } catch (const expectation_failed& e) {
      failure f = e.why();
      f.what = fmt::format("{}, after\n{}", f.what, fmt::join(history_, "\n"));
      throw expectation_failed{std::move(f)};
    }
  }

  void open() {
    fd_ = t_.must(t_->open(options_.path, O_RDWR | O_CREAT | options_.open_flags, 0644));
    append_ = t_.must(t_->open(options_.path, O_WRONLY | O_APPEND | options_.open_flags));
    map();
  }
  void close() {
    if (mapped_ != 0) t_.must(mm::munmap(t_.task(), mapped_, mapped_bytes()));
    mapped_ = 0;
    t_.must(t_->close(fd_));
    t_.must(t_->close(append_));
  }

  template <class... Args>
  void note(fmt::format_string<Args...> format, Args&&... args) {
    history_.push_back(fmt::format("{:6} {}", now_, fmt::format(format, std::forward<Args>(args)...)));
    if (history_.size() > remembered_operations) history_.pop_front();
  }

  [[nodiscard]] stamp stamp_now() const { return {.file = 1 + (now_ >> 11), .generation = now_ & 0x7ff}; }
  [[nodiscard]] std::size_t random_length() { return chance_.one_in(4) ? chance_.between(1, 64) : chance_.between(1, options_.max_io); }
  [[nodiscard]] std::size_t mapped_bytes() const { return (options_.max_size + page_size - 1) & ~(page_size - 1); }
  [[nodiscard]] std::size_t end_of_last_page() const { return (model_.size() + page_size - 1) & ~(page_size - 1); }
  // Positions like block borders.
  [[nodiscard]] std::size_t random_position(std::size_t end) {
    const std::size_t at = chance_.below(end + 1);
    return chance_.one_in(3) ? at & ~(std::size_t{t_.block_size()} - 1) : at;
  }

  void one();
  void read();
  void write();
  void write_vector();
  void append();
  void truncate();
  void preallocate();
  void punch();
  void zero();
  void collapse();
  void insert();
  void seek();
  void sync();
  void map();
  void load();
  void store();
  void copy_within();
  void cycle();
  void compare_all();
  void grow_to(std::size_t end) {
    if (end > model_.size()) model_.resize(end);
  }
  // As far as they are within the file.
  void clear(std::size_t at, std::size_t bytes) {
    if (at < model_.size()) std::ranges::fill(std::span{model_}.subspan(at, std::min(bytes, model_.size() - at)), std::byte{0});
  }
  void change(int mode, std::size_t at, std::size_t bytes) {
    t_.must(t_->fallocate(fd_, mode, static_cast<loff_t>(at), static_cast<loff_t>(bytes)));
  }

  run& t_;
  fsx_options options_;
  random_source chance_;
  std::vector<std::byte> model_;
  std::deque<std::string> history_;
  unsigned now_ = 0;
  unsigned mounts_ = 0;
  int fd_ = -1, append_ = -1;
  mm::user_address mapped_ = 0;  // all that the file can become; 0: it cannot be mapped
};

void fsx::read() {
  const std::size_t at = random_position(options_.max_size);
  const std::size_t bytes = random_length();
  note("read {} bytes at {}", bytes, at);
  std::vector<std::byte> found(bytes, std::byte{0xee});
  const std::size_t there = at < model_.size() ? std::min(bytes, model_.size() - at) : 0;
  t_.expect_answer(t_->pread(fd_, found.data(), bytes, static_cast<loff_t>(at)), there, "bytes read");
  t_.expect_same(
      compare_bytes(std::span{found}.first(there), static_cast<loff_t>(at), std::span{model_}.subspan(std::min(at, model_.size()), there)));
}

void fsx::write() {
  const std::size_t at = random_position(options_.max_size - 1);
  const std::size_t bytes = std::min(random_length(), options_.max_size - at);
  note("write {} bytes at {} (size {})", bytes, at, model_.size());
  t_.put(fd_, static_cast<loff_t>(at), bytes, stamp_now());
  grow_to(at + bytes);
  fill(std::span{model_}.subspan(at, bytes), static_cast<loff_t>(at), stamp_now());
}

void fsx::write_vector() {
  const std::size_t at = random_position(options_.max_size - 1);
  const std::size_t bytes = std::min(random_length(), options_.max_size - at);
  std::vector<std::byte> data(bytes);
  fill(data, static_cast<loff_t>(at), stamp_now());
  const std::size_t first = chance_.below(bytes + 1);
  const std::size_t second = chance_.below(bytes - first + 1);
  const std::array<iovec, 3> parts{
      {{data.data(), first}, {data.data() + first, second}, {data.data() + first + second, bytes - first - second}}};
  note("writev {} + {} + {} bytes at {} (size {})", first, second, bytes - first - second, at, model_.size());
  t_.expect_answer(t_->pwritev2(fd_, parts.data(), 3, static_cast<loff_t>(at), 0), bytes, "bytes written");
  grow_to(at + bytes);
  std::ranges::copy(data, model_.begin() + static_cast<std::ptrdiff_t>(at));
}

void fsx::append() {
  const std::size_t room = options_.max_size - model_.size();
  const std::size_t bytes = std::min(random_length(), room);
  if (bytes == 0) return;
  const std::size_t at = model_.size();
  note("append {} bytes at {}", bytes, at);
  std::vector<std::byte> data(bytes);
  fill(data, static_cast<loff_t>(at), stamp_now());
  t_.expect_answer(t_->write(append_, data.data(), bytes), bytes, "bytes appended");
  model_.insert(model_.end(), data.begin(), data.end());
}

void fsx::truncate() {
  const std::size_t to = random_position(options_.max_size);
  note("truncate from {} to {}", model_.size(), to);
  t_.must(t_->ftruncate(fd_, static_cast<loff_t>(to)));
  model_.resize(to);
}

void fsx::preallocate() {
  if (!options_.preallocate) return;
  const std::size_t at = random_position(options_.max_size - 1);
  const std::size_t bytes = std::min(random_length(), options_.max_size - at);
  const bool keep = chance_.one_in(2);
  note("fallocate{} {} bytes at {} (size {})", keep ? " KEEP_SIZE" : "", bytes, at, model_.size());
  t_.must(t_->fallocate(fd_, keep ? FALLOC_FL_KEEP_SIZE : 0, static_cast<loff_t>(at), static_cast<loff_t>(bytes)));
  if (!keep) grow_to(at + bytes);
}

void fsx::punch() {
  const std::size_t at = random_position(options_.max_size);
  const std::size_t bytes = random_length();
  note("punch {} bytes at {} (size {})", bytes, at, model_.size());
  change(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, bytes);
  clear(at, bytes);
}

void fsx::zero() {
  if (!options_.preallocate) return;
  const std::size_t at = random_position(options_.max_size - 1);
  const std::size_t bytes = std::min(random_length(), options_.max_size - at);
  const bool keep = chance_.one_in(2);
  note("zero{} {} bytes at {} (size {})", keep ? " KEEP_SIZE" : "", bytes, at, model_.size());
  change(FALLOC_FL_ZERO_RANGE | (keep ? FALLOC_FL_KEEP_SIZE : 0), at, bytes);
  if (!keep) grow_to(at + bytes);
  clear(at, bytes);
}

void fsx::collapse() {
  const std::size_t block = t_.block_size(), blocks = model_.size() / block;
  if (!options_.preallocate || blocks < 2) return;
  const std::size_t at = chance_.below(blocks) * block;
  const std::size_t bytes = chance_.between(1, 1 + options_.max_io / block) * block;
  note("collapse {} bytes at {} (size {})", bytes, at, model_.size());
  if (at + bytes >= model_.size())
    return t_.expect_errno(t_->fallocate(fd_, FALLOC_FL_COLLAPSE_RANGE, static_cast<loff_t>(at), static_cast<loff_t>(bytes)), EINVAL);
  change(FALLOC_FL_COLLAPSE_RANGE, at, bytes);
  const auto begin = model_.begin() + static_cast<std::ptrdiff_t>(at);
  model_.erase(begin, begin + static_cast<std::ptrdiff_t>(bytes));
}

void fsx::insert() {
  const std::size_t block = t_.block_size(), room = (options_.max_size - model_.size()) / block;
  if (!options_.preallocate || model_.empty() || room == 0) return;
  const std::size_t at = chance_.below((model_.size() - 1) / block + 1) * block;
  const std::size_t bytes = chance_.between(1, std::min(room, 1 + options_.max_io / block)) * block;
  note("insert {} bytes at {} (size {})", bytes, at, model_.size());
  change(FALLOC_FL_INSERT_RANGE, at, bytes);
  model_.insert(model_.begin() + static_cast<std::ptrdiff_t>(at), bytes, std::byte{0});
}

// What SEEK_DATA skips must be zeros.
void fsx::seek() {
  const std::size_t at = random_position(options_.max_size);
  note("seek for data from {}", at);
  const auto data = t_->lseek(fd_, static_cast<loff_t>(at), SEEK_DATA);
  if (at >= model_.size()) return t_.expect_errno(data, ENXIO);
  if (!data) t_.expect_errno(data, ENXIO);
  const std::size_t end = data ? static_cast<std::size_t>(*data) : model_.size();
  t_.expect(end >= at && end <= model_.size(), "data is found between the position and the end");
  t_.expect_same(compare_zeros(std::span{model_}.subspan(at, end - at), static_cast<loff_t>(at)));
}

void fsx::sync() {
  note("sync");
  t_.must(chance_.one_in(2) ? t_->fsync(fd_) : t_->fdatasync(fd_));
}

void fsx::map() {
  if (!options_.mapped) return;
  const auto at = mm::mmap(t_.task(), 0, mapped_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (at) mapped_ = *at;
  if (!at) t_.expect_errno(at, ENODEV);
}

// Up to the end of the page in which the file ends there are zeros, behind that a signal.
void fsx::load() {
  if (mapped_ == 0) return;
  const std::size_t at = random_position(options_.max_size - 1);
  const std::size_t bytes = std::min(random_length(), options_.max_size - at);
  note("load {} bytes at {} (size {})", bytes, at, model_.size());
  std::vector<std::byte> found(bytes, std::byte{0xee});
  const auto loaded = load_user(t_.task(), mapped_ + at, found.data(), bytes);
  t_.expect_equal(loaded.has_value(), at + bytes <= end_of_last_page(), "all of it can be loaded");
  const std::size_t there = at < model_.size() ? std::min(bytes, model_.size() - at) : 0;
  t_.expect_same(
      compare_bytes(std::span{found}.first(there), static_cast<loff_t>(at), std::span{model_}.subspan(std::min(at, model_.size()), there)));
}

// What is stored behind the end, in the last page, is in no file and comes to light in none.
void fsx::store() {
  if (mapped_ == 0 || model_.empty()) return;
  const std::size_t at = random_position(model_.size() - 1);
  const std::size_t bytes = std::min(random_length(), end_of_last_page() - at);
  note("store {} bytes at {} (size {})", bytes, at, model_.size());
  std::vector<std::byte> data(bytes);
  fill(data, static_cast<loff_t>(at), stamp_now());
  t_.expect(store_user(t_.task(), mapped_ + at, data.data(), bytes).has_value(), "all of it can be stored");
  data.resize(std::min(bytes, model_.size() - at));
  std::ranges::copy(data, model_.begin() + static_cast<std::ptrdiff_t>(at));
}

// A write whose source is the mapping. Where the two overlap the bytes are those of a copy forward or not, as the pages lie: so they do not.
void fsx::copy_within() {
  if (mapped_ == 0 || model_.empty()) return;
  const std::size_t from = random_position(model_.size() - 1);
  const std::size_t bytes = std::min({random_length(), model_.size() - from, options_.max_size / 2});
  const std::size_t to = from >= bytes && chance_.one_in(2) ? chance_.below(from - bytes + 1) : from + bytes;
  if (to + bytes > options_.max_size) return;
  note("write {} bytes at {} from the mapping at {} (size {})", bytes, to, from, model_.size());
  t_.expect_answer(t_->pwrite(fd_, mm::user_pointer(mapped_ + from), bytes, static_cast<loff_t>(to)), bytes, "bytes written");
  const std::vector<std::byte> data(model_.begin() + static_cast<std::ptrdiff_t>(from),
                                    model_.begin() + static_cast<std::ptrdiff_t>(from + bytes));
  grow_to(to + bytes);
  std::ranges::copy(data, model_.begin() + static_cast<std::ptrdiff_t>(to));
}

void fsx::cycle() {
  note("unmount and mount");
  close();
  t_.umount();
  if (++mounts_ % 2 == 1 && !options_.mount.empty())
    t_.mount(options_.mount);
  else
    t_.mount();
  open();
  compare_all();
}

void fsx::compare_all() {
  t_.expect_equal(t_.size_of(fd_), model_.size(), "the size");
  std::vector<std::byte> found(model_.size());
  t_.expect_answer(t_->pread(fd_, found.data(), found.size(), 0), model_.size(), "bytes read");
  t_.expect_same(compare_bytes(found, 0, model_));
}

void fsx::one() {
  if (options_.cycle_every != 0 && chance_.one_in(options_.cycle_every)) return cycle();
  switch (chance_.below(mapped_ != 0 ? 27 : 20)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return read();
    case 4:
    case 5:
    case 6:
    case 7:
      return write();
    case 8:
    case 9:
      return write_vector();
    case 10:
      return append();
    case 11:
    case 12:
      return truncate();
    case 13:
      return preallocate();
    case 14:
      return seek();
    case 15:
      return punch();
    case 16:
      return zero();
    case 17:
      return collapse();
    case 18:
      return insert();
    case 19:
      return sync();
    case 20:
    case 21:
    case 22:
      return load();
    case 23:
    case 24:
    case 25:
      return store();
    default:
      return copy_within();
  }
}

}  // namespace

void run_fsx(run& t, const fsx_options& options) { fsx{t, options}.all(); }

}  // namespace xip::scenario
