using EventBus;

namespace Checkout;

/// <summary>The settings of the command line.</summary>
public sealed record Settings
{
    private const string Usage = """

        Usage: Checkout [--serve] [--file checkout.db]
                        [--transport memory|redis|redis-pubsub|rabbitmq|kafka] [--store memory|sqlite|redis]
                        [--redis host:port[,password=...]] [--rabbitmq amqp://...] [--kafka host:port]
                        [--urls http://host:port]
               Checkout --scene broker-away [--transport memory|redis|rabbitmq|kafka] [--stop-broker "command" --start-broker "command"]
               Checkout --scene order-history [--transport ...] [--store ...] [--redis ...]
               Checkout --scene two-buses [--transport ...] [--store ...]

          --serve      serve until Ctrl-C, instead of running the demo and ending
          --file       the SQLite file of the orders with --serve; checkout.db in the working folder by default.
                       One shop at a time uses it
          --transport  the transport of the events; memory by default. Redis Pub/Sub keeps no events: those
                       published while the shop is stopped are lost, and their order is not kept
          --store      the store of failed, waiting and handled events; by default memory, with
                       Redis as the transport redis, with RabbitMQ and Kafka sqlite, which is the file of the orders
          --redis      where Redis is; localhost:6379 by default. With an address, the orders of a user are cached there
          --rabbitmq   where RabbitMQ is; amqp://localhost by default
          --kafka      where Kafka is; localhost:9092 by default
          --urls       where the shop listens with --serve; a free port by default
          --scene      run one scene: broker-away stops the broker, or in memory kills the process, between the payment
                       and the event. The store is SQLite. order-history reads, cancels and rebuilds, with an
                       address of Redis through a cache. two-buses forwards the events of the orders to a
                       second bus, which is in memory
          --stop-broker, --start-broker
                       the commands that stop and start the broker in the scene; without them the scene asks you to do it
        """;

    private static readonly string[] Transports = ["memory", "redis", "redis-pubsub", "rabbitmq", "kafka"];
    private static readonly string[] Stores = ["memory", "sqlite", "redis"];
    private static readonly string[] Scenes = ["broker-away", "order-history", "two-buses"];
    private static readonly string[] Parts = ["first", "second"];

    private readonly string? store;
    private readonly string? redis;

    public bool Serve { get; private init; }

    public string File { get; private init; } = "checkout.db";

    public string Transport { get; private init; } = "memory";

    public string Store
    {
        get => Scene == "broker-away"
            ? "sqlite"
            : store ?? (Transport is "rabbitmq" or "kafka" ? "sqlite" : Transport == "memory" ? "memory" : "redis");
        private init => store = value;
    }

    public string Redis
    {
        get => redis ?? "localhost:6379";
        private init => redis = value;
    }

    /// <summary>True if Redis is the transport or the store, or its address was given.</summary>
    public bool UsesRedis => redis is not null || Transport.StartsWith("redis", StringComparison.Ordinal) || Store == "redis";

    public string RabbitMq { get; private init; } = "amqp://localhost";

    public string Kafka { get; private init; } = "localhost:9092";

    public string? Urls { get; private init; }

    /// <summary>The scene to run; null for the demo.</summary>
    public string? Scene { get; private init; }

    public string? StopBroker { get; private init; }

    public string? StartBroker { get; private init; }

    /// <summary>Which of the two shops of a scene this process is; null for the process that runs the scene.</summary>
    public string? Part { get; init; }

    /// <summary>The folder of the files of the process that runs the scene; null for a new one.</summary>
    public string? Folder { get; init; }

