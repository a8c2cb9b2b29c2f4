// Ranges that are punched, zeroed, taken out and put in, against a string: at random, in deep trees, and as a crash finds them on the way.
#include <algorithm>
#include <cerrno>
#include <random>
#include <string_view>

#include <linux/falloc.h>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "fs_ext4lite/journal.h"
#include "fs_ext4lite/open_file.h"
#include "fs_ext4lite/tree.h"
#include "vfs/dcache.h"

namespace xip::ext4lite::test {
namespace {

constexpr int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
constexpr int collapse = FALLOC_FL_COLLAPSE_RANGE;
constexpr int insert = FALLOC_FL_INSERT_RANGE;

// A file as a string.
class model {
 public:
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  void write(std::size_t pos, std::string_view bytes) {
    if (bytes.empty()) return;
    if (text_.size() < pos + bytes.size()) text_.resize(pos + bytes.size());
    text_.replace(pos, bytes.size(), bytes);
  }
  void truncate(std::size_t size) { text_.resize(size); }
  // What fallocate is to answer.
  [[nodiscard]] int change(int mode, std::size_t pos, std::size_t bytes, std::size_t block) {
    if (bytes == 0) return EINVAL;
    const bool moves = mode == collapse || mode == insert;
    if (moves && (pos % block != 0 || bytes % block != 0)) return EINVAL;
    if (mode == collapse && pos + bytes >= text_.size()) return EINVAL;
    if (mode == insert && pos >= text_.size()) return EINVAL;
    if (mode == collapse) text_.erase(pos, bytes);
    if (mode == insert) text_.insert(pos, bytes, '\0');
    if (moves) return 0;
    if ((mode & FALLOC_FL_KEEP_SIZE) == 0 && text_.size() < pos + bytes) text_.resize(pos + bytes);
    if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) == 0 || pos >= text_.size()) return 0;
    bytes = std::min(bytes, text_.size() - pos);
    text_.replace(pos, bytes, bytes, '\0');
    return 0;
  }

 private:
  std::string text_;
};

struct kind {
  const char* name;
  const char* mkfs;
  const char* mount;
  bool trees = true;
};
void PrintTo(const kind& k, std::ostream* out) { *out << k.name; }
const kind kinds[] = {{"dax", "-b 4096 -N 64", "dax=always"},
                      {"requests", "-b 4096 -N 64", "dax=never"},
                      {"small_blocks", "-b 1024 -N 64", "dax=never"},
                      {"zeroed", "-b 4096 -N 64", "dax=always,zero=alloc"},
                      {"no_journal", "-b 1024 -N 64 -O ^has_journal", "dax=never"},
                      {"block_maps", "-b 1024 -N 64 -O ^extent,^64bit", "dax=never", false}};

class random_ranges : public testing::TestWithParam<std::tuple<kind, unsigned>> {
 protected:
  static constexpr std::size_t most = 600'000;

  void step(open_file& f, int n) {
    const std::size_t unit = random() % 3 == 0 ? 1 : block;
    const std::size_t pos = random() % most / unit * unit;
    const std::size_t bytes = random() % (random() % 8 == 0 ? 200'000 : 8'000) / unit * unit;
    const auto roll = static_cast<int>(random() % 12);
    if (roll < 4) {
      const std::string text = pattern(bytes, static_cast<std::uint32_t>(n + 1));
      ASSERT_EQ(f.put(text, static_cast<loff_t>(pos)), text.size());
      expected.write(pos, text);
    } else if (roll == 4) {
      ASSERT_TRUE(f.t().ftruncate(f.fd, static_cast<loff_t>(pos)).has_value());
      expected.truncate(pos);
    } else {
      constexpr int modes[] = {punch, punch, FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, collapse, insert, insert, 0};
      const int mode = std::get<0>(GetParam()).trees ? modes[random() % std::size(modes)] : punch;
      if (mode == insert && expected.text().size() + bytes > 2 * most) return;
      const int answer = expected.change(mode, pos, bytes, block);
      ASSERT_EQ(errno_of(f.t().fallocate(f.fd, mode, static_cast<loff_t>(pos), static_cast<loff_t>(bytes))), answer)
          << mode << ' ' << pos << ' ' << bytes;
    }
    ASSERT_EQ(static_cast<std::size_t>(f.size()), expected.text().size()) << roll;
    ASSERT_TRUE(n % 8 != 0 || f.get(4 * most, 0) == expected.text());
    ASSERT_TRUE(n % 64 != 0 || f.t().fsync(f.fd).has_value());
  }

  const kind what = std::get<0>(GetParam());
  std::mt19937 random{std::get<1>(GetParam())};
  model expected;
  std::size_t block = 0;
};

