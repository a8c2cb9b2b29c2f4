// A fuzz target without a fuzzer: runs the files that it is given, and those of directories. Says which one is running, so that the last line before a
// finding names it.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz/target.h"

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(int argc, char** argv) {
  std::vector<fs::path> files;
  for (int i = 1; i < argc; ++i) {
    if (!fs::is_directory(argv[i])) {
      files.emplace_back(argv[i]);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator{argv[i]})
      if (entry.is_regular_file() && entry.path().extension() != ".md") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

std::vector<char> contents_of(const fs::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<fs::path> files = files_of(argc, argv);
  if (files.empty()) {
    std::fprintf(stderr, "usage: %s FILE|DIRECTORY...\nno file to run\n", argv[0]);
    return 2;
  }
  for (const fs::path& file : files) {
    std::fprintf(stderr, "%s\n", file.c_str());
    const std::vector<char> bytes = contents_of(file);
    const auto c = xip::fuzz::decode(std::as_bytes(std::span{bytes}));
    if (!c) {
      std::fprintf(stderr, "%s: not a container (docs/fuzzing.md)\n", file.c_str());
      return 2;
    }
    xip::fuzz::run_target(*c);
  }
  std::printf("%zu files\n", files.size());
  return 0;
}
