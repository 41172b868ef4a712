#!/bin/sh
# What generate does when all is well: files, names, metadata, repeats, events, signals.
. "$SDW_SOURCE_DIR/tests/cli/lib.sh"
unpack_model
small="--width 64 --height 64 --steps 2"
gen="$SDW generate --model model $small"
same() { expect "$1 and $2 differ" cmp "$1" "$2"; }
differ() { if cmp -s "$1" "$2"; then bad "$1 and $2 are equal"; else ok; fi; }

# ---- the seed is told and repeats the picture, whatever the number of threads ----
run 0 "a random seed" $gen --prompt "a cat"
seed=$(sed -n 's/^sdw-\([0-9]*\)\.png: 64x64, 2 steps, seed \1, .*/\1/p' stdout.txt)
[ -n "$seed" ] && [ -s "sdw-$seed.png" ] && ok || bad "the default name or the seed is not told: $(cat stdout.txt)"
run 0 "that seed" $gen --prompt "a cat" --seed "$seed" --threads 1 -o again.png
same "sdw-$seed.png" again.png
run 0 "another seed" $gen --prompt "a cat" --seed $((seed + 1)) -o other.png
differ again.png other.png
run 0 "another prompt" $gen --prompt "a dog" --seed "$seed" -o dog.png
differ again.png dog.png

# ---- refusing and forcing ----
run 1 "an existing file" $gen --prompt "a dog" --seed 1 -o again.png
run 0 "an existing file with --force" $gen --prompt "a dog" --seed "$seed" -o again.png --force
same again.png dog.png

# ---- count: numbered files, each repeatable by its own seed ----
run 0 "three pictures" $gen --prompt "a cat" --seed 5 --count 3 -o many.png
run 0 "the third alone" $gen --prompt "a cat" --seed 7 -o third.png
run 0 "from the third" "$SDW" generate --from many-3.png -o from3.png
same many-3.png third.png
same many-3.png from3.png
differ many-1.png many-2.png

# ---- --from repeats the bytes; options beside it win ----
run 0 "everything given" $gen --prompt "Grüße, a (cat:1.2) \"quoted\"" --negative-prompt "ugly, blurry" --seed 9 --guidance 6.5 \
    --guidance-rescale 0.3 --sampler "DPM++ 2M Karras" --spacing trailing --clip-skip 1 --prompt-syntax weighted \
    --rng torch-cuda --eta 0.5 -o full.png
run 0 "--from" "$SDW" generate --from full.png -o full2.png
same full.png full2.png
run 0 "--from with another seed" "$SDW" generate --from full.png --seed 10 -o full3.png
differ full.png full3.png
run 0 "--from with another sampler" "$SDW" generate --from full.png --sampler ddim -o full4.png
expect "the text for other programs" grep -aq "Negative prompt: ugly, blurry" full.png
expect "the line of pairs" grep -aq "Steps: 2, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 9, Size: 64x64, Model: model" full.png

# ---- pictures as input ----
run 0 "a picture to start from" "$SDW" generate --model model --prompt x --init-image again.png --strength 0.5 --steps 4 --seed 2 -o i2i.png
run 0 "repeated" "$SDW" generate --from i2i.png --init-image again.png -o i2i2.png
same i2i.png i2i2.png
run 0 "repeated with another picture" "$SDW" generate --from i2i.png --init-image dog.png -o i2i3.png --force
cp again.png other-name.png
run 0 "with a mask" "$SDW" generate --model model --prompt x --init-image other.png --mask dog.png --steps 2 --seed 2 -o inpaint.png
run 0 "no step left" "$SDW" generate --model model --prompt x --init-image other.png --strength 0.1 --steps 2 --seed 2 -o none.png
expect "it says so, once" [ "$(grep -c "^Warning: strength 0.1 leaves none of 2 steps" stderr.txt)" = 1 ]
expect "0 steps" grep -q "0 steps" stdout.txt

# ---- prompts from files ----
printf 'a cat\n' >prompt.txt
run 0 "a prompt file" $gen --prompt-file prompt.txt --seed "$seed" -o filed.png
same filed.png "sdw-$seed.png"
code=0; printf 'a cat' | $gen --prompt-file - --seed "$seed" -q -o piped.png || code=$?
[ $code = 0 ] && same piped.png "sdw-$seed.png" || bad "a prompt from standard input: exit code $code"

