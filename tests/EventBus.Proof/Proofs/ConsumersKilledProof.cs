namespace EventBus.Proof;

/// <summary>Consuming processes are killed at random while they handle: each event takes effect once, and none is lost.</summary>
internal sealed class ConsumersKilledProof : LedgerProof
{
    private const int AtOnce = 512;

    // One that is killed leaves the others at work.
    private const int Processes = 3;

    public override string Name => "consumers-killed";

    public override async Task RunAsync(Stage stage, Findings findings)
    {
        var (events, kills) = (stage.Run.Size(1_000_000, 20_000), stage.Run.Size(1_000, 20));

        // One file has one writer at a time: the more wait for it together, the fewer syncs to the disk an event costs.
        stage.Settings = stage.Settings with { Concurrency = 128 };
        await stage.StartBrokerAsync();
        await RunAsync(stage, findings, new LedgerPlan(events, AtOnce, Processes, Fault.Plan(stage.Random, events, kills), _ => Task.CompletedTask));
        findings.Exactly("kills", kills, stage.Kills);
    }
}
