// Running a tool of the host: posix_spawn with its output in a pipe.
#include "scenario/subprocess.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario/descriptor.h"

namespace xip::scenario {
namespace {

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& s : strings) out.push_back(s.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> environment_in_c() {
  std::vector<std::string> all;
  for (char** e = environ; *e != nullptr; ++e)
    if (std::strncmp(*e, "LC_", 3) != 0 && std::strncmp(*e, "LANG", 4) != 0) all.emplace_back(*e);
  all.emplace_back("LC_ALL=C");
  return all;
}

result<pid_t> start(const std::string& program, const std::vector<std::string>& arguments, const std::vector<std::string>& more,
                    int output) {
  std::vector<std::string> argv_strings{program};
  argv_strings.insert(argv_strings.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment = environment_in_c();
  environment.insert(environment.end(), more.begin(), more.end());
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_adddup2(&actions, output, 2);
  // The runner handles signals through a descriptor; its tools get the usual mask.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t child = -1;
  const int number =
      posix_spawn(&child, program.c_str(), &actions, &attributes, pointers(argv_strings).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (number != 0) return fail(number);
  return child;
}

}  // namespace

std::string find_tool(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string places = path != nullptr ? path : "/usr/bin:/bin";
  places += ":/usr/sbin:/sbin:/usr/local/sbin";
  std::size_t from = 0;
  while (from <= places.size()) {
    const std::size_t to = std::min(places.find(':', from), places.size());
    const std::string candidate = places.substr(from, to - from) + "/" + name;
    if (candidate.front() == '/' && candidate.size() > name.size() + 1 && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    from = to + 1;
  }
  return {};
}

result<tool_exit> run_tool(const std::string& program, const std::vector<std::string>& arguments, const std::vector<std::string>& more) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(errno);
  const descriptor reading{ends[0]};
  pid_t child = -1;
  {
    const descriptor writing{ends[1]};
    child = XIP_TRY(start(program, arguments, more, writing.get()));
  }
  tool_exit answer;
  answer.output = read_all(reading.get(), most_output);
  // Who has so much to say may go on for ever: e2fsck does, where tables of blocks are each other's.
  if (answer.output.size() > most_output) {
    ::kill(child, SIGKILL);
    answer.output += "...\n";
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return fail(errno);
  answer.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return answer;
}

result<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> words;
  char quote = 0;
  bool open = false;
  for (const char c : text) {
    if (quote != 0 ? c == quote : c == '"' || c == '\'') {
      quote = quote != 0 ? 0 : c;
      if (!open) words.emplace_back();
      open = true;
    } else if (quote == 0 && (c == ' ' || c == '\t' || c == '\n')) {
      open = false;
    } else {
      if (!open) words.emplace_back();
      open = true;
      words.back() += c;
    }
  }
  if (quote != 0) return fail(EINVAL);
  return words;
}

}  // namespace xip::scenario
