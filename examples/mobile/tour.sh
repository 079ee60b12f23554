#!/bin/sh
# Goes through the life of an app's session: sh tour.sh http://127.0.0.1:4000
set -eu
api=$1
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT

# field NAME prints a member of the JSON that it reads.
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
# exchange TOKEN asks for an access token.
exchange() { curl -s -d grant_type=refresh_token -d "refresh_token=$1" "$api/api/token"; }
# get PATH TOKEN prints the status and what a client looks at.
get() {
  curl -s -i -H "Authorization: Bearer $2" "$api$1" | tr -d '\r' |
    sed -n -e 's/^HTTP[^ ]* \([0-9]*\).*/\1/p' -e '/^Www-Authenticate/p' -e '/^Notes/p' -e 's/.*\("code":"[^"]*"\).*/\1/p'
}

echo '# The app signs in, and keeps its refresh token in a file.'
curl -s -A 'Notes/1.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)' -d user=ann "$api/api/login" | field refresh_token > token
get /api/notes "$(cat token)"

echo '# It exchanges the token. It keeps the new one before it uses it.'
exchange "$(cat token)" > answer
field refresh_token < answer > token.new && mv token.new token
access=$(field access_token < answer)
get /api/notes "$access"

echo '# It exchanges again, and loses the answer.'
exchange "$(cat token)" > lost

echo '# It asks again, and gets the same token.'
exchange "$(cat token)" > answer
[ "$(field refresh_token < answer)" = "$(field refresh_token < lost)" ] && echo same
field refresh_token < answer > token.new && mv token.new token
access=$(field access_token < answer)
get /api/notes "$access"

echo '# Ann signs in with her browser, and sees both.'
curl -s -c cookies -A 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' -d user=ann "$api/login"
curl -s -b cookies "$api/api/auth/sessions" | tr '{' '\n' | grep '"id"' > list
sed 's/.*\("current":[a-z]*\).*\("device":"[^"]*"\).*/\1 \2/' list

echo '# She ends the session of the app.'
id=$(grep '"token":true' list | field id)
curl -s -b cookies -X DELETE "$api/api/auth/sessions/$id" | grep -o '"count":1'

echo '# Both tokens of the app are over, though the access token has minutes to go.'
get /api/notes "$access"
exchange "$(cat token)"

echo '# Her browser goes on.'
curl -s -b cookies "$api/me"
