#!/bin/sh
# install-deps.sh against a make-believe system: what it installs, from where, and that it does nothing when all is
# there. dpkg-query, apt-get and their kin are replaced by programs that write down how they were called.
set -u
script=$SDW_SOURCE_DIR/scripts/install-deps.sh
place=$(mktemp -d) || exit 1
trap 'rm -rf "$place"' EXIT
failed=0
fakes=$place/bin
mkdir -p "$fakes"

fake() { # NAME: a program whose body is standard input
    { echo '#!/bin/sh'; cat; } >"$fakes/$1"
    chmod +x "$fakes/$1"
}
# Installed is what the file "installed" lists.
fake dpkg-query <<'END'
shift 3
for p in "$@"; do grep -q -x -F -e "$p" "$PLACE/installed" && echo "installed:$p"; done
exit 0
END
# apt-get writes its words down and, when it reads other sources, what these say.
fake apt-get <<'END'
echo "$*" >>"$PLACE/calls"
for word in "$@"; do
    case $word in
    Dir::Etc::SourceParts=*) cat "${word#*=}"/* >"$PLACE/successor" ;;
    esac
    [ "$word" != download ] || : >libyyjson0_1_all.deb
done
END
fake apt-cache <<'END'
exit 100
END
fake sudo <<'END'
echo "sudo $2 $3 $4" >>"$PLACE/sudo"
exec "$@"
END
fake id <<'END'
case $1 in -u) echo "${FAKE_UID:-0}" ;; *) exit 1 ;; esac
END

system() { # ID VERSION
    rm -rf "$place/apt" "$place/calls" "$place/sudo" "$place/successor"
    mkdir -p "$place/apt/sources.list.d"
    printf 'ID=%s\nVERSION_ID="%s"\n' "$1" "$2" >"$place/os-release"
    : >"$place/installed"
    : >"$place/calls"
}
install_deps() {
    PLACE=$place SDW_OS_RELEASE=$place/os-release SDW_APT_FOLDER=$place/apt TMPDIR=$place PATH=$fakes:$PATH \
        "$script" "$@" >"$place/out" 2>&1
}
wrong() {
    echo "FAILED: $1"
    sed 's/^/    /' "$place/out" "$place/calls"
    failed=1
}
calls() { grep -q -e "$1" "$place/calls"; }

# A Debian 12 with nothing, sources in the newer format: comments, several stanzas, a key.
system debian 12
cat >"$place/apt/sources.list.d/debian.sources" <<'END'
# The main archive.
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/some.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main
END
install_deps build || wrong "a bare Debian 12 is not served"
calls '^install .* cmake .* libpng-dev' || wrong "the ordinary packages are not installed"
grep -q '^install .*libyyjson-dev' "$place/calls" && wrong "libyyjson-dev is asked from a release that lacks it"
calls '^download .* libyyjson0 libyyjson-dev$' || wrong "yyjson's two packages are not downloaded"
calls '^install .*/libyyjson0_1_all.deb' || wrong "the downloaded package is not installed"
wanted='Types: deb
Suites: trixie
Components: main
URIs: http://mirror.example/debian
Signed-By: /usr/share/keyrings/some.gpg'
[ "$(sed '/^$/d' "$place/successor")" = "$wanted" ] || { cat "$place/successor"; wrong "the successor's source list"; }
grep '^update' "$place/calls" | tail -n 1 | grep -q 'Dir::State::Lists=' || wrong "the system's package indexes are touched"
[ -e "$place/sudo" ] && wrong "sudo is used by root"
[ "$(find "$place" -mindepth 1 -maxdepth 1 -name 'tmp.*' | wc -l)" = 0 ] || wrong "temporary files are left"

# The older format, with options, and an ordinary user.
system debian 12
cat >"$place/apt/sources.list" <<'END'
# deb http://comment.example/debian bookworm main
deb-src http://mirror.example/debian bookworm main
deb [ arch=amd64 signed-by=/k.gpg ] http://mirror.example/debian bookworm main contrib
deb http://mirror.example/security bookworm-security main
END
FAKE_UID=1000 install_deps build || wrong "the older source format is not served"
[ "$(cat "$place/successor")" = "deb [ arch=amd64 signed-by=/k.gpg ] http://mirror.example/debian trixie main" ] ||
    { cat "$place/successor"; wrong "the successor's source list in the older format"; }
[ "$(sort -u "$place/sudo")" = "$(printf 'sudo DEBIAN_FRONTEND=noninteractive apt-get install\nsudo DEBIAN_FRONTEND=noninteractive apt-get update')" ] ||
    wrong "sudo is used for more than update and install"

# All is there: no call at all. One is missing: only that one.
system debian 12
install_deps --list build test
sed 's/^[a-z]* *//' "$place/out" >"$place/installed"
{ install_deps build test && ! [ -s "$place/calls" ] && ! [ -s "$place/out" ]; } ||
    wrong "a complete system is not left alone"
sed -i '/^libpng-dev$/d' "$place/installed"
install_deps build || wrong "one missing package"
calls '^install .*--no-install-recommends libpng-dev$' || wrong "more than the missing package is installed"

# Where the release has yyjson it is an ordinary package.
system ubuntu 24.04
install_deps build || wrong "Ubuntu 24.04 is not served"
calls '^install .*libyyjson-dev' || wrong "yyjson is not an ordinary package on Ubuntu"
grep -q unchecked "$place/out" || wrong "the list for Ubuntu is not said to be unchecked"

system plan9 4
PKG_CONFIG_LIBDIR=$place install_deps build && wrong "an unknown system without libraries is accepted"
grep -q 'plan9.*libpng' "$place/out" || wrong "the missing libraries of an unknown system are not named"
system debian 12
install_deps all && wrong "an unknown group is accepted"
grep -q 'all, expected' "$place/out" || wrong "the unknown group is not named"
exit $failed
