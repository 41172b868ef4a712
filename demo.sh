#!/bin/sh
# demo.sh [PROMPT] - installs what is missing, builds sdw, and draws a sheet of pictures with the demo model into demo/out.
# With PROMPT the first picture shows that.
set -eu
cd "$(dirname "$0")"
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

prompts() {
    cat <<END
${1:-3d red apple on a teal background}
flat cat face on a purple background
classic rocket on a blue background
3d smiling face with sunglasses on a pink background
flat house on a yellow background
classic turtle on an orange background
3d guitar on a white background
flat sunflower on a brown background
3d robot on a green background
classic birthday cake on a red background
flat penguin on a teal background
3d castle on a gray background
END
}
count=$(($(prompts "$@" | wc -l) + 2))
number=0
# draw FILE WHAT ARGUMENT...: one picture. sdw draws a bar of its steps under the line where there is a terminal.
draw() {
    number=$((number + 1))
    printf 'demo: picture %2d of %d: %s\n' "$number" "$count" "$2"
    file=$out/$1
    shift 2
    build/sdw generate "$@" --guidance 4 --steps 20 --seed 7 --force -o "$file" >"$out/log" </dev/null
    sed -n 's/.*, \([0-9.]* s\)$/      \1/p' "$out/log"
}

begun=$(date +%s)
prompts "$@" >"$out/prompts"
set --
while read -r prompt; do
    set -- "$@" "$out/$((number + 1)).png"
    draw "$((number + 1)).png" "$prompt" --prompt "$prompt"
done <"$out/prompts"
build/sdw sheet "$@" --columns 4 --force --quiet -o "$out/sheet.png"
drawn=$(($(date +%s) - begun))

draw restyled.png "the flat house in another style (image to image)" --prompt "3d house on a yellow background" \
    --init-image "$out/5.png" --strength 0.7
draw inpainted.png "the cup in a photograph becomes a doughnut (inpainting)" --prompt "classic doughnut on a brown background" \
    --init-image demo/photos/coffee.jpg --mask demo/photos/coffee-mask.png --strength 1
rm -f "$out/log" "$out/prompts"

cat <<END

$# pictures in $drawn s, all on one sheet:
  $out/sheet.png
From pictures:
  $out/restyled.png  $out/inpainted.png

Try next:
  build/sdw generate --prompt "flat owl on a purple background" --guidance 4 --steps 8 --schedule plain -o owl.png   # a quick look
  build/sdw generate --prompt "3d cat face on an orange background" --init-image demo/photos/chelsea.jpg --strength 0.6 --guidance 4 -o cat.png
  build/sdw generate --from $out/1.png --seed 8 -o again.png
END