    /// <summary>Reads the command line.</summary>
    /// <exception cref="ArgumentException">
    /// An option or a value is unknown; the message lists the valid ones.
    /// </exception>
    public static Settings Parse(string[] args)
    {
        var settings = new Settings();
        args = [.. args.SelectMany(OfHost)];
        for (var i = 0; i < args.Length; i++)
        {
            settings = args[i] switch
            {
                "--serve" => settings with { Serve = true },
                "--file" => settings with { File = Checked(Value(), value => value.Length > 0, "the path of a file") },
                "--transport" => settings with { Transport = OneOf(Transports) },
                "--store" => settings with { Store = OneOf(Stores) },
                "--redis" => settings with { Redis = Checked(Value(), IsAddress, "an address like localhost:6379") },
                "--rabbitmq" => settings with { RabbitMq = Url("amqp", "an address like amqp://localhost:5672") },
                "--kafka" => settings with { Kafka = Checked(Value(), IsAddress, "an address like localhost:9092") },
                "--urls" => settings with { Urls = Url("http", "an address like http://127.0.0.1:8080") },
                "--scene" => settings with { Scene = OneOf(Scenes) },
                "--stop-broker" => settings with { StopBroker = Checked(Value(), value => value.Length > 0, "a command") },
                "--start-broker" => settings with { StartBroker = Checked(Value(), value => value.Length > 0, "a command") },
                "--part" => settings with { Part = OneOf(Parts) },
                "--folder" => settings with { Folder = Checked(Value(), Directory.Exists, "a folder") },
                _ => throw new ArgumentException($"There is no option '{args[i]}'.\n{Usage}"),
            };

            string OneOf(string[] values) => Checked(Value(), values.Contains, "one of " + string.Join(", ", values));

            string Url(string scheme, string expected) =>
                Checked(Value(), url => url.StartsWith(scheme, StringComparison.Ordinal), expected);

            string Value() => ++i < args.Length ? args[i] : "";

            string Checked(string value, Func<string, bool> isRight, string expected) =>
                isRight(value)
                    ? value
                    : throw new ArgumentException(
                        $"{args[Math.Min(i, args.Length) - 1]} takes {expected}, not '{EndPoint(value)}'.\n{Usage}");
        }

        return settings is { Scene: "broker-away", Transport: "redis-pubsub" }
            ? throw new ArgumentException($"The scene broker-away needs a transport that keeps events.\n{Usage}")
            : settings;
    }

    /// <summary>Returns the command line of a shop of a scene.</summary>
    public IEnumerable<string> ToArguments() => ["--scene", Scene!, "--part", Part!, "--folder", Folder!];

    /// <summary>Returns the reason why the bus did not start, and the option that concerns it.</summary>
    public string Explain(EventBusException exception) =>
        exception.Message.StartsWith("Redis", StringComparison.Ordinal)
            ? $"{exception.Message} The shop looks for Redis at {EndPoint(Redis)}; --redis host:port sets another address."
        : exception.Message.StartsWith("RabbitMQ", StringComparison.Ordinal)
            ? $"{exception.Message} --rabbitmq amqp://user:password@host:port sets the address."
        : exception.Message.StartsWith("Kafka", StringComparison.Ordinal)
            ? $"{exception.Message} The shop looks for Kafka at {EndPoint(Kafka)}; --kafka host:port sets another address."
        : exception.Message;

    /// <summary>
    /// Reads the form in which the host of a test passes settings, <c>--name=value</c>. Names that are no options are
    /// those of the host itself, and are left out.
    /// </summary>
    private static string[] OfHost(string arg) => arg.Split('=', 2) switch
    {
        ["--serve", _] => ["--serve"],
        ["--file" or "--transport" or "--store" or "--redis" or "--rabbitmq" or "--kafka", _] and [var name, var value] => [name, value],
        [['-', '-', ..], _] => [],
        _ => [arg],
    };

    private static bool IsAddress(string value) =>
        EndPoint(value) is var place && place.LastIndexOf(':') is > 0 and var colon
        && ushort.TryParse(place.AsSpan(colon + 1), out var port) && port > 0
        && !place.AsSpan(0, colon).ContainsAny(" =@");

    // The part after a comma may hold a password, and is not shown.
    private static string EndPoint(string address) => address.Split(',')[0];
}