TEST_P(random_ranges, leave_what_a_string_would_be) {
  const image disk = make_image(what.mkfs, "16M");
  for (int round = 0; round < 3; ++round) {
    open_file f{disk, what.mount};
    block = static_cast<std::size_t>(f.t().fstat(f.fd)->blksize);
    for (int n = 0; n < 300; ++n) {
      step(f, round * 1000 + n);
      if (HasFatalFailure()) FAIL() << "round " << round << " step " << n << '\n' << f.fs.log();
    }
    ASSERT_TRUE(f.get(4 * most, 0) == expected.text()) << "round " << round;
    f.close_and_check(disk);
    open_file again{disk, what.mount};
    ASSERT_TRUE(again.get(4 * most, 0) == expected.text()) << "round " << round << ", after a remount";
    again.close_and_check(disk);
  }
}

INSTANTIATE_TEST_SUITE_P(range, random_ranges, testing::Combine(testing::ValuesIn(kinds), testing::Range(1u, 5u)),
                         [](const auto& each) { return fmt::format("{}_{}", std::get<0>(each.param).name, std::get<1>(each.param)); });

// ---- deep trees

constexpr std::size_t block_size = 1024;

// Every second block of COUNT is there, and says which it is.
[[nodiscard]] std::string scatter(open_file& f, std::size_t count) {
  std::string text(count * block_size, '\0');
  const std::string words = pattern(text.size());
  for (std::size_t i = 0; i < count; i += 2) {
    const std::string_view piece = std::string_view{words}.substr(i * block_size, block_size);
    EXPECT_EQ(f.put(piece, static_cast<loff_t>(i * block_size)), block_size);
    text.replace(i * block_size, block_size, piece);
  }
  EXPECT_TRUE(f.t().ftruncate(f.fd, static_cast<loff_t>(text.size())).has_value());
  return text;
}

[[nodiscard]] int change(open_file& f, int mode, std::size_t first, std::size_t count) {
  return errno_of(f.t().fallocate(f.fd, mode, static_cast<loff_t>(first * block_size), static_cast<loff_t>(count * block_size)));
}

TEST(deep_range, is_moved_and_removed_in_a_tree_of_two_levels) {
  const image disk = make_image("-b 1024 -N 64", "16M");
  open_file f{disk, ""};
  constexpr std::size_t count = 3000;
  std::string expected = scatter(f, count);
  const auto is_as_expected = [&] { ASSERT_TRUE(f.get(1 << 24, 0) == expected); };
  for (const std::size_t first : {1u, 2u, 700u, 2500u}) {
    ASSERT_EQ(change(f, insert, first, 5), 0);
    expected.insert(first * block_size, 5 * block_size, '\0');
    is_as_expected();
    ASSERT_EQ(change(f, collapse, first, 3), 0);
    expected.erase(first * block_size, 3 * block_size);
    is_as_expected();
    ASSERT_EQ(change(f, punch, first, 400), 0);
    expected.replace(first * block_size, 400 * block_size, 400 * block_size, '\0');
    is_as_expected();
    ASSERT_EQ(change(f, FALLOC_FL_ZERO_RANGE, first + 390, 40), 0);
    expected.replace((first + 390) * block_size, 40 * block_size, 40 * block_size, '\0');
    is_as_expected();
  }
  ASSERT_EQ(change(f, collapse, 0, 2500), 0);
  expected.erase(0, 2500 * block_size);
  is_as_expected();
  f.close_and_check(disk);
}

TEST(deep_range, all_but_the_end_collapses_to_a_tree_without_levels) {
  const image disk = make_image("-b 1024 -N 64", "16M");
  open_file f{disk, ""};
  const std::string text = scatter(f, 2000);
  ASSERT_EQ(change(f, collapse, 0, 1995), 0);
  EXPECT_TRUE(f.get(1 << 24, 0) == text.substr(1995 * block_size));
  EXPECT_EQ(f.t().fstat(f.fd)->blocks, 2u * 2) << "two blocks of data, none of the tree";
  f.close_and_check(disk);
}

// ---- what a crash finds

// After each handle all that has been changed becomes durable, and the medium is kept as it is then.
class commits_each_handle final : public point_sink {
 public:
  commits_each_handle(ext4_sb_info& sb, dev::device& device) : sb_{sb}, device_{device} {}
  void on_point(point p, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override {
    if (p != point::ext4_handle_stopped || inside_) return;
    inside_ = true;
    EXPECT_TRUE(force_commit(sb_));
    std::vector<std::byte> now(device_.size());
    EXPECT_TRUE(device_.read(0, now));
    states.push_back(std::move(now));
    inside_ = false;
  }
  int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }

