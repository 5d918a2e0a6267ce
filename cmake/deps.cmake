# Every library the project needs, found once; a directory names what it links.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
# PKCS#11 3.0 declarations: the headers of NSS (no code of it is linked).
pkg_check_modules(NSS REQUIRED nss)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto>=3.0)
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(MICROHTTPD REQUIRED libmicrohttpd)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
pkg_check_modules(TSS2 REQUIRED IMPORTED_TARGET
  tss2-esys tss2-sys tss2-mu tss2-rc tss2-tctildr)
find_library(TSPI_LIBRARY tspi REQUIRED)
pkg_check_modules(XENVCHAN IMPORTED_TARGET xenvchan)
pkg_check_modules(XENCONTROL IMPORTED_TARGET xencontrol)
add_library(pkcs11_headers INTERFACE)
target_include_directories(pkcs11_headers SYSTEM INTERFACE ${NSS_INCLUDE_DIRS})

set(CAAS_SOFTHSM2 "/usr/lib/softhsm/libsofthsm2.so" CACHE FILEPATH "SoftHSM2's module")
