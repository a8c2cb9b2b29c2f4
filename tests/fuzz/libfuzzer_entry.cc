// The doors that libFuzzer knows.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "fuzz/mutator.h"
#include "fuzz/target.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto c = xip::fuzz::decode(std::as_bytes(std::span{data, size}));
  if (!c) return -1;  // not worth keeping
  xip::fuzz::run_target(*c);
  return 0;
}

// Any byte may have changed, the mark of a sound image among them: then every input would be a finding.
static std::size_t without_mark(std::uint8_t* data, std::size_t size) {
  auto c = xip::fuzz::decode(std::as_bytes(std::span{data, size}));
  if (!c || !c->sound) return size;
  c->sound = false;
  const std::vector<std::byte> encoded = xip::fuzz::encode(*c);
  if (encoded.size() > size) return size;
  std::memcpy(data, encoded.data(), encoded.size());
  return encoded.size();
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  const auto any_bytes = [](std::span<std::byte> bytes, std::size_t used) {
    return LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(bytes.data()), used, bytes.size());
  };
  if (size > max_size) {  // who minimises asks for less than there is
    std::vector<std::byte> copy(size);
    std::memcpy(copy.data(), data, size);
    const std::size_t made = xip::fuzz::mutate(copy, size, seed, xip::fuzz::structures_of_target(), any_bytes);
    if (made > max_size) return without_mark(data, LLVMFuzzerMutate(data, size, max_size));
    std::memcpy(data, copy.data(), made);
    return made;
  }
  return xip::fuzz::mutate(std::as_writable_bytes(std::span{data, max_size}), size, seed, xip::fuzz::structures_of_target(), any_bytes);
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* one, std::size_t one_size, const std::uint8_t* other,
                                                 std::size_t other_size, std::uint8_t* out, std::size_t out_size, unsigned seed) {
  return xip::fuzz::cross_over(std::as_bytes(std::span{one, one_size}), std::as_bytes(std::span{other, other_size}),
                               std::as_writable_bytes(std::span{out, out_size}), seed);
}
