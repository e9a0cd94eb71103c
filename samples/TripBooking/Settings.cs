using EventBus;

namespace TripBooking;

/// <summary>What the command line asks for.</summary>
public sealed record Settings
{
    private const string Usage = """

        Usage: TripBooking [--transport memory|redis|redis-pubsub|rabbitmq] [--store memory|sqlite|redis]
                           [--redis host:port[,password=...]] [--rabbitmq amqp://...]

          --transport  what carries the events; memory by default. Redis Pub/Sub keeps none of them
          --store      where the bus keeps its sagas; by default memory, with Redis as the transport redis, with
                       RabbitMQ sqlite. For the crash there must be one that survives: instead of memory, sqlite
          --redis      where Redis is; localhost:6379 by default
          --rabbitmq   where RabbitMQ is; amqp://localhost by default
        """;

    private static readonly string[] Transports = ["memory", "redis", "redis-pubsub", "rabbitmq"];
    private static readonly string[] Stores = ["memory", "sqlite", "redis"];
    private static readonly string[] Parts = ["first", "second"];

    private readonly string? store;

    public string Transport { get; private init; } = "memory";

    public string Store
    {
        get => store ?? (Transport == "rabbitmq" ? "sqlite" : Transport == "memory" ? "memory" : "redis");
        init => store = value;
    }

    public string Redis { get; private init; } = "localhost:6379";

    public string RabbitMq { get; private init; } = "amqp://localhost";

    /// <summary>Which process of the crash this is; null for the one that tells the story and starts those.</summary>
    public string? Part { get; init; }

    /// <summary>Where the process that tells the story keeps its files; null for a folder of its own.</summary>
    public string? Folder { get; init; }

    /// <summary>Reads the command line.</summary>
    /// <exception cref="ArgumentException">It asks for what there is not; the message says what there is.</exception>
    public static Settings Parse(string[] args)
    {
        var settings = new Settings();
        for (var i = 0; i < args.Length; i++)
        {
            settings = args[i] switch
            {
                "--transport" => settings with { Transport = Checked(Value(), Transports.Contains, "one of " + string.Join(", ", Transports)) },
                "--store" => settings with { Store = Checked(Value(), Stores.Contains, "one of " + string.Join(", ", Stores)) },
                "--redis" => settings with { Redis = Checked(Value(), IsAddress, "an address like localhost:6379") },
                "--rabbitmq" => settings with { RabbitMq = Checked(Value(), url => url.StartsWith("amqp", StringComparison.Ordinal), "an address like amqp://localhost:5672") },
                "--part" => settings with { Part = Checked(Value(), Parts.Contains, "one of " + string.Join(", ", Parts)) },
                "--folder" => settings with { Folder = Checked(Value(), Directory.Exists, "a folder") },
                _ => throw new ArgumentException($"There is no option '{args[i]}'.\n{Usage}"),
            };

            string Value() => ++i < args.Length ? args[i] : "";

            string Checked(string value, Func<string, bool> isRight, string expected) =>
                isRight(value) ? value : throw new ArgumentException($"{args[Math.Min(i, args.Length) - 1]} takes {expected}, not '{EndPoint(value)}'.\n{Usage}");
        }

        return settings;
    }

    /// <summary>The command line that asks for this.</summary>
    public IEnumerable<string> ToArguments() =>
        ["--transport", Transport, "--store", Store, "--redis", Redis, "--rabbitmq", RabbitMq, .. Part is null ? Array.Empty<string>() : ["--part", Part], .. Folder is null ? Array.Empty<string>() : ["--folder", Folder]];

    /// <summary>Why the bus did not start, and what the command line has to do with it.</summary>
    public string Explain(EventBusException exception) =>
        exception.Message.StartsWith("Redis", StringComparison.Ordinal) ? $"{exception.Message} The sample looks for Redis at {EndPoint(Redis)}; --redis host:port says where else."
        : exception.Message.StartsWith("RabbitMQ", StringComparison.Ordinal) ? $"{exception.Message} --rabbitmq amqp://user:password@host:port says where it is."
        : exception.Message;

    private static bool IsAddress(string value) =>
        EndPoint(value) is var place && place.LastIndexOf(':') is > 0 and var colon && ushort.TryParse(place.AsSpan(colon + 1), out var port) && port > 0 && !place.AsSpan(0, colon).ContainsAny(" =@");

    // What comes after a comma may be a password, and is not shown.
    private static string EndPoint(string address) => address.Split(',')[0];
}
