# The package llama-cpp-python asks for llama.cpp's helpers; here, in llama.cpp's own scope, not.
set(LLAMA_BUILD_COMMON OFF)
