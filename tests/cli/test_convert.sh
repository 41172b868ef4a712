#!/bin/sh
# sdw convert: what it says, what it refuses, and that a converted file draws the same picture.
. "$SDW_SOURCE_DIR/tests/cli/lib.sh"
unpack_model
small="--prompt x --width 64 --height 64 --steps 2 --seed 1 -q"

run 0 "convert" "$SDW" convert model -o out.safetensors
expect "what was written" grep -Eq "^out.safetensors: sd15, [0-9]+ tensors, [0-9.]+ MiB$" stdout.txt
# Pictures carry the name of their model: under one name, the same bytes.
"$SDW" generate --model model $small -o folder.png
mv model folder
mv out.safetensors model
"$SDW" generate --model model $small -o file.png
mv model out.safetensors
mv folder model
expect "the same picture" cmp folder.png file.png
run 0 "info of the file" "$SDW" info out.safetensors
expect "its family" grep -q "^family *sd15 " stdout.txt
run 0 "quiet" "$SDW" convert out.safetensors --naming diffusers --dtype f8_e4m3 -q -o small.safetensors
[ ! -s stdout.txt ] && [ ! -s stderr.txt ] && ok || bad "--quiet printed something"
expect "an eighth bit type is half the size" [ "$(wc -c <small.safetensors)" -lt "$(($(wc -c <out.safetensors) * 6 / 10))" ]
run 0 "a narrow file draws" "$SDW" generate --model small.safetensors $small -o small.png

rm -f out.safetensors
refuse 2 "MODEL: not given" convert -o out/x.safetensors
refuse 2 "output: not given, want a name that ends in .safetensors" convert model
refuse 2 "output: 'out/x.ckpt' given" convert model -o out/x.ckpt
refuse 2 "dtype: 'f64' given, want one of keep, f32, f16, bf16, f8_e4m3" convert model -o out/x.safetensors --dtype f64
refuse 2 "naming: 'kohya' given, want ldm or diffusers" convert model -o out/x.safetensors --naming kohya
refuse 1 "model .nowhere. is not on this machine" convert nowhere -o out/x.safetensors
refuse 1 "small.safetensors: is already there" convert model -o small.safetensors
cp -r model broken
rm broken/vae/diffusion_pytorch_model.safetensors
refuse 1 "broken/vae: no weights" convert broken -o out/x.safetensors
sed 's/"cross_attention_dim": *[0-9]*/"cross_attention_dim": 48/' model/unet/config.json >broken/unet/config.json
cp model/vae/diffusion_pytorch_model.safetensors broken/vae/
refuse 1 "tensor .* has shape \[32, 32\], the configuration wants \[32, 48\]" convert broken -o out/x.safetensors
run 0 "--force" "$SDW" convert model -o small.safetensors --force
finish
