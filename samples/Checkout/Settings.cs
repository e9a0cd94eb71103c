using EventBus;

namespace Checkout;

/// <summary>What the command line asks for.</summary>
public sealed record Settings
{
    private const string Usage = """

        Usage: Checkout [--serve] [--store memory|sqlite|redis] [--redis host:port] [--urls http://host:port]

          --serve    keep serving until Ctrl-C, instead of telling the story and ending
          --store    where the bus keeps what failed, what waits and what was handled; memory by default,
                     and with sqlite and --serve the file checkout.db in the working folder
          --redis    where Redis is, for --store redis; localhost:6379 by default
          --urls     where the shop listens with --serve; a free port by default
        """;

    private static readonly string[] Stores = ["memory", "sqlite", "redis"];

    public bool Serve { get; private init; }

    public string Store { get; private init; } = "memory";

    public string Redis { get; private init; } = "localhost:6379";

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
                "--store" => settings with { Store = Checked(Value(), Stores.Contains, "one of " + string.Join(", ", Stores)) },
                "--redis" => settings with { Redis = Checked(Value(), IsAddress, "an address like localhost:6379") },
                "--urls" => settings with { Urls = Checked(Value(), url => url.StartsWith("http", StringComparison.Ordinal), "an address like http://127.0.0.1:8080") },
                _ => throw new ArgumentException($"There is no option '{args[i]}'.\n{Usage}"),
            };

            string Value() => ++i < args.Length ? args[i] : "";

            string Checked(string value, Func<string, bool> isRight, string expected) =>
                isRight(value) ? value : throw new ArgumentException($"{args[Math.Min(i, args.Length) - 1]} takes {expected}, not '{value}'.\n{Usage}");
        }

        return settings;
    }

    /// <summary>Why the bus did not start, and what the command line has to do with it.</summary>
    public string Explain(EventBusException exception) =>
        Store == "redis" ? $"{exception.Message} The shop looks for Redis at {Redis}; --redis host:port says where else." : exception.Message;

    private static bool IsAddress(string value) =>
        value.LastIndexOf(':') is > 0 and var colon && ushort.TryParse(value.AsSpan(colon + 1), out var port) && port > 0 && !value.AsSpan(0, colon).ContainsAny(", =@");
}
