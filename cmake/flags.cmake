# How everything here is compiled: the interface library tr_flags, linked by every room, the program and the tests.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # gnu11: clock_gettime, getrandom, the printf attribute

# Release is -O2 -g: what runs in production can be profiled and its core dumps read. Asserts stay on (no NDEBUG).
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_C_COMPILER_LAUNCHER)
	set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

add_library(tr_flags INTERFACE)
target_include_directories(tr_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}) # "generated/version.h"
target_compile_definitions(tr_flags INTERFACE _GNU_SOURCE $<$<CONFIG:Debug>:TR_DEBUG>)
target_compile_options(tr_flags INTERFACE
	-Wall -Wextra        # the usual mistakes
	-Wconversion         # a length that silently loses bits is how a decoder gets its overflow
	-Wshadow             # the inner `len` is never the one that was meant
	-Wcast-qual          # borrowed bytes are const and stay const
	-Wformat=2           # a format that is not a literal could be data from the source
	-Wvla                # stack use has to be known
	-Wmissing-prototypes # a function is static or in a header, nothing between
	-Wstrict-prototypes  # f() takes anything; f(void) takes nothing
	-Wundef              # a misspelt macro in #if is not a silent 0
	-fno-common          # one definition per variable
	-fno-omit-frame-pointer) # perf and core dumps show whole stacks
if(TAILRACE_WERROR)
	target_compile_options(tr_flags INTERFACE -Werror)
endif()

# Hardening, as Debian builds its own packages. _FORTIFY_SOURCE needs an optimiser and disturbs the sanitizers.
target_compile_options(tr_flags INTERFACE -fstack-protector-strong)
target_link_options(tr_flags INTERFACE -Wl,-z,relro -Wl,-z,now -Wl,--as-needed)
if(NOT TAILRACE_SANITIZE AND NOT TAILRACE_COVERAGE)
	target_compile_options(tr_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
# By hand, not by POSITION_INDEPENDENT_CODE: that would compile the rooms with -fPIC, which forbids inlining across functions.
target_compile_options(tr_flags INTERFACE -fPIE)
target_link_options(tr_flags INTERFACE -pie)

if(TAILRACE_SANITIZE)
	target_compile_options(tr_flags INTERFACE -fsanitize=${TAILRACE_SANITIZE} -fno-sanitize-recover=all)
	target_link_options(tr_flags INTERFACE -fsanitize=${TAILRACE_SANITIZE})
endif()
if(TAILRACE_COVERAGE)
	target_compile_options(tr_flags INTERFACE --coverage)
	target_link_options(tr_flags INTERFACE --coverage)
endif()
if(TAILRACE_LTO)
	include(CheckIPOSupported)
	check_ipo_supported(LANGUAGES C)
	set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
target_link_libraries(tr_flags INTERFACE Threads::Threads)
