#!/bin/sh
# sdw models, verify and rm on a cache that is made here the way the Python library makes it.
. "$SDW_SOURCE_DIR/tests/cli/lib.sh"
unpack_model
cp -r "$SDW_SOURCE_DIR/demo/model/tokenizer" model/ # a repository without one is not complete
export HOME="$PWD/home" HF_HUB_OFFLINE=1
export HF_HUB_CACHE="$HOME/hub"
unset XDG_CACHE_HOME HF_HOME SDW_DEMO_MODEL
shared="$HOME/.cache/rbee/models"
mkdir -p "$HF_HUB_CACHE" "$shared"

a=$(printf 'a%.0s' 1 2 3 4 5 6 7 8)
old=$(printf "%s%s%s%s%s" $a $a $a $a $a) # commits of 40 hex digits
b=$(printf 'b%.0s' 1 2 3 4 5 6 7 8)
new=$(printf "%s%s%s%s%s" $b $b $b $b $b)
git_hash() { { printf 'blob %s\000' "$(wc -c <"$1" | tr -d ' ')"; cat "$1"; } | sha1sum | cut -c1-40; }
# snapshot FOLDER ID COMMIT: weights by SHA-256, all else by git's hash, as the hub does it.
snapshot() {
    repo="$HF_HUB_CACHE/models--$(echo "$2" | sed 's|/|--|')"
    mkdir -p "$repo/blobs" "$repo/refs" "$repo/trees"
    rows=""
    for file in $(cd "$1" && find . -type f ! -name golden.safetensors | sed 's|^\./||' | sort); do
        case $file in
            *.safetensors) hash=$(sha256sum "$1/$file" | cut -c1-64); lfs=",\"lfs_sha256\":\"$hash\",\"lfs_size\":$(wc -c <"$1/$file" | tr -d ' ')" ;;
            *) hash=$(git_hash "$1/$file"); lfs="" ;;
        esac
        [ -e "$repo/blobs/$hash" ] || cp "$1/$file" "$repo/blobs/$hash"
        mkdir -p "$repo/snapshots/$3/$(dirname "$file")"
        up=$(echo "$file" | tr -cd / | sed 's|/|../|g')
        ln -s "../../${up}blobs/$hash" "$repo/snapshots/$3/$file"
        rows="$rows${rows:+,}\"$file\":{\"size\":$(wc -c <"$1/$file" | tr -d ' '),\"blob_id\":\"$(git_hash "$1/$file")\"$lfs}"
    done
    printf '{"format_version":1,"files":{%s}}' "$rows" >"$repo/trees/$3.json"
}
in_json() { # in_json WHAT PATTERN: of the entry whose name matches
    sed 's/},{/}\n{/g' stdout.txt >entries.txt
    expect "$1: $2" grep -Eq "$2" entries.txt
}

# ---- nothing ----
run 0 "no models" "$SDW" models
expect "the demo model at most" [ "$(grep -c ' hub$' stdout.txt)" = 0 ]

# ---- a cache with two snapshots that share all but one file ----
cp -r model changed
sed 's/"steps_offset": *1/"steps_offset":  1/' model/scheduler/scheduler_config.json >changed/scheduler/scheduler_config.json
cmp -s model/scheduler/scheduler_config.json changed/scheduler/scheduler_config.json && printf '\n' >>changed/scheduler/scheduler_config.json
snapshot model org/pictures $old
snapshot changed org/pictures $new
printf %s $new >"$repo/refs/main"
mkdir -p "$HF_HUB_CACHE/models--org--words/snapshots/$old"
printf '{}' >"$HF_HUB_CACHE/models--org--words/snapshots/$old/config.json"
cp -r model "$shared/org-shared"
mkdir -p "$shared/team/one" && cp -r model/. "$shared/team/one/"
"$SDW" convert model -q -o "$shared/single.safetensors" 2>/dev/null
printf 'half of it' >"$shared/later.safetensors.sdw.incomplete"
printf 'a note' >"$shared/readme.txt"

