#include "locks/stack_trace.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include <cxxabi.h>
#include <elf.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace xip {
namespace {

// A file's contents; empty where it cannot be read.
class mapped_file {
 public:
  explicit mapped_file(const char* path) noexcept {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    struct stat status{};
    if (::fstat(fd, &status) == 0 && status.st_size > 0) {
      void* memory = ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
      if (memory != MAP_FAILED) bytes_ = {static_cast<const std::byte*>(memory), static_cast<std::size_t>(status.st_size)};
    }
    ::close(fd);
  }
  ~mapped_file() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;

  // COUNT objects of type T at OFFSET; empty where the file does not have them.
  template <class T>
  [[nodiscard]] std::span<const T> at(std::uint64_t offset, std::uint64_t count) const noexcept {
    if (offset > bytes_.size() || count > (bytes_.size() - offset) / sizeof(T) || offset % alignof(T) != 0) return {};
    return {reinterpret_cast<const T*>(bytes_.data() + offset), static_cast<std::size_t>(count)};
  }

 private:
  std::span<const std::byte> bytes_;
};

// An address that wants a name. VALUE is the address as the object's symbol table counts.
struct wanted {
  std::uint64_t value;
  std::string* name;
  std::uint64_t best_size;
};

// "xip::vfs::task::write" of "xip::vfs::task::write(int, ...) const [clone .cold]".
std::string without_parameters(std::string_view name) {
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const std::string_view rest = name.substr(i);
    if (rest.starts_with("(anonymous namespace)")) {
      i += std::strlen("(anonymous namespace)") - 1;
    } else if (rest.starts_with("operator()")) {
      i += std::strlen("operator()") - 1;
    } else if (name[i] == '<' || name[i] == '{') {
      ++depth;
    } else if (name[i] == '>' || name[i] == '}') {
      --depth;
    } else if (name[i] == '(' && depth == 0) {
      return std::string{name.substr(0, i)};
    }
  }
  return std::string{name};
}

std::string readable(const char* symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> demangled{abi::__cxa_demangle(symbol, nullptr, nullptr, &status), std::free};
  return status == 0 ? without_parameters(demangled.get()) : symbol;
}

void name_from_symbols(std::span<wanted> sorted, std::span<const Elf64_Sym> symbols, std::span<const char> strings) {
  std::vector<const char*> found(sorted.size(), nullptr);
  for (const Elf64_Sym& symbol : symbols) {
    if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_size == 0 || symbol.st_name >= strings.size()) continue;
    auto at = std::ranges::lower_bound(sorted, symbol.st_value, {}, &wanted::value);
    for (; at != sorted.end() && at->value - symbol.st_value < symbol.st_size; ++at) {
      if (symbol.st_size >= at->best_size) continue;
      at->best_size = symbol.st_size;
      found[static_cast<std::size_t>(at - sorted.begin())] = strings.data() + symbol.st_name;
    }
  }
  for (std::size_t i = 0; i < sorted.size(); ++i)
    if (found[i] != nullptr) *sorted[i].name = readable(found[i]);
}

void name_from_file(const char* path, std::span<wanted> in_object) {
  std::ranges::sort(in_object, {}, &wanted::value);
  const mapped_file file{path};
  const auto header = file.at<Elf64_Ehdr>(0, 1);
  if (header.empty() || std::memcmp(header[0].e_ident, ELFMAG, SELFMAG) != 0) return;
  const auto sections = file.at<Elf64_Shdr>(header[0].e_shoff, header[0].e_shnum);
  const auto has_type = [](std::uint32_t type) { return [type](const Elf64_Shdr& s) { return s.sh_type == type; }; };
  auto table = std::ranges::find_if(sections, has_type(SHT_SYMTAB));
  if (table == sections.end()) table = std::ranges::find_if(sections, has_type(SHT_DYNSYM));
  if (table == sections.end() || table->sh_link >= sections.size()) return;
  const Elf64_Shdr& names = sections[table->sh_link];
  const auto strings = file.at<char>(names.sh_offset, names.sh_size);
  if (strings.empty() || strings.back() != '\0') return;
  name_from_symbols(in_object, file.at<Elf64_Sym>(table->sh_offset, table->sh_size / sizeof(Elf64_Sym)), strings);
}

struct question {
  std::span<void* const> addresses;
  std::vector<std::string>& names;
};

// Called for each object that is loaded, the program first.
int name_in_object(dl_phdr_info* object, std::size_t, void* argument) {
  const question& asked = *static_cast<question*>(argument);
  const std::span segments{object->dlpi_phdr, object->dlpi_phnum};
  std::vector<wanted> here;
  for (std::size_t i = 0; i < asked.addresses.size(); ++i) {
    // A frame's address is where the call returns to, which may be the first byte of another function.
    const std::uint64_t value = reinterpret_cast<std::uintptr_t>(asked.addresses[i]) - 1 - object->dlpi_addr;
    const auto holds = [value](const auto& s) { return s.p_type == PT_LOAD && value - s.p_vaddr < s.p_memsz; };
    if (std::ranges::any_of(segments, holds)) here.push_back({value, &asked.names[i], UINT64_MAX});
  }
  if (!here.empty()) name_from_file(object->dlpi_name[0] == '\0' ? "/proc/self/exe" : object->dlpi_name, here);
  return 0;
}

}  // namespace

stack_trace stack_trace::here() noexcept {
  stack_trace stack;
  stack.depth = static_cast<std::uint32_t>(::backtrace(stack.frames.data(), static_cast<int>(stack.frames.size())));
  return stack;
}

std::vector<std::string> function_names(std::span<void* const> addresses) {
  std::vector<std::string> names(addresses.size(), "?");
  question asked{addresses, names};
  ::dl_iterate_phdr(name_in_object, &asked);
  return names;
}

bool is_lock_machinery(std::string_view name) noexcept {
  static constexpr std::string_view ours[] = {"xip::lockdep::",        "xip::lock_core::", "xip::spin_core::",    "xip::mutex<",
                                              "xip::rw_semaphore<",    "xip::spin_lock<",  "xip::mutex_guard",    "xip::shared_guard<",
                                              "xip::exclusive_guard<", "xip::spin_guard<", "xip::wait_queue::",   "xip::completion::",
                                              "xip::kthread::",        "xip::pseudo_",     "xip::might_wait_for", "xip::stack_trace::"};
  return name == "?" || std::ranges::any_of(ours, [name](std::string_view start) { return name.starts_with(start); }) ||
         name.find(" xip::wait_queue::") != std::string_view::npos;  // a template: "bool xip::wait_queue::..."
}

}  // namespace xip
