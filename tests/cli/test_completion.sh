#!/bin/sh
# Completions and man pages: what the shell is offered, and that every option has its place in every one of them.
. "$SDW_SOURCE_DIR/tests/cli/lib.sh"

run 0 "bash completion" "$SDW" help --completion bash
cp stdout.txt sdw.bash
run 0 "bash reads it" bash -n sdw.bash
# offered WHAT WORD...: the words that bash would offer for this command line.
offered() {
    bash -c '. ./sdw.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sdw; printf "%s\n" "${COMPREPLY[@]}"' bash "$@" 2>/dev/null
}
[ "$(offered sdw gen)" = generate ] && ok || bad "'sdw gen' must offer generate"
offered sdw generate --sampler dpmpp | grep -qx dpmpp_2m && ok || bad "'--sampler dpmpp' must offer dpmpp_2m"
[ "$(offered sdw generate --no-paste)" = --no-paste-back ] && ok || bad "'--no-paste' must offer --no-paste-back"
touch picture.png
[ "$(offered sdw generate --mask pic)" = picture.png ] && ok || bad "'--mask pic' must offer the file"
[ -z "$(offered sdw generate --steps 1)" ] && ok || bad "a number must not be completed"

run 0 "zsh completion" "$SDW" help --completion zsh
cp stdout.txt sdw.zsh
if command -v zsh >/dev/null; then run 0 "zsh reads it" zsh -n sdw.zsh; fi
refuse 2 "completion: 'fish' given, want bash or zsh" help --completion fish
refuse 2 "want a command" help --man nonsense

run 0 "man page of sdw" "$SDW" help --man
for command in $("$SDW" --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p'); do
    run 0 "options of $command" "$SDW" help "$command"
    sed -n 's/^  \(-[a-zA-Z], \)\{0,1\}--\(\[no-\]\)\{0,1\}\([a-z0-9-]*\).*/\3/p' stdout.txt >options.txt
    run 0 "man page of $command" "$SDW" help --man "$command"
    while read -r option; do
        expect "--$option in bash" grep -q -- "--$option" sdw.bash
        expect "--$option in zsh" grep -q -- "--$option\[" sdw.zsh
        expect "--$option in the man page" grep -q -- "$(printf %s "$option" | sed 's/-/\\\\-/g')" stdout.txt
    done <options.txt
done
"$SDW_SOURCE_DIR/scripts/print-docs.sh" "$SDW" printed && [ -s printed/man1/sdw-generate.1 ] && ok || bad "print-docs.sh failed"
finish
