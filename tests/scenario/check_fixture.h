// Calling check_command as a program would be called.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <xip/fs_ext4lite/ext4lite.h>
#include <xip/scenario/command.h>

#include "scenario/planted.h"

namespace xip::scenario {

struct called {
  int exit_code;
  std::string out, err;
};

class CheckCommand : public testing::Test {
 protected:
  CheckCommand() {
    std::string place = testing::TempDir() + "/xip-test-XXXXXX";
    directory_ = ::mkdtemp(place.data());
  }
  ~CheckCommand() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::string in_directory(const std::string& name) const { return directory_ + "/" + name; }

  [[nodiscard]] static int call(std::vector<std::string> words, const char* program) {
    words.insert(words.begin(), "check");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    return check_command(static_cast<int>(words.size()), argv.data(),
                         {.type = ext4lite_file_system(), .scenarios = planted_scenarios(), .program = program});
  }
  [[nodiscard]] static called check(std::vector<std::string> words, const char* program = "xip check") {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = call(std::move(words), program);
    return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
  }
  // With standard output on FILE, which may be a device.
  [[nodiscard]] static called check_onto(const char* file, std::vector<std::string> words) {
    std::fflush(stdout);
    const int before = ::dup(STDOUT_FILENO);
    const int to = ::open(file, O_WRONLY | O_CLOEXEC);
    ::dup2(to, STDOUT_FILENO);
    ::close(to);
    testing::internal::CaptureStderr();
    const int code = call(std::move(words), "xip check");
    ::dup2(before, STDOUT_FILENO);
    ::close(before);
    return {code, {}, testing::internal::GetCapturedStderr()};
  }
  // On memory, keeping what fails in the test's own directory.
  [[nodiscard]] called on_memory(std::vector<std::string> words, bool keep = true) const {
    words.insert(words.end(), {"--device", "memory"});
    if (keep) words.insert(words.end(), {"--keep", in_directory("kept")});
    return check(std::move(words));
  }
  [[nodiscard]] static std::string contents(const std::string& path) {
    std::ifstream in{path, std::ios::binary};
    std::ostringstream all;
    all << in.rdbuf();
    return all.str();
  }

  std::string directory_;
};

}  // namespace xip::scenario
