// The journal: its inode, its super block, its log.
#include <cstring>
#include <vector>

#include "fs_ext4lite/checksum.h"
#include "hostile/images.h"
#include "jbd2/format.h"

namespace xip::hostile {
namespace {

using namespace ext4lite;
using fuzz::structure_kind;
using jsb_t = jbd2::journal_superblock;

[[nodiscard]] std::uint32_t data_block(editor& e, const char* path) { return e.block_number(e.block(path, structure_kind::data)); }
[[nodiscard]] std::uint32_t table_block(editor& e) { return e.block_number(e.inode_table(0)); }
[[nodiscard]] std::uint64_t inode_offset(editor& e) { return *fuzz::offset_of_inode(e.image(), e.geometry(), journal_ino); }

// The first extent of the journal's inode.
template <class Change>
void first_extent(editor& e, Change&& change) {
  e.at<ext4_extent>(inode_offset(e) + offsetof(ext4_inode, i_block) + sizeof(ext4_extent_header), change);
}
template <class Change>
void journal_super(editor& e, Change&& change) {
  e.at<jsb_t>(fuzz::journal_blocks_of(e.image(), e.geometry()).front(), change);
}

// A log of our own, from block 1 of the journal on, its first transaction 1. It needs recovery, and is as full as the caller makes it.
class log {
 public:
  explicit log(editor& e) : e_{e}, blocks_{fuzz::journal_blocks_of(e.image(), e.geometry())} {
    journal_super(e, [](jsb_t& j) {
      j.s_sequence = 1;
      j.s_start = 1;
      j.s_feature_incompat = jbd2::incompat_revoke;
    });
    e.super([](ext4_super_block& es) { es.s_feature_incompat = es.s_feature_incompat | incompat_recover; });
  }

  [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(blocks_.size()); }
  [[nodiscard]] std::uint32_t own_block(std::uint32_t at) const noexcept { return e_.block_number(blocks_[at]); }
  [[nodiscard]] bool full() const noexcept { return at_ == blocks_.size(); }

  void commit() { header(jbd2::commit_block, tid_++); }
  // A copy of BLOCK that is all zeros.
  void zeros_for(std::uint32_t block) { descriptor({{block, jbd2::flag_same_uuid | jbd2::flag_last_tag}}); }
  struct tag {
    std::uint32_t block;
    std::uint32_t flags;
  };
  // And the copies behind it, as they are.
  void descriptor(const std::vector<tag>& tags) {
    std::uint64_t offset = header(jbd2::descriptor_block, tid_) + sizeof(jbd2::journal_header);
    constexpr std::size_t bytes = offsetof(jbd2::block_tag, t_blocknr_high);
    for (const tag& t : tags) {
      e_.at<be32>(offset, [&](be32& w) { w = t.block; });
      e_.at<be16>(offset + offsetof(jbd2::block_tag, t_flags), [&](be16& w) { w = static_cast<std::uint16_t>(t.flags); });
      offset += bytes;
    }
    at_ += tags.size();
  }
  // As many numbers as a block holds, from FIRST on.
  void revokes(std::uint32_t first) {
    const std::uint64_t offset = header(jbd2::revoke_block, tid_);
    const std::uint32_t bytes = e_.geometry().block_size;
    e_.at<be32>(offset + offsetof(jbd2::revoke_header, r_count), [&](be32& w) { w = bytes; });
    for (std::uint32_t at = sizeof(jbd2::revoke_header); at < bytes; at += sizeof(be32))
      e_.at<be32>(offset + at, [&](be32& w) { w = first++; });
  }
  // A block of TYPE of transaction TID; where it lies.
  std::uint64_t header(std::uint32_t type, std::uint32_t tid) {
    const std::uint64_t offset = blocks_[at_++];
    e_.at<jbd2::journal_header>(offset, [&](jbd2::journal_header& h) {
      h.h_magic = jbd2::journal_magic;
      h.h_blocktype = type;
      h.h_sequence = tid;
    });
    return offset;
  }

