// One io_uring and what a batch needs beside it: memory of the device's own, registered with the ring. Used by one task at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <liburing.h>

#include <xip/dev/device.h>

#include "dev/request_counters.h"

namespace xip::dev {

// How rings are made; tests put a refusing setup or a tiny transfer limit here.
struct ring_environment {
  int (*setup)(unsigned entries, io_uring* ring, unsigned flags) = io_uring_queue_init;
  std::size_t largest_transfer = std::size_t{1} << 30;  // bytes of one submission entry; the host's own limit is just below 2 GiB
  bool register_buffers = true;
};

// The file a ring works on.
struct ring_target {
  int fd;
  unsigned alignment;  // of offset, length and memory; 1 without O_DIRECT
  request_counters& counters;
};

class block_ring {
 public:
  // What the host refused with (EPERM, ENOSYS, ENOMEM ...).
  [[nodiscard]] static result<std::unique_ptr<block_ring>> make(const ring_target& target, unsigned queue_depth,
                                                                const ring_environment& environment) noexcept;
  ~block_ring();
  block_ring(const block_ring&) = delete;
  block_ring& operator=(const block_ring&) = delete;

  // All pieces have completed on return: one submission for as many as the ring has entries. EIO.
  [[nodiscard]] result<> read(std::span<const io_piece> pieces) noexcept { return run(pieces, false); }
  // A piece that begins or ends within a unit of alignment is read, changed and written; the caller keeps other such writers out.
  [[nodiscard]] result<> write(std::span<const io_piece> pieces) noexcept { return run(pieces, true); }
  [[nodiscard]] result<> fsync() noexcept;

 private:
  // One submission entry, and another after a short transfer: BYTES at OFFSET of the file, from or to MEMORY.
  struct transfer {
    std::uint64_t offset = 0;
    std::byte* memory = nullptr;
    std::size_t bytes = 0;
    bool own_memory = false;      // MEMORY lies in the pool
    std::byte* caller = nullptr;  // a read through the pool: where USED bytes from MEMORY + SKEW go at the end
    std::size_t skew = 0;
    std::size_t used = 0;
    std::size_t done = 0;
  };
  // How far a batch has come.
  struct cursor {
    std::span<const io_piece> pieces;
    std::size_t piece = 0;
    std::size_t done = 0;  // bytes of that piece
  };

  block_ring(const ring_target& target, const ring_environment& environment) noexcept : target_{target}, environment_{environment} {}

  // The pool and the tables: nothing is allocated after this. ENOMEM.
  [[nodiscard]] result<> allocate(unsigned queue_depth) noexcept;
  [[nodiscard]] result<> run(std::span<const io_piece> pieces, bool write) noexcept;

  // Adds the next transfer of the batch. False: the ring or the pool is full, the batch is at its end, or a unit must be read first.
  [[nodiscard]] bool add_next(cursor& at, bool write) noexcept;
  [[nodiscard]] bool add_through_pool(cursor& at, bool write) noexcept;
  [[nodiscard]] bool wants_pool(const io_piece& rest) const noexcept;
  [[nodiscard]] result<> read_modify_write(cursor& at) noexcept;
  // What is left of the piece at the cursor.
  [[nodiscard]] static io_piece rest_of(const cursor& at) noexcept;
  static void advance(cursor& at, std::size_t bytes) noexcept;

  // Submits what was added and goes on until every transfer is complete. EIO, ENOSPC.
  [[nodiscard]] result<> complete_transfers(bool write) noexcept;
  void prepare(unsigned index, bool write) noexcept;
  // How many of ENTRIES prepared entries the host took; all of them, unless the ring is broken.
  [[nodiscard]] unsigned submit(unsigned entries) noexcept;
  // Takes one completion. False: it failed.
  [[nodiscard]] bool reap() noexcept;
  [[nodiscard]] io_uring_cqe* next_completion() noexcept;

  [[nodiscard]] std::size_t aligned_up(std::size_t n) const noexcept { return aligned_down(n + target_.alignment - 1); }
  [[nodiscard]] std::size_t aligned_down(std::size_t n) const noexcept { return n & ~(std::size_t{target_.alignment} - 1); }

  const ring_target target_;
  const ring_environment environment_;
  io_uring ring_{};
  bool ring_made_ = false;
  bool ring_broken_ = false;
  bool no_room_ = false;  // a transfer failed because the host is full
  bool pool_registered_ = false;
  std::byte* pool_ = nullptr;
  std::size_t pool_bytes_ = 0;
  std::size_t pool_used_ = 0;
  std::unique_ptr<transfer[]> transfers_;
  std::unique_ptr<unsigned[]> pending_;  // transfers to submit next: new ones, and those that came short
  unsigned capacity_ = 0;
  unsigned transfer_count_ = 0;
  unsigned pending_count_ = 0;
};

}  // namespace xip::dev
