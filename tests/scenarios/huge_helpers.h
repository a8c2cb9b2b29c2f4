// What races about entries of 2 MiB need beyond the API.
#pragma once

#include <array>
#include <utility>
#include <vector>

#include <xip/mm/mm.h>

#include "mapping_helpers.h"

namespace xip::scenario {

inline constexpr auto huge = static_cast<loff_t>(mm::pmd_size);
inline constexpr auto page = static_cast<loff_t>(page_size);

// A file of which 2 MiB lie at a border of the device, or are a hole that would. The main task and each of the others has an address space of its own, with all of
// the 2 MiB mapped and, once more, the eight pages from page 8 of them on.
struct huge_race : race {
  static constexpr race_options options{.rounds = 20};
  static constexpr loff_t part_begin = 8 * page;

  struct view {
    int fd = -1;
    user_address whole = 0, part = 0;
  };
  loff_t from = 0;  // where the 2 MiB begin in the file
  view main;
  std::array<view, 2> views{};  // of the others

  void make_file(bool hole) {
    // Where the file comes to lie says where in it the border is: with the second attempt, unless other blocks have become free.
    loff_t offset = 0;
    int fd = -1;
    for (unsigned attempt = 0; attempt < 8; ++attempt) {
      fd = create("file");
      must(task().fallocate(fd, 0, offset, 3 * huge - offset));
      if (((place_of(fd) - offset) & (huge - 1)) == 0) break;
      offset = place_of(fd) & (huge - 1);
      must(task().close(std::exchange(fd, -1)));
      must(task().unlink("file"));
      must(kernel().sync());
    }
    if (fd < 0) skip("the file does not lie at a border of 2 MiB");
    from = huge;
    if (hole) {
      must(task().ftruncate(fd, offset));
      must(task().ftruncate(fd, 3 * huge));
    }
    must(task().close(fd));
    main = map_all(task());
  }
  void prepare(vfs::task& me, std::size_t i) {
    must(mm::mm_struct::make_for(me));
    views.at(i) = map_all(me);
  }

  // The main task has 2 MiB as one entry. Pointers: the host's page tables are nobody's to see.
  void expect_huge() const {
    bool found = maps_pointers(task());
    mm::mm_struct::of(task())->for_each_entry(
        [&](const mm::pte&, user_address, mm::fault_order order) { found = found || order == mm::fault_order::pmd; });
    expect(found, "2 MiB are one entry");
  }

 private:
  [[nodiscard]] loff_t place_of(int fd) const {
    std::vector<vfs::fiemap_extent> extents;
    must(task().fiemap(fd, 0, INT64_MAX, extents));
    return static_cast<loff_t>(extents.at(0).physical);
  }
  [[nodiscard]] view map_all(vfs::task& me) const {
    const int fd = must(me.open("file", O_RDWR));
    return {fd, map_file(*this, me, fd, static_cast<std::size_t>(huge), MAP_SHARED, from),
            map_file(*this, me, fd, 8 * page_size, MAP_SHARED, from + part_begin)};
  }
};

}  // namespace xip::scenario