run 0 "models" "$SDW" models --json
in_json "the newer snapshot" '"name":"org/pictures","path":"[^"]*'$new'","place":"hub","repository":"org/pictures","commit":"'$new'","revision":"main","family":"sd15","dtype":"F16","bytes":[0-9]+,"state":"complete","problem":null'
in_json "the older one" '"name":"org/pictures@'$old'".*"state":"complete"'
in_json "the shared folder" '"name":"org-shared",.*"place":"models".*"family":"sd15"'
in_json "one level deeper" '"name":"team/one",'
in_json "a single file" '"name":"[^"]*/single.safetensors".*"family":"sd15","dtype":"F16".*"state":"complete"'
in_json "a download that was cut" '"name":"[^"]*/later.safetensors".*"bytes":10,"state":"incomplete","problem":"the download is not finished"'
expect "no model of words, no other file" sh -c '! grep -Eq "org/words|readme" entries.txt'
run 0 "the table" "$SDW" models
expect "a row" grep -Eq '^org/pictures  .* sd15 +F16 +9\.[0-9]+ MB +complete +hub$' stdout.txt
run 0 "a given folder" "$SDW" models model --json
in_json "the folder" '"name":"model","path":"model","place":"given"'
run 1 "a folder that is not there" "$SDW" models nowhere
expect "which is named" grep -q "^Error: nowhere: " stderr.txt
run 0 "a name of the list draws" "$SDW" generate --model org/pictures@$old --prompt x --width 64 --height 64 --steps 1 --seed 1 -q -o hub.png

# ---- verify ----
run 0 "verify" "$SDW" verify org/pictures
expect "both snapshots" [ "$(grep -c '^org/pictures' stdout.txt)" = 2 ]
files=$(cd model && find . -type f ! -name golden.safetensors | wc -l)
expect "every file was read" grep -q "^$((2 * files)) right, 0 wrong, 0 without a known hash" stdout.txt
blob=$(readlink -f "$repo/snapshots/$new/unet/diffusion_pytorch_model.safetensors")
printf X | dd of="$blob" bs=1 seek=200000 conv=notrunc 2>/dev/null
run 1 "a changed byte of the weights" "$SDW" verify org/pictures@main
expect "is told" grep -q "^WRONG *unet/diffusion_pytorch_model.safetensors: hash [0-9a-f]\{64\}, want $(basename "$blob")" stdout.txt
expect "in one line" grep -q "^Error: org/pictures@main: 1 of $files files are not what they should be$" stderr.txt
cp model/unet/diffusion_pytorch_model.safetensors "$blob"
config=$(readlink -f "$repo/snapshots/$new/vae/config.json")
printf ' ' >>"$config"
run 1 "a changed small file" "$SDW" verify org/pictures@$new --json
expect "is told" grep -q '"path":"vae/config.json",.*"result":"wrong","wanted":"'"$(basename "$config")" stdout.txt
cp model/vae/config.json "$config"
ln -sf "../../../blobs/$(basename "$config")" "$repo/snapshots/$new/unet/config.json"
run 1 "a link to another blob" "$SDW" verify org/pictures@main -q
expect "which is sound itself" grep -q "^WRONG *unet/config.json" stdout.txt
ln -sf "../../../blobs/$(git_hash model/unet/config.json)" "$repo/snapshots/$new/unet/config.json"
lost=$(readlink -f "$repo/snapshots/$new/vae/diffusion_pytorch_model.safetensors")
mv "$lost" kept
run 1 "a lost blob" "$SDW" verify org/pictures@main
expect "what is missing" grep -q "^INCOMPLETE .*vae" stdout.txt
run 0 "models tells it too" "$SDW" models --json
in_json "incomplete" '"name":"org/pictures",.*"family":"sd15".*"state":"incomplete","problem":"[^"]*vae'
mv kept "$lost"
run 0 "a folder from elsewhere" "$SDW" verify model
expect "its hashes are printed" grep -q "^$(sha256sum model/model_index.json | cut -c1-64)  model_index.json$" stdout.txt
run 0 "a file of a snapshot" "$SDW" verify "$repo/snapshots/$new/vae/diffusion_pytorch_model.safetensors"
expect "one file" grep -q "^1 right, 0 wrong" stdout.txt
refuse 2 "MODEL: not given" verify
refuse 1 "model 'org/nothing' is not on this machine" verify org/nothing
refuse 1 "nothing.safetensors: no such file" verify nothing.safetensors

