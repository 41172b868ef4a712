# sdw pull, and models by name: against the fake hub, from the command line to the picture.
. "$SDW_SOURCE_DIR/tests/cli/lib.sh"

[ -x "$FAKE_HUB" ] || { echo "no fake hub is built"; exit 77; }
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY HF_TOKEN HUGGING_FACE_HUB_TOKEN HF_HOME HF_HUB_OFFLINE || true
unpack_model
rm -rf hub home cache pipe
mkdir -p hub/org hub/stabilityai home
cp -r "$SDW_SOURCE_DIR/demo/model/tokenizer" model/tokenizer
cp -r model hub/org/tiny
cp -r model hub/stabilityai/sdxl-turbo
export HOME="$PWD/home" HF_HUB_CACHE="$PWD/cache"

# The hub ends when its standard input does: with this shell.
mkfifo pipe
exec 9<>pipe
"$FAKE_HUB" hub <pipe >place.txt 9>&- &
rm pipe
tries=0
while [ "$(wc -l <place.txt)" -lt 3 ] && [ $tries -lt 1200 ]; do sleep 0.05; tries=$((tries + 1)); done
HF_ENDPOINT=$(sed -n 1p place.txt)
export HF_ENDPOINT
other=$(sed -n 2p place.txt)
trap 'exec 9>&-; wait' EXIT

has() { # has WHAT PATTERN FILE
    if grep -Eq -- "$2" "$3"; then ok; else bad "$1: no '$2' in it"; sed 's/^/    /;5q' "$3"; fi
}

# Nothing is written by a look.
run 0 "a dry run" "$SDW" pull org/tiny --dry-run
has "a dry run" 'org/tiny at [0-9a-f]{40}: ([0-9]+) of \1 files, .* to fetch' stdout.txt
has "a dry run" 'unet/diffusion_pytorch_model.safetensors' stdout.txt
expect "a dry run writes nothing" test ! -e cache

# One command from a name to a picture; the second time without a request.
run 0 "a picture from a name" "$SDW" generate --model org/tiny --prompt x --steps 1 --width 64 --height 64 --seed 1 -o out/a.png
expect "a picture" test -s out/a.png
HF_HUB_OFFLINE=1 run 0 "the same offline" "$SDW" generate --model org/tiny --prompt x --steps 1 --width 64 --height 64 --seed 1 -o out/b.png
expect "the same bytes" cmp out/a.png out/b.png
run 0 "the same model as a folder" "$SDW" generate --model hub/org/tiny --prompt x --steps 1 --width 64 --height 64 --seed 1 -o out/c.png
run 0 "info of a name" "$SDW" info org/tiny
has "info of a name" '^model .*/cache/models--org--tiny/snapshots/' stdout.txt
HF_HUB_OFFLINE=1 run 0 "repeated from its picture" "$SDW" generate --from out/a.png -o out/d.png
expect "the repeated picture has the same bytes" cmp out/a.png out/d.png
rm -rf out && mkdir out

# Events.
rm -rf cache
run 0 "events" "$SDW" pull turbo --json
has "events" '^\{"event":"download","name":"stabilityai/sdxl-turbo",.*"files_done":[0-9]+,"files":[0-9]+,"bytes_done":[0-9]+,"bytes":[0-9]+' stdout.txt
has "events" '"bytes_done":([0-9]+),"bytes":\1,.*"seconds_left":0.0' stdout.txt
has "events" '^\{"event":"done","path":".*/models--stabilityai--sdxl-turbo/snapshots/[0-9a-f]{40}"\}$' stdout.txt
run 0 "a second pull" "$SDW" pull turbo
has "a second pull" '/models--stabilityai--sdxl-turbo/snapshots/' stdout.txt
run 0 "in silence" "$SDW" pull turbo -q
expect "in silence" test ! -s stdout.txt
run 0 "one file of a repository" "$SDW" pull org/tiny --file vae/config.json
has "one file of a repository" '/snapshots/[0-9a-f]{40}/vae/config.json$' stdout.txt

# A file from elsewhere.
file=unet/diffusion_pytorch_model.safetensors
sum=$(sha256sum "hub/org/tiny/$file" | cut -d' ' -f1)
run 0 "a file from elsewhere" "$SDW" pull "$other/plain/org/tiny/$file" --sha256 "$sum"
has "a file from elsewhere" "^$sum  .*/home/.cache/rbee/models/diffusion_pytorch_model.safetensors$" stdout.txt
expect "its bytes" cmp "hub/org/tiny/$file" home/.cache/rbee/models/diffusion_pytorch_model.safetensors
run 0 "a file by the hub's address" "$SDW" pull "$HF_ENDPOINT/org/tiny/resolve/main/$file" --sha256 "$sum"

# Refusals: one line each, and nothing is left.
refuse 1 "org/none: this repository is missing" pull org/none
refuse 1 "no branch, tag or commit 'v7'" pull org/tiny@v7
refuse 2 "no repository id" pull 'a/b/c'
refuse 2 "want one MODEL" pull
refuse 2 "unexpected word .c/d." pull a/b c/d
refuse 2 "variant" pull org/tiny --variant bf16
refuse 2 "sha256" pull "$other/plain/org/tiny/$file" --sha256 123 -o out/x.safetensors
refuse 1 "the hash of what came is" pull "$other/plain/org/tiny/$file" -o out/x.safetensors \
    --sha256 0000000000000000000000000000000000000000000000000000000000000000
refuse 1 "has the hash" pull org/tiny --file $file --sha256 0000000000000000000000000000000000000000000000000000000000000000
refuse 2 "--file: not for" pull "$other/plain/org/tiny/$file" --file x
refuse 2 "--output: only for" pull org/tiny -o out/x.safetensors
refuse 1 "answers 404" pull "$other/plain/org/tiny/none.safetensors" -o out/x.safetensors
refuse 1 "a repository of the hub is named ORG/NAME" generate --model nowhere --prompt x -o out/x.png
refuse 1 "./nowhere: cannot open the model" generate --model ./nowhere --prompt x -o out/x.png
finish
