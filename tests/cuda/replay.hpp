// Runs recorded launches again (see replay.py): each array in an allocation of its own, of exactly its size, so
// that AddressSanitizer sees one byte beside it; afterwards its bytes must be those that were recorded.
#pragma once
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace replay {

using Launcher = void (*)(const unsigned* shape, void** arguments);

struct Reader {
  std::ifstream file;
  std::uint64_t number() {
    std::uint64_t n = 0;
    file.read(reinterpret_cast<char*>(&n), sizeof n);
    return n;
  }
  std::vector<char> bytes() {
    std::vector<char> content(number());
    file.read(content.data(), content.size());
    return content;
  }
};

// Returns the exit status. A launch that takes longer than `seconds` ends the process by SIGALRM; the last line
// on standard output names it.
inline int run(const char* path, unsigned seconds, const std::map<std::string, Launcher>& kernels) {
  Reader recording{std::ifstream(path, std::ios::binary)};
  const std::uint64_t launches = recording.number();
  for (std::uint64_t launch = 0; launch < launches; ++launch) {
    const std::vector<char> name = recording.bytes();
    const std::string kernel(name.begin(), name.end());
    unsigned shape[6];
    for (unsigned& length : shape) length = recording.number();

    std::vector<std::unique_ptr<char[]>> arrays;
    std::vector<std::vector<char>> expected;
    for (std::uint64_t left = recording.number(); left; --left) {
      const std::vector<char> before = recording.bytes();
      arrays.emplace_back(new char[before.size()]);
      std::copy(before.begin(), before.end(), arrays.back().get());  // there may be none: no moments
      expected.push_back(recording.bytes());
    }
    struct Value { alignas(8) char bytes[8]; };
    std::vector<Value> values(recording.number());
    std::vector<void*> arguments;
    for (Value& value : values) {
      const bool is_array = recording.number();
      if (is_array) {
        const char* address = arrays.at(recording.number()).get();
        std::memcpy(value.bytes, &address, sizeof address);
      } else {
        const std::vector<char> number = recording.bytes();
        std::memcpy(value.bytes, number.data(), number.size());
      }
      arguments.push_back(value.bytes);
    }

    std::printf("%s\n", kernel.c_str());
    std::fflush(stdout);
    alarm(seconds);
    kernels.at(kernel)(shape, arguments.data());
    for (std::size_t i = 0; i < arrays.size(); ++i)
      if (!std::equal(expected[i].begin(), expected[i].end(), arrays[i].get())) {
        std::fprintf(stderr, "threads leave other bytes in array %zu than fibers did\n", i);
        return 2;
      }
  }
  return 0;
}

}  // namespace replay