# ---- rm: refusals ----
before=$(find "$HOME" model | sort | cksum)
refuse 2 "MODEL: not given" rm
refuse 2 "model: lies outside of" rm model
refuse 2 "team: holds neither" rm "$shared/team"
refuse 2 "is one file of a snapshot" rm "$repo/snapshots/$new/vae/diffusion_pytorch_model.safetensors"
refuse 2 "team: holds neither" rm team
refuse 1 "not on this machine" rm org/nothing
refuse 1 "" rm org/pictures@nothing
ln -s "$PWD/model" "$shared/elsewhere"
refuse 2 "lies outside of" rm "$shared/elsewhere"
rm "$shared/elsewhere"
mkdir -p "$HF_HUB_CACHE/.locks/models--org--pictures"
lock="$HF_HUB_CACHE/.locks/models--org--pictures/$(basename "$blob").lock"
flock "$lock" sh -c 'touch locked; while [ -e locked ]; do sleep 0.05; done' &
until [ -e locked ]; do sleep 0.05; done
refuse 1 "org/pictures: in use by another process" rm org/pictures
refuse 1 "in use by another process" rm org/pictures@main
rm locked; wait
rm -r "$HF_HUB_CACHE/.locks"
run 0 "a dry run" "$SDW" rm org/pictures --dry-run
expect "the bytes" grep -Eq "files, [0-9.]+ MB would be freed$" stdout.txt
[ "$before" = "$(find "$HOME" model | sort | cksum)" ] && ok || bad "a refusal or a dry run removed something"

# ---- rm ----
run 0 "one snapshot" "$SDW" rm org/pictures@main
expect "what the other one needs stays" grep -q "^$((files - 1)) files stay" stdout.txt
expect "one small file freed" grep -Eq "^1 files, [0-9]+ B freed$" stdout.txt
[ ! -e "$repo/snapshots/$new" ] && [ ! -e "$repo/refs/main" ] && [ ! -e "$repo/trees/$new.json" ] && ok || bad "the snapshot is not gone"
run 0 "the other one is whole" "$SDW" verify org/pictures
expect "nothing of it is missing" grep -q "^$files right, 0 wrong" stdout.txt
run 0 "the last snapshot" "$SDW" rm org/pictures@$old --json
expect "as JSON" grep -Eq '^{"model":"org/pictures@'$old'","removed":true,"models":1,"files":[0-9]+,"kept_blobs":0,"bytes":9[0-9]{6}}$' stdout.txt
[ "$(ls -A "$HF_HUB_CACHE")" = "models--org--words" ] && ok || bad "the repository left $(ls -A "$HF_HUB_CACHE")"
run 0 "by its name in the shared folder" "$SDW" rm org/shared
[ ! -e "$shared/org-shared" ] && ok || bad "org-shared is still there"
run 0 "one level deeper" "$SDW" rm team/one
run 0 "a single file" "$SDW" rm "$shared/single.safetensors"
run 0 "what was begun" "$SDW" rm "$shared/later.safetensors"
[ "$(cd "$shared" && find . -type f)" = ./readme.txt ] && ok || bad "the shared folder holds $(find "$shared" -type f)"
[ -d model/unet ] && ok || bad "a model outside was touched"
finish
