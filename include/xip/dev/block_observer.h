// Who owns which block: the file system reports, a checker listens (a block sanitizer keeps a shadow of the device).
#pragma once

#include <cstdint>

#include <xip/base/units.h>

namespace xip::dev {

enum class block_owner : std::uint8_t { metadata, file };

class block_observer {
 public:
  // COUNT blocks from FIRST now belong to inode INO of GENERATION (or to metadata).
  virtual void on_alloc(pblk_t first, std::uint32_t count, block_owner owner, ino_t ino, std::uint32_t generation) noexcept = 0;
  // They are given back, and may be handed out again only after on_commit.
  virtual void on_free(pblk_t first, std::uint32_t count) noexcept = 0;
  virtual void on_commit() noexcept = 0;
  // They were handed out, and given back before anything that may become durable named them: they may be handed out again at once.
  virtual void on_unused(pblk_t first, std::uint32_t count) noexcept = 0;
  // File data of INO is read or written there next. Nothing else can run in between under a scheduler: all points lie before it.
  virtual void on_access(pblk_t first, std::uint32_t count, ino_t ino, std::uint32_t generation, bool write) noexcept = 0;
  // The buffer cache reads the block from the medium or writes it there, or gives its contents to somebody who reads or changes them.
  virtual void on_metadata(pblk_t block, bool write) noexcept = 0;

 protected:
  ~block_observer() = default;
};

}  // namespace xip::dev
