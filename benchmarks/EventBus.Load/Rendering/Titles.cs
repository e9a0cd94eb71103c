namespace EventBus.Load;

/// <summary>The titles in tables and plots.</summary>
internal static class Titles
{
    /// <summary>The throughput modes, in the order of the tables.</summary>
    public static IReadOnlyList<Mode> Throughputs { get; } = [Mode.OneByOne, Mode.InFlight64, Mode.List];

    public static string Of(Transport transport) => transport switch
    {
        Transport.RabbitMq => "RabbitMQ, quorum queues",
        Transport.RabbitMqClassic => "RabbitMQ, classic queues",
        Transport.RedisStreams => "Redis Streams",
        Transport.RedisPubSub => "Redis Pub/Sub",
        Transport.Kafka => "Kafka",
        _ => "In memory",
    };

    public static string Of(Arena arena) =>
        $"{Of(arena.Transport)}, {Count(arena.Subscriptions, "subscription")}, "
            + $"{Size(arena.Size)}{(arena.Keys > 0 ? $", {Count(arena.Keys, "key")}" : "")}{OfPartitions(arena)}";

    /// <summary>Returns the number of partitions if it is not the usual one, after a comma.</summary>
    public static string OfPartitions(Arena arena) => arena.TopicPartitions > 0 ? $", {Count(arena.TopicPartitions, "partition")}" : "";

    public static string Of(Mode mode) => mode switch
    {
        Mode.OneByOne => "one publisher, awaits each",
        Mode.InFlight64 => "64 publishers, each awaits its own",
        Mode.List => "one publisher, a list",
        Mode.OneInFlight => "one event in flight",
        Mode.AtRate => "at a steady rate",
        _ => "a backlog",
    };

    /// <summary>True if the mode measures latency, false for throughput.</summary>
    public static bool IsLatency(Mode mode) => mode is Mode.OneInFlight or Mode.AtRate;

    /// <summary>Returns the title of a contender; the name itself if the program no longer knows it.</summary>
    public static string Contender(string name, Transport transport) =>
        ContenderKind.All.FirstOrDefault(kind => kind.Name == name && kind.Transports.Contains(transport))?.Title ?? name;

    public static string Program(string name) => name switch
    {
        Hello.Bare => "bare host",
        Hello.Bus or Hello.BusHere => "EventBus",
        _ => ContenderKind.All.FirstOrDefault(kind => kind.Name == name)?.Title ?? name,
    };

    public static string Size(int bytes) => bytes >= 1024 ? $"{bytes / 1024} KB" : $"{bytes} B";

    public static string Count(int count, string noun) => $"{count:N0} {noun}{(count == 1 ? "" : "s")}";

    /// <summary>Formats events a second with the significant digits.</summary>
    public static string Rate(double perSecond) => perSecond switch
    {
        >= 1e6 => $"{perSecond / 1e6:0.00} M/s",
        >= 1e4 => $"{perSecond / 1e3:0.0} k/s",
        _ => $"{perSecond:N0}/s",
    };

    public static string Time(double microseconds) => microseconds switch
    {
        >= 100_000 => $"{microseconds / 1_000:N0} ms",
        >= 10_000 => $"{microseconds / 1_000:0.0} ms",
        >= 1_000 => $"{microseconds / 1_000:0.00} ms",
        >= 10 => $"{microseconds:0} us",
        _ => $"{microseconds:0.00} us",
    };

    /// <summary>Formats a round number of an axis.</summary>
    public static string Short(double value) => value switch
    {
        >= 1e6 => $"{value / 1e6:0.##} M",
        >= 1e3 => $"{value / 1e3:0.##} k",
        _ => $"{value:0.###}",
    };

    /// <summary>Formats a round number of microseconds of an axis.</summary>
    public static string ShortTime(double microseconds) => microseconds switch
    {
        >= 1e6 => $"{microseconds / 1e6:0.##} s",
        >= 1e3 => $"{microseconds / 1e3:0.##} ms",
        _ => $"{microseconds:0.###} us",
    };

    /// <summary>Formats a ratio with enough digits for small ones.</summary>
    public static string Ratio(Interval ratio)
    {
        var format = ratio.Median switch { >= 20 => "0", >= 0.1 => "0.00", >= 0.01 => "0.000", _ => "0.0000" };
        return ratio.Median == 0 ? "" : $"{ratio.Median.ToString(format)} ({ratio.Low.ToString(format)} to {ratio.High.ToString(format)})";
    }
}
