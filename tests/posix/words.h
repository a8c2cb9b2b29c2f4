// Numbers as a table writes them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xip::posix {

struct named_value {
  std::string_view name;
  std::uint64_t value;
};

[[nodiscard]] std::vector<std::string> split(const std::string& text, char at);

// 0x..., 0 and octal digits, decimal, or a name of Linux's. Throws std::runtime_error.
[[nodiscard]] std::uint64_t value_of(const std::string& word);
// A|B|017
[[nodiscard]] std::uint64_t flags_of(const std::string& word);

[[nodiscard]] std::string errno_name(long number);
[[nodiscard]] std::string type_name(std::uint32_t mode);
[[nodiscard]] std::string octal(std::uint32_t bits);
[[nodiscard]] std::string hexadecimal(std::uint64_t bits);
// Those of KNOWN that BITS has, and the rest as a number; "-" for none.
[[nodiscard]] std::string names_of(std::uint64_t bits, std::span<const named_value> known, char between);
// {x*100} for 100 times x, {zero*100} for so many zero bytes.
[[nodiscard]] std::string bytes_to_word(const std::string& bytes);

}  // namespace xip::posix
