// Packs images into containers, and unpacks them.
//
//   fuzz-container pack [--sound] [--program TEXT] IMAGE CONTAINER
//   fuzz-container unpack CONTAINER IMAGE
//   fuzz-container repair CONTAINER           puts the checksums of its image right
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "fuzz/container.h"
#include "fuzz/repair.h"

namespace {

using namespace xip::fuzz;

std::vector<char> read_file(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

bool write_file(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream out{path, std::ios::binary};
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return out.flush().good();
}

int pack(bool sound, const std::string& program, const std::string& from, const std::string& to) {
  const std::vector<char> bytes = read_file(from);
  test_case c;
  c.sound = sound;
  const auto text = std::as_bytes(std::span{program});
  c.program.assign(text.begin(), text.end());
  c.image = sparse_image{bytes.size()};
  for (std::size_t at = 0; at < bytes.size(); at += sparse_image::page_bytes) {
    const std::size_t count = std::min(sparse_image::page_bytes, bytes.size() - at);
    const std::span piece{bytes.data() + at, count};
    if (std::ranges::any_of(piece, [](char b) { return b != 0; })) std::memcpy(c.image.bytes(at, count).data(), piece.data(), count);
  }
  return write_file(to, encode(c)) ? 0 : 1;
}

int unpack(const std::string& from, const std::string& to) {
  const std::vector<char> bytes = read_file(from);
  const auto c = decode(std::as_bytes(std::span{bytes}));
  if (!c) {
    std::fprintf(stderr, "%s: not a container\n", from.c_str());
    return 1;
  }
  const int fd = open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  bool good = fd >= 0 && ftruncate(fd, static_cast<off_t>(c->image.size())) == 0;
  for (const auto& [number, page] : c->image.pages()) {
    const std::uint64_t at = number * sparse_image::page_bytes;
    const auto count = static_cast<ssize_t>(std::min<std::uint64_t>(page.size(), c->image.size() - at));
    good = good && pwrite(fd, page.data(), static_cast<std::size_t>(count), static_cast<off_t>(at)) == count;
  }
  return good && close(fd) == 0 ? 0 : 1;
}

int repair(const std::string& path) {
  const std::vector<char> bytes = read_file(path);
  auto c = decode(std::as_bytes(std::span{bytes}));
  if (!c) return 1;
  repair_checksums(c->image);
  return write_file(path, encode(*c)) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words{argv + 1, argv + argc};
  const auto take = [&](const char* word) {
    const auto at = std::ranges::find(words, word);
    if (at == words.end()) return false;
    words.erase(at);
    return true;
  };
  const bool sound = take("--sound");
  std::string program;
  if (const auto at = std::ranges::find(words, "--program"); at != words.end() && at + 1 != words.end()) {
    program = at[1];
    words.erase(at, at + 2);
  }
  if (words.size() == 3 && words[0] == "pack") return pack(sound, program, words[1], words[2]);
  if (words.size() == 3 && words[0] == "unpack") return unpack(words[1], words[2]);
  if (words.size() == 2 && words[0] == "repair") return repair(words[1]);
  std::fprintf(stderr,
               "usage: fuzz-container pack [--sound] [--program TEXT] IMAGE CONTAINER | unpack CONTAINER IMAGE | repair CONTAINER\n");
  return 2;
}
