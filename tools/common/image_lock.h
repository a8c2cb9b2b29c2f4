// Who uses an image: writers keep all others out, readers keep writers out. flock(2), so that a lock never outlives its process.
#pragma once

#include <expected>
#include <string>

namespace xip::tool {

enum class image_access { read, write };

// A descriptor that holds the lock while it is open. Who unmounts is not done when umount(2) returns: an image in use is waited for, for a moment, and
// then refused. The error is a message that names the image.
[[nodiscard]] std::expected<int, std::string> lock_image(const std::string& image, image_access access);

}  // namespace xip::tool
