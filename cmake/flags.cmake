# Compiler flags, in one place: hardening always, warnings always, -Werror on request.
add_compile_options(-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -fno-strict-aliasing
  -fstack-protector-strong -fno-common)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-fstack-clash-protection -fcf-protection)
else()
  # libseccomp's SCMP_A0() and its like leave a field out, which clang warns of here.
  add_compile_options(-Wno-missing-field-initializers)
endif()
if(CAAS_WERROR)
  add_compile_options(-Werror)
endif()
add_compile_definitions(_GNU_SOURCE)
if(CAAS_SANITIZE)
  add_compile_options(-fsanitize=${CAAS_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CAAS_SANITIZE})
else()
  add_compile_options($<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
  add_link_options(-Wl,-z,relro,-z,now -Wl,-z,noexecstack)
endif()
