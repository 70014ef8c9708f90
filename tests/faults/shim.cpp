// A library for LD_PRELOAD. It stands before the C library's calls that change files and take memory: records
// those on files below one directory, and lets the n-th of a kind fail. `shim.py` is its other half.
//
// A record is one line of fields between tabs, followed by the bytes that a write took:
//   kind  errno  inode  offset  size  flags  path  other path \n  bytes
// Of a write `offset` is where it began and `size` what the file took; of a truncation `size` is the new one.

#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
}

namespace {

enum Kind { OPEN, WRITE, SYNC, RENAME, LINK, UNLINK, TRUNCATE, ALLOCATE, MARK, KINDS };
const char* const NAMES[KINDS] = {"open", "write", "sync", "rename", "link", "unlink", "truncate", "allocate", "mark"};

constexpr size_t ROOM = size_t{1} << 30;  // of addresses; pages are taken as records are written

// In the place of an errno. SHORT: a write takes half, and tells no error. FULL: so does the first, and those after
// it find no space, as on a disk that is full.
constexpr int SHORT = 0;
constexpr int FULL = -1;
constexpr int NONE = -2;

struct Fault {
    int kind = -1;
    long number = 0;  // of the first call that fails, from 1
    long times = 0;   // how many calls in a row fail; a negative number for all
    int error = 0;
    bool strikes(int called, long count) const {
        return called == kind && count >= number && (times < 0 || count < number + times);
    }
};

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
char directory[PATH_MAX];
size_t directory_length = 0;
size_t least = SIZE_MAX;  // bytes from which on an allocation counts
Fault fault;
long counts[KINDS];
long struck = 0;
char* trace = nullptr;
size_t used = 0;

class Locked {
public:
    Locked() { pthread_mutex_lock(&mutex); }
    ~Locked() { pthread_mutex_unlock(&mutex); }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;
};

template <typename Function>
Function* real(Function*, const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}
#define REAL(name) real(static_cast<decltype(name)*>(nullptr), #name)

std::string absolute(const char* path) {
    if (path[0] == '/') return path;
    char here[PATH_MAX];
    return getcwd(here, sizeof here) == nullptr ? path : std::string(here) + "/" + path;
}

std::string path_of(int descriptor) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    const ssize_t length = readlink(link, path, sizeof path);
    return length < 0 ? "" : std::string(path, static_cast<size_t>(length));
}

bool is_watched(const std::string& path) {
    return directory_length != 0 && path.compare(0, directory_length, directory) == 0 &&
           (path.size() == directory_length || path[directory_length] == '/');
}

// Count a call; return the errno with which it fails, SHORT for a short write, NONE where it does not fail.
int next(Kind kind) {
    if (!fault.strikes(kind, ++counts[kind])) return NONE;
    if (++struck > 1 && fault.error == FULL) return ENOSPC;
    return fault.error == FULL ? SHORT : fault.error;
}

void add(const void* bytes, size_t size) {
    if (trace == nullptr || used + size > ROOM) abort();
    memcpy(trace + used, bytes, size);
    used += size;
}

struct About {
    unsigned long inode = 0;
    long offset = 0;
    size_t size = 0;
    int flags = 0;
};

void record(Kind kind, int error, const About& about, const std::string& path, const std::string& other = "") {
    char numbers[160];
    const int length = snprintf(numbers, sizeof numbers, "%s\t%d\t%lu\t%ld\t%zu\t%d\t", NAMES[kind], error,
                                about.inode, about.offset, about.size, about.flags);
    add(numbers, static_cast<size_t>(length));
    const std::string paths = path + "\t" + other + "\n";
    add(paths.data(), paths.size());
}

unsigned long inode_of(int descriptor) {
    struct stat status;
    return fstat(descriptor, &status) == 0 ? status.st_ino : 0;
}

