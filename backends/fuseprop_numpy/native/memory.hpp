// The memory of a step: blocks that live as long as it does.
#pragma once

#include <cstdlib>
#include <cstring>

namespace fuseprop {

// Gives zeroed blocks at cache lines, and frees all of them; `failed` after a block could not be had. `taken` counts
// their bytes.
class Memory {
public:
  Memory() = default;
  Memory(const Memory&) = delete;
  ~Memory() {
    while (blocks) {
      Block* next = blocks->next;
      std::free(blocks);
      blocks = next;
    }
  }
  template <class T> T* take(long count) {
    // Vectors and prefetches may reach past the last number.
    const size_t bytes = (HEAD + size_t(count) * sizeof(T) + 2 * HEAD - 1) / HEAD * HEAD;
    Block* block = static_cast<Block*>(std::aligned_alloc(HEAD, bytes));
    if (!block) {
      failed = true;
      return nullptr;
    }
    taken += bytes;
    std::memset(static_cast<void*>(block), 0, bytes);
    given += bytes;
    block->next = blocks;
    blocks = block;
    return reinterpret_cast<T*>(reinterpret_cast<char*>(block) + HEAD);
  }
  template <class T> T* copy(const T* from, long count) {
    T* to = take<T>(count);
    if (to && count) std::memcpy(static_cast<void*>(to), from, count * sizeof(T));
    return to;
  }
  // Of all blocks.
  size_t bytes() const { return given; }
  bool failed = false;
  size_t taken = 0;

private:
  static constexpr size_t HEAD = 64;
  struct Block {
    Block* next;
  };
  Block* blocks = nullptr;
  size_t given = 0;
};

} // namespace fuseprop
