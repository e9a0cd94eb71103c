namespace EventBus.Proof;

/// <summary>
/// The broker is killed and started again on the same files while events are published and consumed: what it
/// acknowledged is there.
/// </summary>
internal sealed class BrokerKilledProof : LedgerProof
{
    // Few, so that not all that is left is refused while the broker is away.
    private const int AtOnce = 32;

    // RabbitMQ writes down under which name it keeps a new quorum queue only after the register has been left alone for
    // half a second. Killed before, it begins the queue anew, empty and without a leader.
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
                    $"The publishing of {fault.After:N0} events",
                    Patience,
                    () => Task.FromResult(publisher.Settled >= fault.After));
                await stage.KillBrokerAsync();
            }
        }
    }
}
