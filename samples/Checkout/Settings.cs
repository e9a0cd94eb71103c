using EventBus;

namespace Checkout;

/// <summary>What the command line asks for.</summary>
public sealed record Settings
{
    private const string Usage = """

        Usage: Checkout [--serve] [--transport memory|redis|redis-pubsub|rabbitmq] [--store memory|sqlite|redis]
                        [--redis host:port[,password=...]] [--rabbitmq amqp://...] [--urls http://host:port]

          --serve      keep serving until Ctrl-C, instead of telling the story and ending
          --transport  what carries the events; memory by default. Redis Pub/Sub keeps none of them: what is
                       published while nobody listens is gone, and no order is kept
          --store      where the bus keeps what failed, what waits and what was handled; by default memory, with
                       Redis as the transport redis, with RabbitMQ sqlite. The file is checkout.db in the working
                       folder with --serve
          --redis      where Redis is; localhost:6379 by default
          --rabbitmq   where RabbitMQ is; amqp://localhost by default
          --urls       where the shop listens with --serve; a free port by default
        """;

    private static readonly string[] Transports = ["memory", "redis", "redis-pubsub", "rabbitmq"];
    private static readonly string[] Stores = ["memory", "sqlite", "redis"];

    private readonly string? store;

    public bool Serve { get; private init; }

    public string Transport { get; private init; } = "memory";

    public string Store
    {
        get => store ?? (Transport == "rabbitmq" ? "sqlite" : Transport == "memory" ? "memory" : "redis");
        private init => store = value;
    }

    public string Redis { get; private init; } = "localhost:6379";

    public string RabbitMq { get; private init; } = "amqp://localhost";

    public string? Urls { get; private init; }

    /// <summary>Reads the command line.</summary>
    /// <exception cref="ArgumentException">It asks for what there is not; the message says what there is.</exception>
    public static Settings Parse(string[] args)
    {
        var settings = new Settings();
        for (var i = 0; i < args.Length; i++)
        {
            settings = args[i] switch
            {
                "--serve" => settings with { Serve = true },
                "--transport" => settings with { Transport = Checked(Value(), Transports.Contains, "one of " + string.Join(", ", Transports)) },
                "--store" => settings with { Store = Checked(Value(), Stores.Contains, "one of " + string.Join(", ", Stores)) },
                "--redis" => settings with { Redis = Checked(Value(), IsAddress, "an address like localhost:6379") },
                "--rabbitmq" => settings with { RabbitMq = Checked(Value(), url => url.StartsWith("amqp", StringComparison.Ordinal), "an address like amqp://localhost:5672") },
                "--urls" => settings with { Urls = Checked(Value(), url => url.StartsWith("http", StringComparison.Ordinal), "an address like http://127.0.0.1:8080") },
                _ => throw new ArgumentException($"There is no option '{args[i]}'.\n{Usage}"),
            };

            string Value() => ++i < args.Length ? args[i] : "";

            string Checked(string value, Func<string, bool> isRight, string expected) =>
                isRight(value) ? value : throw new ArgumentException($"{args[Math.Min(i, args.Length) - 1]} takes {expected}, not '{EndPoint(value)}'.\n{Usage}");
        }

        return settings;
    }

    /// <summary>Why the bus did not start, and what the command line has to do with it.</summary>
    public string Explain(EventBusException exception) =>
        exception.Message.StartsWith("Redis", StringComparison.Ordinal) ? $"{exception.Message} The shop looks for Redis at {EndPoint(Redis)}; --redis host:port says where else."
        : exception.Message.StartsWith("RabbitMQ", StringComparison.Ordinal) ? $"{exception.Message} --rabbitmq amqp://user:password@host:port says where it is."
        : exception.Message;

    private static bool IsAddress(string value) =>
        EndPoint(value) is var place && place.LastIndexOf(':') is > 0 and var colon && ushort.TryParse(place.AsSpan(colon + 1), out var port) && port > 0 && !place.AsSpan(0, colon).ContainsAny(" =@");

    // What comes after a comma may be a password, and is not shown.
    private static string EndPoint(string address) => address.Split(',')[0];
}
