# Libraries, all from Debian 12 or 13. A missing one is named with its package, all missing ones at once.
find_package(PkgConfig)
if(NOT PkgConfig_FOUND)
	message(FATAL_ERROR "pkg-config is missing: apt-get install pkg-config")
endif()

set(TR_MISSING "")

# tr_dependency(TARGET pkg-config-name minimum debian-package): makes the imported target PkgConfig::TARGET.
function(tr_dependency target module minimum package)
	pkg_check_modules(${target} QUIET IMPORTED_TARGET "${module}>=${minimum}")
	if(NOT ${target}_FOUND)
		message(STATUS "missing: ${module} >= ${minimum} (Debian package ${package})")
		set(TR_MISSING "${TR_MISSING} ${package}" PARENT_SCOPE)
	endif()
endfunction()

tr_dependency(PQ libpq 15 libpq-dev)
tr_dependency(RDKAFKA rdkafka 2.0 librdkafka-dev)
tr_dependency(AVRO avro-c 1.11 libavro-dev)
tr_dependency(JANSSON jansson 2.14 libjansson-dev)
tr_dependency(SQLITE sqlite3 3.40 libsqlite3-dev)
tr_dependency(YAML yaml-0.1 0.2.5 libyaml-dev)
tr_dependency(CURL libcurl 7.88 libcurl4-openssl-dev)
tr_dependency(MICROHTTPD libmicrohttpd 0.9.75 libmicrohttpd-dev)
tr_dependency(ZLIB zlib 1.2.13 zlib1g-dev)
tr_dependency(OPENSSL openssl 3.0 libssl-dev)
if(TAILRACE_TESTS)
	tr_dependency(CHECK check 0.15 check)
endif()

if(TR_MISSING)
	message(FATAL_ERROR "libraries are missing; install them with: apt-get install${TR_MISSING}")
endif()
