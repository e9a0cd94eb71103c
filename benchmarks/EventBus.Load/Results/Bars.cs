namespace EventBus.Load;

/// <summary>The limits: ratios within one run, evaluated by the 95 % interval of the median of all rounds.</summary>
internal static class Bars
{
    private const double LeastOfRaw = 0.9;
    private const double LeastOfRawAwaitedOverKafka = 0.95;
    private const double MostCpuOfRaw = 1.3;

    private static readonly Arena Memory = new(Transport.Memory);
    private static readonly Arena MemoryOfFive = new(Transport.Memory, Subscriptions: 5);
    private static readonly Arena LargeInMemory = new(Transport.Memory, Size: 64 * 1024);
    private static readonly Arena RabbitMq = new(Transport.RabbitMq);
    private static readonly Arena Streams = new(Transport.RedisStreams);
    private static readonly Arena PubSub = new(Transport.RedisPubSub);
    private static readonly Arena Kafka = new(Transport.Kafka);

    /// <summary>The rows over a broker: the modes of throughput, and the further arenas.</summary>
    public static IReadOnlyList<(Arena Arena, Mode Mode)> Rows { get; } =
    [
        .. Enum.GetValues<Transport>().Where(transport => transport != Transport.Memory).SelectMany(
            transport => Titles.Throughputs.Select(mode => (new Arena(transport), mode))
                .Concat(Suites.Further(transport).SelectMany(arena => Suites.ModesOf(arena).Select(mode => (arena, mode))))),
    ];

    public static IReadOnlyList<Bar> All { get; } =
    [
        new("In memory, 1 subscription, against a raw channel", Throughput(ContenderKind.Raw, Memory, Mode.OneByOne), Least: 0.5)
        {
            Against = ContenderKind.Raw,
        },
        new("the same, against Wolverine's local queue", Throughput("wolverine", Memory, Mode.OneByOne), Least: 4)
        {
            Against = "wolverine",
        },
        new("the same, against Wolverine's local queue, tuned", Throughput("wolverine-tuned", Memory, Mode.OneByOne), Least: 4)
        {
            Against = "wolverine-tuned",
        },
        new(
            "the same, bytes an event",
            found => found.Of(ContenderKind.Bus, Memory, Mode.OneByOne)?.Of(sample => sample.Bytes),
            Most: 160,
            Unit: "B"),
        new(
            "In memory, 5 subscriptions, against five raw channels",
            Throughput(ContenderKind.Raw, MemoryOfFive, Mode.OneByOne),
            Least: 0.5)
        {
            Against = ContenderKind.Raw,
        },
        new(
            "In memory, 64 KB, time of an event against one vectorized look at its text",
            found => found.Ratio(ContenderKind.Look, LargeInMemory, Mode.OneByOne, sample => 1 / sample.EventsPerSecond),
            Most: 1.5)
        {
            Against = ContenderKind.Look,
        },
        new("In memory, one in flight, p50 against a raw channel", Latency(Memory), Most: 2) { Against = ContenderKind.Raw },
        new(
            "Idempotent decorator in memory, time on top of an event",
            found => OnTop(found, sample => 1e9 / sample.EventsPerSecond),
            Most: 200,
            Unit: "ns")
        {
            Against = ContenderKind.Idempotent,
        },
        new(
            "Idempotent decorator in memory, bytes on top of an event",
            found => OnTop(found, sample => sample.Bytes),
            Most: 100,
            Unit: "B"),
        .. Rows.SelectMany(Row),
        new("RabbitMQ quorum, one in flight, p50 against the raw client", Latency(RabbitMq), Most: 1.2) { Against = ContenderKind.Raw },
        new("RabbitMQ quorum, bytes an event against the raw client", Bytes(RabbitMq), Most: 1.3),
        .. PeerKinds.Confirming.SelectMany(Confirmed),
        new("Redis Streams, one in flight, p50 against a raw blocking read", Latency(Streams), Most: 1.5) { Against = ContenderKind.Raw },
        new("Redis Streams, bytes an event against the raw client", Bytes(Streams), Most: 1.3),
        new("Redis Pub/Sub, one in flight, p50 against the raw client", Latency(PubSub), Most: 1.5) { Against = ContenderKind.Raw },
        new("Redis Pub/Sub, bytes an event against the raw client", Bytes(PubSub), Most: 1.3),
        new("Kafka, one in flight, p50 against the raw client", Latency(Kafka), Most: 1.2) { Against = ContenderKind.Raw },
        new("Kafka, bytes an event against the raw client", Bytes(Kafka), Most: 1.3),
        new(
            "Hello world, native AOT: time to the first handled event against a bare host",
            found => found.StartRatio(isNative: true, sample => sample.Milliseconds),
            Most: 1.3),
        new(
            "Hello world, native AOT: peak memory against a bare host",
            found => found.StartRatio(isNative: true, sample => sample.PeakMiB),
            Most: 1.5),
        new("Hello world, native AOT: size against a bare host", Size, Most: 2.2),
        new(
            "Hello world, framework-dependent: time to the first handled event against a bare host",
            found => found.StartRatio(isNative: false, sample => sample.Milliseconds),
            Most: 1.5),
        new(
            "Hello world, framework-dependent: peak memory against a bare host",
            found => found.StartRatio(isNative: false, sample => sample.PeakMiB),
            Most: 1.5),
    ];

