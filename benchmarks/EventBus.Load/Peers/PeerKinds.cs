namespace EventBus.Load;

/// <summary>The other libraries: with their defaults, and tuned for speed as their documentation recommends.</summary>
internal static class PeerKinds
{
    private const string MassTransit = "MassTransit 8.5.12";
    private const string Wolverine = "Wolverine 6.62.0";
    private const string Rebus = "Rebus 8.9.5";
    private const string Mediator = "Mediator 3.0.2";

    /// <summary>
    /// The libraries that over RabbitMQ confirm each event, keep it on disk and acknowledge it after its handler, as
    /// the bus does.
    /// </summary>
    public static IReadOnlyList<string> Confirming { get; } = ["masstransit", "masstransit-tuned", "wolverine-tuned"];

    public static IReadOnlyList<ContenderKind> All { get; } =
    [
        new(
            "masstransit",
            MassTransit,
            [Transport.Memory],
            "queued in memory without a bound, as JSON; acknowledged after handling; an endpoint for each subscription, prefetch of its "
                + "own choice (16 or twice the cores)",
            arena => MassTransitContender.StartAsync(arena, "masstransit")),
        new(
            "masstransit-tuned",
            $"{MassTransit}, tuned",
            [Transport.Memory],
            "as its default, but 4 at once in each endpoint; a larger prefetch was slower",
            arena => MassTransitContender.StartAsync(arena, "masstransit-tuned", tuned: true)),
        new(
            "wolverine",
            Wolverine,
            [Transport.Memory],
            "queued in memory without a bound, as objects; handled from a buffered queue for each subscription (separated handlers), as "
                + "many at once as it chooses",
            arena => WolverineContender.StartAsync(arena, "wolverine")),
        new(
            "wolverine-tuned",
            $"{Wolverine}, tuned",
            [Transport.Memory],
            "as its default, but sequential in each queue, and without tracing",
            arena => WolverineContender.StartAsync(arena, "wolverine-tuned", tuned: true)),
        new(
            "rebus",
            Rebus,
            [Transport.Memory],
            "queued in memory without a bound, as JSON; acknowledged after handling; a bus and a queue for each subscription, 1 worker, "
                + "5 at once, waits of 100 to 250 ms when idle; a list in one transaction",
            arena => RebusContender.StartAsync(arena)),
        new(
            "rebus-tuned",
            $"{Rebus}, tuned",
            [Transport.Memory],
            "as its default, but 2 workers, 20 at once, waits of 1 ms when idle",
            arena => RebusContender.StartAsync(arena, tuned: true)),
        new(
            "mediator",
            Mediator,
            [Transport.Memory],
            "not queued: the publisher itself calls the handlers, one after the other; a failure is the publisher's",
            MediatorContender.StartAsync),
        new(
            "masstransit",
            MassTransit,
            [Transport.RabbitMq],
            "persistent, not mandatory, confirmed; acknowledged one by one after handling; quorum queues, prefetch of its own choice (16 "
                + "or twice the cores); a list is sent at once",
            arena => MassTransitContender.StartAsync(arena, "masstransit")),
        new(
            "masstransit-tuned",
            $"{MassTransit}, tuned",
            [Transport.RabbitMq],
            "persistent, not mandatory, confirmed; acknowledged one by one after handling, 64 at once; quorum queues, prefetch 256; a "
                + "list is sent at once",
            arena => MassTransitContender.StartAsync(arena, "masstransit-tuned", tuned: true)),
        new(
            "wolverine",
            Wolverine,
            [Transport.RabbitMq],
            "not confirmed (a publish is awaited until it is written to the connection), not mandatory, kept on disk only because the "
                + "queues are quorum queues; acknowledged one by one after handling, 1 at once, prefetch 100",
            arena => WolverineContender.StartAsync(arena, "wolverine")),
        new(
            "wolverine-tuned",
            $"{Wolverine}, tuned",
            [Transport.RabbitMq],
            "confirmed (tracked by the client; a publish that fails is tried again in memory and not reported), not mandatory, on disk "
                + "since the queues are quorum queues; acknowledged one by one after handling, 8 at once, prefetch 256, without tracing",
            arena => WolverineContender.StartAsync(arena, "wolverine-tuned", tuned: true)),
        new(
            "wolverine",
            Wolverine,
            [Transport.Kafka],
            "not confirmed (a publish is awaited until the event is in a buffer in memory), not idempotent; acknowledged when it is in a "
                + "buffer of the consumer, before its handler",
            arena => WolverineContender.StartAsync(arena, "wolverine")),
        new(
            "wolverine-tuned",
            $"{Wolverine}, tuned",
            [Transport.Kafka],
            "idempotent producer, acks all, each event flushed and confirmed; acknowledged after handling, 1 at once, without tracing; "
                + "positions committed by the client",
            arena => WolverineContender.StartAsync(arena, "wolverine-tuned", tuned: true)),
    ];
}
