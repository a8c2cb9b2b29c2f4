// What we tell tools that check the code. Clang's thread-safety attributes are empty elsewhere; names as in its documentation, with XIP_ before
// them.
#pragma once

// 1 in a build with ThreadSanitizer.
#if defined(__SANITIZE_THREAD__)
#define XIP_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define XIP_THREAD_SANITIZER 1
#endif
#endif
#ifndef XIP_THREAD_SANITIZER
#define XIP_THREAD_SANITIZER 0
#endif

#if defined(__clang__)
#define XIP_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define XIP_THREAD_ANNOTATION(x)
#endif

#define XIP_CAPABILITY(x) XIP_THREAD_ANNOTATION(capability(x))
#define XIP_SCOPED_CAPABILITY XIP_THREAD_ANNOTATION(scoped_lockable)
#define XIP_GUARDED_BY(x) XIP_THREAD_ANNOTATION(guarded_by(x))
#define XIP_PT_GUARDED_BY(x) XIP_THREAD_ANNOTATION(pt_guarded_by(x))
#define XIP_ACQUIRED_BEFORE(...) XIP_THREAD_ANNOTATION(acquired_before(__VA_ARGS__))
#define XIP_ACQUIRED_AFTER(...) XIP_THREAD_ANNOTATION(acquired_after(__VA_ARGS__))
#define XIP_REQUIRES(...) XIP_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define XIP_REQUIRES_SHARED(...) XIP_THREAD_ANNOTATION(requires_shared_capability(__VA_ARGS__))
#define XIP_ACQUIRE(...) XIP_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define XIP_ACQUIRE_SHARED(...) XIP_THREAD_ANNOTATION(acquire_shared_capability(__VA_ARGS__))
#define XIP_RELEASE(...) XIP_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define XIP_RELEASE_SHARED(...) XIP_THREAD_ANNOTATION(release_shared_capability(__VA_ARGS__))
#define XIP_RELEASE_GENERIC(...) XIP_THREAD_ANNOTATION(release_generic_capability(__VA_ARGS__))
#define XIP_TRY_ACQUIRE(...) XIP_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define XIP_TRY_ACQUIRE_SHARED(...) XIP_THREAD_ANNOTATION(try_acquire_shared_capability(__VA_ARGS__))
#define XIP_EXCLUDES(...) XIP_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define XIP_ASSERT_CAPABILITY(x) XIP_THREAD_ANNOTATION(assert_capability(x))
#define XIP_ASSERT_SHARED_CAPABILITY(x) XIP_THREAD_ANNOTATION(assert_shared_capability(x))
#define XIP_RETURN_CAPABILITY(x) XIP_THREAD_ANNOTATION(lock_returned(x))
#define XIP_NO_THREAD_SAFETY_ANALYSIS XIP_THREAD_ANNOTATION(no_thread_safety_analysis)
