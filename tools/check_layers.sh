#!/bin/sh
# check_layers.sh [ROOT] - fails on an #include in ROOT/src that tools/layers.txt does not allow, and prints each.
set -eu
root=${1:-$(cd "$(dirname "$0")/.." && pwd)}
cd "$root"
[ -f tools/layers.txt ] || { echo "check_layers: no tools/layers.txt in $root" >&2; exit 2; }
find src -type f \( -name '*.c' -o -name '*.h' -o -name '*.m' -o -name '*.cu' -o -name '*.cuh' \) | sort |
    xargs awk '
    # The table comes first; a row is FOLDER: ... or <HEADER>: ...
    FILENAME == "tools/layers.txt" {
        sub(/#.*/, "")
        if (NF == 0) next
        row = $1
        if (row !~ /:$/) { print "tools/layers.txt:" FNR ": no colon after " row; bad = 1; next }
        sub(/:$/, "", row)
        known[row] = 1
        for (i = 2; i <= NF; i++) {
            allowed[row, $i] = 1
            if (row !~ /^</ && !($i in known)) later[$i] = FNR
        }
        next
    }
    FNR == 1 {
        split(FILENAME, part, "/")
        folder = part[2]
        files++
        if (!(folder in known)) complain("folder src/" folder " has no row in tools/layers.txt")
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, quoted, "\"")
        target = quoted[2]
        if (target ~ /\.c$/) complain("includes a source file: " target)
        if (target ~ /^\.\.?\//) complain("relative include " target ", wanted a path from src/")
        else if (target !~ /\//) complain("include " target " without a folder, wanted a path from src/")
        split(target, part, "/")
        other = part[1]
        if (other != folder && other != "sdw" && other != "registry" && target ~ /\// && !((folder, other) in allowed))
            complain("src/" folder " may not include " target)
    }
    /^[ \t]*#[ \t]*include[ \t]*</ {
        target = $0
        sub(/^[^<]*/, "", target); sub(/>.*/, ">", target)
        prefix = target; sub(/\/.*/, "/>", prefix)
        row = (target in known) ? target : (prefix in known) ? prefix : ""
        if (row != "" && !((row, folder) in allowed)) complain("src/" folder " may not include " target)
    }
    function complain(what) { print FILENAME ":" FNR ": " what; bad = 1 }
    END {
        for (name in later) if (!(name in known)) { print "tools/layers.txt:" later[name] ": unknown folder " name; bad = 1 }
        if (!files) { print "check_layers: no sources found"; bad = 1 }
        exit bad
    }' tools/layers.txt
