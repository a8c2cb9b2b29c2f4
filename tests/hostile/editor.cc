#include "hostile/editor.h"

#include <cstdio>
#include <cstdlib>
#include <string>

#include "fuzz/repair.h"

namespace xip::hostile {
namespace {

using namespace ext4lite;

[[noreturn]] void wrong_table(std::string_view what, std::string_view name) {
  std::fprintf(stderr, "the image that is to be damaged has no %.*s: %.*s\n", static_cast<int>(what.size()), what.data(),
               static_cast<int>(name.size()), name.data());
  std::exit(2);
}

}  // namespace

editor::editor(fuzz::sparse_image& image) : image_{image} {
  const auto g = fuzz::geometry_of(image);
  if (!g) wrong_table("geometry", "");
  g_ = *g;
  all_ = fuzz::structures_of(image, g_);
}

std::uint64_t editor::entry_in(std::uint32_t directory, std::string_view name) const {
  for (const fuzz::structure& s : all_) {
    if (s.number != directory || (s.kind != fuzz::structure_kind::directory_leaf && s.kind != fuzz::structure_kind::directory_index))
      continue;
    for (std::uint64_t offset = s.offset; offset + sizeof(ext4_dir_entry) <= s.offset + s.bytes;) {
      const auto e = image_.load<ext4_dir_entry>(offset);
      std::string found(e.name_len, '\0');
      for (std::size_t i = 0; i < found.size(); ++i) found[i] = image_.load<char>(offset + sizeof e + i);
      if (e.inode != 0 && found == name) return offset;
      if (e.rec_len < sizeof e) break;
      offset += e.rec_len;
    }
  }
  wrong_table("name", name);
}

std::uint32_t editor::number(std::string_view path) const {
  std::uint32_t at = root_ino;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    at = image_.load<ext4_dir_entry>(entry_in(at, path.substr(0, slash))).inode;
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return at;
}

std::uint64_t editor::inode_offset(std::string_view path) const { return inode_offset(number(path)); }

std::uint64_t editor::inode_offset(std::uint32_t number) const {
  const auto offset = fuzz::offset_of_inode(image_, g_, number);
  if (!offset) wrong_table("inode", std::to_string(number));
  return *offset;
}

std::uint64_t editor::orphan_block(std::size_t n) const {
  for (const fuzz::structure& s : all_)
    if (s.kind == fuzz::structure_kind::orphan_block && n-- == 0) return s.offset;
  wrong_table("such block", "the orphan file");
}

std::uint64_t editor::dir_entry_offset(std::string_view path, std::string_view name) const { return entry_in(number(path), name); }

std::vector<std::uint64_t> editor::blocks(std::string_view path, fuzz::structure_kind kind) const {
  const std::uint32_t ino = number(path);
  std::vector<std::uint64_t> found;
  for (const fuzz::structure& s : all_)
    if (s.number == ino && s.kind == kind) found.push_back(s.offset);
  return found;
}

std::uint64_t editor::block(std::string_view path, fuzz::structure_kind kind, std::size_t n) const {
  const std::vector<std::uint64_t> found = blocks(path, kind);
  if (n >= found.size()) wrong_table("such block", path);
  return found[n];
}

std::uint64_t editor::inode_table(std::uint32_t group) const {
  return std::uint64_t{image_.load<ext4_group_desc>(fuzz::offset_of_desc(g_, group)).bg_inode_table_lo} * g_.block_size;
}

void editor::finish() {
  if (repair_) fuzz::repair_checksums(image_);
}

}  // namespace xip::hostile
