#!/bin/sh
# Every bad input gets one line that names the thing, the value and what was expected, a documented exit code, and
# leaves nothing behind.
. "$SDW_SOURCE_DIR/tests/cli/lib.sh"
unpack_model
gen="generate --model model --width 64 --height 64 --steps 1 --seed 1 -o out/x.png"

# ---- options ----
refuse 2 "unknown option '--stepz'.*did you mean --steps" $gen --prompt a --stepz 3
refuse 2 "unknown option '--pro'" $gen --pro a
refuse 2 "--prompt: given twice" $gen --prompt a --prompt b
refuse 2 "--prompt: no value given" $gen --prompt
refuse 2 "--quiet: value 'yes' given" $gen --prompt a --quiet=yes
refuse 2 "unexpected word 'stray'" $gen --prompt a stray
refuse 2 "--prompt: not given" $gen
refuse 2 "unknown command 'genrate'" genrate --prompt a
refuse 2 "no model given, want --model-path" --port 8081
refuse 2 "unknown option '--nonsense'" --nonsense
refuse 2 "--port: '70000' given, want a whole number from 0 to 65535" serve --port 70000
refuse 2 "--device: 'tpu' given" serve --device tpu
refuse 1 "backend cuda: this build has none" serve --device cuda:0
refuse 1 "Unknown SD version: bogus. Supported: v1-5" serve --sd-version bogus
refuse 1 "nowhere: no such folder or file" serve --model-path nowhere
refuse 2 "given beside --prompt" $gen --prompt a --prompt-file nowhere.txt
refuse 1 "nowhere.txt" $gen --prompt-file nowhere.txt
refuse 2 "threads.*'0' given, want a whole number from 1" $gen --prompt a --threads 0
refuse 2 "memory-limit.*'much' given" $gen --prompt a --memory-limit much

refuse 2 'precision: "int4", want f32, f16, bf16, int8 or auto' $gen --prompt a --precision int4
refuse 1 "precision: int8 needs a processor with AVX512-VNNI or AMX-INT8.*AVX2" $gen --prompt a --precision int8 --isa avx2

# ---- fields ----
g="generate --model model -o out/x.png --prompt a"
refuse 2 "width: '100' given, want a whole number from 64 to 2048, a multiple of 8" $g --width 100
refuse 2 "width: '32' given" $g --width 32
refuse 2 "height: '4096' given" $g --height 4096
refuse 2 "height: 'tall' given" $g --height tall
refuse 2 "steps: '0' given, want a whole number from 1 to 1000" $g --steps 0
refuse 2 "steps: '2.5' given" $g --steps 2.5
refuse 2 "steps: '99999999999999999999' given" $g --steps 99999999999999999999
refuse 2 "strength: '1.5' given, want a number from 0 to 1" $g --strength 1.5
refuse 2 "strength: '-0.1' given" $g --strength=-0.1
refuse 2 "strength: 'nan' given" $g --strength nan
refuse 2 "guidance: 'inf' given" $g --guidance inf
refuse 2 "seed: '-7' given" $g --seed=-7
refuse 2 "seed: '18446744073709551616' given" $g --seed 18446744073709551616
refuse 2 "count: '0' given" $g --count 0
refuse 2 "eta: '2' given" $g --eta 2
refuse 2 "spacing: 'even' given, want one of leading, linspace, trailing" $g --spacing even
refuse 2 "rng: 'dice' given, want one of torch-cpu, torch-cuda" $g --rng dice
refuse 2 "sampler.*no_such_sampler.*euler" $g --sampler no_such_sampler
refuse 2 "sampler.*DPM\+\+ SDE" $g --sampler "DPM++ SDE"
refuse 2 "schedule.*no_such_schedule" $g --schedule no_such_schedule