  std::vector<std::vector<std::byte>> states;

 private:
  ext4_sb_info& sb_;
  dev::device& device_;
  bool inside_ = false;
};

[[nodiscard]] std::string found_after_crash(const std::vector<std::byte>& state, const image& disk) {
  disk.poke(0, state);
  mounted fs{disk};
  EXPECT_TRUE(fs.ok()) << fs.failure();
  std::string text = read_file(fs.task(), "/f");
  fs.umount_and_check(disk);
  return text;
}

constexpr std::size_t range_first = 101, range_count = 1000;  // in blocks

// What lies before the range is there, and all that was behind it, in order, with one hole more, of the range's size: a collapse moves it from the range to the end of the
// file, an insertion from the end to the range. WITHOUT: the file without that hole.
[[nodiscard]] testing::AssertionResult has_one_hole_more(std::string_view found, std::string_view without) {
  constexpr std::size_t hole = range_count * block_size;
  if (found.size() != without.size() + hole) return testing::AssertionFailure() << found.size() << " bytes";
  // If it begins earlier, in a hole that was there, that one goes on for as long behind it.
  const auto differs = static_cast<std::size_t>(std::ranges::mismatch(found, without).in1 - found.begin());
  const std::size_t at = differs / block_size * block_size;
  if (at < range_first * block_size) return testing::AssertionFailure() << "byte " << differs << ", before the range, is another";
  if (found.substr(at, hole) != std::string(hole, '\0')) return testing::AssertionFailure() << "no hole from byte " << at << " on";
  if (found.substr(at + hole) != without.substr(at)) return testing::AssertionFailure() << "something else behind the hole at byte " << at;
  return testing::AssertionSuccess();
}

// Whole blocks of the range are zeros, the others are as they were.
[[nodiscard]] testing::AssertionResult has_zeros_in_its_range(const std::string& found, const std::string& before, std::size_t count) {
  if (found.size() != before.size()) return testing::AssertionFailure() << found.size() << " bytes";
  for (std::size_t at = 0; at < found.size(); at += block_size) {
    const std::string_view block = std::string_view{found}.substr(at, block_size);
    const bool inside = at / block_size >= range_first && at / block_size < range_first + count;
    if (block != std::string_view{before}.substr(at, block_size) && !(inside && block == std::string(block_size, '\0')))
      return testing::AssertionFailure() << "block " << at / block_size;
  }
  return testing::AssertionSuccess();
}

constexpr std::size_t crash_blocks = 13'000;  // so many that their leaves do not move in one transaction

class interrupted_change : public testing::TestWithParam<int> {};

TEST_P(interrupted_change, leaves_a_file_that_has_all_its_blocks_in_order) {
  const int mode = GetParam();
  const image disk = make_image("-b 1024 -N 64", "32M");
  open_file f{disk, ""};
  const std::string before = scatter(f, crash_blocks);
  ASSERT_TRUE(f.t().fsync(f.fd).has_value());
  auto& sb = static_cast<ext4_sb_info&>(f.t().cwd.dent->get_inode()->i_sb);
  commits_each_handle sink{sb, f.fs.device()};
  f.t().context.points = &sink;
  const std::size_t count = mode == FALLOC_FL_ZERO_RANGE ? 10 : range_count;
  ASSERT_EQ(change(f, mode, range_first, count), 0);
  f.t().context.points = nullptr;
  model expected;
  expected.write(0, before);
  ASSERT_EQ(expected.change(mode, range_first * block_size, count * block_size, block_size), 0);
  const std::string& after = expected.text();
  ASSERT_TRUE(f.get(1 << 24, 0) == after);
  f.close_and_check(disk);
  std::size_t between = 0;
  for (std::size_t i = 0; i < sink.states.size(); ++i) {
    const std::string found = found_after_crash(sink.states[i], disk);
    if (found == before || found == after) continue;
    ++between;
    // A collapse makes its range a hole first.
    const bool moves = mode == insert || (mode == collapse && !has_zeros_in_its_range(found, before, count));
    ASSERT_TRUE(moves ? has_one_hole_more(found, mode == insert ? before : after) : has_zeros_in_its_range(found, before, count))
        << "state " << i;
  }
  EXPECT_GT(between, 0u) << sink.states.size();
}

INSTANTIATE_TEST_SUITE_P(range, interrupted_change, testing::Values(punch, collapse, insert, FALLOC_FL_ZERO_RANGE), [](const auto& each) {
  return each.param == punch      ? std::string{"punch"}
         : each.param == collapse ? std::string{"collapse"}
         : each.param == insert   ? std::string{"insert"}
                                  : std::string{"zero"};
});

}  // namespace
}  // namespace xip::ext4lite::test
