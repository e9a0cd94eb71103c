namespace EventBus.Proof;

/// <summary>
/// Proves that a broker keeps the events that it accepted: it is killed and restarted on the same files while events
/// are published and consumed.
/// </summary>
internal sealed class BrokerKilledProof : LedgerProof
{
    // Few, so that a part of the events is published while the broker is reachable.
    private const int AtOnce = 32;

    // RabbitMQ stores the name of the files of a new quorum queue only after its register was idle for half a second.
    // If it is killed earlier, it creates the queue again, empty and without a leader.
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    public override string Name => "broker-killed";

    // The longest call is measured.
    public override bool RunsAlone => true;

    public override async Task RunAsync(Stage stage, Findings findings)
    {
        var (events, kills) = (stage.Run.Size(200_000, 20_000), stage.Run.Size(50, 3));
        stage.Settings = stage.Settings with { Concurrency = 128 };
        stage.Redis.SyncsAlways = true;
        await stage.StartBrokerAsync();
        await RunAsync(
            stage,
            findings,
            new LedgerPlan(events, AtOnce, Processes: 1, new Queue<Fault>(), StrikeAsync) { Before = () => RealTime.PassAsync(Settling) });
        findings.Exactly("kills of the broker", kills, stage.BrokerKills);

        async Task StrikeAsync(Publishing publisher)
        {
            foreach (var fault in Fault.Plan(stage.Random, events, kills))
            {
                await Until.TrueAsync(
                    $"{fault.After:N0} published events",
                    Patience,
                    () => Task.FromResult(publisher.Settled >= fault.After));
                await stage.KillBrokerAsync();
            }
        }
    }
}
