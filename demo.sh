#!/bin/sh
# demo.sh [PROMPT] - installs what is missing, builds sdw, and draws pictures with the demo model into demo/out.
set -eu
cd "$(dirname "$0")"
prompt=${1:-a 3d red apple on a blue background}
out=demo/out

scripts/install-deps.sh build
scripts/build-ui.sh || echo "demo: the web page could not be built; the program carries the small one"
echo "demo: building build/sdw (the first time takes a minute or two)"
mkdir -p build/release "$out"
if ! { cmake --preset release && cmake --build --preset release --target sdw; } >build/release/demo.log 2>&1; then
    tail -n 40 build/release/demo.log
    echo "demo: the build failed; whole log: build/release/demo.log" >&2
    exit 1
fi

seconds() { date +%s.%N; }
# draw FILE WHAT ARGUMENT...: one picture, with the time it took.
draw() {
    file=$out/$1
    echo "demo: $2"
    shift 2
    begun=$(seconds)
    build/sdw generate "$@" --guidance 4 --seed 7 --force -o "$file"
    drawn="$drawn
  $file  $(echo "$(seconds) $begun" | awk '{ printf "%.1f s", $1 - $2 }')"
}

drawn=
draw text.png "text to image: \"$prompt\"" --prompt "$prompt" --steps 20
draw from-photo.png "image to image: a photograph of a cat, redrawn" \
    --prompt "a 3d cat face on an orange background" --init-image demo/photos/chelsea.jpg --width 256 --height 256 --resize crop --strength 0.6 --steps 20
draw inpainted.png "inpainting: the cup in a photograph becomes something else" \
    --prompt "a 3d red heart on a brown background" --init-image demo/photos/coffee.jpg \
    --mask demo/photos/coffee-mask.png --strength 1 --steps 20

cat <<END

Pictures and the time each took:$drawn

Try next:
  build/sdw generate --prompt "a flat smiling face on a purple background" --guidance 4 --seed 1 -o smile.png
  build/sdw generate --prompt "a 3d tiger on a green background" --guidance 4 --count 4 --steps 30
  build/sdw generate --from $out/text.png --seed 8 -o again.png
END