# ---- pictures ----
"$SDW" generate --model model --prompt a --width 64 --height 64 --steps 1 --seed 1 -q -o in.png --force
"$SDW" generate --model model --prompt a --width 128 --height 64 --steps 1 --seed 1 -q -o wide.png --force
refuse 2 "mask.*without init" $g --mask in.png
refuse 2 "mask.*128 x 64.*aspect.*64 x 64" $g --init-image in.png --mask wide.png
refuse 1 "missing.png" $g --init-image missing.png
printf 'not a picture' >text.png
refuse 1 "text.png: 13 bytes in no known picture format: want PNG, JPEG or WebP" $g --init-image text.png
head -c 300 in.png >cut.png
refuse 1 "cut.png: PNG of 300 bytes is damaged or cut short" $g --init-image cut.png
# A PNG of a few bytes that claims 30000 x 30000 pixels.
printf '\211PNG\r\n\032\n\000\000\000\rIHDR\000\000\165\060\000\000\165\060\010\002\000\000\000' >bomb.png
printf '\000\000\000\000\000\000\000\000IDAT\000\000\000\000\000\000\000\000IEND\256B`\202' >>bomb.png
refuse 1 "bomb.png: 30000x30000 pixels" $g --init-image bomb.png
mkdir -p folder.png
refuse 2 "folder.png: is a folder" $g --init-image folder.png

# ---- where pictures go ----
refuse 2 "output: 'out/x.bmp' given, want a name that ends in .png, .jpg or .webp" generate --model model --prompt a -o out/x.bmp
refuse 2 "want one picture for one stream" generate --model model --prompt a -o - --count 2
refuse 1 "nofolder" generate --model model --prompt a -o nofolder/x.png
cp in.png taken.png
sum=$(cksum <taken.png)
refuse 1 "taken.png.*exist" generate --model model --prompt a -o taken.png
refuse 1 "taken.png.*exist" generate --model no-such-model --prompt a -o taken.png # told before a model is opened
[ "$sum" = "$(cksum <taken.png)" ] && ok || bad "an existing file was changed"
cp in.png name-2.png
refuse 1 "name-2.png.*exist" generate --model model --prompt a -o name.png --count 3
[ ! -e name-1.png ] && ok || bad "name-1.png was written although name-2.png exists"

