# Sourced by scripts that need their own Redis, RabbitMQ or Kafka. Expects $work, a temporary folder of the caller, and a
# function start_server command..., which starts a command in a process group that the caller ends, and sets $started to
# its id. Sourced after eng/install.sh.

source eng/kafka.sh
export PATH="$PATH:/usr/sbin:/sbin"
run_id="eventbus-${work##*.}"
rabbitmq_home=${EVENTBUS_RABBITMQ_HOME:-/usr/lib/rabbitmq/bin} # the folder of the programs of RabbitMQ
# The servers have a password that contains this text. The tests search for it where no password may appear.
export EVENTBUS_TEST_CANARY="canary-${work##*.}"
redis_password="$EVENTBUS_TEST_CANARY/=@" # with characters that are special in a configuration string or a URL

install_servers() {
  local missing=()
  command -v redis-server >/dev/null && command -v redis-cli >/dev/null || missing+=(redis-server)
  [[ -x $rabbitmq_home/rabbitmq-server ]] || missing+=(rabbitmq-server)
  ((${#missing[@]} == 0)) || install_packages "${missing[@]}"
}

listening() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A free loopback port below the range from which the kernel takes ports for outgoing connections. In $port.
free_port() {
  local other
  while :; do
    port=$((12000 + RANDOM % 18000))
    for other in "${ports[@]}"; do [[ $other != "$port" ]] || continue 2; done
    listening "$port" || break
  done
  ports+=("$port")
}
ports=(0)

start_redis() {
  free_port
  redis_port=$port
  mkdir -p "$work/redis"
  start_server redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$work/redis" --appendonly yes --save "" --daemonize no \
    --requirepass "$redis_password" --logfile "$work/redis/log"
  redis=$started
  export EVENTBUS_TEST_REDIS="127.0.0.1:$redis_port,password=$redis_password"
  redis_url="redis://:$EVENTBUS_TEST_CANARY%2F%3D%40@127.0.0.1:$redis_port"
}

await_redis() {
  local i
  for ((i = 0; i < 300; i++)); do
    [[ $(REDISCLI_AUTH=$redis_password redis-cli -h 127.0.0.1 -p "$redis_port" ping 2>/dev/null) == PONG ]] && return 0
    kill -0 "$redis" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 20 "$work/redis/log"
  return 1
}

# The node shares nothing with other nodes of the machine: name, ports, name service, cookie and files are its own.
rabbitmq_settings() {
  free_port; rabbitmq_port=$port
  free_port; local distribution_port=$port
  free_port; epmd_port=$port
  mkdir -p "$work/rabbitmq"
  : >"$work/rabbitmq/env.conf"
  # The password has characters that a connection string must escape.
  printf 'default_user = bus\ndefault_pass = %s/@\n' "$EVENTBUS_TEST_CANARY" >"$work/rabbitmq/rabbitmq.conf"
  printf '[].\n' >"$work/rabbitmq/enabled_plugins"
  rabbitmq_environment=(
    HOME="$work/rabbitmq"
    ERL_EPMD_PORT="$epmd_port"
    ERL_EPMD_ADDRESS=127.0.0.1
    RABBITMQ_NODENAME="$run_id@localhost"
    RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
    RABBITMQ_NODE_PORT="$rabbitmq_port"
    RABBITMQ_DIST_PORT="$distribution_port"
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
    RABBITMQ_CONF_ENV_FILE="$work/rabbitmq/env.conf"
    RABBITMQ_CONFIG_FILE="$work/rabbitmq/rabbitmq"
    RABBITMQ_ENABLED_PLUGINS_FILE="$work/rabbitmq/enabled_plugins"
    RABBITMQ_MNESIA_BASE="$work/rabbitmq/data"
    RABBITMQ_LOG_BASE="$work/rabbitmq/log"
    RABBITMQ_PID_FILE="$work/rabbitmq/pid"
  )
}

rabbitmqctl() { env "${rabbitmq_environment[@]}" timeout 200 "$rabbitmq_home/rabbitmqctl" -n "$run_id@localhost" "$@"; }

start_rabbitmq() {
  rabbitmq_settings
  # Started here in the foreground, the name service ends with this run.
  start_server env "${rabbitmq_environment[@]}" epmd >"$work/rabbitmq/epmd.out" 2>&1
  local i
  for ((i = 0; i < 100; i++)); do listening "$epmd_port" && break; sleep 0.05; done
  start_server env "${rabbitmq_environment[@]}" "$rabbitmq_home/rabbitmq-server" >"$work/rabbitmq/out" 2>&1
  rabbitmq=$started
  export EVENTBUS_TEST_RABBITMQ="amqp://bus:$EVENTBUS_TEST_CANARY%2F%40@127.0.0.1:$rabbitmq_port"
}

await_rabbitmq() {
  local i
  for ((i = 0; i < 600; i++)); do
    kill -0 "$rabbitmq" 2>/dev/null || break
    [[ -s $work/rabbitmq/pid ]] && rabbitmqctl await_startup --timeout 120 >"$work/rabbitmq/await" 2>&1 && listening "$rabbitmq_port" && return 0
    sleep 0.1
  done
  tail -n 20 "$work/rabbitmq/out" "$work/rabbitmq/await" 2>/dev/null
  return 1
}
