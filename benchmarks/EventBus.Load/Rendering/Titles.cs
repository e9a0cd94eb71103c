namespace EventBus.Load;

/// <summary>What tables and plots call things.</summary>
internal static class Titles
{
    public static string Of(Transport transport) => transport switch
    {
        Transport.RabbitMq => "RabbitMQ, quorum queues",
        Transport.RabbitMqClassic => "RabbitMQ, classic queues",
        Transport.RedisStreams => "Redis Streams",
        Transport.RedisPubSub => "Redis Pub/Sub",
        _ => "In memory",
    };

    public static string Of(Arena arena) =>
        $"{Of(arena.Transport)}, {Count(arena.Subscriptions, "subscription")}, {Size(arena.Size)}{(arena.Keys > 0 ? $", {Count(arena.Keys, "key")}" : "")}";

    public static string Of(Mode mode) => mode switch
    {
        Mode.OneByOne => "one publisher, awaits each",
        Mode.InFlight64 => "64 publishers, each awaits its own",
        Mode.List => "one publisher, a list",
        Mode.OneInFlight => "one event in flight",
        Mode.AtRate => "at a steady rate",
        _ => "a backlog",
    };

    /// <summary>Whether the mode is about latency rather than throughput.</summary>
    public static bool IsLatency(Mode mode) => mode is Mode.OneInFlight or Mode.AtRate;

    public static string Size(int bytes) => bytes >= 1024 ? $"{bytes / 1024} KB" : $"{bytes} B";

    public static string Count(int count, string noun) => $"{count:N0} {noun}{(count == 1 ? "" : "s")}";

    /// <summary>Events a second, with as many digits as mean something.</summary>
    public static string Rate(double perSecond) => perSecond switch
    {
        >= 1e6 => $"{perSecond / 1e6:0.00} M/s",
        >= 1e4 => $"{perSecond / 1e3:0.0} k/s",
        _ => $"{perSecond:N0}/s",
    };

    public static string Time(double microseconds) => microseconds switch
    {
        >= 100_000 => $"{microseconds / 1_000:N0} ms",
        >= 1_000 => $"{microseconds / 1_000:0.00} ms",
        >= 10 => $"{microseconds:0} us",
        _ => $"{microseconds:0.00} us",
    };

    public static string Ratio(Interval ratio) => ratio.Median == 0 ? "" : $"{ratio.Median:0.00} ({ratio.Low:0.00} to {ratio.High:0.00})";
}
