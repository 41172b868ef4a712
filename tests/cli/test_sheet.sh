#!/bin/sh
# sdw sheet: pictures land where they should, and what cannot be done is refused.
. "$SDW_SOURCE_DIR/tests/cli/lib.sh"
rm -rf out
mkdir out
photos=$SDW_SOURCE_DIR/demo/photos
# Width and height out of a PNG's header.
size_of() { od -An -tu1 -j16 -N8 "$1" | awk '{ print $1 * 16777216 + $2 * 65536 + $3 * 256 + $4 "x" $5 * 16777216 + $6 * 65536 + $7 * 256 + $8 }'; }
has_size() { [ "$(size_of "$1")" = "$2" ] && ok || bad "$1 has the size $(size_of "$1"), want $2"; }

cell() { run 0 "a cell of $1" "$SDW" sheet "$photos/$1" --side 32 -o "$2" --force; }
cell chelsea.jpg a.png
cell coffee.jpg b.png
has_size a.png 32x32

run 0 "three pictures" "$SDW" sheet a.png b.png a.png -o sheet.png
has_size sheet.png 72x72
expect "what it says" grep -q "^sheet.png: 72x72, 3 pictures" stdout.txt
run 0 "one row without a gap" "$SDW" sheet a.png b.png --columns 5 --gap 0 -o row.png --quiet
has_size row.png 64x32
[ ! -s stdout.txt ] && ok || bad "--quiet printed something"
run 0 "swapped" "$SDW" sheet b.png a.png --columns 2 --gap 0 -o swapped.png
if cmp -s row.png swapped.png; then bad "the order of the pictures does not matter"; else ok; fi
run 0 "one picture is itself" "$SDW" sheet a.png -o itself.png
expect "byte for byte" cmp a.png itself.png
run 0 "stacked" "$SDW" sheet a.png a.png --columns 1 --gap 3 -o stacked.png
has_size stacked.png 32x67
# Each picture in its place: rows laid one by one and then stacked give the same bytes as all at once.
run 0 "the second row" "$SDW" sheet b.png b.png --columns 2 --gap 0 -o row2.png
run 0 "two rows stacked" "$SDW" sheet row.png row2.png --columns 1 --gap 0 -o rows.png
run 0 "four pictures" "$SDW" sheet a.png b.png b.png b.png --columns 2 --gap 0 -o four.png
expect "each in its place" cmp rows.png four.png
# And every picture is to be seen: another one in any place gives another sheet.
for other in "b b b b" "a a b b" "a b a b" "a b b a"; do
    set -- $other
    run 0 "with $other" "$SDW" sheet "$1.png" "$2.png" "$3.png" "$4.png" --columns 2 --gap 0 -o other.png --force
    if cmp -s four.png other.png; then bad "'a b b b' and '$other' give the same sheet"; else ok; fi
done
# Nothing is left uncovered: four black pictures are one larger black picture. The file is a black pixel as PNG.
printf '\211\120\116\107\015\012\032\012\000\000\000\015\111\110\104\122\000\000\000\001\000\000\000\001\010\000\000\000\000\072\176\233\125\000\000\000\012\111\104\101\124\170\234\143\140\000\000\000\002\000\001\110\257\244\161\000\000\000\000\111\105\116\104\256\102\140\202' >pixel.png
run 0 "a black picture" "$SDW" sheet pixel.png --side 32 -o black.png
run 0 "a larger one" "$SDW" sheet pixel.png --side 64 -o black64.png
run 0 "four of them" "$SDW" sheet black.png black.png black.png black.png --columns 2 --gap 0 -o blacks.png
expect "are all black" cmp blacks.png black64.png
run 0 "four with a gap" "$SDW" sheet black.png black.png black.png black.png --columns 2 --gap 1 -o gaps.png
if cmp -s gaps.png black64.png; then bad "no gap to be seen"; else ok; fi
run 0 "as JPEG" "$SDW" sheet a.png b.png --quality 50 -o small.jpg
run 0 "a better JPEG" "$SDW" sheet a.png b.png --quality 95 -o large.jpg
[ "$(wc -c <small.jpg)" -lt "$(wc -c <large.jpg)" ] && ok || bad "--quality changes nothing"

refuse 2 "FILE: not given" sheet -o out/x.png
refuse 2 "output: not given" sheet a.png
refuse 2 "'out/x.txt' given, want" sheet a.png -o out/x.txt
refuse 2 "columns.*from 1 to 64" sheet a.png -o out/x.png --columns 0
refuse 2 "side.*from 8 to 2048" sheet a.png -o out/x.png --side 4
refuse 2 "gap.*from 0 to 256" sheet a.png -o out/x.png --gap -1
refuse 2 "quality.*from 1 to 100" sheet a.png -o out/x.png --quality 101
refuse 1 "no/such.png" sheet a.png no/such.png -o out/x.png
refuse 1 "lib.sh" sheet "$SDW_SOURCE_DIR/tests/cli/lib.sh" -o out/x.png
refuse 1 "a.png" sheet b.png -o a.png
refuse 1 "16384|pixels" sheet a.png a.png a.png a.png a.png a.png a.png a.png a.png a.png --columns 10 --side 2048 -o out/x.png
finish
