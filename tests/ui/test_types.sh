#!/bin/sh
# The client's types are those of the worker's OpenAPI document as this program prints it, and a change of the document
# would be seen. Stale? make ui-types.
set -eu
PATH="$("$SDW_SOURCE_DIR/scripts/node.sh"):$PATH"
types=$SDW_SOURCE_DIR/ui/packages/sdk/src/generated.ts
"$SDW" help --openapi >openapi.json
node "$SDW_SOURCE_DIR/ui/scripts/types.mjs" <openapi.json >generated.ts
if ! diff -u "$types" generated.ts; then
    echo "ui/packages/sdk/src/generated.ts is stale: run make ui-types, then look at what the page makes of the change"
    exit 1
fi

# Planted: a renamed field, a field that may be absent, another status. Each must change the types.
for change in 's/"queue_position"/"place"/g' 's/"required":\["job_id","sse_url"\]/"required":["job_id"]/' 's/"queued","running"/"waiting","running"/g'; do
    sed "$change" openapi.json >planted.json
    cmp -s openapi.json planted.json && { echo "nothing planted by $change"; exit 1; }
    node "$SDW_SOURCE_DIR/ui/scripts/types.mjs" <planted.json >planted.ts
    cmp -s planted.ts "$types" && { echo "not seen: $change"; exit 1; }
done
exit 0
