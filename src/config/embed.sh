#!/bin/sh
# embed.sh FILE.yaml...: the table `profiles` of profile.h as C, for the build.
set -eu
echo '#include "config/profile.h"'
rows=
for file in "$@"; do
	name=$(basename "$file" .yaml)
	echo "static const uint8_t text_of_$name[] = {"
	od -An -v -tx1 "$file" | sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g'
	echo '};'
	rows="$rows    {\"$name\", \"profile $name\", {text_of_$name, sizeof text_of_$name}},
"
done
echo 'const struct profile profiles[] = {'
printf '%s' "$rows"
echo '    {0},'
echo '};'
