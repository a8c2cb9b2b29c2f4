// Writes the hostile images as files, and a line for each: the name, and what a mount for reading is refused with, if it is.
//
//   hostile-images DIRECTORY [NAME...]
#include <algorithm>
#include <cstdio>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "hostile/images.h"

namespace {

bool write_file(const std::string& path, const xip::fuzz::sparse_image& image) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  bool good = fd >= 0 && ftruncate(fd, static_cast<off_t>(image.size())) == 0;
  for (const auto& [number, page] : image.pages()) {
    const std::uint64_t at = number * page.size();
    const std::size_t count = std::min<std::uint64_t>(page.size(), image.size() - at);
    good = good && pwrite(fd, page.data(), count, static_cast<off_t>(at)) == static_cast<ssize_t>(count);
  }
  return good && close(fd) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: hostile-images DIRECTORY [NAME...]\n");
    return 2;
  }
  for (const auto& room : xip::hostile::all_images()) {
    for (const auto& image : room) {
      if (argc > 2 && std::none_of(argv + 2, argv + argc, [&](const char* name) { return std::string{name} == image.name; })) continue;
      const std::string path = std::string{argv[1]} + "/" + image.name;
      if (!write_file(path, xip::hostile::make(image, XIP_FUZZ_SEEDS))) {
        std::perror(path.c_str());
        return 1;
      }
      std::printf("%s\t%s\n", image.name, image.answer.refused != nullptr ? image.answer.refused : "");
    }
  }
  return 0;
}
