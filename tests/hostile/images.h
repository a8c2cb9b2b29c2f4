// The hostile images: what each is made from, what is wrong with it, and what libxip has to say about that.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include <xip/vfs/kernel.h>

#include "hostile/editor.h"

namespace xip::hostile {

// Each is a piece of a message; null: there is none.
struct expected_answer {
  // A mount is refused with this; null: it is mounted.
  const char* refused = nullptr;
  // The same for a mount that may write, where only that is refused.
  const char* refused_rw = nullptr;
  // The log tells this to somebody who reads everything. Null: all of it can be read, as far as it is there.
  const char* told = nullptr;
  // And to somebody who changes everything, if that is another.
  const char* told_rw = nullptr;
  // How loud it is told. Only what is an error is followed by errors=.
  vfs::log_level level = vfs::log_level::error;
  // Paths, with a space between, of files that the damage makes others although nothing shows it, as an extent that leads to another file's blocks: what is read
  // of them is not held against the undamaged image. Not to be named: what cannot be read, or is missing and was told as an error.
  const char* changed = nullptr;
};

struct hostile_image {
  const char* name;
  const char* base;  // the seed of the fuzz targets that it is made from
  void (*damage)(editor&);
  expected_answer answer = {};
};

[[nodiscard]] std::span<const hostile_image> super_images() noexcept;
[[nodiscard]] std::span<const hostile_image> group_images() noexcept;
[[nodiscard]] std::span<const hostile_image> inode_images() noexcept;
[[nodiscard]] std::span<const hostile_image> tree_images() noexcept;
[[nodiscard]] std::span<const hostile_image> directory_images() noexcept;
[[nodiscard]] std::span<const hostile_image> journal_images() noexcept;
[[nodiscard]] std::span<const hostile_image> orphan_images() noexcept;
[[nodiscard]] std::span<const std::span<const hostile_image>> all_images() noexcept;

// Made from the seeds in DIRECTORY. Ends the program where they are not there.
[[nodiscard]] fuzz::sparse_image make(const hostile_image& from, const std::string& seeds);

}  // namespace xip::hostile
