// A FUSE server that answers every request at once, from nothing: what the protocol costs with no file system behind it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace xip::tool {

// Serves DIRECTORY until it is unmounted. "file" in it has FILE_BYTES bytes, all zeros; every other name is absent until it is made, and can be removed then.
// It asks the kernel for what the real server asks, answers with the same lifetimes, and runs on the same kind of threads. READY is called once it is
// mounted. False: it could not be.
[[nodiscard]] bool serve_nothing(const std::string& directory, std::uint64_t file_bytes, unsigned threads,
                                 const std::function<void()>& ready);

}  // namespace xip::tool
