# Sourced by eng/servers.sh: finds or downloads Kafka, and starts a broker of its own.
#
#   EVENTBUS_KAFKA=FOLDER           a folder with the jars of Kafka in libs/; by default the folder shared/kafka or
#                                   kafka next to this repository or to a folder above it, else the release that
#                                   eng/kafka-release names
#   EVENTBUS_KAFKA_RELEASE=FILE     another file like eng/kafka-release
#   EVENTBUS_KAFKA_DOWNLOADS=FOLDER where the release is kept; by default eventbus in the cache of the user

is_kafka() { compgen -G "$1/libs/kafka_2*.jar" >/dev/null; }

# Sets and exports EVENTBUS_KAFKA to the folder of a Kafka that is there; false if there is none.
find_kafka() {
  local folder candidate
  if [[ -n ${EVENTBUS_KAFKA:-} ]]; then
    EVENTBUS_KAFKA=$(realpath -m "$EVENTBUS_KAFKA")
    export EVENTBUS_KAFKA
    is_kafka "$EVENTBUS_KAFKA" || printf '== EVENTBUS_KAFKA has no Kafka in libs/: %s\n' "$EVENTBUS_KAFKA"
    return 0
  fi
  folder=$PWD
  while :; do
    for candidate in "$folder/shared/kafka" "$folder/kafka"; do
      if is_kafka "$candidate"; then export EVENTBUS_KAFKA="$candidate"; return 0; fi
    done
    [[ $folder != / && -n $folder ]] || return 1
    folder=$(dirname "$folder")
  done
}

# Downloads the release, checks it, and exports its folder as EVENTBUS_KAFKA. If it fails, $kafka_missing says why.
download_kafka() {
  local release=${EVENTBUS_KAFKA_RELEASE:-eng/kafka-release} downloads=${EVENTBUS_KAFKA_DOWNLOADS:-${XDG_CACHE_HOME:-$HOME/.cache}/eventbus}
  local url sha512 name folder archive="$work/kafka.tgz"
  url=$(sed -n 's/^url=//p' "$release") sha512=$(sed -n 's/^sha512=//p' "$release")
  name=$(basename "$url" .tgz)
  folder="$downloads/$name"
  if ! is_kafka "$folder"; then
    command -v curl >/dev/null || install_packages curl || { kafka_missing="curl, which downloads Kafka, is missing"; return 1; }
    printf '== downloading %s\n' "$url"
    if ! curl --silent --show-error --fail --location --connect-timeout 10 --max-time 600 --output "$archive" "$url"; then
      kafka_missing="no folder with Kafka was found, and $url could not be downloaded"
      return 1
    fi
    if ! sha512sum --check --status <<<"$sha512  $archive"; then
      rm -f "$archive"
      kafka_missing="the SHA-512 of $url is not the one in $release"
      return 1
    fi
    # Renamed when it is complete, so that an interrupted run leaves no half of it.
    mkdir -p "$downloads" "$work/unpacked" && tar -xzf "$archive" -C "$work/unpacked" && rm -f "$archive" &&
      { rm -rf "$folder.$$" && cp -r "$work/unpacked/$name" "$folder.$$" && mv -T "$folder.$$" "$folder" || is_kafka "$folder"; } ||
      { kafka_missing="$url could not be unpacked into $downloads"; return 1; }
    rm -rf "$work/unpacked" "$folder.$$"
  fi
  export EVENTBUS_KAFKA="$folder"
}

# Finds or downloads Kafka, and installs a Java runtime. If there is no Kafka, $kafka_missing says why and the result is
# 2.
install_kafka() {
  kafka_missing=
  find_kafka || download_kafka || return 2
  command -v java >/dev/null || install_packages default-jre-headless
}

# write_kafka_settings folder: writes server.properties for the node, with the ports that were chosen.
write_kafka_settings() {
  mkdir -p "$1/data" "$1/log"
  sed -e "s|@FOLDER@|$1|g" -e "s|@PLAIN@|$kafka_plain_port|g" -e "s|@SASL@|$kafka_port|g" -e "s|@PROXIED@|$kafka_proxied_port|g" \
    -e "s|@ADVERTISED@|$kafka_proxied_port|g" -e "s|@CONTROLLER@|$kafka_controller_port|g" -e "s|@PASSWORD@|$EVENTBUS_TEST_CANARY|g" \
    eng/kafka.properties >"$1/server.properties"
}

# kafka_tool class argument...: runs one of the tools of Kafka.
kafka_tool() { java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.level=ERROR -cp "$EVENTBUS_KAFKA/libs/*" "$@"; }

# The id of the cluster: 16 random bytes in the form that Kafka expects.
new_cluster_id() { head -c 16 /dev/urandom | base64 | tr '+/' 'AB' | cut -c 1-22; }

# Starts a broker. Clients with the password use $EVENTBUS_TEST_KAFKA; programs without one $kafka_plain.
start_kafka() {
  free_port; kafka_port=$port
  free_port; kafka_plain_port=$port
  free_port; kafka_proxied_port=$port
  free_port; kafka_controller_port=$port
  kafka_folder="$work/kafka"
  write_kafka_settings "$kafka_folder"
  export EVENTBUS_TEST_KAFKA="127.0.0.1:$kafka_port"
  kafka_plain="127.0.0.1:$kafka_plain_port"
  # Its storage is formatted in the background too: the caller builds meanwhile.
  start_server bash -c '
    tools=(-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$1/libs/*")
    java "${tools[@]}" kafka.tools.StorageTool format --cluster-id "$3" --config "$2/server.properties" --standalone || exit
    exec java -Xms128m -Xmx512m -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -Djava.awt.headless=true -Dlog4j2.level=WARN \
      "-Dkafka.logs.dir=$2/log" -cp "$1/libs/*" kafka.Kafka "$2/server.properties"
  ' kafka "$EVENTBUS_KAFKA" "$kafka_folder" "$(new_cluster_id)" >"$kafka_folder/out" 2>&1
  kafka=$started
}

# The broker opens its ports when it serves.
await_kafka() {
  local i
  for ((i = 0; i < 600; i++)); do
    listening "$kafka_plain_port" && listening "$kafka_port" && return 0
    kill -0 "$kafka" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 20 "$kafka_folder/out"
  return 1
}
