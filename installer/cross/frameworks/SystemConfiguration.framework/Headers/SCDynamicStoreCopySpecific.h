/* What libcurl calls, declared from Apple's documentation; no SDK is needed. */
#pragma once
typedef const struct __CFDictionary *CFDictionaryRef;
CFDictionaryRef SCDynamicStoreCopyProxies(const void *store);
void CFRelease(const void *object);
