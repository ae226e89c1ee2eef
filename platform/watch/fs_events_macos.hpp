// The C interface of FSEvents, declared from Apple's documentation (FSEvents.h, CFString.h,
// CFArray.h, CFUUID.h), so that no SDK is needed. What is called stands in
// installer/cross/frameworks too.
// https://developer.apple.com/documentation/coreservices/file_system_events
#pragma once

#include <dispatch/dispatch.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

extern "C" {

using CFAllocatorRef = const struct __CFAllocator*;
using CFStringRef = const struct __CFString*;
using CFArrayRef = const struct __CFArray*;
using CFUUIDRef = const struct __CFUUID*;
using FSEventStreamRef = struct __FSEventStream*;
using ConstFSEventStreamRef = const struct __FSEventStream*;

struct FSEventStreamContext {
  long version;
  void* info;
  const void* (*retain)(const void*);
  void (*release)(const void*);
  CFStringRef (*copyDescription)(const void*);
};
using FSEventStreamCallback = void (*)(ConstFSEventStreamRef, void* info, std::size_t count,
                                       void* paths, const std::uint32_t* flags,
                                       const std::uint64_t* ids);

FSEventStreamRef FSEventStreamCreate(CFAllocatorRef, FSEventStreamCallback, FSEventStreamContext*,
                                     CFArrayRef paths, std::uint64_t since, double latency,
                                     std::uint32_t flags);
void FSEventStreamSetDispatchQueue(FSEventStreamRef, dispatch_queue_t);
unsigned char FSEventStreamStart(FSEventStreamRef);
void FSEventStreamStop(FSEventStreamRef);
void FSEventStreamInvalidate(FSEventStreamRef);
void FSEventStreamRelease(FSEventStreamRef);
// Null where the volume keeps no history.
CFUUIDRef FSEventsCopyUUIDForDevice(dev_t);
std::uint64_t FSEventsGetCurrentEventId();

CFStringRef CFStringCreateWithCString(CFAllocatorRef, const char*, std::uint32_t encoding);
CFArrayRef CFArrayCreate(CFAllocatorRef, const void** values, long count, const void* callbacks);
struct CFUUIDBytes {
  std::uint8_t bytes[16];
};
CFUUIDBytes CFUUIDGetUUIDBytes(CFUUIDRef);
void CFRelease(const void*);
extern const char kCFTypeArrayCallBacks[];  // a struct; only its address is passed on

}  // extern "C"

namespace millrace::fs_events {
constexpr std::uint64_t kSinceNow = ~std::uint64_t{0};
constexpr std::uint32_t kNoDefer = 0x2;
constexpr std::uint32_t kWatchRoot = 0x4;
constexpr std::uint32_t kFileEvents = 0x10;
constexpr std::uint32_t kUtf8 = 0x08000100;  // kCFStringEncodingUTF8
}  // namespace millrace::fs_events