 private:
  editor& e_;
  std::vector<std::uint64_t> blocks_;
  std::size_t at_ = 1;
  std::uint32_t tid_ = 1;
};

// clang-format off
constexpr hostile_image images[] = {
    {"journal-inode-0", "journal.0", [](editor& e) { e.super([](ext4_super_block& es) { es.s_journal_inum = 0; }); }, {.refused_rw = "there is no journal to recover", .told = "the journal needs recovery and is not replayed", .level = vfs::log_level::warning}},
    {"journal-inode-is-root", "journal.0", [](editor& e) { e.super([](ext4_super_block& es) { es.s_journal_inum = root_ino; }); }, {.refused_rw = "the journal's inode, 2: it is no file in use"}},
    {"journal-inode-beyond-last", "journal.0", [](editor& e) { e.super([](ext4_super_block& es) { es.s_journal_inum = 0xFFFFFFFF; }); }, {.refused_rw = "the journal's inode, 4294967295: it is none of the first group's"}},
    {"journal-inode-is-a-file", "journal.0", [](editor& e) { const auto f = e.number("dir/f2"); e.super([&](ext4_super_block& es) { es.s_journal_inum = f; }); }, {.refused_rw = "block 0 is no super block"}},
    {"journal-needs-recovery-from-nothing", "no-journal-1k.0", [](editor& e) { e.super([](ext4_super_block& es) { es.s_feature_incompat = es.s_feature_incompat | incompat_recover; }); }, {.refused_rw = "there is no journal to recover", .told = "the journal needs recovery and is not replayed", .level = vfs::log_level::warning}},
    {"journal-not-among-the-features", "journal.0", [](editor& e) { log l{e}; l.commit(); e.super([](ext4_super_block& es) { es.s_feature_compat = es.s_feature_compat & ~compat_has_journal; }); }, {.refused_rw = "there is no journal to recover", .told = "the journal needs recovery and is not replayed", .level = vfs::log_level::warning}},
    {"journal-elsewhere", "journal.0", [](editor& e) { e.super([](ext4_super_block& es) { es.s_journal_dev = 0x12345; es.s_journal_inum = 0; }); }, {.refused_rw = "the journal lies on a device of its own"}},
    {"journal-blocks-are-a-files", "journal.0", [](editor& e) { const auto at = data_block(e, "dir/f2"); first_extent(e, [&](ext4_extent& x) { x.ee_start_lo = at; }); }, {.refused_rw = "block 0 is no super block"}},
    {"journal-in-metadata", "journal.0", [](editor& e) { const auto at = table_block(e); first_extent(e, [&](ext4_extent& x) { x.ee_start_lo = at; }); }, {.refused_rw = "block 0 is no super block"}},
    {"journal-block-is-a-files-too", "journal.0", [](editor& e) { const auto at = log{e}.own_block(5); e.extent("dir/f2", 0, [&](ext4_extent& x) { x.ee_start_lo = at; }); }, {.told = "which are no file's"}},
    {"journal-block-is-free", "journal.0", [](editor& e) {
       const auto at = log{e}.own_block(5);
       const auto bitmap = e.image().load<ext4_group_desc>(fuzz::offset_of_desc(e.geometry(), 0)).bg_block_bitmap_lo * std::uint64_t{1024};
       e.at<std::uint8_t>(bitmap + (at - 1) / 8, [&](std::uint8_t& bits) { bits = static_cast<std::uint8_t>(bits & ~(1u << (at - 1) % 8)); });
       e.group(0, [](ext4_group_desc& d) { d.bg_free_blocks_count_lo = static_cast<std::uint16_t>(d.bg_free_blocks_count_lo + 1); });
     }, {.told_rw = "the file system's own, is free"}},
    {"journal-length-wrong", "journal.0", [](editor& e) { journal_super(e, [](jsb_t& j) { j.s_maxlen = 0xFFFFFFFF; }); }, {.refused_rw = "the journal is damaged: it has 4294967295 blocks, its file only 1024"}},
    {"journal-blocks-of-4k", "journal.0", [](editor& e) { journal_super(e, [](jsb_t& j) { j.s_blocksize = 4096; }); }, {.refused_rw = "the journal is damaged: its blocks have 4096 bytes"}},
    {"journal-begins-in-its-super-block", "journal.0", [](editor& e) { journal_super(e, [](jsb_t& j) { j.s_first = 0; }); }, {.refused_rw = "the journal is damaged: its log begins at block 0"}},
    {"journal-starts-behind-its-end", "journal.0", [](editor& e) { journal_super(e, [](jsb_t& j) { j.s_start = 1024; }); }, {.refused_rw = "the journal is damaged: its first transaction is at block 1024"}},
    {"journal-super-block-zeroed", "journal.0", [](editor& e) { journal_super(e, [](jsb_t& j) { j = jsb_t{}; }); }, {.refused_rw = "the journal is damaged: block 0 is no super block"}},
    {"journal-super-block-is-a-commit", "journal.0", [](editor& e) { journal_super(e, [](jsb_t& j) { j.s_header.h_blocktype = jbd2::commit_block; }); }, {.refused_rw = "the journal is damaged: block 0 is of type 2"}},
    {"journal-features-unknown", "journal.0", [](editor& e) { journal_super(e, [](jsb_t& j) { j.s_feature_incompat = 0x80000000; }); }, {.refused_rw = "0x80000000"}},
    {"journal-checksums-of-two-versions", "journal.0", [](editor& e) { journal_super(e, [](jsb_t& j) { j.s_feature_incompat = jbd2::incompat_csum_v2 | jbd2::incompat_csum_v3; }); }, {.refused_rw = "it has checksums of two versions"}},
    {"journal-of-many-file-systems", "journal.0", [](editor& e) { journal_super(e, [](jsb_t& j) { j.s_start = 0; j.s_nr_users = 17; }); }, {.refused_rw = "the journal belongs to 17 file systems"}},
    {"journal-was-aborted", "journal.0", [](editor& e) { journal_super(e, [](jsb_t& j) { j.s_errno = 0xFFFFFFFB; }); }},
    {"journal-checksum-wrong", "journal-csum.0", [](editor& e) { journal_super(e, [](jsb_t& j) { j.s_checksum = j.s_checksum ^ 0x10; j.s_sequence = 7; }); e.leave_checksums(); }, {.refused_rw = "the checksum of its super block is wrong"}},
    {"journal-inode-size-huge", "journal.0", [](editor& e) { e.at<ext4_inode>(inode_offset(e), [](ext4_inode& i) { i.i_size_high = 0x7FFFFFFF; }); }, {.refused_rw = "the journal"}},
    // Every block of its map leads to the same table, and that to the same block.
    {"journal-map-claims-everything", "journal.0", [](editor& e) {
       const auto table = log{e}.own_block(700), data = log{e}.own_block(701);
       const auto fill = [&](std::uint32_t block, std::uint32_t with) { for (std::uint64_t i = 0; i < 256; ++i) e.at<le32>(block * std::uint64_t{1024} + i * 4, [&](le32& w) { w = with; }); };
       fill(table, data);
       fill(table + 2, table);
       fill(table + 3, table + 2);
       e.at<ext4_inode>(inode_offset(e), [&](ext4_inode& i) {
         const std::uint32_t super = i.i_block[5];  // where the only extent begins
         i.i_flags = i.i_flags & ~extents_fl;
         for (std::uint32_t n = 0; n < ndir_blocks; ++n) i.i_block[n] = super + n;
         i.i_block[ind_block] = table;
         i.i_block[dind_block] = table + 2;
         i.i_block[tind_block] = table + 3;
         i.i_size_lo = 0xFFFFFC00;
         i.i_size_high = 3;
       });
     }, {.refused_rw = "the journal"}},
    {"log-leads-outside", "journal.0", [](editor& e) { log l{e}; l.zeros_for(0x7FFFFFFF); l.commit(); }, {.refused_rw = "transaction 1 has block 2147483647, which is none of the file system's"}},
    {"log-leads-into-itself", "journal.0", [](editor& e) { log l{e}; l.zeros_for(l.own_block(0)); l.commit(); }, {.refused_rw = "which is none of the file system's"}},
    {"log-zeroes-the-super-block", "journal.0", [](editor& e) { log l{e}; l.zeros_for(1); l.commit(); }, {.refused_rw = "super block"}},
    {"log-zeroes-the-descriptors", "journal.0", [](editor& e) { log l{e}; l.zeros_for(2); l.commit(); }, {.refused_rw = "group 0"}},
    {"log-zeroes-the-root", "journal.0", [](editor& e) { log l{e}; l.zeros_for(table_block(e)); l.commit(); }, {.refused_rw = "root"}},
    {"log-and-a-reserved-orphan", "journal.0", [](editor& e) { log l{e}; l.commit(); e.super([](ext4_super_block& es) { es.s_last_orphan = 5; }); }, {.refused_rw = "the orphan list holds inode 5, which is reserved"}},
    // The super block that it brings has no journal any more, and an orphan that cannot be.
    {"log-ends-the-journal", "journal.0", [](editor& e) {
       ext4_super_block brought;
       e.super([&](ext4_super_block& es) { brought = es; });
       log l{e};
       l.zeros_for(1);
       l.commit();
       brought.s_feature_compat = brought.s_feature_compat & ~compat_has_journal;
       brought.s_last_orphan = 5;
       brought.s_checksum = super_block_checksum(brought);
       e.at<ext4_super_block>(l.own_block(2) * std::uint64_t{1024}, [&](ext4_super_block& es) { es = brought; });
     }, {.refused_rw = "the orphan list holds inode 5, which is reserved"}},
    {"log-transaction-without-end", "journal.0", [](editor& e) {
       log l{e};
       while (!l.full()) l.header(jbd2::descriptor_block, 1);
     }},
    // All around, and on from the beginning, with the numbers going on as well.
    {"log-goes-around", "journal.0", [](editor& e) {
       log l{e};
       while (!l.full()) l.commit();
     }},
    {"log-of-revokes", "journal.0", [](editor& e) {
       log l{e};
       l.zeros_for(data_block(e, "dir/f2"));
       for (std::uint32_t n = 0; n + 4 < l.size(); ++n) l.revokes(n * 252);
       l.commit();
     }},
    {"log-revokes-too-many", "journal.0", [](editor& e) { log l{e}; e.at<be32>(l.header(jbd2::revoke_block, 1) + offsetof(jbd2::revoke_header, r_count), [](be32& w) { w = 0xFFFFFFF0; }); l.commit(); }, {.refused_rw = "the revoke block in journal block 1 has 4294967280 bytes"}},
    {"log-revokes-less-than-nothing", "journal.0", [](editor& e) { log l{e}; e.at<be32>(l.header(jbd2::revoke_block, 1) + offsetof(jbd2::revoke_header, r_count), [](be32& w) { w = 0; }); l.commit(); }, {.refused_rw = "the revoke block in journal block 1 has 0 bytes"}},
};
// clang-format on

}  // namespace

std::span<const hostile_image> journal_images() noexcept { return images; }

}  // namespace xip::hostile
