namespace EventBus.Proof;

/// <summary>
/// Consuming processes are killed at random while they handle: each event takes effect once, and none is lost.
/// </summary>
internal sealed class ConsumersKilledProof : LedgerProof
{
    private const int AtOnce = 512;

    // One that is killed leaves the others at work.
    private const int Processes = 3;

    public override string Name => "consumers-killed";

    public override IReadOnlyList<string> Transports => ["redis", "rabbitmq", "rabbitmq-classic"];

    public override IReadOnlyList<string> Stores => ["sqlite", Native];

    public override bool Joins(string transport, string store) => store != Native || transport == "rabbitmq";

    // What they add to quorum queues with a store is in the conformance suite as well.
    public override bool IsForFullRuns(string transport, string store) => transport == "rabbitmq-classic" || store == Native;

    public override async Task RunAsync(Stage stage, Findings findings)
    {
        // Without a store, whatever a killed process had been handed runs again one by one, through a queue.
        var native = stage.Run.Store == Native;
        var (events, kills) = native
            ? (stage.Run.Size(200_000, 5_000), stage.Run.Size(100, 5))
            : (stage.Run.Size(1_000_000, 20_000), stage.Run.Size(1_000, 20));

        // One file has one writer at a time: the more wait for it together, the fewer syncs to the disk an event costs.
        stage.Settings = stage.Settings with { Concurrency = native ? 4 : 128 };
        await stage.StartBrokerAsync();
        await RunAsync(
            stage,
            findings,
            new LedgerPlan(events, AtOnce, Processes, Fault.Plan(stage.Random, events, kills), _ => Task.CompletedTask));
        findings.Exactly("kills", kills, stage.Kills);
    }
}