# ---- models ----
m="generate --prompt a -o out/x.png --width 64 --height 64 --steps 1"
weights=unet/diffusion_pytorch_model.safetensors
refuse 1 "no-such-model" $m --model no-such-model
mkdir -p empty
refuse 1 "empty: no model_index.json" $m --model empty
printf 'PK\003\004 and so on' >model.ckpt
refuse 1 "model.ckpt: is a PyTorch pickle.*convert it to .safetensors" $m --model model.ckpt
broken() { rm -rf broken; cp -r model broken; }
broken; rm broken/$weights
refuse 1 "broken/unet: no weights, want diffusion_pytorch_model.safetensors" $m --model broken
broken; mv broken/$weights broken/unet/diffusion_pytorch_model.bin
refuse 1 "diffusion_pytorch_model.bin: is a PyTorch pickle.*convert" $m --model broken
broken; head -c 200000 model/$weights >broken/$weights
refuse 1 "$weights.*cut short" $m --model broken
broken; printf '\377\377\377\377\377\000\000\000' | dd of=broken/$weights bs=1 conv=notrunc 2>/dev/null
refuse 1 "$weights.*header" $m --model broken
broken; printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 10\n' >broken/$weights
refuse 1 "$weights.*LFS" $m --model broken
broken; sed 's/"block_out_channels": *\[/&64,/' model/unet/config.json >broken/unet/config.json
refuse 1 "unet/config.json: \"up_block_types\" entry 4" $m --model broken
broken; sed 's/"cross_attention_dim": *[0-9]*/"cross_attention_dim": 48/' model/unet/config.json >broken/unet/config.json
refuse 1 "$weights: tensor .* has shape \[32, 32\], the configuration wants \[32, 48\]" $m --model broken
broken; echo '{"broken"' >broken/unet/config.json
refuse 1 "unet/config.json: not valid JSON" $m --model broken
broken; sed 's/"_class_name": *"StableDiffusionPipeline"/"_class_name": "SomeOtherPipeline"/' model/model_index.json >broken/model_index.json
refuse 1 "SomeOtherPipeline" $m --model broken
broken; sed 's/"vae": *\[/"..\/vae": [/' model/model_index.json >broken/model_index.json
refuse 1 "component ../vae" $m --model broken
# Headers of single files: one tensor each.
st() { # st FILE HEADER: a .safetensors file with this header and 16 bytes of data
    n=${#2}
    printf "$(printf '\\%03o\\%03o\\000\\000\\000\\000\\000\\000' $((n % 256)) $((n / 256)))%s" "$2" >"$1"
    printf '0123456789abcdef' >>"$1"
}
st overlap.safetensors '{"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},"b":{"dtype":"F16","shape":[4],"data_offsets":[4,12]}}'
refuse 1 "overlap.safetensors: the data of tensors a and b overlap" $m --model overlap.safetensors
st range.safetensors '{"a":{"dtype":"F16","shape":[400],"data_offsets":[0,800]}}'
refuse 1 "range.safetensors: tensor a: data at bytes 0..800 of 16" $m --model range.safetensors
st twice.safetensors '{"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},"a":{"dtype":"F16","shape":[4],"data_offsets":[8,16]}}'
refuse 1 "twice.safetensors: key \"a\" stands twice" $m --model twice.safetensors
st dtype.safetensors '{"a":{"dtype":"F17","shape":[4],"data_offsets":[0,8]}}'
refuse 1 "dtype.safetensors: tensor a: unknown dtype \"F17\", want F32" $m --model dtype.safetensors
st other.safetensors '{"a":{"dtype":"F16","shape":[8],"data_offsets":[0,16]}}'
refuse 1 "other.safetensors: not recognised.*--config" $m --model other.safetensors

# ---- memory, told in bytes before the first step ----
refuse 1 "bytes of memory.*limit is 1048576" $m --model model --memory-limit 1M

# ---- NaN in the result ----
broken;
tail=$(($(wc -c <model/vae/diffusion_pytorch_model.safetensors) - 200))
cp model/vae/diffusion_pytorch_model.safetensors nan.bin
i=0; while [ $i -lt 100 ]; do printf '\377\177'; i=$((i + 1)); done | dd of=nan.bin bs=1 seek=$tail conv=notrunc 2>/dev/null
cp nan.bin broken/vae/diffusion_pytorch_model.safetensors
refuse 1 "finite" $m --model broken

# ---- --from ----
refuse 1 "gone.png: cannot open" generate --model model --from gone.png -o out/x.png
"$SDW" generate --model model --prompt a --init-image in.png --steps 2 --seed 3 -q -o made.png --force
refuse 2 "made from a file with SHA-256 [0-9a-f]{64}; name it with --init-image" generate --from made.png -o out/x.png
cp "$SDW_SOURCE_DIR/tests/golden/make_subset.py" nopic.png
refuse 1 "nopic.png: .* no known picture format" generate --from nopic.png -o out/x.png

# ---- other commands ----
refuse 2 "plan: '512' given" info model --plan 512
refuse 2 "height: '3000' given" info model --plan 512x3000
refuse 2 "family: 'sd9' given, want one of .*sdxl" random-model --family sd9 -o out/x
refuse 2 "dtype: 'f8' given" random-model --dtype f8 -o out/x
refuse 2 "output: not given" random-model
refuse 2 "DIR: not given" oracle
refuse 1 "nothing-here" oracle nothing-here
refuse 1 "empty" oracle empty
refuse 2 "steps.*'0' given" bench --model model --steps 0
refuse 2 "'nope' given" help nope
finish
