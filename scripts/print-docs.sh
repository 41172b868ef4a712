#!/bin/sh
# print-docs.sh SDW OUT - man pages (OUT/man1), bash completion (OUT/sdw) and zsh completion (OUT/_sdw), as SDW prints them.
set -eu
sdw=$1 out=$2
mkdir -p "$out/man1"
"$sdw" help --completion bash >"$out/sdw"
"$sdw" help --completion zsh >"$out/_sdw"
"$sdw" help --man >"$out/man1/sdw.1"
# The commands are the overview's indented lines.
for command in $("$sdw" --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p'); do
    "$sdw" help --man "$command" >"$out/man1/sdw-$command.1"
done
