namespace EventBus.Proof;

/// <summary>
/// Proves that each event takes effect once and none is lost while consuming processes are killed at random.
/// </summary>
internal sealed class ConsumersKilledProof : LedgerProof
{
    private const int AtOnce = 512;

    // While one is killed, the others continue.
    private const int Processes = 3;

    public override string Name => "consumers-killed";

    public override IReadOnlyList<string> Transports =>
        ["redis", "rabbitmq", "rabbitmq-classic", "kafka", "kafka-range", "kafka-consumer"];

    public override IReadOnlyList<string> Stores => ["sqlite", Native];

    public override bool Joins(string transport, string store) => store != Native || transport == "rabbitmq";

    // The conformance suite also covers quorum queues with a store, and the group protocols of Kafka.
    public override bool IsForFullRuns(string transport, string store) =>
        transport is "rabbitmq-classic" or "kafka-range" or "kafka-consumer" || store == Native;

    public override async Task RunAsync(Stage stage, Findings findings)
    {
        // Without a store, the deliveries of a killed process run again one by one, through a queue.
        var native = stage.Run.Store == Native;
        var (events, kills) = native
            ? (stage.Run.Size(200_000, 5_000), stage.Run.Size(100, 5))
            : (stage.Run.Size(1_000_000, 20_000), stage.Run.Size(1_000, 20));

        // A file has one writer at a time: the more calls wait for it together, the fewer disk syncs an event costs.
        stage.Settings = stage.Settings with { Concurrency = native ? 4 : 128 };
        await stage.StartBrokerAsync();
        await RunAsync(
            stage,
            findings,
            new LedgerPlan(events, AtOnce, Processes, Fault.Plan(stage.Random, events, kills), _ => Task.CompletedTask));
        findings.Exactly("kills", kills, stage.Kills);
    }
}
