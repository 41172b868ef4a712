#!/bin/sh
# The whole set of reference vectors, where $SDW_ORACLE_DIR says that it lies.
set -eu
if [ -z "${SDW_ORACLE_DIR:-}" ]; then
    echo "skipped: SDW_ORACLE_DIR is not set, so only the subset of the repository is replayed"
    exit 77
fi
"$SDW" oracle --failures "$SDW_ORACLE_DIR"