unsigned long inode_of(const std::string& path) {
    struct stat status;
    return lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

int fail(int error) {
    errno = error;
    return -1;
}

// Make a call on paths unless it is to fail, and record it.
template <typename Call>
int on_paths(Kind kind, const std::string& path, const std::string& other, Call call) {
    if (!is_watched(path) && !is_watched(other)) return call();
    const Locked locked;
    About about;
    about.inode = inode_of(path);
    const int error = next(kind);
    const int result = error == NONE ? call() : fail(error);
    const int kept = result < 0 ? errno : 0;
    record(kind, kept, about, path, other);
    errno = kept;
    return result;
}

// As `on_paths`; the inode is that of the file which is open then, the size that which it has.
template <typename Call>
int opening(const std::string& path, int flags, Call call) {
    if (!is_watched(path)) return call();
    const Locked locked;
    const int error = next(OPEN);
    const int result = error == NONE ? call() : fail(error);
    const int kept = result < 0 ? errno : 0;
    About about;
    about.flags = flags;
    if (result >= 0) about.inode = inode_of(result);
    record(OPEN, kept, about, path);
    errno = kept;
    return result;
}

template <typename Call>
int on_file(Kind kind, int descriptor, size_t size, Call call) {
    const std::string path = directory_length == 0 ? "" : path_of(descriptor);
    if (!is_watched(path)) return call();
    const Locked locked;
    About about;
    about.inode = inode_of(descriptor);
    about.size = size;
    const int error = next(kind);
    const int result = error == NONE ? call() : fail(error);
    const int kept = result < 0 ? errno : 0;
    record(kind, kept, about, path);
    errno = kept;
    return result;
}

// Where the next `write` begins.
long place_of(int descriptor) {
    const int flags = fcntl(descriptor, F_GETFL);
    struct stat status;
    if (flags >= 0 && (flags & O_APPEND) != 0 && fstat(descriptor, &status) == 0) return status.st_size;
    return lseek(descriptor, 0, SEEK_CUR);
}

// Write `size` bytes: by `call`, which takes so many of them at most.
template <typename Call>
ssize_t writing(int descriptor, const void* bytes, size_t size, long offset, Call call) {
    const std::string path = directory_length == 0 ? "" : path_of(descriptor);
    if (!is_watched(path)) return call(size);
    const Locked locked;
    About about;
    about.inode = inode_of(descriptor);
    about.offset = offset < 0 ? place_of(descriptor) : offset;
    const int error = next(WRITE);
    ssize_t result;
    if (error == NONE) {
        result = call(size);
    } else if (error == SHORT) {
        result = call((size + 1) / 2);
    } else {
        result = fail(error);
    }
    const int kept = result < 0 ? errno : 0;
    about.size = result < 0 ? 0 : static_cast<size_t>(result);
    record(WRITE, kept, about, path);
    add(bytes, about.size);
    errno = kept;
    return result;
}

bool lacks_room(size_t size) {
    if (size < least) return false;
    const Locked locked;
    return next(ALLOCATE) != NONE;
}

}  // namespace

