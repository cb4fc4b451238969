#!/usr/bin/env bash
# Makes the demo's prompts anew: speech by espeak-ng, music by sox; both from Debian's packages of those names.
set -euo pipefail
cd "$(dirname "$0")"

say() { # name, text
    espeak-ng -v en-gb -s 150 -w speech.wav "$2"
    # Telephone band, 8 kHz µ-law: half the size of linear PCM and what most calls carry.
    sox -D speech.wav -r 8000 -c 1 -e mu-law "$1.wav" gain -n -6 highpass 200 lowpass 3400 pad 0.1 0.15
}

say welcome 'Welcome to Tandem.'
say menu 'For sales, press 1. For support, press 2. To hear this again, press 9.'
say invalid 'That is not one of the choices.'
say no-input 'I did not hear a choice.'
say goodbye 'Goodbye.'
say enter-digits 'Please enter four digits, then the hash key.'
say please-wait 'Please hold. An agent will be with you shortly.'
say loop 'This is Tandem. You will hear this message until you hang up.'

# The words of the grammars, in a folder of their own for each language.
word() { # voice, name, text
    espeak-ng -v "$1" -s 165 -w speech.wav "$3"
    mkdir -p "$(dirname "$2")"
    sox -D speech.wav -r 8000 -c 1 -e mu-law "$2.wav" gain -n -6 highpass 200 lowpass 3400 \
        silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse pad 0.02 0.04
}

# Words in German are written as they are spoken; the names of their files keep to ASCII.
while IFS='|' read -r language name text; do
    word "$language" "${language%%-*}/$name" "$text"
done <words.txt

# Music on hold: four bars of plucked chords, C, A minor, F, G, two seconds each; loops without a gap.
bar() { # file, notes
    local file=$1 voices=() n=0 note
    shift
    for note in "$@"; do
        voices+=("|sox -D -n -r 8000 -c 1 -p synth 2 pluck $note delay $(awk "BEGIN { print $n * 0.25 }") trim 0 2")
        n=$((n + 1))
    done
    sox -D -m "${voices[@]}" "$file" gain -n -12 fade t 0.005 2 0.02
}
bar bar1.wav C3 G3 C4 E4 G4 E4
bar bar2.wav A2 E3 A3 C4 E4 C4
bar bar3.wav F2 C3 F3 A3 C4 A3
bar bar4.wav G2 D3 G3 B3 D4 B3
sox -D bar1.wav bar2.wav bar3.wav bar4.wav -e mu-law music.wav
rm -f speech.wav bar?.wav
