#!/bin/sh
# The lint accepts a clean tree, names each planted breach, and finds nothing in the sources themselves.
set -u
lint=$SDW_SOURCE_DIR/tools/lint.sh
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
failed=0
: "${CC:=cc}"
export CC

fresh() {
    rm -rf "${tree:?}"/*
    mkdir -p "$tree/src/core" "$tree/src/cpu" "$tree/src/cli" "$tree/include/sdw" "$tree/build"
    cat >"$tree/src/core/good.c" <<'SOURCE'
/* A comment may say malloc(1), exit(0) and
 * printf("hello"), over several lines. */
static const char *text = "strcpy(a, b) in a string, with \" and /* inside";
int sdw_good(const struct table *t) { t->free(t); t->api.malloc(3); sdw_free(0); return text[0] == '"'; }
SOURCE
    printf 'int sdw_good(void);\n' >"$tree/src/core/good.h"
    printf '#ifdef __cplusplus\nextern "C" {\n#endif\nint sdw_good(void);\n#ifdef __cplusplus\n}\n#endif\n' \
        >"$tree/include/sdw/sdw.h"
    printf 'int main(void) { printf("hi"); exit(1); }\n' >"$tree/src/cli/main.c"
    printf '__m512 sdw_f(__m512 x) { return _mm512_add_ps(x, x); }\n' >"$tree/src/cpu/kernels_avx512.c"
    printf 'set(flags -O2)\n' >"$tree/CMakeLists.txt"
    cat >"$tree/build/compile_commands.json" <<'JSON'
[
{ "directory": "/b",
  "command": "cc -O2 -c good.c",
  "file": "/r/src/core/good.c" },
{ "directory": "/b",
  "command": "cc -O2 -mavx512f -c kernels_avx512.c",
  "file": "/r/src/cpu/kernels_avx512.c" }
]
JSON
}

accepts() { # CHECKS WHAT
    # shellcheck disable=SC2086
    if ! output=$("$lint" --root "$tree" --build "$tree/build" $1); then
        echo "FAILED: refuses $2: $output"
        failed=1
    fi
}

refuses() { # CHECK WHAT PLACE
    if output=$("$lint" --root "$tree" --build "$tree/build" "$1"); then
        echo "FAILED: lets $2 pass"
        failed=1
    elif ! printf '%s\n' "$output" | grep -q -F "$3"; then
        echo "FAILED: refuses $2 without naming $3: $output"
        failed=1
    fi
}

plant() { # FILE LINE: appended to the file of a fresh tree
    fresh
    printf '%s\n' "$2" >>"$tree/$1"
}

fresh; accepts "calls flags headers" "a clean tree"
plant src/core/bad.c 'void f(char *a) { strcpy(a, "x"); }'; refuses calls strcpy src/core/bad.c:1
plant src/core/bad.c 'int f(char *a) { return atoi (a); }'; refuses calls atoi src/core/bad.c:1
plant src/core/bad.c 'void f(char *a) { sprintf(a, "x"); }'; refuses calls sprintf src/core/bad.c:1
plant src/core/good.c 'void *f(void) { return malloc(3); }'; refuses calls malloc src/core/good.c:5
plant src/core/good.c 'void f(void *p) { /* gone */ free(p); /* now */ }'; refuses calls free src/core/good.c:5
plant src/core/good.c 'void f(void) { exit(1); }'; refuses calls exit src/core/good.c:5
plant src/core/good.c 'void f(void) { abort(); }'; refuses calls abort src/core/good.c:5
plant src/core/good.c 'void f(void) { printf("x"); }'; refuses calls printf src/core/good.c:5
plant src/core/good.c 'void f(void) { fputs("x", stderr); }'; refuses calls stderr src/core/good.c:5
plant src/core/good.c 'int f(yyjson_val *v) { return unsafe_yyjson_get_len(v); }'; refuses calls yyjson src/core/good.c:5
plant src/core/good.c '__m256 f(void);'; refuses calls "an intrinsic" src/core/good.c:5
plant src/core/good.c '/* TO''DO: later */'; refuses calls "an unfinished place" src/core/good.c:5
plant src/core/good.c '#ifdef SDW_TEST'; accepts calls "a macro whose name ends in TEST"
plant src/core/good.c '#ifdef TEST'; refuses calls "test code" src/core/good.c:5
plant CMakeLists.txt 'add_compile_options(-march=''native)'; refuses flags "the machine's own flags" CMakeLists.txt:2
plant CMakeLists.txt 'add_compile_options(-ffast''-math)'; refuses flags "fast mathematics" CMakeLists.txt:2
fresh; sed -i 's/cc -O2 -c good.c/cc -O2 -mavx2 -c good.c/' "$tree/build/compile_commands.json"
refuses flags "an ISA flag on an ordinary file" good.c
plant src/core/bad.h 'size_t f(void);'; refuses headers "a header that needs another one" src/core/bad.h:1
plant include/sdw/bad.h 'int *sdw_f(int class);'; refuses headers "a public header that is not C++" include/sdw/bad.h:1

fresh
printf 'int sdw_good(void);\nint sdw_good(void) { return 1; }\nstatic int own;\nint *sdw_own(void) { return &own; }\n' \
    >"$tree/a.c"
"$CC" -c "$tree/a.c" -o "$tree/a.o" && ar rc "$tree/build/libsdw.a" "$tree/a.o" || exit 1
accepts symbols "names that begin with sdw_"
printf 'int helper(void) { return 1; }\n' >"$tree/b.c"
"$CC" -c "$tree/b.c" -o "$tree/b.o" && ar rc "$tree/build/libsdw.a" "$tree/b.o" || exit 1
refuses symbols "a name without prefix" helper
rm "$tree/build/libsdw.a"; refuses symbols "a missing library" libsdw.a

# The sources themselves; lengths are a report.
if ! "$lint" --build "$SDW_BUILD_DIR"; then
    echo "FAILED: see the findings above"
    failed=1
fi
exit $failed
