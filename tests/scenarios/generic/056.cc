// What: the disk is full, and preallocated blocks are still writable, to the last one, in any order.
// Why: conversion never fails for lack of space, even when splitting the extent needs a block for the tree.
// Groups: auto enospc prealloc. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto enospc prealloc", "preallocated blocks stay writable on a full disk") {
  const loff_t block = t.block_size();
  constexpr loff_t count = 1500;
  const int fd = t.create("reserved");
  t.must(t->fallocate(fd, 0, 0, count * block));
  const int filler = t.create("filler");
  static_cast<void>(t.fill_up(filler, 0, {.file = 2}));
  // Every second block first: as many extents as there can be.
  for (loff_t i = 0; i < count; i += 2) t.put(fd, i * block + 5, 100, {.file = 56});
  for (loff_t i = 1; i < count; i += 2) t.put(fd, i * block, static_cast<std::size_t>(block), {.file = 56});
  for (loff_t i = 0; i < count; i += 97) {
    const loff_t even = i / 2 * 2;
    t.expect_zeros(fd, even * block, 5);
    t.expect_data(fd, even * block + 5, 100, {.file = 56});
    t.expect_data(fd, (even + 1) * block, static_cast<std::size_t>(block), {.file = 56});
  }
  std::vector<std::byte> data(static_cast<std::size_t>(block));
  t.expect_errno(t->pwrite(fd, data.data(), data.size(), (count + 100) * block), ENOSPC);
}