    /// <summary>
    /// Returns the contenders of the bars with this verdict, and the bus; empty if there is no such bar.
    /// </summary>
    public static HashSet<string> Contenders(IReadOnlyList<Series> series, string verdict)
    {
        var findings = new Findings(series, []);
        var names = All
            .Where(bar => bar.Against is not null && bar.Measure(findings) is { } found && bar.Verdict(found) == verdict)
            .Select(bar => bar.Against!)
            .ToHashSet();
        return names.Count == 0 ? names : [.. names, ContenderKind.Bus];
    }

    /// <summary>Prints every limit that can be evaluated, and returns true if all are met.</summary>
    public static bool Check(IReadOnlyList<ResultFile> files)
    {
        var (findings, held) = (new Findings(files), true);
        foreach (var bar in All)
        {
            if (bar.Measure(findings) is { } found)
            {
                held &= bar.IsMet(found);
                Console.WriteLine($"  {bar.Verdict(found),-9} {bar.What}: {bar.Show(found)}, {bar.Demand}");
            }
        }

        return held;
    }

    /// <summary>Compares a row over a broker with the raw client: its throughput, and its processor time.</summary>
    private static IEnumerable<Bar> Row((Arena Arena, Mode Mode) row)
    {
        var (arena, mode) = row;
        var name = $"{Titles.Of(arena)}, {Titles.Of(mode)}";
        var least = arena.Transport == Transport.Kafka && mode == Mode.OneByOne ? LeastOfRawAwaitedOverKafka : LeastOfRaw;
        yield return new Bar($"{name}: against the raw client", Throughput(ContenderKind.Raw, arena, mode), Least: least)
        {
            Against = ContenderKind.Raw,
        };
        yield return new Bar(
            "the same, processor time",
            found => found.Ratio(ContenderKind.Raw, arena, mode, sample => sample.Cpu),
            Most: MostCpuOfRaw)
        {
            Against = ContenderKind.Raw,
        };
    }

    private static Func<Findings, Interval?> Throughput(string other, Arena arena, Mode mode) =>
        found => found.Ratio(other, arena, mode, sample => sample.EventsPerSecond);

    private static Func<Findings, Interval?> Latency(Arena arena) =>
        found => found.Ratio(ContenderKind.Raw, arena, Mode.OneInFlight, sample => sample.P50);

    private static Func<Findings, Interval?> Bytes(Arena arena) =>
        found => found.Ratio(ContenderKind.Raw, arena, Mode.InFlight64, sample => sample.Bytes);

    /// <summary>Compares with the libraries that have the same guarantee.</summary>
    private static IEnumerable<Bar> Confirmed(string peer)
    {
        var title = ContenderKind.Find(peer, Transport.RabbitMq).Title;
        yield return new Bar($"RabbitMQ quorum, 64 in flight, against {title}", Throughput(peer, RabbitMq, Mode.InFlight64), Least: 1)
        {
            Against = peer,
        };
        yield return new Bar(
            $"RabbitMQ quorum, a list, against what {title} has for a list",
            Throughput(peer, RabbitMq, Mode.List),
            Least: 1)
        {
            Against = peer,
        };
        yield return new Bar(
            $"RabbitMQ quorum, a list, against {title} that awaits each confirm",
            found => Awaited(found, peer),
            Least: 10);
    }

    private static Interval? Awaited(Findings found, string peer) =>
        found.Of(ContenderKind.Bus, RabbitMq, Mode.List) is { } list && found.Of(peer, RabbitMq, Mode.OneByOne) is { } each
            ? list.RatioTo(each, sample => sample.EventsPerSecond)
            : null;

    private static Interval? OnTop(Findings found, Func<Sample, double> figure) =>
        found.Of(ContenderKind.Bus, Memory, Mode.Backlog) is { } without
            && found.Of(ContenderKind.Idempotent, Memory, Mode.Backlog) is { } with
            ? Statistics.Of(with.Rounds.Zip(without.Rounds, (mine, its) => figure(mine) - figure(its)))
            : null;

    private static Interval? Size(Findings found) =>
        found.Start(Hello.Bus, isNative: true) is { } bus
            && found.Start(Hello.Bare, isNative: true) is { } bare
            && bus.SizeMiB / bare.SizeMiB is var ratio ? new Interval(ratio, ratio, ratio) : null;
}