extern "C" {

// Watch the files below a directory, and allocations of so many bytes and more; begin to count again.
void faults_watch(const char* path, size_t smallest) {
    const Locked locked;
    if (trace == nullptr) {
        void* room = mmap(nullptr, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (room == MAP_FAILED) abort();
        trace = static_cast<char*>(room);
    }
    used = 0;
    struck = 0;
    memset(counts, 0, sizeof counts);
    fault = Fault();
    snprintf(directory, sizeof directory, "%s", path);
    directory_length = strlen(directory);
    least = smallest == 0 ? SIZE_MAX : smallest;
}

// Let the `number`-th call of a kind from now on fail, and `times` - 1 after it.
void faults_fail(int kind, long number, long times, int error) {
    const Locked locked;
    fault.kind = kind;
    fault.number = counts[kind] + number;
    fault.times = times;
    fault.error = error;
}

// Let nothing fail any more.
void faults_heal() {
    const Locked locked;
    fault = Fault();
}

long faults_count(int kind) {
    const Locked locked;
    return counts[kind];
}

long faults_struck() {
    const Locked locked;
    return struck;
}

const char* faults_trace(size_t* size) {
    const Locked locked;
    *size = used;
    return trace;
}

// Write a text into the trace.
void faults_mark(const char* text) {
    const Locked locked;
    record(MARK, 0, About(), text);
}

#define OPENING(path, flags)                            \
    mode_t mode = 0;                                    \
    if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {       \
        va_list more;                                   \
        va_start(more, flags);                          \
        mode = static_cast<mode_t>(va_arg(more, int));  \
        va_end(more);                                   \
    }

int open(const char* path, int flags, ...) {
    OPENING(path, flags)
    static const auto function = REAL(open);
    return opening(absolute(path), flags, [&] { return function(path, flags, mode); });
}

int open64(const char* path, int flags, ...) {
    OPENING(path, flags)
    static const auto function = REAL(open64);
    return opening(absolute(path), flags, [&] { return function(path, flags, mode); });
}

int openat(int folder, const char* path, int flags, ...) {
    OPENING(path, flags)
    static const auto function = REAL(openat);
    return opening(absolute(path), flags, [&] { return function(folder, path, flags, mode); });
}

int openat64(int folder, const char* path, int flags, ...) {
    OPENING(path, flags)
    static const auto function = REAL(openat64);
    return opening(absolute(path), flags, [&] { return function(folder, path, flags, mode); });
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
    static const auto function = REAL(write);
    return writing(descriptor, bytes, size, -1, [&](size_t most) { return function(descriptor, bytes, most); });
}

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
    static const auto function = REAL(pwrite);
    return writing(descriptor, bytes, size, offset,
                   [&](size_t most) { return function(descriptor, bytes, most, offset); });
}

ssize_t pwrite64(int descriptor, const void* bytes, size_t size, off64_t offset) {
    static const auto function = REAL(pwrite64);
    return writing(descriptor, bytes, size, offset,
                   [&](size_t most) { return function(descriptor, bytes, most, offset); });
}

// Parts become one: a `write` takes as many of them as it takes.
ssize_t writev(int descriptor, const struct iovec* parts, int number) {
    static const auto function = REAL(writev);
    if (directory_length == 0 || !is_watched(path_of(descriptor))) return function(descriptor, parts, number);
    std::string bytes;
    for (int i = 0; i < number; ++i) bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    return write(descriptor, bytes.data(), bytes.size());
}

int fsync(int descriptor) {
    static const auto function = REAL(fsync);
    return on_file(SYNC, descriptor, 0, [&] { return function(descriptor); });
}

int fdatasync(int descriptor) {
    static const auto function = REAL(fdatasync);
    return on_file(SYNC, descriptor, 0, [&] { return function(descriptor); });
}

int ftruncate(int descriptor, off_t size) noexcept {
    static const auto function = REAL(ftruncate);
    return on_file(TRUNCATE, descriptor, static_cast<size_t>(size), [&] { return function(descriptor, size); });
}

int ftruncate64(int descriptor, off64_t size) noexcept {
    static const auto function = REAL(ftruncate64);
    return on_file(TRUNCATE, descriptor, static_cast<size_t>(size), [&] { return function(descriptor, size); });
}

int rename(const char* path, const char* other) noexcept {
    static const auto function = REAL(rename);
    return on_paths(RENAME, absolute(path), absolute(other), [&] { return function(path, other); });
}

int renameat(int from, const char* path, int to, const char* other) noexcept {
    static const auto function = REAL(renameat);
    return on_paths(RENAME, absolute(path), absolute(other), [&] { return function(from, path, to, other); });
}

int link(const char* path, const char* other) noexcept {
    static const auto function = REAL(link);
    return on_paths(LINK, absolute(path), absolute(other), [&] { return function(path, other); });
}

int linkat(int from, const char* path, int to, const char* other, int flags) noexcept {
    static const auto function = REAL(linkat);
    return on_paths(LINK, absolute(path), absolute(other), [&] { return function(from, path, to, other, flags); });
}

int unlink(const char* path) noexcept {
    static const auto function = REAL(unlink);
    return on_paths(UNLINK, absolute(path), "", [&] { return function(path); });
}

int unlinkat(int from, const char* path, int flags) noexcept {
    static const auto function = REAL(unlinkat);
    return on_paths(UNLINK, absolute(path), "", [&] { return function(from, path, flags); });
}

void* malloc(size_t size) noexcept {
    if (!lacks_room(size)) return __libc_malloc(size);
    errno = ENOMEM;
    return nullptr;
}

void* calloc(size_t number, size_t size) noexcept {
    size_t bytes;
    if (__builtin_mul_overflow(number, size, &bytes) || !lacks_room(bytes)) return __libc_calloc(number, size);
    errno = ENOMEM;
    return nullptr;
}

void* realloc(void* old, size_t size) noexcept {
    if (!lacks_room(size)) return __libc_realloc(old, size);
    errno = ENOMEM;
    return nullptr;
}

void* aligned_alloc(size_t alignment, size_t size) noexcept {
    if (!lacks_room(size)) return __libc_memalign(alignment, size);
    errno = ENOMEM;
    return nullptr;
}

int posix_memalign(void** made, size_t alignment, size_t size) noexcept {
    if (lacks_room(size)) return ENOMEM;
    *made = __libc_memalign(alignment, size);
    return *made == nullptr ? ENOMEM : 0;
}

}  // extern "C"