# ---- standard output, formats ----
code=0; $gen --prompt "a cat" --seed "$seed" -o - >stream.png 2>stderr.txt || code=$?
[ $code = 0 ] && same stream.png "sdw-$seed.png" || bad "-o -: exit code $code"
run 0 "JPEG" $gen --prompt "a cat" --seed 1 -o x.jpg
run 0 "WebP" $gen --prompt "a cat" --seed 1 -o x.webp
for f in x.jpg x.webp; do
    run 0 "--from $f" "$SDW" generate --from $f -o "again-$f"
    same $f "again-$f"
done
expect "JPEG bytes" sh -c 'head -c 3 x.jpg | od -An -tx1 | grep -q "ff d8 ff"'
expect "WebP bytes" sh -c 'head -c 12 x.webp | tr -d "\\000\\n" | LC_ALL=C grep -aq "^RIFF.*WEBP"'
if [ -e /dev/full ]; then
    code=0; $gen --prompt a --seed 1 -o - >/dev/full 2>stderr.txt || code=$?
    [ $code = 1 ] && ok || bad "a full disk behind -o -: exit code $code, want 1"
fi

# ---- events ----
run 0 "--json" $gen --prompt "a \"cat\"" --seed 3 --json -o j.png
expect "a start event" grep -q '^{"event":"start","request":{.*"prompt":"a \\"cat\\"".*"seed":3' stdout.txt
expect "a step event" grep -q '^{"event":"progress","phase":"step","image":0,"images":1,"step":1,"steps":2,' stdout.txt
expect "a picture event" grep -q '^{"event":"image","index":0,"path":"j.png","seed":3,' stdout.txt
expect "a done event last" sh -c 'tail -n 1 stdout.txt | grep -q "^{\"event\":\"done\""'
if grep -qv '^{.*}$' stdout.txt; then bad "--json: a line is no object"; else ok; fi
[ ! -s stderr.txt ] && ok || bad "--json: standard error is not empty"
run 2 "--json with an error" $gen --prompt x --sampler nope --json -o k.png
expect "an error event" grep -q '^{"event":"error","code":"INVALID","field":"sampler","message":"' stdout.txt
run 0 "--quiet" $gen --prompt x --seed 4 --quiet -o q.png
[ ! -s stdout.txt ] && [ ! -s stderr.txt ] && ok || bad "--quiet printed something"
run 0 "a warning" $gen --prompt x --negative-prompt y --guidance 1 --seed 4 -o w.png
expect "of the negative prompt, once" [ "$(grep -c "^Warning: .*negative" stderr.txt)" = 1 ]
run 0 "the demo model" "$SDW" generate --prompt x $small --seed 4 -o demo.png
expect "which the output says" grep -q "demo model.*model" stdout.txt

# ---- signals: stopped within a step, nothing half-written ----
for signal in INT:130 TERM:143; do
    mkdir -p sig
    "$SDW" generate --model model --prompt x --width 512 --height 512 --steps 1000 --seed 1 -o sig/s.png >stdout.txt 2>stderr.txt &
    pid=$!
    tries=0 # the process catches signals as soon as it reads the model; its start-up is over when it has mapped it
    until grep -q safetensors "/proc/$pid/maps" 2>/dev/null || [ $tries -ge 1200 ]; do tries=$((tries + 1)); sleep 0.05; done
    kill -${signal%:*} $pid
    code=0; wait $pid || code=$?
    [ $code = ${signal#*:} ] && ok || bad "SIG${signal%:*}: exit code $code, want ${signal#*:}"
    [ -z "$(ls -A sig)" ] && ok || bad "SIG${signal%:*} left $(ls -A sig)"
done

# ---- lists ----
run 0 "--list-samplers" "$SDW" generate --list-samplers
for name in ddim ddpm pndm euler euler_a heun lms dpm2 dpm2_a dpmpp_2m dpmpp_2m_sde dpmpp_3m dpmpp_2s deis unipc lcm tcd karras exponential beta; do
    expect "$name is listed" grep -q "^  $name " stdout.txt
done
for name in $(sed -n '/^Samplers/,/^Schedules/s/^  \([a-z0-9_]*\) .*/\1/p' stdout.txt); do
    run 0 "sampler $name" $gen --prompt x --seed 1 -q --force -o s.png --sampler "$name"
done
finish
