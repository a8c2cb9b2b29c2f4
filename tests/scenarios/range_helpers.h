// What races about a mapped file of which a range changes need beyond the API.
#pragma once

#include <array>
#include <optional>

#include <linux/falloc.h>

#include "mapping_helpers.h"
#include "race_helpers.h"

namespace xip::scenario {

inline constexpr int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
inline constexpr int zero = FALLOC_FL_ZERO_RANGE;
inline constexpr int collapse = FALLOC_FL_COLLAPSE_RANGE;
inline constexpr int insert = FALLOC_FL_INSERT_RANGE;

// A file of four blocks, block I beginning with the word 10 + I, mapped with a page to spare. Block 1 is punched, zeroed or collapsed by a single call with MODE, or one
// is inserted before it; every other call and access finds the file as it was before that or as it is after, and what comes later than the call only the latter.
template <int Mode>
struct range_race : race {
  static constexpr requirements needs{.dax = true};
  static constexpr std::uint64_t blocks = 4, most = blocks + 1;

  int fd = -1;
  user_address at = 0;
  bool begun = false, ended = false;  // the change

  void setup() {
    fd = create("file");
    for (std::uint64_t i = 0; i < blocks; ++i) write_word(*this, task(), fd, offset_of(i), 10 + i);
    must(task().ftruncate(fd, offset_of(blocks)));
    at = map_file(*this, task(), fd, most * block());
    for (std::uint64_t i = 0; i < blocks; ++i) expect_store(*this, task(), address_of(i), 10 + i);
  }
  void changer(vfs::task& me) {
    begun = true;
    must(me.fallocate(fd, Mode, block(), block()));
    ended = true;
  }

  [[nodiscard]] loff_t offset_of(std::uint64_t page, loff_t within = 0) const { return static_cast<loff_t>(page) * block() + within; }
  [[nodiscard]] user_address address_of(std::uint64_t page, std::uint64_t within = 0) const { return at + page * block() + within; }

  // The word that a page begins with; none: it is behind the end.
  [[nodiscard]] static std::optional<std::uint64_t> before(std::uint64_t page) {
    return page < blocks ? std::optional{10 + page} : std::nullopt;
  }
  [[nodiscard]] static std::optional<std::uint64_t> after(std::uint64_t page) {
    if (page == 0) return before(0);
    if (Mode == collapse) return before(page + 1);
    if (Mode == insert) return page == 1 ? std::uint64_t{0} : before(page - 1);
    return page == 1 ? std::uint64_t{0} : before(page);
  }
  // Where what was in a page is afterwards; none: it is gone.
  [[nodiscard]] static std::optional<std::uint64_t> moved(std::uint64_t page) {
    if (page == 0) return page;
    if (Mode == collapse) return page == 1 ? std::nullopt : std::optional{page - 1};
    if (Mode == insert) return page + 1;
    return page == 1 ? std::nullopt : std::optional{page};
  }

  // Something that happened at one moment: whether that can have been before the change, and after it.
  struct moment {
    bool may_be_before = false, may_be_after = false;
  };
  template <class Operation>
  moment observed(Operation&& operation) {
    const bool late = ended;
    operation();
    return {!late, begun};
  }

  void load(vfs::task& me, std::uint64_t page) {
    std::optional<std::uint64_t> word;
    const moment m = observed([&] { word = load_word(me, address_of(page)); });
    expect((m.may_be_before && word == before(page)) || (m.may_be_after && word == after(page)), "what is loaded was there, or is now");
  }
  void read(vfs::task& me) {
    std::array<std::uint64_t, most> words{};
    std::uint64_t found = 0;
    const moment m = observed([&] {
      std::array<std::byte, std::size_t{most} * page_size> bytes{};
      found = must(me.pread(fd, bytes.data(), bytes.size(), 0)) / block();
      for (std::uint64_t i = 0; i < found; ++i) std::memcpy(&words[i], &bytes[i * block()], sizeof words[i]);
    });
    const auto is = [&](auto&& state) {
      for (std::uint64_t i = 0; i < most; ++i)
        if (state(i) != (i < found ? std::optional{words[i]} : std::nullopt)) return false;
      return true;
    };
    expect((m.may_be_before && is(before)) || (m.may_be_after && is(after)), "what is read was there, or is now");
  }

  // A word beside the first of its page, put there by a store or a write.
  struct put_word {
    std::uint64_t page = 0, within = 0;
    moment when;
  };
  [[nodiscard]] put_word store(vfs::task& me, std::uint64_t page, std::uint64_t within) {
    return {page, within, observed([&] { expect_store(*this, me, address_of(page, within), 7); })};
  }
  [[nodiscard]] put_word write(vfs::task& me, std::uint64_t page, std::uint64_t within) {
    return {page, within, observed([&] { write_word(*this, me, fd, offset_of(page, static_cast<loff_t>(within)), 7); })};
  }

