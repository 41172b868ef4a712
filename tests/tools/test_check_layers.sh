#!/bin/sh
# The layer check accepts a tree that keeps the table and names each planted breach of it.
set -u
check=$SDW_SOURCE_DIR/tools/check_layers.sh
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
failed=0

fresh() {
    rm -rf "$tree/src" "$tree/tools"
    mkdir -p "$tree/src/core" "$tree/src/io" "$tree/src/model/families" "$tree/tools"
    cat >"$tree/tools/layers.txt" <<'TABLE'
# a comment
core:
io: core      # and another
model: core io
<png.h>: io
<openssl/>: core
TABLE
    printf '#include <stdio.h>\n#include <openssl/evp.h>\n#include "core/b.h"\n' >"$tree/src/core/a.c"
    printf '#include <png.h>\n  #  include "core/b.h"\n#include "sdw/sdw.h"\n' >"$tree/src/io/a.c"
    printf '#include "io/a.h"\n#include "registry/families.inc"\n' >"$tree/src/model/families/a.c"
}

accepts() {
    if ! output=$("$check" "$tree"); then
        echo "FAILED: refuses $1: $output"
        failed=1
    fi
}

# refuses WHAT PLACE: the output must name the place, not only fail.
refuses() {
    if output=$("$check" "$tree"); then
        echo "FAILED: lets $1 pass"
        failed=1
    elif ! printf '%s\n' "$output" | grep -q -F "$2"; then
        echo "FAILED: refuses $1 without naming $2: $output"
        failed=1
    fi
}

fresh; accepts "a clean tree"
fresh; echo '#include "model/x.h"' >>"$tree/src/io/a.c"; refuses "a lower layer that includes a higher one" src/io/a.c:4
fresh; echo '#include "io/a.h"' >"$tree/src/core/c.h"; refuses "core including io, in a header" src/core/c.h:1
fresh; echo '#include <png.h>' >"$tree/src/model/families/b.c"; refuses "a library outside its folder" src/model/families/b.c:1
fresh; echo '#include <openssl/sha.h>' >>"$tree/src/io/a.c"; refuses "a library's folder outside its folder" src/io/a.c:4
fresh; echo '#include "../io/a.h"' >>"$tree/src/model/families/a.c"; refuses "a relative include" src/model/families/a.c:3
fresh; echo '#include "b.h"' >>"$tree/src/core/a.c"; refuses "an include without folder" src/core/a.c:4
fresh; echo '#include "core/a.c"' >>"$tree/src/core/b.c"; refuses "an included source file" src/core/b.c:1
fresh; mkdir "$tree/src/extra"; echo 'int x;' >"$tree/src/extra/a.c"; refuses "a folder without a row" src/extra/a.c:1
fresh; echo 'engine: nowhere' >>"$tree/tools/layers.txt"; refuses "a row that allows an unknown folder" nowhere
fresh; rm -rf "$tree"/src/*; refuses "an empty tree" "no sources"

# The sources themselves.
if ! "$check"; then
    echo "FAILED: the includes above are not in tools/layers.txt"
    failed=1
fi
exit $failed
