#!/bin/sh
# install-deps.sh [--list] [GROUP...] - the packages that sdw is built, tested and run with.
#
# Groups: build (default), test, node. Says what is missing, installs it with the system's own package manager
# (sudo only when not root), and does nothing when all is there. --list prints every package and its state and
# changes nothing. Debian 12 is what we work on; the list of Debian 13 was tried once, that of Ubuntu 24.04 never.
set -eu

say() { printf '%s\n' "install-deps: $*"; }
fail() { printf '%s\n' "install-deps: $*" >&2; exit 1; }

list_only=no
groups=
for argument in "$@"; do
    case $argument in
    --list) list_only=yes ;;
    build | test | node) groups="$groups $argument" ;;
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) fail "unknown argument: $argument, expected --list or a group (build, test, node)" ;;
    esac
done
[ -n "$groups" ] || { [ $list_only = yes ] && groups="build test node" || groups=build; }

# ---- what this system calls things ------------------------------------------------------------------------------
system=unknown
if [ -r "${SDW_OS_RELEASE:-/etc/os-release}" ]; then
    # shellcheck disable=SC1090 # its place differs only in tests
    system=$(. "${SDW_OS_RELEASE:-/etc/os-release}" && printf '%s' "${ID:-unknown}-${VERSION_ID:-}")
fi
clang="clang"
case $system in
debian-12) clang="clang-14 libclang-rt-14-dev" ;;
debian-13) clang="clang libclang-rt-19-dev" ;;
ubuntu-24.04) clang="clang libclang-rt-18-dev" ;;
esac

# The packages of one group, in install order. The names are the same on all three systems but for clang.
packages_of() {
    case $1 in
    build)
        echo "ca-certificates make cmake ninja-build ccache pkgconf gcc libc6-dev xz-utils libssl-dev libpng-dev" \
            "libturbojpeg0-dev libwebp-dev libutf8proc-dev libyyjson-dev libcurl4-openssl-dev libmicrohttpd-dev"
        ;;
    test) echo "libcmocka-dev g++ curl chromium fonts-dejavu-core strace systemd $clang" ;;
    node) echo "npm" ;; # only to fetch the Node that is used (scripts/node.sh)
    esac
}

# A system without dpkg, or one that we have no list for: look for the programs and libraries themselves.
check_by_hand() {
    missing=
    for program in cmake ninja cc pkg-config xz; do
        command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
    done
    modules="yyjson libcrypto libcurl libmicrohttpd libpng libturbojpeg libwebp libutf8proc"
    case $groups in *test*) modules="$modules cmocka" ;; esac
    for module in $modules; do
        pkg-config --exists "$module" 2>/dev/null || missing="$missing $module"
    done
    [ -z "$missing" ] && exit 0
    fail "no package list for this system ($system); install these programs and pkg-config modules yourself:$missing"
}
case $system in
debian-12 | debian-13) ;;
ubuntu-24.04) unchecked=yes ;;
*) check_by_hand ;;
esac

wanted=
for group in $groups; do
    wanted="$wanted $(packages_of "$group")"
done

# One call for all: starting dpkg-query once per package is what makes such scripts slow.
# shellcheck disable=SC2086 # the list is words on purpose
installed=" $(dpkg-query -W -f '${db:Status-Status}:${Package}\n' $wanted 2>/dev/null | sed -n 's/^installed://p' |
    tr '\n' ' ')"
missing=
for package in $wanted; do
    case $installed in
    *" $package "*) state=installed ;;
    *) state=missing; missing="$missing $package" ;;
    esac
    [ $list_only = no ] || printf '%-9s %s\n' "$state" "$package"
done
[ $list_only = no ] || exit 0
[ -n "$missing" ] || exit 0

# ---- installing -------------------------------------------------------------------------------------------------
say "missing on $system:$missing"
[ "${unchecked:-no}" = no ] || say "the list for $system is unchecked; please report what is wrong with it"
sudo=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || fail "installing packages needs root; run as root: $0$groups"
    sudo=sudo
    say "will ask sudo for apt-get update and apt-get install, nothing else"
fi
# apt's pages of output are shown only when it fails.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 1' HUP INT TERM
quietly() {
    "$@" >"$log" 2>&1 </dev/null && return 0
    tail -n 40 "$log" >&2
    fail "failed: $*"
}
as_root() { quietly $sudo env DEBIAN_FRONTEND=noninteractive "$@"; }
apt_install() { as_root apt-get install -y -q --no-install-recommends "$@"; }

