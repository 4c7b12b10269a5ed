# SPDX-License-Identifier: GPL-2.0-only
# zsh -f complete.zsh FOLDER LINE: prints what the completion functions of a
# folder offer at the end of a line, a word a line. With INNER set it is
# what the shell behind the pseudo-terminal reads.

if [[ -n $INNER ]]; then
	PROMPT= RPROMPT= LISTMAX=9999 PS2=
	fpath=($INNER $fpath)
	autoload -Uz compinit && compinit -D -u
	bindkey '^I' complete-word
	bindkey '^X' finish
	zle -N finish
	finish() { print done >$OUT.done }
	# Matches are written down as they are added.
	compadd() {
		local -a hits
		if [[ " ${(j: :)@[1,(i)(-|--)]}" != *' -'(O|A|D)' '* ]]; then
			builtin compadd -A hits "$@"
			print -rl -- $hits >>$OUT
		fi
		builtin compadd "$@"
	}
	return
fi

zmodload zsh/zpty
export OUT=$(mktemp) INNER=$1 TERM=dumb
trap 'rm -f $OUT $OUT.done' EXIT
zpty inner zsh -f -i
zpty -w inner "source ${(q)ZSH_SCRIPT:a}; print rea''dy"
zpty -r inner text '*ready*'
zpty -w -n inner "$2"$'\t\x18'
repeat 100; do
	[[ ! -e $OUT.done ]] || break
	sleep 0.1
	zpty -r -t inner text
done
[[ -e $OUT.done ]] || print "the completion does not end"
grep . $OUT
zpty -d inner