  void expect_word_at(std::uint64_t page, std::uint64_t within, std::uint64_t word) {
    expect_word(*this, task(), fd, offset_of(page, static_cast<loff_t>(within)), address_of(page, within), word);
  }
  // At the end: the file as it is after the change, and each word that was put there where it belongs, and nowhere else.
  void expect_changed(std::initializer_list<put_word> words) {
    for (std::uint64_t i = 0; i < most; ++i) {
      if (after(i))
        expect_word_at(i, 0, *after(i));
      else
        expect(!load_word(task(), address_of(i)).has_value(), "behind the end there is nothing");
    }
    for (const put_word& w : words) {
      std::optional<std::uint64_t> found;
      for (std::uint64_t i = 0; i < most; ++i)
        if (after(i) && load_word(task(), address_of(i, w.within)) == 7u) {
          expect(!found, "a word is in one place");
          found = i;
        }
      expect((w.when.may_be_before && found == moved(w.page)) || (w.when.may_be_after && found == w.page),
             "a word that was put is where it belongs");
      for (std::uint64_t i = 0; i < most; ++i)
        if (after(i)) expect_word_at(i, w.within, found == i ? 7 : 0);
    }
  }
};

// All of them against the change.
template <int Mode>
struct range_against_all : range_race<Mode> {
  using base = range_race<Mode>;
  typename base::put_word stored, written;

  void mapper(vfs::task& me) {
    this->load(me, 1);
    stored = this->store(me, 1, 8);
    this->load(me, 2);
  }
  void caller(vfs::task& me) {
    this->read(me);
    written = this->write(me, 1, 16);
  }
  void check() { this->expect_changed({stored, written}); }
};

// A page is pinned in the block that is changed, and then with SECOND where it lies by then.
template <int Mode, int Second>
struct pinned_in_range : range_race<Mode> {
  using base = range_race<Mode>;

  void pinner(vfs::task& me) {
    mm::page_pin pin;
    this->expect(mm::pin_user_page(me, this->address_of(1), true, pin).has_value(), "a page is pinned");
    const bool first = !this->begun;
    const std::uint64_t word = 4;
    XIP_POINT(user_point);
    pin.write(8, &word, sizeof word);
    this->expect(!first || !this->ended, "its blocks stay where they are");
    const current_scope scope{me.context};  // as the end of a request: in the middle of no call
    pin.unpin();
  }
  void first(vfs::task& me) { base::changer(me); }
  void second(vfs::task& me) {
    this->begun = true;
    this->must(me.fallocate(this->fd, Second, this->block(), this->block()));
    this->ended = true;
  }
};

// Words are stored into PAGE and synced, by two tasks, while a third changes the range; then the power fails.
template <int Mode, std::uint64_t Page>
struct synced_in_range : range_race<Mode> {
  using base = range_race<Mode>;
  typename base::put_word stored[2];
  bool synced[2] = {};
  bool changed = false;  // and durable

  void storer(vfs::task& me) {
    stored[0] = this->store(me, Page, 8);
    this->must(me.fdatasync(this->fd));
    synced[0] = true;
    this->power_may_fail();
  }
  void other(vfs::task& me) {
    stored[1] = this->store(me, Page, 16);
    this->must(mm::msync(me, this->at, base::most * this->block(), MS_SYNC));
    synced[1] = true;
    this->power_may_fail();
  }
  void syncer(vfs::task& me) {
    base::changer(me);
    this->must(me.fsync(this->fd));
    changed = true;
    this->power_may_fail();
  }
  void check() { this->expect_changed({stored[0], stored[1]}); }

  // The file as it was before the change or is after it; which is told by its size, or by a word that is not stored to.
  void recovered(vfs::task& me) {
    const int again = this->must(me.open("/file", O_RDONLY));
    const bool is_after = Mode == collapse ? this->must(me.fstat(again)).size < static_cast<loff_t>(base::blocks) * this->block()
                                           : read_word(*this, me, again, this->offset_of(1)) == 0;
    this->expect(is_after || !changed, "a change that was synced is there");
    for (unsigned i = 0; i < 2; ++i) {
      if (!synced[i]) continue;
      const auto before_place = is_after ? base::moved(Page) : std::optional<std::uint64_t>{Page};
      const bool there = before_place && read_word(*this, me, again, this->offset_of(*before_place, 8 + 8 * i)) == 7;
      const bool there_as_new =
          is_after && stored[i].when.may_be_after && read_word(*this, me, again, this->offset_of(Page, 8 + 8 * i)) == 7;
      const bool gone = is_after && stored[i].when.may_be_before && !base::moved(Page);
      this->expect((stored[i].when.may_be_before && there) || there_as_new || gone, "what was synced is there");
    }
    this->must(me.close(again));
  }
};

}  // namespace xip::scenario