# Every entry of the system's own source lists, both formats.
source_files() {
    apt=${SDW_APT_FOLDER:-/etc/apt} # another place only in tests
    for file in "$apt/sources.list" "$apt"/sources.list.d/*.list "$apt"/sources.list.d/*.sources; do
        [ -r "$file" ] && printf '%s\n' "$file"
    done
    return 0
}

# Sources over https without any certificates on the system: nothing can be fetched, certificates included. The one
# package that ends this is fetched without checking the peer; apt still checks the archive's signature on it.
if ! [ -e /etc/ssl/certs/ca-certificates.crt ] &&
    source_files | tr '\n' '\0' | xargs -0 -r grep -E -h -q '^[^#]*https://'; then
    say "sources use https and ca-certificates is missing: installing that first (archive signatures are still checked)"
    as_root apt-get update -q -o Acquire::https::Verify-Peer=false
    as_root apt-get install -y -q --no-install-recommends -o Acquire::https::Verify-Peer=false ca-certificates
else
    as_root apt-get update -q
fi

# libyyjson is not in Debian 12, but the packages of Debian 13 need nothing newer than Debian 12 has. They are fetched
# alone, through a source list of our own with its own folder for the indexes: the system's lists stay untouched, so no
# later upgrade can pull in the rest of that release.
successor=trixie
write_successor_list() { # FOLDER: copies the main archive's entry (address, keys, options) with the suite replaced
    source_files | while read -r file; do
        case $file in
        *.sources)
            awk -v suite="$successor" 'BEGIN { RS = ""; FS = "\n" }
                { kept = ""; binary = 0; ours = 0; off = 0
                  for (i = 1; i <= NF; i++) {
                      if ($i ~ /^#/) continue
                      if ($i !~ /^[ \t]/) { key = tolower($i); sub(/:.*/, "", key) }
                      if (key == "types") { if ($i ~ /(^|[ :\t])deb($|[ \t])/) binary = 1; continue }
                      if (key == "suites") { if ($i ~ /[ :\t](bookworm|oldstable)($|[ \t])/) ours = 1; continue }
                      if (key == "components") continue
                      if (key == "enabled" && tolower($i) ~ /no/) off = 1
                      kept = kept $i "\n"
                  }
                  if (binary && ours && !off) printf "Types: deb\nSuites: %s\nComponents: main\n%s\n", suite, kept
                }' "$file" >>"$1/successor.sources"
            ;;
        *)
            awk -v suite="$successor" '$1 == "deb" {
                options = ""; at = 2
                if ($2 ~ /^\[/) { do { options = options " " $at } while ($(at++) !~ /\]$/ && at <= NF) }
                if ($(at + 1) == "bookworm" || $(at + 1) == "oldstable") print "deb" options, $at, suite, "main"
            }' "$file" >>"$1/successor.list"
            ;;
        esac
    done
}

install_from_successor() { # PACKAGE...
    say "$* come from the next Debian release: only these packages, the system's sources stay as they are"
    folder=$(mktemp -d)
    trap 'rm -rf "$folder" "$log"' EXIT
    mkdir -p "$folder/sources" "$folder/lists/partial" "$folder/cache/archives/partial" "$folder/packages"
    chmod -R a+rX "$folder"
    # apt run by root fetches as the user _apt where there is one.
    [ -n "$sudo" ] || ! id _apt >/dev/null 2>&1 || chown -R _apt "$folder/lists" "$folder/cache" "$folder/packages"
    write_successor_list "$folder/sources"
    [ -n "$(cat "$folder"/sources/* 2>/dev/null)" ] || fail "found no entry for the suite bookworm in apt's sources"
    set -- -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$folder/sources" \
        -o Dir::State::Lists="$folder/lists" -o Dir::Cache="$folder/cache" -o APT::Update::Error-Mode=any \
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o Acquire::Languages=none \
        -o APT::Update::Post-Invoke= -o APT::Update::Post-Invoke-Success= -- "$@"
    options=
    while [ "$1" != -- ]; do options="$options $1"; shift; done
    shift
    # shellcheck disable=SC2086 # words on purpose; mktemp gives a path without spaces
    quietly apt-get update $options
    # shellcheck disable=SC2086
    (cd "$folder/packages" && quietly apt-get download $options "$@")
    apt_install "$folder"/packages/*.deb
}

ordinary=
foreign=
for package in $missing; do
    if [ "$package" = libyyjson-dev ] && [ "$system" = debian-12 ] && ! apt-cache show "$package" >/dev/null 2>&1; then
        foreign="libyyjson0 libyyjson-dev"
    else
        ordinary="$ordinary $package"
    fi
done
say "downloading and installing; this can take a minute"
# shellcheck disable=SC2086
[ -z "$ordinary" ] || apt_install $ordinary
# shellcheck disable=SC2086
[ -z "$foreign" ] || install_from_successor $foreign
say "done"
