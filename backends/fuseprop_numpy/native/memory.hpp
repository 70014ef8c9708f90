// The memory of a step: blocks that live as long as it does.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace fuseprop {

// Gives zeroed blocks at cache lines, and frees all of them; `failed` after a block could not be had.
class Memory {
public:
  Memory() = default;
  Memory(const Memory&) = delete;
  ~Memory() {
    while (blocks) {
      Block* next = blocks->next;
      std::free(blocks->whole);
      blocks = next;
    }
  }
  template <class T> T* take(long count) {
    // Vectors and prefetches may reach past the last number. Zeros come from the system, page by page when they are
    // first touched: a gigabyte would take a second to write.
    const size_t bytes = (HEAD + size_t(count) * sizeof(T) + 2 * HEAD - 1) / HEAD * HEAD;
    void* const whole = std::calloc(bytes + HEAD, 1);
    if (!whole) {
      failed = true;
      return nullptr;
    }
    taken += bytes;
    Block* const block = reinterpret_cast<Block*>((reinterpret_cast<uintptr_t>(whole) + HEAD - 1) / HEAD * HEAD);
    *block = {blocks, whole};
    blocks = block;
    return reinterpret_cast<T*>(reinterpret_cast<char*>(block) + HEAD);
  }
  template <class T> T* copy(const T* from, long count) {
    T* to = take<T>(count);
    if (to && count) std::memcpy(static_cast<void*>(to), from, count * sizeof(T));
    return to;
  }
  // Of all blocks.
  size_t bytes() const { return taken; }
  bool failed = false;

private:
  static constexpr size_t HEAD = 64;
  struct Block {
    Block* next;
    void* whole; // as it was given
  };
  Block* blocks = nullptr;
  size_t taken = 0;
};

} // namespace fuseprop
