namespace EventBus.Load;

/// <summary>
/// Defines the suites: one axis at a time, starting from one subscription, 150 bytes and 64 publishers.
/// </summary>
internal static class Suites
{
    private const int BarRounds = Bar.LeastRounds;
    private const int AxisRounds = 7;
    private const int CurveRounds = 3;

    private static readonly Mode[] AllModes = [Mode.OneByOne, Mode.InFlight64, Mode.List, Mode.OneInFlight, Mode.AtRate];
    private static readonly string[] Ours = [ContenderKind.Raw, ContenderKind.Bus];

    public static IReadOnlyDictionary<string, Func<bool, bool, IEnumerable<Case>>> Load { get; } =
        new Dictionary<string, Func<bool, bool, IEnumerable<Case>>>
        {
            ["transports"] = (_, _) => Transports(),
            ["memory"] = Memory,
            ["rabbitmq"] = RabbitMq,
            ["redis"] = (peers, isShort) => Broker(Transport.RedisStreams, peers, isShort),
            ["redis-pubsub"] = (peers, isShort) => Broker(Transport.RedisPubSub, peers, isShort),
            ["kafka"] = (peers, isShort) => Broker(Transport.Kafka, peers, isShort),
            ["curves"] = (_, isShort) => Curves(isShort),
        };

    /// <summary>
    /// Events a second in <see cref="Mode.AtRate"/>: a rate that every raw contender carries easily, so that latency is
    /// measured, not a growing queue.
    /// </summary>
    public static int RateOf(Transport transport) => transport switch
    {
        Transport.Memory => 100_000,
        Transport.RabbitMq or Transport.RabbitMqClassic => 1_000,
        _ => 5_000,
    };

    /// <summary>Returns the arenas with more subscriptions or larger events over a broker.</summary>
    public static IEnumerable<Arena> Further(Transport transport) => transport switch
    {
        Transport.RabbitMqClassic => [],
        Transport.Kafka => [new(transport, TopicPartitions: 1), .. LargerOf(transport)],
        _ => LargerOf(transport),
    };

    /// <summary>Returns the modes in which a further arena is measured.</summary>
    public static Mode[] ModesOf(Arena arena) => arena.TopicPartitions > 0 ? [Mode.InFlight64, Mode.List] : [Mode.InFlight64];

    /// <summary>Returns the cases that compare the bus of another build with the bus of this one.</summary>
    /// <param name="rounds">The number of measurements of each.</param>
    public static IReadOnlyList<(string Name, Case Case)> Builds(int rounds)
    {
        string[] both = [ContenderKind.OtherBuild, ContenderKind.Bus];
        return
        [
            ("memory", new Case(new Arena(Transport.Memory), [Mode.OneByOne, Mode.OneInFlight], both, rounds)),
            ("fan-out", new Case(new Arena(Transport.Memory, Subscriptions: 5), [Mode.OneByOne], both, rounds)),
            ("redis", new Case(new Arena(Transport.RedisStreams), [Mode.InFlight64, Mode.OneInFlight], both, rounds)),
            ("rabbitmq", new Case(new Arena(Transport.RabbitMq), [Mode.InFlight64, Mode.OneInFlight], both, rounds)),
            ("kafka", new Case(new Arena(Transport.Kafka), [Mode.InFlight64, Mode.List, Mode.OneInFlight], both, rounds)),
        ];
    }

    private static Arena[] LargerOf(Transport transport) =>
        [new(transport, Subscriptions: 5), new(transport, Size: 4 * 1024), new(transport, Size: 64 * 1024)];

    private static IEnumerable<Case> Transports() =>
        Enum.GetValues<Transport>().Select(transport => new Case(
            new Arena(transport),
            [Mode.OneByOne, Mode.InFlight64, Mode.List, Mode.OneInFlight, Mode.AtRate],
            [ContenderKind.Bus],
            AxisRounds));

    private static IEnumerable<Case> Memory(bool peers, bool isShort)
    {
        var all = With(peers, Transport.Memory);
        yield return new Case(new Arena(Transport.Memory), AllModes, all, BarRounds);
        yield return new Case(new Arena(Transport.Memory, Subscriptions: 5), [Mode.OneByOne], all, BarRounds);
        // Publishing and handling run one after the other, so that the added cost of handling is visible.
        yield return new Case(new Arena(Transport.Memory), [Mode.Backlog], [ContenderKind.Bus, ContenderKind.Idempotent], BarRounds);
        foreach (var size in isShort ? (int[])[] : [4 * 1024, 64 * 1024])
        {
            var contenders = size > 32 * 1024 ? [.. Ours, ContenderKind.Look] : Ours;
            yield return new Case(new Arena(Transport.Memory, Size: size), [Mode.OneByOne], contenders, BarRounds);
        }
    }

    private static IEnumerable<Case> RabbitMq(bool peers, bool isShort) => isShort
        ? Broker(Transport.RabbitMq, peers, isShort)
        : [
            .. Broker(Transport.RabbitMq, peers, isShort),
            new Case(new Arena(Transport.RabbitMqClassic), AllModes, With(peers, Transport.RabbitMqClassic), BarRounds)
        ];

    private static IEnumerable<Case> Broker(Transport transport, bool peers, bool isShort)
    {
        yield return new Case(new Arena(transport), AllModes, With(peers, transport), BarRounds);
        if (isShort)
        {
            yield return new Case(new Arena(transport, Subscriptions: 5, Size: 64 * 1024), [Mode.InFlight64], Ours, AxisRounds);
            yield break;
        }

        foreach (var arena in Further(transport))
        {
            // Of the other libraries those with the same durability.
            string[] contenders = peers && transport == Transport.RabbitMq ? [.. Ours, .. PeerKinds.Confirming] : Ours;
            yield return new Case(arena, ModesOf(arena), contenders, BarRounds);
        }
    }

    private static IEnumerable<Case> Curves(bool isShort)
    {
        foreach (var subscriptions in (int[])[1, 10, 100, 1_000])
        {
            yield return new Case(
                new Arena(Transport.Memory, subscriptions),
                [Mode.OneByOne],
                Ours,
                CurveRounds)
            { Events = Math.Max(1_000, 4_000_000 / subscriptions) };
        }

        foreach (var keys in (int[])[1, 10, 100, 1_000, 10_000, 100_000])
        {
            yield return new Case(new Arena(Transport.Memory, Keys: keys), [Mode.OneByOne], Ours, CurveRounds) { Events = 1_000_000 };
        }

        foreach (var transport in (Transport[])[Transport.Memory, Transport.RabbitMq, Transport.RedisStreams])
        {
            foreach (var backlog in (int[])[1, 100, 10_000, 1_000_000])
            {
                if (!isShort || (backlog == 10_000))
                {
                    // One run, because the remains of a million events in the server's files would slow down the next
                    // one.
                    yield return new Case(
                        new Arena(transport) { Capacity = Math.Max(1024, backlog) },
                        [Mode.Backlog],
                        Ours,
                        backlog > 100_000 && transport != Transport.Memory ? 1 : CurveRounds)
                    { Events = backlog };
                }
            }
        }
    }

    private static string[] With(bool peers, Transport transport) =>
        peers ? [.. ContenderKind.All.Where(kind => kind.Transports.Contains(transport)
            && kind.Name is not (ContenderKind.Idempotent or ContenderKind.Look))
            .Select(kind => kind.Name)] : Ours;
}
