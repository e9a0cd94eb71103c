using EventBus;

namespace TripBooking;

/// <summary>The settings of the command line.</summary>
public sealed record Settings
{
    private const string Usage = """

        Usage: TripBooking [--transport memory|redis|redis-pubsub|rabbitmq|kafka]
                           [--store memory|sqlite|redis] [--redis host:port[,password=...]]
                           [--rabbitmq amqp://...] [--kafka host:port]

          --transport  the transport of the events; memory by default. Redis Pub/Sub keeps no events
          --store      the store of the sagas; by default memory, with Redis as the transport redis, with
                       RabbitMQ and Kafka sqlite. The crash needs a durable store: instead of memory, sqlite
          --redis      where Redis is; localhost:6379 by default
          --rabbitmq   where RabbitMQ is; amqp://localhost by default
          --kafka      where Kafka is; localhost:9092 by default
        """;

    private static readonly string[] Transports = ["memory", "redis", "redis-pubsub", "rabbitmq", "kafka"];
    private static readonly string[] Stores = ["memory", "sqlite", "redis"];
    private static readonly string[] Parts = ["first", "second"];

    private readonly string? store;

    public string Transport { get; private init; } = "memory";

    public string Store
    {
        get => store ?? (Transport is "rabbitmq" or "kafka" ? "sqlite" : Transport == "memory" ? "memory" : "redis");
        init => store = value;
    }

    public string Redis { get; private init; } = "localhost:6379";

    public string RabbitMq { get; private init; } = "amqp://localhost";

    public string Kafka { get; private init; } = "localhost:9092";

    /// <summary>The name of this process in the part with the crash; null for the process that runs the demo.</summary>
    public string? Part { get; init; }

    /// <summary>The folder of the files of the process that runs the demo; null for a new one.</summary>
    public string? Folder { get; init; }

    /// <summary>Reads the command line.</summary>
    /// <exception cref="ArgumentException">
    /// An option or a value is unknown; the message lists the valid ones.
    /// </exception>
    public static Settings Parse(string[] args)
    {
        var settings = new Settings();
        for (var i = 0; i < args.Length; i++)
        {
            settings = args[i] switch
            {
                "--transport" => settings with { Transport = OneOf(Transports) },
                "--store" => settings with { Store = OneOf(Stores) },
                "--redis" => settings with { Redis = Checked(Value(), IsAddress, "an address like localhost:6379") },
                "--rabbitmq" => settings with { RabbitMq = Url("amqp", "an address like amqp://localhost:5672") },
                "--kafka" => settings with { Kafka = Checked(Value(), IsAddress, "an address like localhost:9092") },
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

        return settings;
    }

    /// <summary>Returns the command line of these settings.</summary>
    public IEnumerable<string> ToArguments() =>
        [
            "--transport", Transport, "--store", Store, "--redis", Redis, "--rabbitmq", RabbitMq,
            "--kafka", Kafka,
            .. Part is null ? Array.Empty<string>() : ["--part", Part],
            .. Folder is null ? Array.Empty<string>() : ["--folder", Folder],
        ];

    /// <summary>Returns the reason why the bus did not start, and the option that concerns it.</summary>
    public string Explain(EventBusException exception) =>
        exception.Message.StartsWith("Redis", StringComparison.Ordinal)
            ? $"{exception.Message} The sample looks for Redis at {EndPoint(Redis)}; --redis host:port sets another address."
        : exception.Message.StartsWith("RabbitMQ", StringComparison.Ordinal)
            ? $"{exception.Message} --rabbitmq amqp://user:password@host:port sets the address."
        : exception.Message.StartsWith("Kafka", StringComparison.Ordinal)
            ? $"{exception.Message} The sample looks for Kafka at {EndPoint(Kafka)}; --kafka host:port sets another address."
        : exception.Message;

    private static bool IsAddress(string value) =>
        EndPoint(value) is var place && place.LastIndexOf(':') is > 0 and var colon
        && ushort.TryParse(place.AsSpan(colon + 1), out var port) && port > 0
        && !place.AsSpan(0, colon).ContainsAny(" =@");

    // The part after a comma may hold a password, and is not shown.
    private static string EndPoint(string address) => address.Split(',')[0];
}
