namespace EventBus.Load;

/// <summary>Describes a contender.</summary>
/// <param name="Name">The name in result files and in the command line of a worker.</param>
/// <param name="Title">The name in tables.</param>
/// <param name="Transports">The transports over which it can be measured.</param>
/// <param name="Guarantee">The guarantee of an accepted event, and the time of its acknowledgement.</param>
/// <param name="StartAsync">Starts a contender.</param>
internal sealed record ContenderKind(
    string Name,
    string Title,
    Transport[] Transports,
    string Guarantee,
    Func<Arena, Task<Contender>> StartAsync)
{
    public const string Bus = "bus";
    public const string Raw = "raw";
    public const string Idempotent = "bus-idempotent";

    /// <summary>One vectorized look at the texts of an event, to compare the measuring of its size with.</summary>
    public const string Look = "raw-look";

    /// <summary>The bus of another build of this program. It has no entry in <see cref="All"/>.</summary>
    public const string OtherBuild = "bus-other-build";

    /// <summary>True for another library.</summary>
    public bool IsPeer => Name is not (Bus or Idempotent) && !Name.StartsWith(Raw, StringComparison.Ordinal);

    /// <summary>True if it is configured for speed.</summary>
    public bool IsTuned => Name.EndsWith("-tuned", StringComparison.Ordinal);

    /// <summary>All kinds, in the order of the tables.</summary>
    public static IReadOnlyList<ContenderKind> All { get; } =
    [
        new(Raw, "raw channel", [Transport.Memory], "queued in memory; nothing is handled again", RawChannels.StartAsync),
        new(
            Look,
            "one look at the text",
            [Transport.Memory],
            "not queued: the publisher searches the texts of the event for characters that JSON escapes, and calls the handler",
            _ => Task.FromResult<Contender>(new RawLook())),
        new(
            Raw,
            "raw client",
            [Transport.RabbitMq, Transport.RabbitMqClassic],
            "persistent, mandatory, confirmed in a pipeline; acknowledged one by one after handling, prefetch 256",
            RawRabbitMq.StartAsync),
        new(
            Raw,
            "raw client",
            [Transport.RedisStreams],
            "XADD answered; XACK for each read after handling, blocking reads of at most 256",
            RawRedisStreams.StartAsync),
        new(Raw, "raw client", [Transport.RedisPubSub], "PUBLISH answered; lost without a subscriber", RawRedisPubSub.StartAsync),
        new(
            Raw,
            "raw client",
            [Transport.Kafka],
            "idempotent producer, acks all; positions stored every 100 ms behind what is handled without a gap, committed every half "
                + "second",
            RawKafka.StartAsync),
        new(
            Bus,
            "EventBus",
            [Transport.Memory],
            "queued in memory, and handled again after a failure; acknowledged after handling",
            arena => BusContender.StartAsync(arena)),
        new(
            Idempotent,
            "EventBus, idempotent",
            [Transport.Memory],
            "the same, and the effect of each event once, as long as the process lives",
            arena => BusContender.StartAsync(arena, isIdempotent: true)),
        new(
            Bus,
            "EventBus",
            [Transport.RabbitMq, Transport.RabbitMqClassic],
            "persistent, mandatory, confirmed; acknowledged one by one after handling, 64 at once, prefetch 256",
            arena => BusContender.StartAsync(arena)),
        new(
            Bus,
            "EventBus",
            [Transport.RedisStreams],
            "XADD answered; XACK after handling, 64 at once",
            arena => BusContender.StartAsync(arena)),
        new(
            Bus,
            "EventBus",
            [Transport.RedisPubSub],
            "PUBLISH answered; lost without a subscriber; 64 at once",
            arena => BusContender.StartAsync(arena)),
        new(
            Bus,
            "EventBus",
            [Transport.Kafka],
            "idempotent producer, acks all; positions stored every 100 ms behind what is acknowledged without a gap, committed every half "
                + "second; 64 at once",
            arena => BusContender.StartAsync(arena)),
        .. PeerKinds.All,
    ];

    public static ContenderKind Find(string name, Transport transport) =>
        All.FirstOrDefault(kind => kind.Name == name && kind.Transports.Contains(transport))
        ?? throw new ArgumentException($"There is no contender '{name}' over {transport}.", nameof(name));
}
