#!/bin/sh
# lint.sh [--root DIR] [--build DIR] [CHECK...] - rules of the sources that a machine can see. Checks:
#   calls     banned functions, allocation outside core/mem.c, printing or exiting in the library, intrinsics
#   flags     flags that change results or tie the build to one machine; with --build also ISA flags on other files
#   headers   each header compiles alone as C ($CC), public ones as C++ too ($CXX, if there)
#   symbols   libsdw.a exports only names that begin with sdw_ (needs --build)
#   lengths   report only: long functions and files
# Without a CHECK all run that can. Each finding is one line FILE:LINE: what; the exit code is 1 if there was one.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=
checks=
while [ $# -gt 0 ]; do
    case $1 in
    --root) root=$2; shift ;;
    --build) build=$2; shift ;;
    calls | flags | headers | symbols | lengths) checks="$checks $1" ;;
    *) echo "lint: unknown argument $1, expected --root, --build or calls, flags, headers, symbols, lengths" >&2; exit 2 ;;
    esac
    shift
done
cd "$root"
[ -n "$checks" ] || checks="calls flags headers lengths${build:+ symbols}"
bad=0

sources() { find src include -type f \( -name '*.c' -o -name '*.h' \) | sort; }

# Comments and strings are blanked first, so that only code is judged.
check_calls() {
    sources | xargs awk '
    function complain(what) { print FILENAME ":" FNR ": " what; bad = 1 }
    function calls(names) { return code ~ ("(^|[^A-Za-z0-9_.>])(" names ")[ \t]*\\(") }
    FNR == 1 {
        inside = 0; files++
        cli = FILENAME ~ /^src\/cli\//
        isa = FILENAME ~ /^src\/cpu\/(kernels_|avx|cpuid)/
    }
    {
        code = $0
        gsub(/\\\\/, "", code); gsub(/\\"/, "", code)
        gsub(/"[^"]*"/, "\"\"", code); gsub(/\047[^\047]*\047/, "0", code)
        if (inside) { if (!sub(/^.*\*\//, " ", code)) next; inside = 0 }
        while (match(code, /\/\*/)) {
            rest = substr(code, RSTART + 2)
            head = substr(code, 1, RSTART - 1)
            end = index(rest, "*/")
            if (!end) { code = head; inside = 1; break }
            code = head " " substr(rest, end + 2)
        }
        sub(/\/\/.*/, "", code)

        if (calls("strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|alloca"))
            complain("banned call: " code)
        if (code ~ /unsafe_yyjson_/) complain("unchecked JSON access: " code)
        if (FILENAME != "src/core/mem.c" &&
            calls("malloc|calloc|realloc|free|strdup|strndup|aligned_alloc|posix_memalign|asprintf|vasprintf|getdelim"))
            complain("allocation outside src/core/mem.c: " code)
        if (!cli && (calls("exit|_exit|_Exit|quick_exit|abort|printf|vprintf|puts|putchar|perror") ||
                     code ~ /(^|[^A-Za-z0-9_])(stdout|stderr)([^A-Za-z0-9_]|$)/))
            complain("the library prints or ends the process: " code)
        if (!isa && code ~ /(^|[^A-Za-z0-9_])(_mm(256|512)?_[a-z]|__m(128|256|512)|_tile_)/)
            complain("intrinsic outside src/cpu/kernels_*: " code)
        if (code ~ /^[ \t]*#[ \t]*if(def|ndef)?.*[^A-Za-z0-9_]TEST([^A-Za-z0-9_]|$)/) complain("test code in a source: " code)
    }
    /TODO|FIXME|XXX/ { complain("unfinished: " $0) }
    END { if (!files) { print "lint: no sources found"; bad = 1 } exit bad }' || bad=1
}

check_flags() {
    # Written in pieces so that this file does not find itself.
    banned="-march=""native|-mtune=""native|-ffast""-math|-Of""ast|-funsafe-math""-optimizations|-ffinite-math""-only"
    files=$(find . \( -path ./build -o -path ./.git -o -path ./node_modules -o -path ./tests/tools \) -prune -o -type f \( -name CMakeLists.txt \
        -o -name '*.cmake' -o -name 'CMakePresets.json' -o -name Makefile -o -name '*.sh' -o -path './.ci/*' \) -print)
    # shellcheck disable=SC2086 # no spaces in our paths
    if grep -nE -e "$banned" $files /dev/null; then
        echo "lint: the flags above change results or tie the build to one machine"
        bad=1
    fi
    [ -n "$build" ] && [ -f "$build/compile_commands.json" ] || return 0
    awk '
    /"command":/ { wide = match($0, / -m(avx|fma|f16c|sse[34]|amx|arch=|cpu=)/); flag = substr($0, RSTART, 12) }
    /"file":/ {
        files++
        if (wide && $0 !~ /\/(src\/cpu|bench\/emulated)\/kernels_(avx|vnni|amx|neon)[^\/]*"/) { print $2 ": compiled with" flag; bad = 1 }
        wide = 0
    }
    END { if (!files) print "lint: compile_commands.json names no file"; exit bad || !files }' \
        "$build/compile_commands.json" || bad=1
}

check_headers() {
    cc=${CC:-cc}
    # shellcheck disable=SC2046 # flags are words
    set -- $(pkg-config --cflags yyjson libpng libturbojpeg libwebp libutf8proc libcrypto libcurl libmicrohttpd) -Iinclude -Isrc \
        ${build:+-I"$build/generated"} -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -Wall -Wextra -Wpedantic -Werror
    for header in $(sources | grep '\.h$'); do
        isa=
        case $header in
        src/cpu/*avx512*) isa="-mavx512f -mavx512bw -mavx512vl -mavx512dq" ;;
        src/cpu/*avx2*) isa="-mavx2 -mfma -mf16c" ;;
        esac
        # Included from a file of its own: compiled directly, a header would be the main file.
        # shellcheck disable=SC2086
        if ! printf '#include "%s"\nint sdw_lint_unit;\n' "$root/$header" |
            $cc -std=c11 "$@" $isa -x c -fsyntax-only - >/dev/null 2>"${TMPDIR:-/tmp}/lint.$$"; then
            echo "$header:1: does not compile alone as C"
            sed 's/^/    /;4q' "${TMPDIR:-/tmp}/lint.$$"
            bad=1
        fi
    done
    if ! command -v "${CXX:-c++}" >/dev/null 2>&1; then
        echo "lint: no C++ compiler: public headers not tried as C++"
    else
        for header in $(find include -name '*.h' | sort); do
            if ! printf '#include "%s"\nint sdw_lint_unit;\n' "$root/$header" |
                "${CXX:-c++}" -std=c++11 -Iinclude -Wall -Wextra -Wpedantic -Werror -x c++ -fsyntax-only - \
                    >/dev/null 2>"${TMPDIR:-/tmp}/lint.$$"; then
                echo "$header:1: does not compile alone as C++"
                sed 's/^/    /;4q' "${TMPDIR:-/tmp}/lint.$$"
                bad=1
            fi
        done
    fi
    rm -f "${TMPDIR:-/tmp}/lint.$$"
}

check_symbols() {
    if ! [ -f "$build/libsdw.a" ]; then
        echo "lint: no $build/libsdw.a to look at"
        bad=1
        return 0
    fi
    # Sanitizers and coverage add names of their own, all with a leading underscore.
    nm -A -g --defined-only "$build/libsdw.a" | awk '
        NF >= 3 && $NF !~ /^(sdw_|_)/ { print $0 ": exported, wanted a name that begins with sdw_"; bad = 1 }
        NF >= 3 { names++ }
        END { if (!names) print "lint: no symbols found"; exit bad || !names }' || bad=1
}

# A function starts with { in the first column and ends with } there. Report only.
check_lengths() {
    sources | xargs awk '
    FNR == 1 { if (last && lines > 1000) print last ": " lines " lines"; last = FILENAME; lines = 0 }
    { lines = FNR }
    /^\{/ { start = FNR }
    /^\}/ { if (start && FNR - start - 1 > 70) print FILENAME ":" start ": function of " FNR - start - 1 " lines"; start = 0 }
    END { if (lines > 1000) print last ": " lines " lines" }'
}

for check in $checks; do
    "check_$check"
done
exit $bad
